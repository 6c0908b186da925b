"""What a screen is made of: elements, each of which turns the values of the moment into words.

An element (`ELEMENTS`) gives the words that it would like to show, the fullest form first; the shortest forms
fit 16 columns. Which elements a screen has is in `texts/screens.toml`, how they are laid out in
`firmware/screens.py`. Pure: the same values give the same words.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import NamedTuple

from firmware import texts
from firmware.records import Reason
from firmware.screen_values import ScreenValues
from firmware.secure.component_entry import COMPONENT_DIGITS
from firmware.secure.key_use import KeyUse
from firmware.texts import text
from firmware.texts.cells import columns_of, printable, wrap
from hal.api import Align
from wire.money import currency, format_amount


class Moment(NamedTuple):
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
        return _forms(self.language, key, **values)


class Saying(NamedTuple):
    """What an element would like to show: its forms, the fullest first.

    `wraps`: a form may take several lines. `clips`: and may end in "..." where the rows end.
    """

    forms: tuple[str, ...] = ()
    wraps: bool = False
    clips: bool = False
    align: Align = Align.CENTRE

    def fit(self, columns: int, rows: int) -> tuple[str, ...]:
        """The lines of the first form that fits into `rows` of `columns`; no lines when none does."""
        rows_max = rows if self.wraps or self.clips else min(rows, 1)
        for form in self.forms:
            lines = wrap(form, columns)
            if len(lines) <= rows_max:
                return lines
            if self.clips and rows_max:
                return (*lines[: rows_max - 1], clipped(" ".join(lines[rows_max - 1 :]), columns))
        return ()


class Listing(Saying):
    """Lines that stand as they are, one below the other; those that find no room are left out."""

    def fit(self, columns: int, rows: int) -> tuple[str, ...]:
        """As many lines as there are rows."""
        return tuple(clipped(line, columns) for line in self.forms[:rows])


_NOTHING = Saying()


class Element(NamedTuple):
    """How an element says what it tells, and the values that it looks at: their names in `ScreenValues`."""

    say: Callable[[Moment], Saying]
    values: tuple[str, ...] = ()


@lru_cache(maxsize=256)  # most of what a screen says is the same each time
def _forms(language: str, key: str, **values: object) -> Saying:
    full, brief = (text(language, f"screen.{key}.{form}", **values) for form in ("full", "brief"))
    return Saying((full, brief))


@lru_cache(maxsize=256)
def _words(language: str, key: str, **values: object) -> Saying:
    return Saying((text(language, f"screen.{key}", **values),))


def clipped(line: str, columns: int) -> str:
    """`line`, cut to `columns` with "..." at its end where it is longer."""
    if columns_of(line) <= columns:
        return line
    while columns_of(line) > columns - 3:
        line = line[:-1]
    return line.rstrip() + "..."


def _title(moment: Moment) -> Saying:
    """Not "ready" while something must reach the bank first: until then no sale starts."""
    waits = moment.screen == "idle" and moment.values.pending
    return _words(moment.language, f"{moment.screen}.{'title_pending' if waits else 'title'}")


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
    return _money(moment.language, moment.values.currency, amount_minor)


@lru_cache(maxsize=8)  # while a PIN is typed, the amount stays
def _money(language: str, currency_code: str, amount_minor: int) -> Saying:
    money = currency(currency_code)
    number = format_amount(amount_minor, money.exponent)
    forms = (f"{money.symbol} {number}", f"{money.sign} {number}", number)
    return Saying(forms if language == "en" else forms[1:])


def _pin(moment: Moment) -> Saying:
    return _stars(moment.language, moment.values.pin_digits)


@lru_cache(maxsize=32)
def _stars(language: str, digits: int) -> Saying:
    stars = "*" * digits + "_"
    return Saying((text(language, "screen.element.pin", stars=stars), stars))


def _tries(moment: Moment) -> Saying:
    return _tries_left(moment, moment.values.tries_left)


def _swipes(moment: Moment) -> Saying:
    return _tries_left(moment, moment.values.swipes_left if moment.values.read_failure else 0)


def _tries_left(moment: Moment, count: int) -> Saying:
    return _words(moment.language, "element.tries_left", count=count) if count > 0 else _NOTHING


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
    if moment.values.reason is Reason.UNKNOWN:
        return _NOTHING  # the reason says it
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


def _status(moment: Moment) -> Saying:
    """Who works here, whether the bank knows the terminal, and how good the line is."""
    values = moment.values
    if values.link_bars is None:
        return _NOTHING
    state = "signed_in" if values.signed_in else "signed_out"
    bars = f"{'#' * values.link_bars:.<4}"
    return moment.forms(f"element.status.{state}", operator=values.operator, bars=bars)


def _cleaning(moment: Moment) -> Saying:
    heads = moment.values.cleaning
    return moment.forms(f"element.cleaning.{heads[0]}") if heads else _NOTHING


def _printer(moment: Moment) -> Saying:
    status = moment.values.printer_status
    return moment.forms(f"printer.{status.value}") if status else _NOTHING


def _copy(moment: Moment) -> Saying:
    copy = moment.values.slip_copy
    return _words(moment.language, f"copy.{copy.value}") if copy else _NOTHING


def _authorisation(moment: Moment) -> Saying:
    code = printable(moment.values.authorisation_code)
    return Saying((moment.text("element.authorisation", code=code), code)) if code else _NOTHING


def _card(moment: Moment) -> Saying:
    masked = moment.values.pan_masked
    return Saying((masked, f"*{masked[-4:]}")) if masked else _NOTHING


def _detail(moment: Moment) -> Saying:
    detail = printable(moment.values.detail)
    return Saying((detail,), clips=True) if detail else _NOTHING


def _memory(moment: Moment) -> Saying:
    """What is wrong with the terminal's memory, and what to do."""
    trouble = moment.values.storage_trouble
    return moment.forms(f"memory.{trouble.value}") if trouble else _NOTHING


def _clock(moment: Moment) -> Saying:
    now = moment.values.now
    return _NOTHING if now is None or moment.has_header else Saying((f"{now:%Y/%m/%d %H:%M}",))


def _terminal(moment: Moment) -> Saying:
    terminal_id = moment.values.terminal_id
    return Saying((moment.text("element.terminal", terminal_id=terminal_id),)) if terminal_id else _NOTHING


def _key(moment: Moment) -> Saying:
    values, index = moment.values, moment.values.key_index
    if values.key_use is KeyUse.DUKPT:
        number, name = values.serial_number, moment.text("element.initial_key")
        return Saying((f"KSN {number}", f"KSN ..{number[-10:]}") if number else (name,), wraps=True)
    kind = "transport_key" if values.key_use is KeyUse.TRANSPORT else "key"
    return _NOTHING if index is None else Saying((moment.text(f"element.{kind}", index=f"{index:02}"),))


def _choose(moment: Moment) -> Saying:
    """An initial DUKPT key has no index to be typed."""
    is_initial = moment.values.key_use is KeyUse.DUKPT
    return moment.forms("element.no_index" if is_initial else moment.screen)


def _serial(moment: Moment) -> Saying:
    """All digits, or where they do not fit the last ones and their number."""
    number = moment.values.serial_number
    return Saying((f"{number}_", f"{len(number)}: ..{number[-8:]}_"), wraps=True)


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


def _kind(moment: Moment) -> Saying:
    """Which type of transaction it is, where it is not a plain sale."""
    kind = moment.values.kind
    return _NOTHING if kind == "purchase" else _words(moment.language, f"kind.{kind}")


def _typed(moment: Moment) -> Saying:
    return Saying((f"{moment.values.typed}_",))


def _refused(moment: Moment) -> Saying:
    return moment.forms(f"element.refused.{moment.screen}") if moment.values.is_refused else _NOTHING


def _original(moment: Moment) -> Saying:
    voucher = moment.values.original_voucher
    return Saying((moment.text("element.original", voucher=voucher), voucher)) if voucher else _NOTHING


def _balance(moment: Moment) -> Saying:
    values = moment.values
    if values.balance_minor is None:
        return moment.forms("element.no_balance")
    anew = _money.__wrapped__  # what a cardholder has is kept nowhere
    return anew(moment.language, values.currency, values.balance_minor)


# --- the shop floor ----------------------------------------------------------------------------------


def _heading(moment: Moment) -> Saying:
    view = moment.values.floor
    if view is None or not view.heading:
        return _title(moment)
    return Saying((f"{view.heading} {view.place}".strip(), view.heading))


def _listing(moment: Moment) -> Saying:
    view = moment.values.floor
    return Listing(view.lines, align=Align.LEFT) if view else _NOTHING


def _prompt(moment: Moment) -> Saying:
    view = moment.values.floor
    return Saying(view.prompt) if view else _NOTHING


def _message(moment: Moment) -> Saying:
    view = moment.values.floor
    return Saying(view.prompt, wraps=True) if view else _NOTHING


def _answer(moment: Moment) -> Saying:
    view = moment.values.floor
    return Saying((view.typed,)) if view and view.typed else _NOTHING


ELEMENTS: Mapping[str, Element] = {
    "answer": Element(_answer, ("floor",)),
    "heading": Element(_heading, ("floor",)),
    "listing": Element(_listing, ("floor",)),
    "prompt": Element(_prompt, ("floor",)),
    "action": Element(_action, ("response_code",)),
    "again": Element(_again, ("tries_left",)),
    "alert": Element(_alert, ("link_up", "signed_in")),
    "amount": Element(_amount, ("amount_minor", "currency")),
    "authorisation": Element(_authorisation, ("authorisation_code",)),
    "balance": Element(_balance, ("balance_minor", "currency")),
    "card": Element(_card, ("pan_masked",)),
    "check_value": Element(_check_value, ("check_value",)),
    "choose": Element(_choose, ("key_use",)),
    "cleaning": Element(_cleaning, ("cleaning",)),
    "clock": Element(_clock, ("now",)),
    "component": Element(_component, ("component_digits",)),
    "copy": Element(_copy, ("slip_copy",)),
    "custodian": Element(_custodian, ("component_number",)),
    "detail": Element(_detail, ("detail",)),
    "entry": Element(_entry, ("amount_minor", "currency")),
    "failure": Element(_failure, ("read_failure",)),
    "key": Element(_key, ("key_index", "key_use", "serial_number")),
    "kind": Element(_kind, ("kind",)),
    "message": Element(_message, ("floor",)),
    "memory": Element(_memory, ("storage_trouble",)),
    "money": Element(_money_taken, ("reason", "pending")),
    "notice": Element(_notice, ("reason",)),
    "original": Element(_original, ("original_voucher",)),
    "pending": Element(_pending, ("pending",)),
    "pin": Element(_pin, ("pin_digits",)),
    "printer": Element(_printer, ("printer_status",)),
    "reason": Element(_reason, ("reason", "response_code")),
    "refused": Element(_refused, ("is_refused",)),
    "response": Element(_response, ("response_code", "reason")),
    "say": Element(_say),
    "serial": Element(_serial, ("serial_number",)),
    "status": Element(_status, ("link_bars", "signed_in", "operator")),
    "swipes": Element(_swipes, ("swipes_left", "read_failure")),
    "terminal": Element(_terminal, ("terminal_id",)),
    "title": Element(_title, ("pending",)),
    "tries": Element(_tries, ("tries_left",)),
    "typed": Element(_typed, ("typed",)),
    "typing": Element(_typing, ("check_value",)),
    "verdict": Element(_verdict, ("response_code",)),
}
