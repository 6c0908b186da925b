"""One payment by hands that know what to do: the amount, the card, the PINs, the slip torn off."""

from __future__ import annotations

from collections.abc import Sequence

from hal.api import Key
from tools.report import Mark, SaleReport, report_since
from tools.station import Station
from wire.money import parse_amount

ENDED = frozenset({"result", "idle", "sale_refused", "out_of_service", "tampered", "off"})
"""Where the hands have nothing more to do: the payment has ended, or none began."""


def sell(station: Station, amount: str, card: str, pins: Sequence[str] = ()) -> SaleReport:
    """Make one payment and report it.

    `pins`: successive tries; when the terminal asks once more than there are, CANCEL is pressed. A declined
    or failed payment is a report, not an error. Raises AmountError and RecordError (no such card), before
    anything is pressed.
    """
    amount_minor, plastic = parse_amount(amount), station.plastic(card)
    mark, tries = Mark.of(station), iter(pins)
    station.try_amount(amount)
    turn = -1  # how many states the payment had passed when the hands did something last
    while station.state not in ENDED:
        turn = len(station.states)
        match station.state:
            case "card":
                station.swipe(plastic)
            case "pin" | "purchase_pin":
                pin = next(tries, None)
                station.press(*([*pin, Key.ENTER] if pin else [Key.CANCEL]))
            case "tear_off":
                station.press(Key.ENTER)
        _wait_for_news(station, turn)
    return report_since(mark, station, amount_minor=amount_minor)


def _wait_for_news(station: Station, turn: int) -> None:
    """Let time pass until the payment has moved on from where it stood at `turn`, or is over."""
    station.run_until(lambda: len(station.states) != turn or station.state in ENDED)
