"""What the shop floor shows in each of its states, in words. Pure but for reading the work's state."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from enum import Enum

from firmware.floor_work import FloorWork
from firmware.menus import MENUS, Ask
from firmware.operators import rank_of
from firmware.screen_values import FloorView
from firmware.texts import text
from firmware.txn.floor import State


def view_of(work: FloorWork, state: Enum) -> FloorView:
    """What is shown in this state of the floor table."""
    view = _VIEWS.get(state)
    return view(work) if view else FloorView(heading=_entry_name(work))


def _words(work: FloorWork, key: str, **values: object) -> str:
    return text(work.parts.display_language, f"screen.{key}", **values)


def _forms(work: FloorWork, key: str, **values: object) -> tuple[str, ...]:
    return tuple(_words(work, f"{key}.{form}", **values) for form in ("full", "brief"))


def _entry_name(work: FloorWork) -> str:
    return _words(work, f"entry.{work.entry.name}") if work.entry else ""


def _menu(work: FloorWork) -> FloorView:
    """The entries around the one at hand; a digit chooses one that is not in view as well."""
    if not work.menus:
        return FloorView()
    name, at = work.menus[-1]
    lines = [
        f"{'>' if number == at else ' '}{number + 1} {_words(work, f'entry.{entry.name}')}"
        for number, entry in enumerate(MENUS[name])
    ]
    first = max(0, min(at - work.visible_lines // 2, len(lines) - work.visible_lines))
    shown = lines[first : first + work.visible_lines]
    return FloorView(_words(work, f"menu_title.{name}"), "", _apart(work, shown))


def _apart(work: FloorWork, lines: Sequence[str]) -> tuple[str, ...]:
    """The lines, with blank ones between them where they would touch."""
    if not work.lines_stand_apart:
        return tuple(lines)
    return tuple(line for text in lines for line in (text, ""))[:-1]


def _reading(work: FloorWork) -> FloorView:
    """One page of the report, with its number where there are several."""
    visible = work.visible_lines
    pages = -(-len(work.lines) // visible)
    place = f"{work.first_line // visible + 1}/{pages}" if pages > 1 else ""
    lines = work.lines[work.first_line : work.first_line + visible]
    return FloorView(_entry_name(work), place, _apart(work, lines))


def _number(work: FloorWork) -> FloorView:
    ask = work.next_ask or Ask.OPERATOR
    return FloorView(_entry_name(work), "", (), _forms(work, f"ask.{ask.value}"), f"{work.number.digits}_")


def _password(work: FloorWork) -> FloorView:
    """Whose password it is; after a wrong one, how many tries are left."""
    asked = work.asked_for
    if asked.is_again:
        prompt = _forms(work, "ask.password_again", count=asked.tries_left)
    else:
        rank = rank_of(asked.number).name.lower()
        prompt = _forms(work, f"ask.password_of_{rank}", number=asked.number)
    return FloorView(_entry_name(work), "", (), prompt, _stars(work))


def _new_password(work: FloorWork) -> FloorView:
    return FloorView(_entry_name(work), "", (), _forms(work, "ask.new_password"), _stars(work))


def _repeated_password(work: FloorWork) -> FloorView:
    return FloorView(_entry_name(work), "", (), _forms(work, "ask.repeat_password"), _stars(work))


def _stars(work: FloorWork) -> str:
    return "*" * len(work.password) + "_"


def _confirming(work: FloorWork) -> FloorView:
    return FloorView(_entry_name(work), "", (), _forms(work, "ask.confirm"), work.answers.operator)


def _notice(work: FloorWork) -> FloorView:
    return FloorView(_entry_name(work), "", (), _forms(work, f"notices.{work.notice}"))


def _adjusting(work: FloorWork) -> FloorView:
    bar = "#" * (work.level // 10)
    return FloorView(_entry_name(work), "", (), _forms(work, "ask.level"), f"[{bar:-<10}] {work.level}%")


def _guiding(work: FloorWork) -> FloorView:
    """The step's words, with how far it has come."""
    assert work.entry is not None
    place = f"{work.step_number + 1}/{work.steps}"
    passes = f"{work.passes_done}/{work.step.passes}" if work.step.passes > 1 else ""
    return FloorView(
        _entry_name(work), place, (), _forms(work, f"guide.{work.entry.what}.{work.step_number + 1}"), passes
    )


def _testing(work: FloorWork) -> FloorView:
    """The newest results, as many as there is room for."""
    lines = tuple(f"{report.kind}: {'ok' if report.result.ok else 'FAILED'}" for report in work.reports)
    return FloorView(_entry_name(work), "", lines[-work.visible_lines :])


def _asking(work: FloorWork) -> FloorView:
    return FloorView(_entry_name(work), "", (), _forms(work, "ask.wait"))


_VIEWS: Mapping[Enum, Callable[[FloorWork], FloorView]] = {
    State.MENU: _menu,
    State.DECIDING: _menu,
    State.READING: _reading,
    State.TYPING_NUMBER: _number,
    State.TYPING_PASSWORD: _password,
    State.TYPING_NEW_PASSWORD: _new_password,
    State.REPEATING_PASSWORD: _repeated_password,
    State.CONFIRMING: _confirming,
    State.NOTICE: _notice,
    State.ADJUSTING: _adjusting,
    State.GUIDING: _guiding,
    State.TESTING_DEVICES: _testing,
    State.ASKING_BANK: _asking,
}
