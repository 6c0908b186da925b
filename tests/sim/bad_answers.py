"""Every way in which a request can go without a good answer, and what the terminal makes of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from bank.faults import FaultKind
from tests.sim.shop import Shop
from wire.iso8583 import IsoMessage


@dataclass(frozen=True)
class BadAnswer:
    """One way. `event`: what the state tables call it. `arm` brings it about for a message type, so often."""

    event: str
    arm: Callable[[Shop, str, int | None], None]


def _fault(kind: FaultKind) -> Callable[[Shop, str, int | None], None]:
    return lambda shop, mti, count: shop.fault(kind, (mti, ""), count=count)


def _refuse(shop: Shop, mti: str, count: int | None) -> None:
    """A no of system trouble. Ours never gives one to a settlement, whose answer has no response code."""
    if mti == "0500":
        shop.bank.altered["0510"] = lambda answer: with_field(answer, 39, "96")
    else:
        shop.fault(FaultKind.RESPONSE_CODE, (mti, ""), value="96", count=count)


def _spoil(shop: Shop, mti: str, count: int | None) -> None:
    """A wrong MAC; the answer to a sign-in has none, but keys with check values."""
    if mti == "0800":
        shop.bank.altered["0810"] = _with_spoilt_keys
    else:
        shop.fault(FaultKind.WRONG_MAC, (mti, ""), count=count)


def _with_spoilt_keys(answer: IsoMessage) -> IsoMessage:
    bundle = answer.fields[62]
    assert isinstance(bundle, bytes)
    return with_field(answer, 62, bundle[:-1] + bytes([bundle[-1] ^ 1]))


def with_field(answer: IsoMessage, number: int, value: str | bytes | None) -> IsoMessage:
    """The answer with another value in a field, or without the field."""
    fields = {key: content for key, content in answer.fields.items() if key != number}
    return replace(answer, fields=fields if value is None else {**fields, number: value})


def _stop_bank(shop: Shop, _mti: str, _count: int | None) -> None:
    shop.drive.stop_bank()


DECLINED = BadAnswer("host_declined", _refuse)
BAD_MAC = BadAnswer("host_bad_mac", _spoil)
LOST = BadAnswer("host_lost", _fault(FaultKind.CLOSE_AFTER_POSTING))
SILENT = BadAnswer("timeout", _fault(FaultKind.SILENT_BEFORE_POSTING))
NOT_SENT = BadAnswer("host_not_sent", _stop_bank)

EVERY_WAY = (DECLINED, BAD_MAC, LOST, SILENT, NOT_SENT)


def name_of(way: BadAnswer) -> str:
    """For the names of tests."""
    return way.event
