"""Keys as components and as TR-31 key blocks: what is stored, what is refused, what is noted."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from psec.des import encrypt_tdes_ecb

from firmware.secure import tr31
from firmware.secure.errors import BadInput, KeyCheckFailed, KeyFormat, KeyMissing, KeyMisused, SecureError
from firmware.secure.key_loading import KeyComponent, KeyKind
from firmware.secure.key_use import KeyUse
from firmware.secure.module import SecureModule
from firmware.secure.scheme import Security
from firmware.secure.tr31_header import KeyBlockHeader
from hal.api import StorageFailed
from tests.firmware.secure.conftest import BUNDLE_003, TMK, TMK_CHECK_VALUE, Bench

# psec takes the cipher by a name that the library below it has deprecated.
pytestmark = pytest.mark.filterwarnings("ignore:.*TripleDES")

VECTORS = json.loads((Path(__file__).parents[2] / "vectors" / "tr31.json").read_text(encoding="utf-8"))[
    "cases"
]
TRANSPORT = bytes.fromhex("89E88CF7931444F334BD7547FC3F380C")
FIRST = bytes.fromhex("00112233445566778899AABBCCDDEEFF")
SECOND = bytes(a ^ b for a, b in zip(TMK, FIRST, strict=True))
TMK_KIND = KeyKind(KeyUse.TMK)
KSN = "FFFF9876543210E00000"


def check_value(key: bytes) -> bytes:
    """By psec: another implementation than the terminal's."""
    return bytes(encrypt_tdes_ecb(key, bytes(8))[:4])


def component(key: bytes) -> KeyComponent:
    return KeyComponent(key, check_value(key))


def block(
    bench: Bench,
    key: bytes = TMK,
    *,
    version: str = "B",
    key_usage: str = "K0",
    mode_of_use: str = "D",
    ksn: str = "",
    header: Mapping[str, str] | None = None,
) -> str:
    """A key block under the transport key; `header`: what is different in it."""
    usual = {"key_usage": key_usage, "algorithm": "T", "mode_of_use": mode_of_use, "exportability": "N"}
    optional = {"KS": ksn} if ksn else {}
    return tr31.wrap(
        TRANSPORT,
        KeyBlockHeader(version, **{**usual, **(header or {})}, optional_blocks=optional),
        key,
        bench.rng.token,
    )


# --- components --------------------------------------------------------------------------------------


def test_two_custodians_load_the_master_key(bench: Bench) -> None:
    shown = bench.module.load_components(TMK_KIND, [component(FIRST), component(SECOND)], TMK_CHECK_VALUE)
    assert shown == TMK_CHECK_VALUE
    bench.module.accept_working_keys(BUNDLE_003, "003")
    assert bench.module.has_working_keys


def test_three_custodians_in_any_order(bench: Bench) -> None:
    third = bytes(range(16))
    second = bytes(a ^ b for a, b in zip(SECOND, third, strict=True))
    for order in ((FIRST, second, third), (third, FIRST, second)):
        assert bench.module.load_components(TMK_KIND, [component(one) for one in order]) == TMK_CHECK_VALUE


@pytest.mark.parametrize(
    ("components", "expected", "error", "words"),
    [
        ([FIRST], None, KeyFormat, "two or three components, not 1"),
        ([FIRST] * 4, None, KeyFormat, "two or three components, not 4"),
        ([FIRST, SECOND[:8]], None, KeyFormat, "not equally long"),
        ([FIRST[:8], SECOND[:8]], None, KeyFormat, "TMK 1: such a key has 16 bytes, this one 8"),
        ([FIRST, FIRST], None, KeyFormat, "cancel each other out"),
        ([FIRST, SECOND], b"\x49\x15\x10\xcb", KeyCheckFailed, "TMK 1: key and check value do not fit"),
        ([FIRST, SECOND], b"\x49\x15", KeyFormat, "3 bytes or more"),
    ],
)
def test_refused_components_change_nothing(
    bench: Bench, components: list[bytes], expected: bytes | None, error: type[SecureError], words: str
) -> None:
    bench.sign_in()
    before = bench.storage.snapshot()
    with pytest.raises(error, match=words):
        bench.module.load_components(TMK_KIND, [KeyComponent(one) for one in components], expected)
    assert bench.storage.snapshot() == before


def test_the_component_that_does_not_fit_is_named(bench: Bench) -> None:
    wrong = KeyComponent(SECOND, check_value(FIRST))
    with pytest.raises(KeyCheckFailed, match="component 2: key and check value do not fit"):
        bench.module.load_components(TMK_KIND, [component(FIRST), wrong])
    assert not bench.module.has_tmk


def test_a_failed_commit_leaves_the_key_of_before(bench: Bench) -> None:
    bench.sign_in()
    bench.storage.fail_at(bench.storage.commits + 1)
    with pytest.raises(StorageFailed):
        bench.module.load_components(TMK_KIND, [component(FIRST), component(FIRST[::-1])])
    bench.restart()
    assert bench.module.check_values() == {"tmk/01": "491510CA"}
    assert bench.module.has_working_keys


# --- key blocks --------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", "ABC")
def test_a_master_key_in_a_key_block(bench: Bench, version: str) -> None:
    bench.module.load_transport_key(TRANSPORT, check_value(TRANSPORT))
    kind, shown = bench.module.load_key_block(block(bench, version=version))
    assert (kind, shown) == (TMK_KIND, TMK_CHECK_VALUE)
    bench.module.accept_working_keys(BUNDLE_003, "003")


def test_a_master_key_in_a_key_block_of_version_d_under_an_aes_key(bench: Bench) -> None:
    bench.module.load_transport_key(TRANSPORT, algorithm="A")
    _, shown = bench.module.load_key_block(block(bench, version="D"), index=7)
    assert shown == TMK_CHECK_VALUE
    assert "tmk/07" in bench.module.check_values()


def test_an_initial_key_in_a_key_block(bench: Bench) -> None:
    dukpt = SecureModule(bench.storage, bench.tamper, bench.rng, security=Security.of("dukpt-tdes"))
    dukpt.load_transport_key(TRANSPORT)
    ipek = bytes.fromhex("6AC292FAA1315B4D858AB3A3D7D5933A")
    kind, _ = dukpt.load_key_block(block(bench, ipek, key_usage="B1", mode_of_use="X", ksn=KSN))
    assert kind.use is KeyUse.DUKPT
    assert dukpt.open_message() == bytes.fromhex(KSN[:-1] + "1")


REFUSED_BLOCKS: dict[str, tuple[dict[str, str], str]] = {
    "a PIN key": ({"key_usage": "P0", "mode_of_use": "E"}, "usage P0 is not taken"),
    "a MAC key": ({"key_usage": "M3", "mode_of_use": "C"}, "usage M3 is not taken"),
    "a base derivation key": ({"key_usage": "B0", "mode_of_use": "X"}, "usage B0 is not taken"),
    "a key that enciphers only": ({"mode_of_use": "E"}, "mode of use E"),
    "an RSA key": ({"algorithm": "R"}, "algorithm R"),
    "a key that may be exported in clear": ({"exportability": "S"}, "exported in clear"),
}


@pytest.mark.parametrize("name", REFUSED_BLOCKS)
def test_a_key_for_another_use_is_refused_and_noted(bench: Bench, name: str) -> None:
    header, words = REFUSED_BLOCKS[name]
    bench.module.load_transport_key(TRANSPORT)
    with pytest.raises(KeyMisused, match=words):
        bench.module.load_key_block(block(bench, header=header))
    assert not bench.module.has_tmk
    bench.restart()
    (event,) = bench.module.security_log()
    assert (event.number, event.code) == (1, "S150")
    assert words in event.text


def test_a_transport_key_opens_only_versions_of_its_algorithm(bench: Bench) -> None:
    bench.module.load_transport_key(TRANSPORT)
    with pytest.raises(KeyMisused, match="a triple DES key opens no version D"):
        bench.module.load_key_block(block(bench, version="D"))


def test_without_a_transport_key_no_block_is_opened(bench: Bench) -> None:
    with pytest.raises(KeyMissing, match="transport/01"):
        bench.module.load_key_block(block(bench))


def test_an_initial_key_without_its_serial_number_is_refused(bench: Bench) -> None:
    bench.module.load_transport_key(TRANSPORT)
    with pytest.raises(KeyFormat, match="no serial number"):
        bench.module.load_key_block(block(bench, key_usage="B1", mode_of_use="X"))


@pytest.mark.parametrize(
    "case",
    [case for case in VECTORS if case["kind"] == "tr31_unwrap" and "reject" in case["expected"]],
    ids=lambda case: case["id"],
)
def test_malformed_blocks_change_nothing(bench: Bench, case: dict[str, dict[str, str]]) -> None:
    kbpk = bytes.fromhex(case["inputs"]["kbpk"])
    algorithm = "A" if case["inputs"]["key_block"][:1] == "D" else "T"
    try:
        bench.module.load_transport_key(kbpk, algorithm=algorithm)
    except SecureError:
        bench.module.load_transport_key(TRANSPORT)  # the case is about the protection key's size
    before = bench.module.check_values()
    with pytest.raises((BadInput, KeyMisused)):
        bench.module.load_key_block(case["inputs"]["key_block"])
    assert bench.module.check_values() == before


# --- one key, one use --------------------------------------------------------------------------------


def test_the_same_key_is_not_taken_for_a_second_use(bench: Bench) -> None:
    bench.module.load_tmk(1, TMK)
    with pytest.raises(KeyMisused, match="here as TMK already"):
        bench.module.load_transport_key(TMK)
    assert [event.code for event in bench.module.security_log()] == ["S150"]


@pytest.mark.parametrize("use", [KeyUse.PIK, KeyUse.MAK, KeyUse.TDK])
def test_working_keys_cannot_be_typed_in(bench: Bench, use: KeyUse) -> None:
    with pytest.raises(KeyMisused, match="comes from the bank at sign-in"):
        bench.module.load_components(KeyKind(use), [component(FIRST), component(SECOND)])
    assert len(bench.module.security_log()) == 1


def test_the_log_keeps_the_newest_refusals(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("firmware.secure.security_log.ENTRIES_MAX", 3)
    bench.module.load_tmk(1, TMK)
    for _ in range(5):
        with pytest.raises(KeyMisused):
            bench.module.load_transport_key(TMK)
    assert [event.number for event in bench.module.security_log()] == [3, 4, 5]


def test_nothing_secret_is_in_the_log_or_the_errors(bench: Bench) -> None:
    attempts: list[Callable[[], object]] = [
        lambda: bench.module.load_components(TMK_KIND, [component(FIRST), component(FIRST)]),
        lambda: bench.module.load_components(TMK_KIND, [component(FIRST), KeyComponent(SECOND, FIRST[:4])]),
        lambda: bench.module.load_transport_key(FIRST, SECOND[:4]),
        lambda: bench.module.load_key_block(block(bench, key_usage="P0")),
    ]
    texts = []
    for attempt in attempts:
        with pytest.raises(SecureError) as caught:
            attempt()
        texts.append(f"{caught.value!s} {caught.value!r}".upper())
    texts += [repr(event).upper() for event in bench.module.security_log()]
    texts.append(repr(component(FIRST)).upper())
    for secret in (FIRST, SECOND, TMK, TRANSPORT):
        assert not [text for text in texts if secret.hex().upper()[:10] in text]
        assert not [text for text in texts if repr(secret)[2:12].upper() in text]


def test_an_old_copy_of_the_store_gives_no_key_and_is_noted(bench: Bench) -> None:
    bench.sign_in()
    old = bench.storage.snapshot()
    bench.module.discard_working_keys()
    bench.storage.restore(old)
    bench.restart()
    with pytest.raises(SecureError, match="old copy"):
        bench.module.mac(b"a message")
    assert bench.module.self_test().detail.startswith("S140 the key store is an old copy")
    assert "S140" in {event.code for event in bench.module.security_log()}
    bench.module.load_tmk(1, TMK)
    bench.module.accept_working_keys(BUNDLE_003, "003")
    assert bench.module.self_test().ok
