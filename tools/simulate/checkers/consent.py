"""Nobody pays what they were not shown: what people saw when they agreed, and what was posted.

People agree with ENTER, after an amount, a question or a PIN, and by giving their card. What the display
shows at that moment is what they saw, whatever the terminal makes of it then: the power may be gone.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

from firmware.messages import PARTIAL_APPROVAL
from hal.api import Key
from tools.simulate.any_till import AnyTill
from tools.simulate.checkers.finding import Finding
from tools.simulate.checkers.journal import counts, moved_minor, name_of

_ENTER = frozenset({Key.ENTER, Key.ENTER.value})
_AMOUNT = re.compile(r"(?<![\d.])\d+\.\d\d(?![\d.])")


class Consent:
    """The amounts that one till showed at each act of its people, by the transaction's number."""

    def __init__(self, till: AnyTill) -> None:
        self._till = till
        self._shown: dict[int, set[int]] = {}
        keypad, reader = till.station.devices.keypad, till.station.devices.card_reader
        self._see_before(keypad, "press", lambda key: key in _ENTER)
        for act in ("swipe", "insert"):
            self._see_before(reader, act, lambda _card: True)

    def _see_before(self, device: object, act: str, agrees: Callable[[Any], bool]) -> None:
        """Look at the display before this is done to a device."""
        do = getattr(device, act)

        def see_and_do(what: Any, *arguments: Any, **options: Any) -> Any:
            if agrees(what):
                self._see()
            return do(what, *arguments, **options)

        setattr(device, act, see_and_do)

    def _see(self) -> None:
        terminal = self._till.station.terminal
        if terminal is None or not terminal.in_transaction or terminal.journal.payment is None:
            return
        shown = _AMOUNT.findall(self._till.station.devices.display.screen.text)
        amounts = self._shown.setdefault(terminal.journal.payment.number, set())
        amounts.update(int(text.replace(".", "")) for text in shown)

    def given(self) -> Iterator[Finding]:
        """Everything that stands was agreed to, as a whole where the bank approved a part."""
        for payment in self._till.payments.values():
            if not counts(payment):
                continue
            shown, moved = self._shown.get(payment.number, set()), moved_minor(payment)
            is_part = payment.response_code == PARTIAL_APPROVAL and moved < max(shown, default=0)
            if moved not in shown and not is_part:
                seen = ", ".join(map(str, sorted(shown))) or "nothing"
                text = f"{name_of(payment)} is posted as {moved}; shown: {seen}"
                yield Finding("consent", f"{self._till.name}: {text}")
