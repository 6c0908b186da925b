"""One moment of a replay as a picture of characters: tills, frames, messages and books side by side."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from rich.columns import Columns
from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from tools.texts import Words
from wire.money import format_amount

FRAMES_SHOWN = 14
ACCOUNTS_SHOWN = 9
TILL_COLUMNS = 30
LINE_COLUMNS = 46
BOOKS_COLUMNS = 50
NAME_COLUMNS = 14
_SIDES: Mapping[str, tuple[str, str]] = {
    "terminal": ("→", "green"),
    "gateway": ("←", "magenta"),
    "bank": ("←", "magenta"),
}
"""Which way it goes, seen from the till, and its colour."""


@dataclass(frozen=True, slots=True)
class TillSight:
    """A till: what its display shows, which states its tables are in, and what it still has to send."""

    name: str
    display: str
    state: str
    group: str
    owed: int
    is_on: bool


@dataclass(frozen=True, slots=True)
class Passed:
    """A frame on a serial line, or a message between gateway and bank. `side` has sent it."""

    till: str
    side: str
    what: str


@dataclass(frozen=True, slots=True)
class AccountSight:
    """An account; `change_minor` since the moment that was shown before."""

    name: str
    balance_minor: int
    available_minor: int
    change_minor: int


@dataclass(frozen=True, slots=True)
class HoldSight:
    """Money held; `mark` is "+" for a new hold, "-" for one that has just ended, "" else."""

    account: str
    amount_minor: int
    mark: str


@dataclass(frozen=True, slots=True)
class Sight:
    """Everything that is to be seen at one moment."""

    at_ms: int
    happened: Sequence[str]
    tills: Sequence[TillSight]
    frames: Sequence[Passed]
    messages: Sequence[Passed]
    accounts: Sequence[AccountSight]
    holds: Sequence[HoldSight] = field(default=())


def picture(sight: Sight, words: Words) -> RenderableType:
    """The moment: everything side by side, or below each other where there is no room for that."""
    line = Panel(
        Group(
            *_passed(sight.frames, FRAMES_SHOWN, words),
            Text(""),
            *_passed(sight.messages, FRAMES_SHOWN, words),
        ),
        title=words("replay.line"),
        width=LINE_COLUMNS,
    )
    parts = [*(_till(till, words) for till in sight.tills), line, _books(sight, words)]
    return Group(
        Text(words("replay.moment", seconds=f"{sight.at_ms / 1000:.3f}"), style="bold reverse"),
        *(Text(text) for text in sight.happened),
        Columns(parts),
    )


def _till(till: TillSight, words: Words) -> Panel:
    state = till.state if till.is_on else words("replay.off")
    return Panel(
        Group(
            Panel(Text(till.display if till.is_on else ""), style="black on white", width=TILL_COLUMNS - 4),
            Text(words("replay.state", state=state, group=till.group)),
            Text(words("replay.owed", count=till.owed), style="yellow" if till.owed else ""),
        ),
        title=till.name,
        width=TILL_COLUMNS,
    )


def _passed(passed: Sequence[Passed], shown: int, words: Words) -> Iterator[Text]:
    """The newest of them, and how many there were before."""
    if len(passed) > shown:
        yield Text(words("replay.more", count=len(passed) - shown), style="dim")
    for one in passed[-shown:]:
        arrow, style = _SIDES[one.side]
        yield Text(f"{one.till} {arrow} {one.what}", style=style, no_wrap=True, overflow="ellipsis")


def _books(sight: Sight, words: Words) -> Panel:
    table = Table(box=None, padding=(0, 1, 0, 0))
    for key in ("account", "balance", "available", "change"):
        is_name = key == "account"
        table.add_column(
            words(f"replay.{key}"),
            justify="left" if is_name else "right",
            max_width=NAME_COLUMNS if is_name else None,
            no_wrap=True,
        )
    for one in sight.accounts[:ACCOUNTS_SHOWN]:
        table.add_row(
            one.name, format_amount(one.balance_minor), format_amount(one.available_minor), _change(one)
        )
    holds = [_hold(one) for one in sight.holds] or [Text(words("replay.no_holds"), style="dim")]
    return Panel(
        Group(table, Text(words("replay.holds"), style="bold"), *holds),
        title=words("replay.bank"),
        width=BOOKS_COLUMNS,
    )


def _change(account: AccountSight) -> Text:
    if not account.change_minor:
        return Text("")
    sign, style = ("+", "bold green") if account.change_minor > 0 else ("", "bold red")
    return Text(f"{sign}{format_amount(account.change_minor)}", style=style)


def _hold(hold: HoldSight) -> Text:
    style = {"+": "bold green", "-": "bold red"}.get(hold.mark, "")
    return Text(f"{hold.mark or ' '} {format_amount(hold.amount_minor)} {hold.account}", style=style)
