"""DUKPT: the published chains of keys, counting, and what is refused. All cases run in tests/tools too."""

import json
from pathlib import Path
from typing import Any

import pytest

from firmware.secure import dukpt_aes, dukpt_tdes
from firmware.secure.dukpt_counter import next_counter, usable_counters
from firmware.secure.errors import BadInput
from firmware.secure.memory import SecretBytes

VECTORS = Path(__file__).parents[2] / "vectors"


def cases(topic: str, kind: str) -> list[Any]:
    document = json.loads((VECTORS / f"{topic}.json").read_text(encoding="utf-8"))
    return [pytest.param(case, id=case["id"]) for case in document["cases"] if case["kind"] == kind]


def field(case: dict[str, Any], name: str) -> bytes:
    return bytes.fromhex(case["inputs"][name])


@pytest.mark.parametrize("case", cases("dukpt_tdes", "dukpt_tdes_key"))
def test_transaction_keys_tdes(case: dict[str, Any]) -> None:
    initial = dukpt_tdes.initial_key(field(case, "bdk"), field(case, "ksn"))
    key = dukpt_tdes.transaction_key(initial, field(case, "ksn"))
    assert key.hex().upper() == case["expected"]["txn_key"]


@pytest.mark.parametrize("case", cases("dukpt_aes", "dukpt_aes_txn_key"))
def test_transaction_keys_aes(case: dict[str, Any]) -> None:
    initial = dukpt_aes.initial_key(field(case, "bdk"), field(case, "ksn")[:8])
    key = dukpt_aes.transaction_key(initial, field(case, "ksn"))
    assert key.hex().upper() == case["expected"]["txn_key"]


def test_keys_are_the_callers_to_wipe() -> None:
    bdk, ksn = bytes(range(16)), bytes.fromhex("FFFF9876543210E00001")
    initial = dukpt_tdes.initial_key(bdk, ksn)
    transaction = dukpt_tdes.transaction_key(initial, ksn)
    working = [dukpt_tdes.working_key(transaction, use) for use in dukpt_tdes.KeyUse]
    assert {type(key) for key in (initial, transaction, *working)} == {SecretBytes}
    assert {str(key) for key in working} == {"SecretBytes(16 bytes)"}
    assert {len(key) for key in (initial, transaction, *working)} == {16}
    assert len({bytes(key) for key in working}) == len(dukpt_tdes.KeyUse)


def test_the_initial_key_does_not_depend_on_the_counter() -> None:
    bdk = bytes(range(16))
    low, high = bytes.fromhex("FFFF9876543210E00001"), bytes.fromhex("FFFF9876543210FFC001")
    assert dukpt_tdes.initial_key(bdk, low) == dukpt_tdes.initial_key(bdk, high)


def test_every_counter_is_visited_once() -> None:
    usable = [number for number in range(1, 1 << 10) if number.bit_count() <= 4]
    assert len(usable) == usable_counters(10, 4)
    visited = [0]
    for _ in usable:
        visited.append(next_counter(visited[-1], counter_bits=10, ones_max=4))
    assert visited[1:] == usable
    with pytest.raises(BadInput) as caught:
        next_counter(visited[-1], counter_bits=10, ones_max=4)
    assert caught.value.reason == "exhausted"


def test_a_device_ends_at_its_last_counter() -> None:
    last = bytes.fromhex("FFFF9876543210FFF800")  # ten one bits, all at the front
    with pytest.raises(BadInput) as caught:
        dukpt_tdes.next_ksn(last)
    assert caught.value.reason == "exhausted"


@pytest.mark.parametrize("key_bytes", [0, 8, 24, 32])
def test_wrong_keys_tdes(key_bytes: int) -> None:
    for calculate in (dukpt_tdes.initial_key, dukpt_tdes.transaction_key):
        with pytest.raises(BadInput) as caught:
            calculate(bytes(key_bytes), bytes.fromhex("FFFF9876543210E00001"))
        assert caught.value.reason == "bad_key"


def test_a_key_stronger_than_its_source() -> None:
    ksn = bytes.fromhex("123456789012345600000001")
    key = dukpt_aes.transaction_key(bytes(16), ksn)
    for key_type in (dukpt_aes.KeyType.AES192, dukpt_aes.KeyType.AES256, dukpt_aes.KeyType.HMAC256):
        with pytest.raises(BadInput) as caught:
            dukpt_aes.working_key(key, ksn, dukpt_aes.KeyUsage.PIN, key_type)
        assert caught.value.reason == "bad_key"
    tdes_key = dukpt_aes.working_key(key, ksn, dukpt_aes.KeyUsage.PIN, dukpt_aes.KeyType.TDES3)
    assert len(tdes_key) == 24


@pytest.mark.parametrize("ksn", ["", "00" * 10, "00" * 13])
def test_serial_numbers_of_a_wrong_length(ksn: str) -> None:
    with pytest.raises(BadInput) as caught:
        dukpt_aes.transaction_key(bytes(16), bytes.fromhex(ksn))
    assert caught.value.reason == "bad_length"


def test_counter_zero_has_no_transaction() -> None:
    with pytest.raises(BadInput) as caught:
        dukpt_aes.transaction_key(bytes(16), bytes(12))
    assert caught.value.reason == "bad_format"
