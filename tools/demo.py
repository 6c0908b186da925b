"""`posterm demo`: one payment, headless, over a real pseudo-terminal pair and a TCP bank, told as it happens.

The steps are in `tools.demo_steps`, how they are told in `tools.demo_teller`, what is left in the output
folder in `tools.demo_files`.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tools.texts import LANGUAGES, Words

if TYPE_CHECKING:
    from tools.demo_steps import Play, StepTold
    from tools.demo_teller import Teller

    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]  # noqa: SLF001 - argparse has no public name

STARTED_S = time.monotonic()
FLOWS = ("authorise-first", "pin-first")
DISPLAY_MODEL = "colour320x240"

EXAMPLES = """examples:
  posterm demo                          the seven steps; pictures and sound go to out/
  posterm demo --flow pin-first         the same payment in one message
  posterm demo --language zh --out /tmp/posterm
"""


def register(subparsers: Subparsers) -> None:
    """Add the command to the command line."""
    parser = subparsers.add_parser(
        "demo",
        help="play one payment and tell its seven steps",
        description="Play one payment, headless, and tell each step as it happens.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    _add_arguments(parser)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command on its own: `python -m tools.demo`."""
    parser = argparse.ArgumentParser(
        prog="python -m tools.demo",
        description="Play one payment, headless, and tell each step as it happens.",
    )
    _add_arguments(parser)
    return run(parser.parse_args(arguments))


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("out"),
        metavar="FOLDER",
        help="for pictures and sound; default: %(default)s/",
    )
    parser.add_argument("--language", choices=LANGUAGES, default=LANGUAGES[0], help="default: %(default)s")
    parser.add_argument("--flow", choices=FLOWS, default=FLOWS[0], help="default: %(default)s")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Play; 0 when the payment was approved, 1 when not, 2 when it could not be tried.

    130 on Ctrl-C, 141 when nobody reads the output any more.
    """
    from bank.errors import BankError
    from hal.api import HalError
    from host_link.errors import PortError
    from tools.station import StationError

    words = Words(options.language)
    try:
        options.out.mkdir(parents=True, exist_ok=True)
        return _play(options, words)
    except StationError as error:
        return _complain(words("demo.stopped", problem=error), 1)
    except (HalError, BankError, PortError) as error:
        return _complain(str(error), 2)
    except BrokenPipeError:  # nobody reads any more: nobody is to be told
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except OSError as error:
        name = error.filename or options.out
        return _complain(f"{name}: {error.strerror}: name another folder with --out", 2)
    except KeyboardInterrupt:
        return 130


def _play(options: argparse.Namespace, words: Words) -> int:
    from rich.console import Console

    from bank.provision import load_provision
    from firmware.records import Flow
    from firmware.settings import TerminalSettings
    from hal.profile import load_profile
    from tools.demo_files import write_files
    from tools.demo_steps import Play
    from tools.demo_teller import Teller
    from tools.runtime import StationPlan, build_station, settings_of
    from tools.wire_log import WireLog

    _never_fail_to_print()
    log = WireLog()
    provision = load_provision()
    flow = Flow(options.flow)
    plan = StationPlan(
        live=True,
        profile=load_profile("headless").with_options("display", model=DISPLAY_MODEL),
        settings=settings_of(provision, TerminalSettings(flow=flow, language=options.language)),
        provision=provision,
        tap=log.feed,
    )
    with build_station(plan) as station:
        play = Play(station, log)
        teller = Teller(Console(highlight=False), words)
        pictures = tell_payment(play, teller)
        teller.slips(station.slips, time.monotonic() - STARTED_S)
        teller.files(write_files(play, pictures, options.out))
        return 0 if play.payment.outcome is not None and play.payment.outcome.value == "approved" else 1


def tell_payment(play: Play, teller: Teller) -> list[StepTold]:
    """Play the payment of the station's flow and tell it; returns its steps. Raises StationError."""
    from tools.demo_steps import AMOUNT_MINOR, SCRIPTS, books, pin_of, start

    settings, display = play.station.settings, play.display
    script = SCRIPTS[settings.flow]
    teller.title(
        play.money(AMOUNT_MINOR),
        settings.flow.value,
        settings.terminal_id,
        play.station.board.serial_port.bits_per_s,
    )
    teller.step(start(play), display.columns, display.rows)
    steps = []
    for number, step in enumerate(script.steps(play, pin_of(play.station)), start=1):
        teller.step(step, display.columns, display.rows, number=number, count=script.count)
        steps.append(step)
    teller.books(*books(play))
    return steps


def _never_fail_to_print() -> None:
    """A console that cannot show a character shows another one, and the payment goes on."""
    reconfigure = getattr(sys.stdout, "reconfigure", None)
    if reconfigure is not None:
        reconfigure(errors="replace")


def _complain(text: str, status: int) -> int:
    print(f"posterm demo: {text}", file=sys.stderr)
    return status


if __name__ == "__main__":
    sys.exit(main())
