"""A run told moment by moment: displays, states, frames, messages and books side by side."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

from firmware.records import OutgoingState
from tools.drive import Tap
from tools.simulate.message_line import in_a_line
from tools.simulate.replay_view import AccountSight, HoldSight, Passed, Sight, TillSight, picture
from tools.simulate.till import Till
from tools.simulate.trace import KEPT_MAX
from tools.simulate.world import World
from tools.texts import Words
from tools.wire_log import LoggedFrame, WireLog

if TYPE_CHECKING:
    from rich.console import RenderableType

FRAMES_KEPT = 200
WIDTH_MIN = 80
QUIT = "q"


class Replay:
    """Shows what is new after each moment of a run; `pause` is called after everything that was shown.

    What happens before `from_ms` is not shown. `moments`: how many were.
    """

    def __init__(
        self,
        show: Callable[[RenderableType], object],
        pause: Callable[[], object],
        words: Words,
        *,
        from_ms: int = 0,
    ) -> None:
        self._show = show
        self._from_ms = from_ms
        self.moments = 0
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
        sight = self._sight(world, happened)  # of each moment: it marks what is new since the one before
        self._frames, self._messages = [], []
        if world.now_ms >= self._from_ms:
            self.moments += 1
            self._show(picture(sight, self._words))
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


# --- on the standard output ----------------------------------------------------------------------------


class Left(BaseException):
    """Whoever watched has left, or cannot be shown more. No Exception: a world takes those for findings."""

    def __init__(self, error: OSError | None = None) -> None:
        super().__init__()
        self._error = error

    def told(self, words: Words) -> int:
        """Say so; the exit code. Raises OSError: what has kept it from being shown."""
        if self._error is not None:
            raise self._error from None
        print(words("replay.left"))
        return 0


def on_screen(words: Words, *, step: bool = False, from_s: float = 0.0) -> Replay:
    """One that shows it here, from there; with `step`, ENTER is waited for. Its `watch` raises Left."""
    return Replay(
        _show_on_stdout(), _pause(words) if step else lambda: None, words, from_ms=round(from_s * 1000)
    )


def _show_on_stdout() -> Callable[[RenderableType], None]:
    from rich.console import Console

    console = Console(file=sys.stdout, highlight=False)
    console.width = max(console.width, WIDTH_MIN)

    def show(picture: RenderableType) -> None:
        try:
            console.print(picture)
        except SystemExit:  # rich's word for a pipe that nobody reads
            raise Left(BrokenPipeError()) from None
        except OSError as error:
            raise Left(error) from None

    return show


def _pause(words: Words) -> Callable[[], None]:
    """Wait for ENTER. Without a terminal the end of the input only ends the waiting."""

    def pause() -> None:
        is_asked = sys.stdin.isatty()
        print(words("replay.hint", quit=QUIT), end="" if is_asked else "\n", flush=True)
        answer = sys.stdin.readline()
        if answer.strip().lower() == QUIT or (is_asked and not answer):
            raise Left

    return pause
