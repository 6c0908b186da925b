"""Nothing that is stored, at any moment of any payment, holds a card number, a track, a PIN or a key."""

from collections.abc import Iterator

import pytest

from bank.faults import parse_fault
from firmware.app import Transition
from firmware.secure.module import SecureModule
from hal.virtual.storage import MemoryStorage
from tests.arch.house import ROOT
from tools.runtime import start
from tools.station import Station
from wire.bcd import pack

# The numbers of this terminal do not hold the PIN by accident, as the demo terminal 12345678 does.
CARD, PIN, WRONG_PIN = "anna", "123456", "987987"
TMK = bytes.fromhex("0123456789ABCDEFFEDCBA9876543210")


class Auditor:
    """Reads everything that is stored after each transition, and knows what must not be in it."""

    def __init__(self, station: Station) -> None:
        self.station = station
        track2 = station.plastic(CARD).track2
        assert track2 is not None
        digits = (*track2.split("="), PIN, WRONG_PIN)
        self.secrets = [form for number in digits for form in _forms(number)]
        self.secrets += [TMK, TMK.hex().encode(), TMK.hex().upper().encode()]
        self.looked = 0
        station.observers.append(self.look)

    def look(self, _transition: Transition | None = None) -> None:
        storage = self.station.board.storage
        assert isinstance(storage, MemoryStorage)
        stored = storage.snapshot()
        self.looked += len(stored)
        for place, value in stored.items():
            assert not any(secret in value for secret in self.secrets), f"a secret in {place}"


def _forms(digits: str) -> Iterator[bytes]:
    """A number as it could be written: text, or packed from either side of a byte."""
    yield digits.encode()
    yield pack(digits, pad="left")
    yield pack(digits, pad="right")


@pytest.fixture(params=["authorise-first", "pin-first"])
def station(request: pytest.FixtureRequest) -> Iterator[Station]:
    with start(flow=request.param, bank_data=ROOT / "examples/cards.toml") as one:
        yield one


def pay(station: Station, *pins: str) -> str:
    station.enter_amount("5.00")
    station.swipe(CARD)
    for pin in pins:
        station.enter_pin(pin)
    payment = station.finish()
    assert payment is not None
    assert payment.outcome is not None
    return payment.outcome.value


def test_nothing_secret_is_stored(station: Station, monkeypatch: pytest.MonkeyPatch) -> None:
    auditor = Auditor(station)
    take = SecureModule.take_pin_block

    def remember(secure: SecureModule) -> bytes:
        block = take(secure)
        auditor.secrets += [block, block.hex().encode(), block.hex().upper().encode()]
        return block

    monkeypatch.setattr(SecureModule, "take_pin_block", remember)
    before = len(auditor.secrets)
    assert pay(station, PIN) == "approved"
    assert pay(station, WRONG_PIN, PIN) == "approved"
    station.add_bank_fault(parse_fault("silent-after-posting:count=1"))
    station.enter_amount("5.00")
    station.swipe(CARD)
    station.press("cancel")
    station.finish()
    auditor.look()
    assert len(auditor.secrets) >= before + 9, "the PIN blocks were seen"
    assert auditor.looked > 100


def test_the_auditor_can_find_something(station: Station) -> None:
    auditor = Auditor(station)
    auditor.secrets.append(b"payment_number")
    with pytest.raises(AssertionError, match="a secret in"):
        auditor.look()
