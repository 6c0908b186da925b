"""A run told moment by moment: displays, states, frames, messages and books side by side."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from firmware.records import OutgoingState
from tools.drive import Tap
from tools.simulate.message_line import in_a_line
from tools.simulate.options import Options
from tools.simulate.replay_view import AccountSight, HoldSight, Passed, Sight, TillSight, picture
from tools.simulate.till import Till
from tools.simulate.trace import KEPT_MAX
from tools.simulate.world import Report, World
from tools.texts import Words
from tools.wire_log import LoggedFrame, WireLog

if TYPE_CHECKING:
    from rich.console import RenderableType

FRAMES_KEPT = 200
WIDTH_MIN = 80


class Replay:
    """Shows what is new after each moment of a run; `pause` is called after everything that was shown."""

    def __init__(
        self, show: Callable[[RenderableType], object], pause: Callable[[], object], words: Words
    ) -> None:
        self._show = show
        self._pause = pause
        self._words = words
        self._lines = 0
        self._frames: list[Passed] = []
        self._messages: list[Passed] = []
        self._balances: dict[str, int] = {}
        self._touched: set[str] = set()
        self._holds: dict[int, tuple[str, int]] = {}

    def listen(self, world: World) -> None:
        """Hear what crosses the lines of a world in which nothing has happened yet."""
        self._balances = {one.name: one.balance_minor for one in world.bank.accounts()}
        for till in world.tills:
            log = WireLog(frames_max=1, on_frame=self._hear_frame(till.name))
            till.taps.append(log.feed)
            till.message_taps.append(self._hear_message(till.name))

    def _hear_frame(self, till: str) -> Callable[[LoggedFrame], None]:
        def hear(frame: LoggedFrame) -> None:
            what = f"{frame.kind.value} {frame.detail} ({frame.byte_count} B)"
            self._frames = [*self._frames[-FRAMES_KEPT:], Passed(till, frame.side, what)]

        return hear

    def _hear_message(self, till: str) -> Tap:
        def hear(_at_ms: int, side: str, message: bytes) -> None:
            told = Passed(till, "terminal" if side == "gateway" else "bank", in_a_line(message))
            self._messages = [*self._messages[-FRAMES_KEPT:], told]

        return hear

    def watch(self, world: World) -> None:
        """Show what the last moment brought; nothing when it brought nothing but bytes on a line."""
        new = min(world.trace.lines - self._lines, KEPT_MAX)
        self._lines = world.trace.lines
        happened = world.trace.happened(new)
        if not happened:
            return
        self._show(picture(self._sight(world, happened), self._words))
        self._frames, self._messages = [], []
        self._pause()

    def _sight(self, world: World, happened: list[str]) -> Sight:
        return Sight(
            world.now_ms,
            happened,
            [till_sight(till) for till in world.tills],
            self._frames,
            self._messages,
            self._account_sights(world),
            self._hold_sights(world),
        )

    def _account_sights(self, world: World) -> list[AccountSight]:
        """The accounts that this run has touched, those that have just changed first."""
        sights = []
        for one in world.bank.accounts():
            change_minor = one.balance_minor - self._balances.get(one.name, 0)
            if change_minor or one.available_minor != one.balance_minor:
                self._touched.add(one.name)
            self._balances[one.name] = one.balance_minor
            if one.name in self._touched:
                sights.append(AccountSight(one.name, one.balance_minor, one.available_minor, change_minor))
        return sorted(sights, key=lambda one: (not one.change_minor, one.name))

    def _hold_sights(self, world: World) -> list[HoldSight]:
        before, now = (
            self._holds,
            {one.hold_id: (one.account, one.amount_minor) for one in world.bank.open_holds()},
        )
        self._holds = now
        ended = [HoldSight(*before[number], "-") for number in sorted(before.keys() - now.keys())]
        return ended + [HoldSight(*hold, "" if number in before else "+") for number, hold in now.items()]


def till_sight(till: Till) -> TillSight:
    """What there is to be seen of a till."""
    terminal, station = till.station.terminal, till.station
    if terminal is None:
        return TillSight(till.name, "", till.state, "", 0, is_on=False)
    owed = [one for one in terminal.journal.outbox.values() if one.state is not OutgoingState.REFUSED]
    group = terminal.row.group.value
    return TillSight(till.name, station.display, till.state, group, len(owed), is_on=True)


def on_screen(*, step: bool, language: str = "en") -> Replay:
    """One that shows it here; with `step`, waits for ENTER after each moment at which something happened."""
    from rich.console import Console

    console = Console(file=sys.stdout, highlight=False)
    console.width = max(console.width, WIDTH_MIN)
    return Replay(console.print, sys.stdin.readline if step else lambda: None, Words(language))


def replay(options: Options, *, step: bool, language: str = "en") -> Report:
    """Run it again and show it; `step` as for `on_screen`."""
    shown = on_screen(step=step, language=language)
    world = World(options, watch=shown.watch)
    shown.listen(world)
    return world.run()


def write_file(report: Report, path: Path) -> None:
    """Keep what replays a run, with what it found and its trace. Raises OSError."""
    import json

    content = {**report.to_json(), "trace": report.trace.kept}
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def read_file(path: Path) -> Options:
    """The options in such a file. Raises OSError, ValueError (not one of ours)."""
    import json

    try:
        return Options.from_json(json.loads(path.read_text(encoding="utf-8"))["options"])
    except (ValueError, TypeError, KeyError, AttributeError):
        raise ValueError(f"{path}: not a file that posterm simulate has written") from None
