"""The secure module as the terminal sees it: keys, restart, PIN entry, tampering, and what never leaks."""

import json
from pathlib import Path

import pytest

from firmware.secure.errors import (
    KeyCheckFailed,
    KeyFormat,
    KeyMissing,
    PinFormat,
    PinRateExceeded,
    PinUnavailable,
    SealBroken,
    SecureError,
)
from firmware.secure.module import SecureModule
from firmware.secure.pin_entry import PinBypassed, PinCancelled, PinDigits, PinReady, PinTimedOut
from firmware.secure.tdes import encrypt_in_place
from hal.api import DeviceFault, Key, KeyPressed, Put, StorageFailed, Tampered
from hal.virtual.tamper import VirtualTamper
from tests.firmware.secure.conftest import BUNDLE_003, TMK, TMK_CHECK_VALUE, Bench
from wire.pan import Pan

VECTORS = json.loads(
    (Path(__file__).parents[2] / "vectors" / "unionpay_keys.json").read_text(encoding="utf-8")
)
BAD_BUNDLES = [case for case in VECTORS["cases"] if "f62" in case["inputs"] and "reject" in case["expected"]]

PAN = Pan("6225880123456783")
PIK = bytes.fromhex("0123456789ABCDEFFEDCBA9876543210")
MAK = bytes.fromhex("A1B2C3D4E5F60718")
MAB = bytes.fromhex("0123456789ABCDEFFEDCBA9876543210AABB")
MAC = b"9EC5D0D8"
PIN_BLOCK_1234 = bytes.fromhex("8922C16FE575AAD2")


def begin(bench: Bench, pan: Pan = PAN) -> None:
    bench.module.begin_pin_entry(bench.keypad, pan, now_ms=bench.clock.monotonic_ms())


# --- keys --------------------------------------------------------------------------------------------


def test_from_master_key_to_mac_and_pin_block(bench: Bench) -> None:
    assert (bench.module.has_tmk, bench.module.has_working_keys) == (False, False)
    bench.module.load_tmk(1, TMK, TMK_CHECK_VALUE)
    assert (bench.module.has_tmk, bench.module.has_working_keys) == (True, False)
    bench.module.accept_working_keys(BUNDLE_003, "003")
    assert (bench.module.has_tmk, bench.module.has_working_keys) == (True, True)
    assert bench.module.mac(MAB) == MAC
    begin(bench)
    assert bench.press("1", "2", "3", "4", "enter")[-1] == PinReady()
    assert bench.module.take_pin_block() == PIN_BLOCK_1234


def test_keys_survive_a_restart(bench: Bench) -> None:
    bench.sign_in()
    bench.restart()
    assert (bench.module.has_tmk, bench.module.has_working_keys) == (True, True)
    assert bench.module.mac(MAB) == MAC
    assert bench.module.self_test().ok


@pytest.mark.parametrize(
    ("mac", "valid"),
    [(MAC, True), (b"9EC5D0D9", False), (b"9ec5d0d8", False), (b"9EC5D0D", False), (b"", False)],
)
def test_verify_mac(bench: Bench, mac: bytes, *, valid: bool) -> None:
    bench.sign_in()
    assert bench.module.verify_mac(MAB, mac) is valid


@pytest.mark.parametrize(
    ("index", "key", "check_value", "error"),
    [
        (1, TMK[:8], None, KeyFormat),
        (1, TMK + TMK[:8], None, KeyFormat),
        (1, b"", None, KeyFormat),
        (100, TMK, None, KeyFormat),
        (-1, TMK, None, KeyFormat),
        (1, TMK, TMK_CHECK_VALUE[:3], KeyFormat),
        (1, TMK, b"\x49\x15\x10\xcb", KeyCheckFailed),
    ],
)
def test_a_refused_master_key_changes_nothing(
    bench: Bench, index: int, key: bytes, check_value: bytes | None, error: type[SecureError]
) -> None:
    bench.sign_in()
    before = bench.storage.snapshot()
    with pytest.raises(error):
        bench.module.load_tmk(index, key, check_value)
    assert bench.storage.snapshot() == before


def test_a_master_key_of_equal_halves_works(bench: Bench) -> None:
    half = TMK[:8]
    pik, mak = bytearray(PIK), bytearray(MAK)
    for key in (pik, mak):
        encrypt_in_place(half, key)  # triple DES under equal halves is single DES
    bundle = bytes(pik) + BUNDLE_003[16:20] + bytes(mak) + BUNDLE_003[28:]
    bench.module.load_tmk(1, half * 2)
    bench.module.accept_working_keys(bundle, "003")
    assert bench.module.mac(MAB) == MAC


def test_a_new_master_key_ends_the_sign_in(bench: Bench) -> None:
    bench.sign_in()
    bench.module.load_tmk(1, TMK)
    assert not bench.module.has_working_keys


def test_another_master_key_index_is_not_signed_in(bench: Bench) -> None:
    bench.sign_in()
    other = SecureModule(bench.storage, bench.tamper, bench.rng, master_key_index=2)
    assert (other.has_tmk, other.has_working_keys) == (False, False)
    with pytest.raises(KeyMissing, match="tmk/02"):
        other.accept_working_keys(BUNDLE_003, "003")
    other.load_tmk(2, TMK)
    other.accept_working_keys(BUNDLE_003, "003")
    assert other.mac(MAB) == MAC


@pytest.mark.parametrize("case", BAD_BUNDLES, ids=lambda case: case["id"])
def test_a_bad_bundle_discards_all_working_keys_for_good(
    bench: Bench, case: dict[str, dict[str, str]]
) -> None:
    bench.sign_in()
    with pytest.raises((KeyCheckFailed, KeyFormat)):
        bench.module.accept_working_keys(bytes.fromhex(case["inputs"]["f62"]), case["inputs"]["layout"])
    bench.restart()
    assert (bench.module.has_tmk, bench.module.has_working_keys) == (True, False)
    with pytest.raises(KeyMissing):
        bench.module.mac(MAB)


def test_the_failed_key_is_named(bench: Bench) -> None:
    bench.module.load_tmk(1, TMK)
    with pytest.raises(KeyCheckFailed, match="MAK") as caught:
        bench.module.accept_working_keys(BUNDLE_003[:-1] + b"\x00", "003")
    assert caught.value.key == "MAK"


def test_discarding_is_durable_and_keeps_the_master_key(bench: Bench) -> None:
    bench.sign_in()
    bench.module.discard_working_keys()
    bench.module.discard_working_keys()
    bench.restart()
    assert (bench.module.has_tmk, bench.module.has_working_keys) == (True, False)


def test_a_failed_commit_leaves_no_working_keys(bench: Bench) -> None:
    bench.sign_in()
    bench.storage.fail_at(bench.storage.commits + 2)  # the first discards the old ones
    with pytest.raises(StorageFailed):
        bench.module.accept_working_keys(BUNDLE_003, "003")
    assert not bench.module.has_working_keys


@pytest.mark.parametrize("signed_in", [False, True])
def test_without_keys_nothing_works(bench: Bench, *, signed_in: bool) -> None:
    if signed_in:
        bench.sign_in()
        bench.module.discard_working_keys()
    with pytest.raises(KeyMissing):
        bench.module.mac(MAB)
    with pytest.raises(KeyMissing):
        bench.module.verify_mac(MAB, MAC)
    with pytest.raises(KeyMissing):
        begin(bench)
    bench.keypad.press("5")
    assert bench.keypad.poll() == [KeyPressed(Key.DIGIT_5)]  # nobody took the keypad over


# --- the store ---------------------------------------------------------------------------------------


def test_nothing_is_stored_in_clear(bench: Bench) -> None:
    bench.sign_in()
    begin(bench)
    bench.press(*"271828", "enter")
    everything = b"".join(key.encode() + value for (_, key), value in bench.storage.snapshot().items())
    assert len(everything) > len(BUNDLE_003)
    for secret in (TMK[:8], TMK[8:], PIK[:8], PIK[8:], MAK, BUNDLE_003[:8], b"271828", b"\x02\x07\x01\x08"):
        assert secret not in everything
        assert secret.hex().encode() not in everything.lower()


def test_the_store_does_not_open_with_another_device_key(bench: Bench) -> None:
    bench.sign_in()
    stranger = SecureModule(bench.storage, VirtualTamper(bench.rng, device_key=bytes(32)), bench.rng)
    with pytest.raises(SealBroken):
        stranger.mac(MAB)
    with pytest.raises(SealBroken):
        stranger.accept_working_keys(BUNDLE_003, "003")
    result = stranger.self_test()
    assert not result.ok
    assert result.detail.startswith("S130 the stored key tmk/01")


def test_an_altered_record_is_found_by_the_self_test(bench: Bench) -> None:
    bench.sign_in()
    record = bench.storage.get("keys", "working/01")
    assert record is not None
    bench.storage.commit([Put("keys", "working/01", record[:-1] + bytes([record[-1] ^ 1]))])
    assert bench.module.self_test().detail.startswith("S130 the stored key working/01")
    with pytest.raises(SealBroken):
        begin(bench)


# --- PIN entry ---------------------------------------------------------------------------------------


def test_the_terminal_sees_counts_and_the_keypad_returns(bench: Bench) -> None:
    bench.sign_in()
    begin(bench)
    assert bench.press("1", "2") == [PinDigits(1), PinDigits(2)]
    assert bench.press("3", "4") == [PinDigits(3), PinDigits(4)]
    assert bench.press("enter") == [PinReady()]
    assert bench.module.pin_deadline_ms() is None
    bench.keypad.press("5")
    assert bench.keypad.poll() == [KeyPressed(Key.DIGIT_5)]
    assert bench.module.pin_events(now_ms=0) == []


def test_a_pin_block_is_taken_once(bench: Bench) -> None:
    bench.sign_in()
    begin(bench)
    with pytest.raises(PinUnavailable):
        bench.module.take_pin_block()
    bench.press(*"1234", "enter")
    assert bench.module.take_pin_block() == PIN_BLOCK_1234
    with pytest.raises(PinUnavailable):
        bench.module.take_pin_block()


@pytest.mark.parametrize(
    "end",
    [
        "end_pin_entry",
        "discard_working_keys",
        "wipe",
    ],
)
def test_a_block_not_taken_does_not_stay(bench: Bench, end: str) -> None:
    bench.sign_in()
    begin(bench)
    bench.press(*"1234", "enter")
    getattr(bench.module, end)()
    with pytest.raises(PinUnavailable):
        bench.module.take_pin_block()


def test_a_new_entry_drops_the_block_of_the_one_before(bench: Bench) -> None:
    bench.sign_in()
    begin(bench)
    bench.press(*"1234", "enter")
    begin(bench)
    assert bench.press("cancel") == [PinCancelled()]
    with pytest.raises(PinUnavailable):
        bench.module.take_pin_block()


def test_an_entry_that_is_ended_forgets_its_digits(bench: Bench) -> None:
    bench.sign_in()
    begin(bench)
    bench.press("1", "2", "3", "4")
    entry = bench.module._pin_entry
    assert entry is not None
    assert any(entry._digits)
    bench.module.end_pin_entry()
    bench.module.end_pin_entry()
    assert not any(entry._digits)
    assert bench.module.pin_deadline_ms() is None
    bench.keypad.press("enter")
    assert bench.keypad.poll() == [KeyPressed(Key.ENTER)]


def test_timeout_comes_at_the_deadline(bench: Bench) -> None:
    bench.sign_in()
    begin(bench)
    assert bench.module.pin_deadline_ms() == 30_000
    assert bench.wait(29_999) == []
    assert bench.wait(1) == [PinTimedOut()]
    assert bench.module.pin_deadline_ms() is None


def test_settings_reach_the_entry(bench: Bench) -> None:
    bench.sign_in()
    bench.module.begin_pin_entry(
        bench.keypad,
        PAN,
        now_ms=0,
        digits_min=6,
        digits_max=6,
        total_timeout_ms=10_000,
        key_timeout_ms=5_000,
        bypass_allowed=True,
    )
    assert bench.module.pin_deadline_ms() == 5_000
    assert bench.press("enter") == [PinBypassed()]
    with pytest.raises(PinUnavailable):
        bench.module.take_pin_block()


def test_what_cannot_become_a_block_is_refused_before_anybody_types(bench: Bench) -> None:
    bench.sign_in()
    with pytest.raises(PinFormat, match="at least 13 digits"):
        begin(bench, Pan("622588012345"))
    with pytest.raises(PinFormat, match="3 to 12"):
        bench.module.begin_pin_entry(bench.keypad, PAN, now_ms=0, digits_min=3)
    bench.keypad.press("5")
    assert bench.keypad.poll() == [KeyPressed(Key.DIGIT_5)]


def test_keys_that_go_during_the_entry_end_it(bench: Bench) -> None:
    bench.sign_in()
    begin(bench)
    bench.press("1", "2", "3", "4")
    entry = bench.module._pin_entry
    bench.module.discard_working_keys()
    with pytest.raises(KeyMissing):
        bench.press("enter")
    assert entry is not None
    assert not any(entry._digits)
    assert bench.module.pin_deadline_ms() is None


def test_no_more_than_a_hundred_and_twenty_entries_an_hour(bench: Bench) -> None:
    bench.sign_in()
    for _ in range(60):
        begin(bench)
    bench.restart()
    for _ in range(60):
        begin(bench)
    with pytest.raises(PinRateExceeded):
        begin(bench)
    assert bench.module.pin_deadline_ms() is None
    bench.clock.advance(3_600_000)
    begin(bench)
    assert bench.module.pin_deadline_ms() is not None


# --- tampering ---------------------------------------------------------------------------------------


def test_wipe_leaves_nothing(bench: Bench) -> None:
    bench.sign_in()
    begin(bench)
    bench.press("1", "2")
    bench.tamper.trip()
    bench.module.wipe()
    assert dict(bench.storage.snapshot()) == {}
    assert (bench.module.has_tmk, bench.module.has_working_keys) == (False, False)
    assert bench.module.pin_events(now_ms=0) == []
    bench.keypad.press("5")
    assert bench.keypad.poll() == [KeyPressed(Key.DIGIT_5)]


def test_a_broken_keypad_does_not_save_the_keys(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    def gone() -> None:
        raise DeviceFault("keypad unplugged")

    bench.sign_in()
    begin(bench)
    bench.press(*"1234")
    entry = bench.module._pin_entry
    monkeypatch.setattr(bench.keypad, "end_secure_entry", gone)
    with pytest.raises(DeviceFault):
        bench.module.wipe()
    assert dict(bench.storage.snapshot()) == {}
    assert entry is not None
    assert not any(entry._digits)


def test_a_tripped_switch_stops_everything_even_before_the_wipe(bench: Bench) -> None:
    bench.sign_in()
    bench.tamper.trip()
    assert (bench.module.has_tmk, bench.module.has_working_keys) == (False, False)
    with pytest.raises(Tampered):
        bench.module.mac(MAB)
    with pytest.raises(Tampered):
        bench.module.load_tmk(1, TMK)
    with pytest.raises(Tampered):
        begin(bench)
    assert not bench.module.self_test().ok


def test_an_empty_store_of_a_new_terminal_is_healthy(bench: Bench) -> None:
    assert bench.module.self_test().ok


def test_errors_name_no_secret(bench: Bench) -> None:
    bench.sign_in()
    texts = []
    for attempt in (
        lambda: bench.module.load_tmk(1, TMK, b"\xaa\xbb\xcc\xdd"),
        lambda: bench.module.load_tmk(1, PIK[:15]),
        lambda: begin(bench, Pan("622588012345")),
        lambda: bench.module.accept_working_keys(BUNDLE_003, "001"),
        lambda: bench.module.accept_working_keys(b"\x12" + BUNDLE_003[1:], "003"),
        bench.module.take_pin_block,
    ):
        with pytest.raises(SecureError) as caught:
            attempt()
        texts.append(f"{caught.value.code} {caught.value!s} {caught.value!r}".upper())
    assert len(texts) == 6
    for secret in (TMK, PIK, MAK, BUNDLE_003):
        assert not [text for text in texts if secret.hex().upper()[:8] in text]
    assert not [text for text in texts if "622588" in text]
