"""`posterm sale`: one payment from swipe to slip, told as text or as JSON."""

from __future__ import annotations

import argparse
import json
import re
from typing import TYPE_CHECKING

from tools.toml_table import ConfigError

if TYPE_CHECKING:
    from bank.provision import CardSpec
    from tools.report import SaleReport

    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]  # noqa: SLF001 - argparse has no public name

EXAMPLES = """examples:
  posterm sale --amount 12.34 --card good --pin 123456
  posterm sale --amount 12.34 --card good --pin 111111 --pin 123456     the first PIN is wrong
  posterm sale --amount 9.99 --card limited --pin 123456 --flow pin-first --json
  posterm sale --amount 88 --card good --pin 123456 --language zh --virtual-time

cards of the demo bank, all with the PIN 123456: good, poor (declined: 51), expired (54), lost (41),
limited (61 above 10.00), unknown (14). Your own: --bank-data FILE, see --bank-data example:cards.

exit codes: 0 approved; 1 declined, cancelled, timed out or failed; 2 the command cannot be carried out
"""


def register(subparsers: Subparsers) -> None:
    """Add the command to the command line."""
    from tools.station_options import add_station_options

    parser = subparsers.add_parser(
        "sale",
        help="make one payment",
        description="Make one payment: amount, card, PIN, slip; then say what became of it.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--amount", required=True, metavar="AMOUNT", help="such as 12.34")
    parser.add_argument("--card", required=True, metavar="NAME", help="a card of the bank's data")
    parser.add_argument(
        "--pin",
        action="append",
        default=[],
        metavar="PIN",
        help="4 to 12 digits; given again: the next try. With none left, CANCEL is pressed",
    )
    parser.add_argument("--json", action="store_true", help="one JSON object instead of text")
    add_station_options(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Make the payment and print its report. 0 when approved, else 1. Raises before anything has begun."""
    from tools.runtime import plan_of, start_station
    from tools.sale import sell
    from tools.station_options import choices_of_config, choices_of_options

    _check_amount(args.amount)
    _check_pins(args.pin)
    plan = plan_of(choices_of_config(args).overlaid(choices_of_options(args)))
    assert plan.provision is not None
    _check_card(args.card, plan.provision.cards)
    with start_station(plan) as station:
        report = sell(station, args.amount, args.card, args.pin)
    print(json.dumps(report.to_json(), ensure_ascii=False, indent=2) if args.json else _as_text(report))
    return 0 if report.outcome == "approved" else 1


def _check_amount(text: str) -> None:
    from wire.money import AmountError, parse_amount

    try:
        parse_amount(text)
    except AmountError as error:
        raise ConfigError(f"--amount: {error}") from None


def _check_pins(pins: list[str]) -> None:
    if not all(re.fullmatch(r"[0-9]{4,12}", pin) for pin in pins):
        raise ConfigError("--pin: a PIN has 4 to 12 digits and nothing else")


def _check_card(name: str, cards: tuple[CardSpec, ...]) -> None:
    from hal.profile import did_you_mean

    known = [card.name for card in cards]
    if name not in known:
        raise ConfigError(f"--card: there is no card {name!r}{did_you_mean(name, known)}")


def _as_text(report: SaleReport) -> str:
    slips = [f"\n--- slip {number} ---\n{slip}" for number, slip in enumerate(report.slips, 1)]
    return "\n".join([*report.lines(), *slips])
