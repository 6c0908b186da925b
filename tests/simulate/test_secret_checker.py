"""The checker of secrets, and that of DUKPT's serial numbers, are shown what they are for."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Iterator
from typing import Any

import pytest

from bank.connection import Connection
from bank.hsm import Hsm
from bank.replies import Reply
from firmware import exchange, message_security
from firmware.exchange import Answer, HostExchange
from firmware.secure.message_keys import TransactionKeys
from host_link.session import Channel
from tests.simulate.planted import Odds, Plant, is_found
from tools.simulate import till as till_module
from tools.simulate import town
from tools.simulate.checkers.secrets import Search, clear_pin_blocks, written

# --- the bank's mistakes -----------------------------------------------------------------------------


def log_pins(monkeypatch: pytest.MonkeyPatch) -> None:
    pin_in = Hsm._pin_in

    def told(self: Hsm, *arguments: Any) -> str:
        pin = pin_in(self, *arguments)
        logging.getLogger("posterm.bank").warning("PIN %s", pin)
        return pin

    monkeypatch.setattr(Hsm, "_pin_in", told)


def _log_what_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    """As Python shows bytes, and on a level that few have switched on."""
    receive = Connection.receive

    def received(self: Connection, data: bytes) -> Iterator[Reply]:
        logging.getLogger("posterm.bank").debug("received %r", data)
        return receive(self, data)

    monkeypatch.setattr(Connection, "receive", received)


def _log_a_key_in_a_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    message_key = Hsm._message_key

    def taken(self: Hsm, *arguments: Any) -> bytes:
        key = message_key(self, *arguments)
        logging.getLogger("posterm.bank").error("no such key", exc_info=ValueError(key.hex()))
        return key

    monkeypatch.setattr(Hsm, "_message_key", taken)


def _store_in_clear(purpose: bytes) -> Plant:
    """The bank seals everything but this."""

    def plant(monkeypatch: pytest.MonkeyPatch) -> None:
        seal, opened = Hsm._seal, Hsm._open
        monkeypatch.setattr(
            Hsm, "_seal", lambda self, use, value: value if use == purpose else seal(self, use, value)
        )
        monkeypatch.setattr(
            Hsm, "_open", lambda self, use, value: value if use == purpose else opened(self, use, value)
        )

    return plant


def _store_pins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Hsm, "pin_offset", lambda _self, pin, _pan: pin)


# --- the terminal's mistakes -------------------------------------------------------------------------


def _whisper_the_pin(monkeypatch: pytest.MonkeyPatch) -> None:
    """On another channel than the messages of the bank."""
    send = HostExchange.send

    def sent(self: HostExchange, mti: str, fields: Any, *, now_ms: int, **options: Any) -> Answer | None:
        if self._session.is_up:
            self._session.send(Channel.CONTROL, f"typed {town.PIN}".encode(), now_ms=now_ms)
        return send(self, mti, fields, now_ms=now_ms, **options)

    monkeypatch.setattr(HostExchange, "send", sent)


def _print_whole_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        till_module, "HURRIED", dataclasses.replace(till_module.HURRIED, preauth_masks_pan=False)
    )


def _promise_tdk_and_send_in_clear(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(town, "SCHEME_WEIGHTS", {"master-session": 1})
    monkeypatch.setattr(till_module, "ENCRYPTING_SHARE", 1.0)
    monkeypatch.setattr(exchange, "protected", lambda fields, _secure: dict(fields))


def _encipher_tracks_and_send_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(town, "SCHEME_WEIGHTS", {"dukpt-aes": 1})
    monkeypatch.setattr(till_module, "ENCRYPTING_SHARE", 1.0)
    monkeypatch.setattr(message_security, "_encipher_card_number", lambda _ready, _secure: b"")


def _count_on_only_with_a_pin(monkeypatch: pytest.MonkeyPatch) -> None:
    """A message without one goes under the key of the message before."""
    open_message = TransactionKeys.open_message

    def opened(self: TransactionKeys, *, for_pin: bool = False) -> bytes | None:
        is_open = self._key is not None and not for_pin
        return self._ksn if is_open else open_message(self, for_pin=for_pin)

    monkeypatch.setattr(town, "SCHEME_WEIGHTS", {"dukpt-tdes": 1})
    monkeypatch.setattr(TransactionKeys, "open_message", opened)


USUAL = Odds()
PURCHASES = Odds(wants={"purchase": 1})
PREAUTHS = Odds(wants={"preauth": 1})
VOUCHERS = Odds(wants={"offline_settlement": 1})
MISTAKES: dict[str, tuple[Plant, str, Odds]] = {
    "the PIN is on the serial line": (_whisper_the_pin, "secret", USUAL),
    "a card number is on paper": (_print_whole_numbers, "secret", PREAUTHS),
    "a track is on the line": (_promise_tdk_and_send_in_clear, "secret", USUAL),
    "a PIN is in the log": (log_pins, "secret", PURCHASES),
    "a card is in the log as bytes": (_log_what_comes, "secret", USUAL),
    "a key is in a traceback in the log": (_log_a_key_in_a_traceback, "secret", USUAL),
    "the bank stores card numbers": (_store_in_clear(b"pan"), "secret", USUAL),
    "the bank stores a master key": (_store_in_clear(b"tmk"), "secret", USUAL),
    "the bank stores working keys": (_store_in_clear(b"mak"), "secret", USUAL),
    "the bank stores PINs": (_store_pins, "secret", USUAL),
    "a typed number is on the line": (_encipher_tracks_and_send_numbers, "secret", VOUCHERS),
    "a DUKPT key protects two messages": (_count_on_only_with_a_pin, "ksn", PURCHASES),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_found_by_its_checker(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    is_found(*MISTAKES[name], monkeypatch)


# --- what is searched for --------------------------------------------------------------------------------


def test_a_clear_pin_block_of_each_format_is_known() -> None:
    """The blocks of iso8583-pos section 6.5: PIN 1234, PAN 6225880123456783."""
    known = list(clear_pin_blocks("1234", "6225880123456783"))
    published = ("04126C7FEDCBA987", "141234A5B6C7D8E9", "241234FFFFFFFFFF", "34126C2CAFDBFDB5")
    for block, prefix in zip(published, known, strict=False):
        assert block.startswith(prefix)
    assert known[4:] == ["441234AAAAAAAAAA", "041234FFFFFFFFFF"]


@pytest.mark.parametrize("digits", ["907351827364", "0123456789ABCDEFFEDCBA9876543210"])
def test_every_form_of_a_secret_is_found_in_the_middle_of_something(digits: str) -> None:
    search = Search()
    search.add("secret", written(digits))
    for form in written(digits):
        assert search.found(b"\x90" + form[:4] + form + b"\x00") == {"secret"}
    assert not search.found(b"622588******0100 5.00 000001")
