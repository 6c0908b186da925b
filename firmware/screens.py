"""What the display shows: the name of a screen and the values of the moment in, a Screen out.

The plan of this file. `texts/screens.toml` says which elements a screen has, which of them give way first on
a small display, and which are drawn at double size where there is room. An element (`ELEMENTS`) turns the
values into the words it would like to show, the fullest form first; the shortest forms fit 16 columns.
`render` takes as many elements as the display has rows for, the most important first, and puts them in order.

A large display (8 rows or more) also gets a header with merchant and time, and a line that explains the keys.
Everything here is pure: the same values give the same screen.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from firmware import texts
from firmware.records import Reason, SlipCopy
from firmware.secure.component_entry import COMPONENT_DIGITS
from firmware.texts import text
from firmware.texts.cells import columns_of, printable, wrap
from hal.api import Align, PrinterStatus, ReadFailure, Screen, ScreenLine
from wire.money import currency, format_amount

_LARGE_ROWS = 8  # from here on a display has room for header and key hints
_BLANK = ScreenLine("")


class UnknownScreenError(LookupError):
    """There is no screen of that name: a mistake in the program."""

    code: ClassVar[str] = "F510"


@dataclass(frozen=True, slots=True)
class ScreenValues:
    """What screens may tell. A value that is not known stays at its default, and its element is left out."""

    amount_minor: int | None = None
    currency: str = "156"  # ISO 4217, numeric or alphabetic
    pin_digits: int = 0  # how many, never which
    tries_left: int = 0  # of the PIN
    swipes_left: int = 0
    response_code: str = ""
    authorisation_code: str = ""
    pan_masked: str = ""
    reason: Reason = Reason.NONE
    detail: str = ""  # one line in English, from a self-test or a device
    now: datetime | None = None
    signed_in: bool = False
    link_up: bool = False
    pending: int = 0  # messages that still have to reach the bank
    merchant_name: str = ""
    printer_status: PrinterStatus | None = None
    read_failure: ReadFailure | None = None
    slip_copy: SlipCopy | None = None
    terminal_id: str = ""
    key_index: int | None = None  # of the key being loaded
    is_transport_key: bool = False  # it is a transport key, not a master key
    component_number: int = 0  # which of its components, from 1
    component_digits: int = 0  # how many are typed, never which
    check_value: str = ""  # hexadecimal: as typed so far, or as the secure room answered


@dataclass(frozen=True, slots=True)
class Layout:
    """One screen of `texts/screens.toml`; the meaning of each list is explained there."""

    lines: tuple[str, ...]
    important: tuple[str, ...]
    big: tuple[str, ...]
    keys: tuple[str, ...]


def _layout(row: Mapping[str, Sequence[str]]) -> Layout:
    lines = tuple(row["lines"])
    return Layout(lines, tuple(row.get("important", lines)), tuple(row["big"]), tuple(row.get("keys", ())))


LAYOUTS: Mapping[str, Layout] = {name: _layout(row) for name, row in texts.table("screens.toml").items()}
SCREEN_NAMES = frozenset(LAYOUTS)


# --- elements ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Moment:
    """What an element is made of: the screen, the values, the language, and whether there is a header."""

    screen: str
    values: ScreenValues
    language: str
    has_header: bool = False

    def text(self, key: str, **values: object) -> str:
        """The words for "screen." and `key`."""
        return text(self.language, f"screen.{key}", **values)

    def forms(self, key: str, **values: object) -> Saying:
        """The full and the brief words for `key`."""
        return Saying((self.text(f"{key}.full", **values), self.text(f"{key}.brief", **values)))


@dataclass(frozen=True, slots=True)
class Saying:
    """What an element would like to show: its forms, the fullest first.

    `wraps`: a form may take several lines. `clips`: and may end in "..." where the rows end.
    """

    forms: tuple[str, ...] = ()
    wraps: bool = False
    clips: bool = False

    def fit(self, columns: int, rows: int) -> tuple[str, ...]:
        """The lines of the first form that fits into `rows` of `columns`; no lines when none does."""
        rows_max = rows if self.wraps or self.clips else min(rows, 1)
        for form in self.forms:
            lines = wrap(form, columns)
            if len(lines) <= rows_max:
                return lines
            if self.clips and rows_max:
                return (*lines[: rows_max - 1], _clipped(" ".join(lines[rows_max - 1 :]), columns))
        return ()


_NOTHING = Saying()


def _clipped(line: str, columns: int) -> str:
    """`line`, cut to `columns` with "..." at its end where it is longer."""
    if columns_of(line) <= columns:
        return line
    while columns_of(line) > columns - 3:
        line = line[:-1]
    return line.rstrip() + "..."


def _title(moment: Moment) -> Saying:
    """Not "ready" while something must reach the bank first: until then no sale starts."""
    waits = moment.screen == "idle" and moment.values.pending
    return Saying((moment.text(f"{moment.screen}.{'title_pending' if waits else 'title'}"),))


def _verdict(moment: Moment) -> Saying:
    """The title with the response code behind it, which the merchant reads to the hotline."""
    title = moment.text(f"{moment.screen}.title")
    code = _telling_code(moment)
    return Saying((f"{title} {code}", title)) if code else Saying((title,))


def _say(moment: Moment) -> Saying:
    return moment.forms(moment.screen)


def _again(moment: Moment) -> Saying:
    return _say(moment) if moment.values.tries_left > 0 else moment.forms("element.no_tries")


def _amount(moment: Moment) -> Saying:
    amount_minor = moment.values.amount_minor
    return _NOTHING if amount_minor is None else _priced(moment, amount_minor)


def _entry(moment: Moment) -> Saying:
    """The amount while it is being typed: 0.00 before the first digit."""
    return _priced(moment, moment.values.amount_minor or 0)


def _priced(moment: Moment, amount_minor: int) -> Saying:
    money = currency(moment.values.currency)
    number = format_amount(amount_minor, money.exponent)
    forms = (f"{money.symbol} {number}", f"{money.sign} {number}", number)
    return Saying(forms if moment.language == "en" else forms[1:])


def _pin(moment: Moment) -> Saying:
    stars = "*" * moment.values.pin_digits + "_"
    return Saying((moment.text("element.pin", stars=stars), stars))


def _tries(moment: Moment) -> Saying:
    return _tries_left(moment, moment.values.tries_left)


def _swipes(moment: Moment) -> Saying:
    return _tries_left(moment, moment.values.swipes_left if moment.values.read_failure else 0)


def _tries_left(moment: Moment, count: int) -> Saying:
    return Saying((moment.text("element.tries_left", count=count),)) if count > 0 else _NOTHING


def _failure(moment: Moment) -> Saying:
    failure = moment.values.read_failure
    return moment.forms(f"read_failure.{failure.value}") if failure else _NOTHING


def _response(moment: Moment) -> Saying:
    """The bank's answer in words, unless the reason says it better."""
    code = _telling_code(moment)
    if not code or moment.values.reason is Reason.PIN_TRIES:
        return _NOTHING
    return Saying((texts.response_code(code).text(moment.language),), wraps=True)


def _telling_code(moment: Moment) -> str:
    """The response code, if there is one that says more than "approved"."""
    code = printable(moment.values.response_code)
    return "" if code == "00" else code


def _action(moment: Moment) -> Saying:
    action = texts.response_code(_telling_code(moment)).action
    return _NOTHING if action is texts.Action.NONE else moment.forms(f"action.{action.value}")


def _reason(moment: Moment) -> Saying:
    """Why it ended so, unless title or response code have said it."""
    reason = moment.values.reason
    said = reason.value == moment.screen or (reason is Reason.BANK_DECLINED and _telling_code(moment))
    return _NOTHING if reason is Reason.NONE or said else moment.forms(f"reason.{reason.value}")


def _notice(moment: Moment) -> Saying:
    """After a power cut in the middle of a payment."""
    cut_off = moment.values.reason is Reason.POWER_CUT
    return moment.forms(f"reason.{Reason.POWER_CUT.value}") if cut_off else _NOTHING


def _money_taken(moment: Moment) -> Saying:
    """What the merchant wants to know most after a failure: a reversal may still have to reach the bank."""
    return moment.forms(
        "element.money.will_be_undone" if moment.values.pending else "element.money.none_taken"
    )


def _alert(moment: Moment) -> Saying:
    """The worse of what is wrong between terminal and bank."""
    if not moment.values.link_up:
        return moment.forms("element.alert.no_link")
    if not moment.values.signed_in and moment.screen != "not_signed_in":
        return moment.forms("element.alert.not_signed_in")
    return _NOTHING


def _pending(moment: Moment) -> Saying:
    count = moment.values.pending
    return moment.forms("element.alert.pending", count=count) if count else _NOTHING


def _printer(moment: Moment) -> Saying:
    status = moment.values.printer_status
    return moment.forms(f"printer.{status.value}") if status else _NOTHING


def _copy(moment: Moment) -> Saying:
    copy = moment.values.slip_copy
    return Saying((moment.text(f"copy.{copy.value}"),)) if copy else _NOTHING


def _authorisation(moment: Moment) -> Saying:
    code = printable(moment.values.authorisation_code)
    return Saying((moment.text("element.authorisation", code=code), code)) if code else _NOTHING


def _card(moment: Moment) -> Saying:
    masked = moment.values.pan_masked
    return Saying((masked, f"*{masked[-4:]}")) if masked else _NOTHING


def _detail(moment: Moment) -> Saying:
    detail = printable(moment.values.detail)
    return Saying((detail,), clips=True) if detail else _NOTHING


def _clock(moment: Moment) -> Saying:
    now = moment.values.now
    return _NOTHING if now is None or moment.has_header else Saying((f"{now:%Y/%m/%d %H:%M}",))


def _terminal(moment: Moment) -> Saying:
    terminal_id = moment.values.terminal_id
    return Saying((moment.text("element.terminal", terminal_id=terminal_id),)) if terminal_id else _NOTHING


def _key(moment: Moment) -> Saying:
    index = moment.values.key_index
    kind = "transport_key" if moment.values.is_transport_key else "key"
    return _NOTHING if index is None else Saying((moment.text(f"element.{kind}", index=f"{index:02}"),))


def _custodian(moment: Moment) -> Saying:
    number = moment.values.component_number
    return Saying((moment.text("element.component", number=number),)) if number else _NOTHING


def _component(moment: Moment) -> Saying:
    """As many stars as digits; on a narrow display those of the eight digits at hand."""
    count = moment.values.component_digits
    told = f"{count}/{COMPONENT_DIGITS}"
    few = (count - 1) % 8 + 1 if count else 0
    return Saying((f"{'*' * count} {told}".strip(), f"{'*' * few} {told}".strip()))


def _typing(moment: Moment) -> Saying:
    return Saying((f"{moment.values.check_value}_",))


def _check_value(moment: Moment) -> Saying:
    value = moment.values.check_value
    return Saying((moment.text("element.check_value", value=value), value)) if value else _NOTHING


ELEMENTS: Mapping[str, Callable[[Moment], Saying]] = {
    "action": _action,
    "again": _again,
    "alert": _alert,
    "amount": _amount,
    "authorisation": _authorisation,
    "card": _card,
    "check_value": _check_value,
    "clock": _clock,
    "component": _component,
    "copy": _copy,
    "custodian": _custodian,
    "detail": _detail,
    "entry": _entry,
    "failure": _failure,
    "key": _key,
    "money": _money_taken,
    "notice": _notice,
    "pending": _pending,
    "pin": _pin,
    "printer": _printer,
    "reason": _reason,
    "response": _response,
    "say": _say,
    "swipes": _swipes,
    "terminal": _terminal,
    "title": _title,
    "tries": _tries,
    "typing": _typing,
    "verdict": _verdict,
}


# --- layout ------------------------------------------------------------------------------------------


def render(name: str, values: ScreenValues, *, columns: int, rows: int, language: str) -> Screen:
    """The screen `name` for a display of `columns` by `rows`, 16 by 2 at least; a double line takes two rows.

    Raises UnknownScreenError; UnknownTextError for an unknown language, AmountError for an unknown currency.
    """
    layout = LAYOUTS.get(name)
    if layout is None:
        raise UnknownScreenError(f"no screen {name!r}: see texts/screens.toml for those there are")
    if rows < _LARGE_ROWS:
        return Screen(_small(layout, Moment(name, values, language), columns, rows))
    return Screen(_large(layout, Moment(name, values, language), columns, rows))


def _small(layout: Layout, moment: Moment, columns: int, rows: int) -> tuple[ScreenLine, ...]:
    blocks, _ = _blocks(layout, moment, columns, rows, airy=False)
    lines = [line for block in blocks for line in block]
    if rows > 2:  # a bar behind the title; a display of two rows cannot draw one
        lines[0] = ScreenLine(lines[0].text, lines[0].align, inverse=True, double=lines[0].double)
    return tuple(lines)


def _large(layout: Layout, moment: Moment, columns: int, rows: int) -> tuple[ScreenLine, ...]:
    header = _header(moment.values, columns)
    footer = _footer(layout, moment, columns)
    moment = Moment(moment.screen, moment.values, moment.language, has_header=bool(header))
    rows -= len(header) + 2 * len(footer)  # a blank row keeps the footer off the body
    blocks, rows_left = _blocks(layout, moment, columns, rows, airy=True)
    body: list[ScreenLine] = []
    for block in blocks:
        if body and rows_left:
            body.append(_BLANK)
            rows_left -= 1
        body += block
    return (*header, *body, *[_BLANK] * (rows_left + 1 if footer else 0), *footer)


def _blocks(
    layout: Layout, moment: Moment, columns: int, rows: int, *, airy: bool
) -> tuple[list[list[ScreenLine]], int]:
    """The elements that fit, each with its lines, from top to bottom; and how many rows are left over.

    `airy`: beyond the first, an element is drawn large only if a row is left between any two of them.
    """
    chosen: dict[str, tuple[str, ...]] = {}
    rows_left = rows
    for element in layout.important:
        lines = ELEMENTS[element](moment).fit(columns, rows_left)
        if lines:
            chosen[element] = lines
            rows_left -= len(lines)
    doubled: set[str] = set()
    for element in layout.big:
        lines = chosen.get(element, ())
        kept_free = len(chosen) - 1 if airy and doubled else 0
        fits = len(lines) <= rows_left - kept_free and all(2 * columns_of(line) <= columns for line in lines)
        if lines and fits:
            doubled.add(element)
            rows_left -= len(lines)
    blocks = [
        [ScreenLine(line, Align.CENTRE, double=element in doubled) for line in chosen[element]]
        for element in layout.lines
        if element in chosen
    ]
    return blocks, rows_left


def _header(values: ScreenValues, columns: int) -> list[ScreenLine]:
    """A bar with the merchant at the left and the time at the right, and a blank line below it."""
    inner = columns - 2
    name = _clipped(printable(values.merchant_name), inner)
    clocks = (f"{values.now:%Y/%m/%d %H:%M}", f"{values.now:%H:%M}") if values.now else ()
    clock = next((clock for clock in clocks if columns_of(name) + 1 + len(clock) <= inner), "")
    if not name and not clock:
        return []
    gap = " " * (inner - columns_of(name) - len(clock))
    return [ScreenLine(f" {name}{gap}{clock} ", inverse=True), _BLANK]


def _footer(layout: Layout, moment: Moment, columns: int) -> list[ScreenLine]:
    hints = [moment.text(f"keys.{key}") for key in layout.keys]
    for gap in ("   ", "  "):
        line = gap.join(hints)
        if line and columns_of(line) <= columns:
            return [ScreenLine(line, Align.CENTRE)]
    return []
