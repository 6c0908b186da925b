"""What happens, line by line: states, messages on the line, what the person does to the world.

An `EventLog` is the tap and an observer of a station's plan. It keeps no secret: frames come masked out of
the wire log, and keys are not logged at all.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from firmware.app import Transition
from tools.texts import Words
from tools.wire_log import TERMINAL, FrameKind, LoggedFrame, MessageName, WireLog

LINES_MAX = 500
_TOLD_KINDS = frozenset({FrameKind.HELLO, FrameKind.CLOSE, FrameKind.DAMAGED})


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line. `kind`: state, terminal (sent by it), gateway (sent to it), hand, alarm."""

    at_ms: int
    kind: str
    text: str


class EventLog:
    """The last `LINES_MAX` lines, in one language. `count` is how many there were: it tells a change.

    `pairing_key`: of the line's ends, where they are paired.
    """

    def __init__(self, words: Words, pairing_key: bytes | None = None) -> None:
        self.lines: deque[LogLine] = deque(maxlen=LINES_MAX)
        self.count = 0
        self._words = words
        self._wire = WireLog(frames_max=1, on_frame=self._on_frame, pairing_key=pairing_key)

    def tap(self, at_ms: int, side: str, data: bytes) -> None:
        """Take what crossed the line: the tap of a StationPlan."""
        self._wire.feed(at_ms, side, data)

    def observe(self, transition: Transition) -> None:
        """Take a rule that was carried out: an observer of a StationPlan. Staying is no news."""
        rule = transition.rule
        if rule.source is not rule.target:
            why = f" ({transition.why})" if transition.why else ""
            self.add(transition.at_ms, "state", f"{rule.event.value} > {rule.target.value}{why}")

    def add(self, at_ms: int, kind: str, text: str) -> None:
        """Add a line."""
        self.lines.append(LogLine(at_ms, kind, text))
        self.count += 1

    def _on_frame(self, frame: LoggedFrame) -> None:
        arrow = ">>" if frame.side == TERMINAL else "<<"
        for message in frame.messages:
            name = self._words(f"message.{message.name.value}")
            if message.name is MessageName.BANK_STATUS:
                name = f"{name}: {message.fields[0].value_masked}"
            self._add_frame(frame, arrow, f"{message.mti} {name}".strip())
        if frame.kind in _TOLD_KINDS:
            self._add_frame(frame, arrow, frame.kind.value)

    def _add_frame(self, frame: LoggedFrame, arrow: str, name: str) -> None:
        text = self._words("window.log_line.frame", arrow=arrow, name=name, byte_count=frame.byte_count)
        self.add(frame.at_ms, frame.side, text)
