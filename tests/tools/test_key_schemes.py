"""Payments in every key scheme, terminal against bank: two implementations of all the cryptography meet."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

import posterm
from bank.answers import BankPolicy
from bank.authoriser import Bank, Reply
from bank.faults import Fault, FaultKind
from bank.hsm import WorkingKeys
from firmware.records import Outcome
from firmware.secure.key_use import KeyUse
from tools.config import ConfigError
from tools.station import Station, StationError
from wire.iso8583 import dialect
from wire.security_data import SecurityData

CARD_NUMBER = "6225880000000100"
SCHEMES: list[dict[str, Any]] = [
    {},
    {"encrypt_track": "tdk"},
    {"mac_algorithm": "x9.9"},
    {"mac_algorithm": "x9.19"},
    {"mac_algorithm": "cmac"},
    {"pin_format": "1"},
    {"pin_format": "3", "mac_algorithm": "x9.19", "encrypt_track": "tdk"},
    {"key_scheme": "dukpt-tdes"},
    {"key_scheme": "dukpt-tdes", "mac_algorithm": "unionpay", "pin_format": "1"},
    {"key_scheme": "dukpt-tdes", "mac_algorithm": "cmac", "pin_format": "3", "encrypt_track": "dukpt"},
    {"key_scheme": "dukpt-aes"},
    {"key_scheme": "dukpt-aes", "encrypt_track": "dukpt"},
    {"key_scheme": "sm4"},
]
FLOWS = ("authorise-first", "pin-first")


def name_of(settings: dict[str, Any]) -> str:
    return "-".join(settings.values()) or "default"


def listen(station: Station) -> list[bytes]:
    """Every request that reaches the bank from now on: what the gateway has seen of it."""
    asked: list[bytes] = []

    def tap(bank: Bank) -> None:
        original = bank.handle

        def handle(message: bytes, *, now: datetime) -> list[Reply]:
            asked.append(message)
            return original(message, now=now)

        bank.handle = handle  # type: ignore[method-assign]

    station.ask_bank(tap)
    return asked


def pay(station: Station, pin: str = "123456") -> Outcome | None:
    station.enter_amount("12.34")
    station.swipe("good")
    station.enter_pin(pin)
    payment = station.finish()
    assert payment is not None
    return payment.outcome


@pytest.mark.parametrize("flow", FLOWS)
@pytest.mark.parametrize("settings", SCHEMES, ids=name_of)
def test_a_payment(settings: dict[str, Any], flow: str) -> None:
    with posterm.start(flow=flow, **settings) as station:
        assert pay(station) is Outcome.APPROVED
        assert station.payment is not None
        postings = station.ask_bank(lambda bank: len(bank.ledger.postings()))
        assert pay(station) is Outcome.APPROVED
        assert station.ask_bank(lambda bank: len(bank.ledger.postings())) == postings + 1
        assert station.ask_bank(lambda bank: bank.verify().ok)


def test_wrong_pins_are_told_from_right_ones_in_every_scheme() -> None:
    for scheme in ("dukpt-aes", "sm4", "dukpt-tdes"):
        with posterm.start(key_scheme=scheme) as station:
            station.enter_amount("12.34")
            station.swipe("good")
            station.enter_pin("123457")
            station.enter_pin("123456")
            payment = station.finish()
            assert payment is not None
            assert (payment.outcome, payment.wrong_pins) == (Outcome.APPROVED, 1)


# --- what the host link sees -------------------------------------------------------------------------


def sees_the_card(message: bytes) -> bool:
    """The number in any of the ways in which a line could carry it: BCD, shifted by a nibble, ASCII."""
    return CARD_NUMBER in message.hex() or CARD_NUMBER.encode() in message


@pytest.mark.parametrize("flow", FLOWS)
@pytest.mark.parametrize("scheme", ["dukpt-tdes", "dukpt-aes"])
def test_the_host_link_never_sees_a_card_number(scheme: str, flow: str) -> None:
    with posterm.start(flow=flow, key_scheme=scheme, encrypt_track="dukpt") as station:
        asked = listen(station)
        assert pay(station) is Outcome.APPROVED
    assert len(asked) >= 1
    assert not [message for message in asked if sees_the_card(message)]
    assert {35, 36} & {number for message in asked for number in fields_of(message)} == set()


def test_the_search_is_not_blind() -> None:
    """Without encryption the number is there; the track key of section 6.6 leaves it in clear as well."""
    for encrypt_track in ("off", "tdk"):
        with posterm.start(encrypt_track=encrypt_track) as station:
            asked = listen(station)
            assert pay(station) is Outcome.APPROVED
        assert [message for message in asked if sees_the_card(message)]


def fields_of(message: bytes) -> dict[int, str | bytes]:
    return dict(dialect("unionpay").decode(message).fields)


def ksns(messages: list[bytes]) -> list[bytes]:
    return [
        SecurityData.parse(data).ksn
        for data in (fields_of(one).get(59) for one in messages)
        if isinstance(data, bytes)
    ]


def test_every_message_has_a_serial_number_of_its_own() -> None:
    with posterm.start(key_scheme="dukpt-tdes") as station:
        asked = listen(station)
        assert pay(station) is Outcome.APPROVED
    numbers = [int.from_bytes(ksn, "big") & 0x1FFFFF for ksn in ksns(asked)]
    assert numbers == [1, 2, 3]  # authorisation, PIN verification, completion


# --- settings ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (
            {"key_scheme": "dukpt-aes", "pin_format": "0"},
            "pin_format: with key_scheme dukpt-aes it is one of 4",
        ),
        ({"encrypt_track": "dukpt"}, "encrypt_track: with key_scheme master-session it is one of off, tdk"),
        ({"mac_algorithm": "sm4"}, "mac_algorithm: with key_scheme master-session it is one of unionpay"),
        ({"key_scheme": "dukpt"}, "key_scheme: there is no 'dukpt'"),
    ],
)
def test_what_does_not_fit_together_is_refused_at_once(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        posterm.start(**settings)
    assert words in str(caught.value)


def test_a_kept_bank_follows_the_terminal_to_another_scheme(tmp_path: Path) -> None:
    for settings in SCHEMES[0], SCHEMES[-2], SCHEMES[4]:
        with posterm.start(state_folder=tmp_path, **settings) as station:
            assert pay(station) is Outcome.APPROVED


# --- a PIN format that the bank does not take ----------------------------------------------------------


def test_a_pin_format_that_the_bank_does_not_take() -> None:
    with posterm.start(flow="pin-first", pin_format="3") as station:
        station.ask_bank(
            lambda bank: setattr(bank, "_office", replace(bank._office, policy=BankPolicy(pin_formats="0")))
        )
        assert pay(station) is Outcome.DECLINED
        assert station.payment is not None
        assert station.payment.response_code == "99"


# --- sign-in -----------------------------------------------------------------------------------------


def sign_ins(messages: list[bytes]) -> int:
    return sum(dialect("unionpay").decode(one).mti == "0800" for one in messages)


def let_hours_pass(station: Station, hours: int) -> None:
    clock = station.board.clock
    clock.set_wall(clock.wall() + timedelta(hours=hours))


@pytest.mark.parametrize(("hours", "expected"), [(23, 0), (25, 1)])
def test_working_keys_are_renewed_once_a_day(hours: int, expected: int) -> None:
    with posterm.start() as station:
        asked = listen(station)
        let_hours_pass(station, hours)
        assert pay(station) is Outcome.APPROVED
        assert pay(station) is Outcome.APPROVED
        assert sign_ins(asked) == expected


def test_the_age_is_a_setting_and_can_be_switched_off() -> None:
    for hours, expected in (0, 0), (2, 1):
        with posterm.start(sign_in_max_age_h=hours) as station:
            asked = listen(station)
            let_hours_pass(station, 3)
            assert pay(station) is Outcome.APPROVED
            assert sign_ins(asked) == expected


@pytest.mark.parametrize("kind", [FaultKind.HEADER_DIGIT, FaultKind.RESPONSE_CODE])
def test_the_bank_can_ask_for_new_keys(kind: FaultKind) -> None:
    value = "3" if kind is FaultKind.HEADER_DIGIT else "A0"
    with posterm.start(flow="pin-first") as station:
        station.add_bank_fault(Fault(kind, mti="0200", value=value))
        pay(station)
        asked = listen(station)
        assert pay(station) is Outcome.APPROVED
        assert sign_ins(asked) == 1


# --- the bank's data decide --------------------------------------------------------------------------


def test_a_terminal_of_the_banks_data_is_set_up_as_they_say(tmp_path: Path) -> None:
    data = tmp_path / "cards.toml"
    demo = resources.files("bank").joinpath("demo.toml").read_text(encoding="utf-8")
    scheme = (
        'key_scheme = "dukpt-tdes"\nbdk = "00112233445566778899AABBCCDDEEFF"\nksn = "0A0B0C0D0E0F10E00000"\n'
    )
    data.write_text(demo.replace("tmk_index = 1\n", "tmk_index = 1\n" + scheme))
    with posterm.start(bank_data=data) as station:
        asked = listen(station)
        assert station.settings.key_scheme == "dukpt-tdes"
        assert pay(station) is Outcome.APPROVED
    assert {ksn.hex()[:14] for ksn in ksns(asked)} == {"0a0b0c0d0e0f10"}
    with pytest.raises(ConfigError, match="with the bank's data: mac_algorithm"):
        posterm.start(bank_data=data, mac_algorithm="x9.9")


def test_keys_that_do_not_fit_their_check_values_leave_the_terminal_signed_out() -> None:
    with posterm.start() as station:

        def damage(bank: Bank) -> None:
            original = bank.hsm.make_working_keys

            def make(*args: Any, **more: Any) -> WorkingKeys:
                keys = original(*args, **more)
                return replace(keys, bundle=keys.bundle[:-1] + bytes([keys.bundle[-1] ^ 1]))

            bank.hsm.make_working_keys = make  # type: ignore[method-assign]

        station.ask_bank(damage)
        station.press("f3")
        station.run_for(5_000)
        assert station.terminal is not None
        assert not station.terminal.parts.secure.has_working_keys
        assert not station.terminal.journal.counters.signed_in
        with pytest.raises(StationError, match="sale_refused"):
            station.enter_amount("1.00")


def test_a_terminal_without_dukpt_keys_sends_nothing_and_asks_for_none() -> None:
    with posterm.start(key_scheme="dukpt-tdes") as station:
        assert station.terminal is not None
        vault = station.terminal.parts.secure._vault
        used_up = bytes.fromhex("FFFF9876543210FFF800")  # ten bits of the counter are one: the last number
        vault.commit([vault.sealed("dukpt/tdes", KeyUse.DUKPT, used_up)])
        asked = listen(station)
        station.enter_amount("12.34")
        station.swipe("good")
        payment = station.finish()
        assert payment is not None
        assert payment.outcome is Outcome.FAILED
        assert asked == []
