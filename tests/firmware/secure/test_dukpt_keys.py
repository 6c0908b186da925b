"""The module under DUKPT: the published keys, the counter before the key, and its end."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from psec.des import decrypt_tdes_ecb
from psec.mac import generate_retail_mac

from firmware.secure.dukpt_register import DukptRegister
from firmware.secure.errors import KeyFormat, KeyMissing, KeysExhausted, StoreOutdated
from firmware.secure.key_use import KeyUse
from firmware.secure.message_keys import register_name
from firmware.secure.module import SecureModule
from firmware.secure.pin_entry import PinReady
from firmware.secure.scheme import KeyScheme, Security
from hal.api import StorageFailed
from tests.firmware.secure.conftest import Bench
from wire.pan import Pan

# psec takes the cipher by a name that the library below it has deprecated.
pytestmark = pytest.mark.filterwarnings("ignore:.*TripleDES")

VECTORS = Path(__file__).parents[2] / "vectors"
IPEK = bytes.fromhex("6AC292FAA1315B4D858AB3A3D7D5933A")
KSN = bytes.fromhex("FFFF9876543210E00000")
MAB = bytes.fromhex("0123456789ABCDEFFEDCBA9876543210AABB")


def module(bench: Bench, scheme: str = "dukpt-tdes", **more: str) -> SecureModule:
    made = SecureModule(bench.storage, bench.tamper, bench.rng, security=Security.of(scheme, **more))
    if not made.has_root_key and scheme == "dukpt-tdes":
        made.load_initial_key(IPEK, KSN)
    return made


def pin_block(bench: Bench, secure: SecureModule, pan: str) -> bytes:
    bench.module = secure
    secure.begin_pin_entry(bench.keypad, Pan(pan), now_ms=bench.clock.monotonic_ms())
    assert bench.press(*"1234", "enter")[-1] == PinReady()
    return secure.take_pin_block()


def published(kind: str) -> list[dict[str, dict[str, str]]]:
    cases = json.loads((VECTORS / "dukpt_tdes.json").read_text(encoding="utf-8"))["cases"]
    found = [case for case in cases if case["kind"] == kind and case["inputs"].get("pin", "1234") == "1234"]
    assert found
    return found


def test_the_pin_blocks_of_the_standard_in_their_order(bench: Bench) -> None:
    by_ksn = {case["inputs"]["ksn"]: case for case in published("dukpt_tdes_pin")}
    secure = module(bench)
    for number in range(1, 5):
        case = by_ksn[f"FFFF9876543210E0000{number}"]
        block = pin_block(bench, secure, case["inputs"]["pan"])
        assert secure.open_message() == bytes.fromhex(case["inputs"]["ksn"])
        assert block.hex().upper() == case["expected"]["pin_block"]


def test_the_retail_mac_by_another_implementation(bench: Bench) -> None:
    secure = module(bench)
    assert secure.open_message() == KSN[:-1] + b"\x01"
    key = bytes.fromhex("042666B4918430A368DE9628D03984C9")  # the digest's, section 6.8
    assert secure.mac(MAB) == generate_retail_mac(key[:8], key[8:], MAB, 1)
    answer_key = bytes.fromhex("042666B46E84CFA368DE96282F397BC9")
    assert secure.verify_mac(MAB, generate_retail_mac(answer_key[:8], answer_key[8:], MAB, 1))
    assert not secure.verify_mac(MAB, secure.mac(MAB))


def test_the_track_under_the_data_key_by_another_implementation(bench: Bench) -> None:
    secure = module(bench, encrypt_track="dukpt")
    secure.open_message()
    clear = "6225880123456783D30122011234500000"
    data = bytes.fromhex(secure.enciphered_track(clear))
    key = bytes.fromhex("448D3F076D8304036A55A3D7E0055A78")
    blocks = [data[at : at + 8] for at in range(0, len(data), 8)]
    opened = b"".join(
        bytes(a ^ b for a, b in zip(decrypt_tdes_ecb(key, block), before, strict=True))
        for before, block in zip([bytes(8), *blocks[:-1]], blocks, strict=True)
    )
    assert opened.hex().upper() == clear.ljust(48, "F")


def test_aes_keys_of_the_supplement(bench: Bench) -> None:
    """The digest's section 6.8: BDK FEDC..., key id 1234567890123456."""
    secure = module(bench, "dukpt-aes")
    secure.load_initial_key(
        bytes.fromhex("1273671EA26AC29AFA4D1084127652A1"), bytes.fromhex("123456789012345600000000")
    )
    assert secure.open_message() == bytes.fromhex("123456789012345600000001")
    for use, expected in (
        (KeyUse.PIK, "AF8CB133A78F8DC2D1359F18527593FB"),
        (KeyUse.MAK, "A2DC23DE6FDE0824A2BC321E08E4B8B7"),
        (KeyUse.TDK, "A35C412EFD41FDB98B69797C02DCD08F"),
    ):
        with secure._keys.key(use) as key:
            assert key.hex().upper() == expected


def test_a_pin_and_its_message_share_one_number_and_the_next_message_has_its_own(bench: Bench) -> None:
    secure = module(bench)
    pin_block(bench, secure, "4012345678909")
    numbers = [secure.open_message() for _ in range(3)]
    assert [int.from_bytes(one or b"", "big") & 0xFF for one in numbers] == [1, 2, 3]


def test_the_counter_is_durable_before_the_key_is_used(bench: Bench) -> None:
    secure = module(bench)
    bench.storage.fail_at(bench.storage.commits + 1)
    with pytest.raises(StorageFailed):
        secure.open_message()
    with pytest.raises(KeyMissing):
        secure.mac(MAB)
    assert secure.open_message() == KSN[:-1] + b"\x01"  # it was never used
    again = module(bench)
    with pytest.raises(KeyMissing):
        again.mac(MAB)  # what the power took does not come back
    assert again.open_message() == KSN[:-1] + b"\x02"


def test_an_old_copy_of_the_register_is_refused(bench: Bench) -> None:
    secure = module(bench)
    old = bench.storage.snapshot()
    secure.open_message()
    bench.storage.restore(old)
    with pytest.raises(StoreOutdated, match="old copy"):
        module(bench).open_message()


def test_the_initial_key_is_not_kept(bench: Bench) -> None:
    secure = module(bench)
    with secure._vault.opened(register_name(KeyScheme.DUKPT_TDES), KeyUse.DUKPT) as content:
        assert IPEK not in content
        assert len(content) == 10 + 21 * (2 + 16)


def last_register() -> DukptRegister:
    """A device before its last transaction: the ten highest bits but the lowest of them are used."""
    register = DukptRegister.begin(KeyScheme.DUKPT_TDES, IPEK, KSN)
    register.device.counter = 0x1FF800 - 1
    register.device.registers = {11: register.device.registers[20]}
    register.ksn = (int.from_bytes(KSN, "big") | 0x1FF800 - 1).to_bytes(10, "big")
    return register


def test_when_the_keys_are_used_up_nothing_works_and_nothing_is_changed(bench: Bench) -> None:
    secure = module(bench)
    content = last_register().encode()
    secure._vault.commit([secure._vault.sealed("dukpt/tdes", KeyUse.DUKPT, content)])
    assert (int.from_bytes(secure.open_message() or b"", "big") & 0x1FFFFF) == 0x1FF800
    before = bench.storage.snapshot()
    with pytest.raises(KeysExhausted, match="load a new initial key"):
        secure.open_message()
    with pytest.raises(KeysExhausted):
        secure.begin_pin_entry(bench.keypad, Pan("6225880123456783"), now_ms=0)
    assert bench.storage.snapshot() == before
    secure.load_initial_key(IPEK, KSN)
    assert secure.open_message() == KSN[:-1] + b"\x01"


@pytest.mark.parametrize(("key", "ksn"), [(IPEK[:8], KSN), (IPEK, KSN[:8]), (IPEK, KSN + b"\0\0")])
def test_sizes_are_judged_before_anything_is_stored(bench: Bench, key: bytes, ksn: bytes) -> None:
    secure = SecureModule(bench.storage, bench.tamper, bench.rng, security=Security.of("dukpt-tdes"))
    with pytest.raises(KeyFormat):
        secure.load_initial_key(key, ksn)
    assert not secure.has_root_key


def test_wiping_takes_the_transaction_with_it(bench: Bench) -> None:
    secure = module(bench)
    secure.open_message()
    secure.wipe()
    with pytest.raises(KeyMissing):
        secure.mac(MAB)
    assert not secure.has_root_key
