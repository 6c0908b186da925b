"""The terminal's process: a real terminal on a real line, and people who pay until it is ended.

    python -m tools.chaos.till --seed 7 --start 3 --state DIR --link /dev/pts/5

Each rule that is taken is one line on the standard output, and each slip that is printed is one: what is out
of the printer, no power cut can take back.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import signal
import sys
from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path

from firmware.app import Terminal, Transition
from hal.api import HalError
from hal.virtual.storage import SqliteStorage
from tools.chaos.town import SPEED, plan_of
from tools.drive_terminal import WAIT_MAX_MS, TerminalDrive
from tools.simulate.any_till import AnyTill
from tools.simulate.people import People
from tools.simulate.town import names_by_mask
from tools.state_folder import taken
from tools.station import Station, StationError
from tools.terminal_board import TerminalPlan, open_board

PAPER = "paper: "  # before the text of a slip, as JSON


class RealTill(AnyTill):
    """A till in real time. `earlier`: what it has printed in its earlier lives."""

    def __init__(self, station: Station, earlier: Sequence[str] = ()) -> None:
        storage = station.board.storage
        assert isinstance(storage, SqliteStorage)
        super().__init__(0, station, storage)
        self._earlier = earlier
        self._handed_out = 0  # slips of this life

    @property
    def slips(self) -> list[str]:
        """Every slip that was ever printed."""
        return [*self._earlier, *self.station.slips]

    def hand_out_paper(self) -> None:
        """Write down what has been printed since the last look."""
        new = self.station.devices.printer.slips[self._handed_out :]
        self._handed_out += len(new)
        for slip in new:
            print(PAPER + json.dumps(slip.text), flush=True)


def tell(transition: Transition) -> None:
    """One line for a rule that was taken."""
    rule = transition.rule
    print(f"{transition.machine}: {rule.source.value} -> {rule.target.value}", flush=True)


def slips_in(log: Path) -> list[str]:
    """Every slip that a till's log tells of."""
    lines = log.read_text("utf-8").splitlines()
    return [json.loads(line.removeprefix(PAPER)) for line in lines if line.startswith(PAPER)]


@contextlib.contextmanager
def open_till(
    plan: TerminalPlan, earlier: Sequence[str] = (), *, clock_back_s: int = 0
) -> Iterator[RealTill]:
    """A till with its board open, not switched on. Raises HalError or StationError: it cannot be used."""
    with taken(plan.state_folder):
        board = open_board(plan)
        board.clock.set_wall(board.clock.wall() - timedelta(seconds=clock_back_s))
        with Station(board, plan.settings, TerminalDrive(), plan.provision.cards) as station:
            yield RealTill(station, earlier)


def trade(till: RealTill, people: People, stopping: Sequence[int]) -> None:
    """Let people pay until there is something in `stopping`."""
    station = till.station
    while not stopping:
        station.settle()
        now_ms = station.drive.now_ms()
        while people.turn(now_ms * SPEED):
            station.settle()
        till.hand_out_paper()
        due_ms = now_ms + WAIT_MAX_MS if people.act_ms is None else people.act_ms // SPEED
        station.drive.wait(station.terminal, min(due_ms, now_ms + WAIT_MAX_MS))


def main(arguments: Sequence[str] | None = None) -> int:
    """Trade until SIGTERM: 0; 2 when the memory cannot be used."""
    parser = argparse.ArgumentParser(prog="tools.chaos.till")
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--start", type=int, required=True, help="number of this life: new people each time")
    parser.add_argument("--state", type=Path, required=True)
    parser.add_argument("--link", required=True)
    parser.add_argument("--clock-back-s", type=int, default=0)
    chosen = parser.parse_args(arguments)
    stopping: list[int] = []
    signal.signal(signal.SIGTERM, lambda received, _frame: stopping.append(received))
    plan = plan_of(chosen.seed, chosen.state, chosen.link)
    try:
        with open_till(plan, clock_back_s=chosen.clock_back_s) as till:
            station = till.station
            station.observers.append(tell)
            station.terminal = Terminal(station.board, plan.settings, observer=station.observer)
            station.terminal.power_on()
            cards = plan.provision.cards
            numbers = {card.name: card.plastic.pan.reveal() for card in cards}
            seed = chosen.seed * 100_000 + chosen.start
            trade(
                till,
                People(till, seed, names_by_mask(plan.provision), numbers, changes_staff=False),
                stopping,
            )
    except (HalError, StationError) as error:
        print(f"cannot be used: {error}", flush=True)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
