"""The line to a serial CCID reader: one request at a time, its answer, and what is done when none comes.

A damaged answer is asked for again (NAK), never the request: a reader that carried it out once must not do it
twice. A reader that wants the request again says so. Time extensions of the reader are granted.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from wire.ccid import (
    NAK_FRAME,
    CardMove,
    CcidMessage,
    CommandState,
    FrameDamaged,
    RepeatWanted,
    SerialFrameReader,
    encode_frame,
)

ANSWER_MS = 2_500
_REPEATS_MAX = 3
_ANSWER_TYPES_FROM = 0x80  # below are requests: the reader's echo of ours
_DATA_BYTES_MAX = 1024  # serial readers take 271 bytes a message


@dataclass(frozen=True, slots=True)
class Request:
    """One request. `then` is given the answer, or None when none came."""

    message: CcidMessage
    then: Callable[[CcidMessage | None], None]
    patience_ms: int


class CcidLine:
    """Requests of one slot, queued. `write` sends bytes; `on_move` hears of cards between requests."""

    def __init__(
        self,
        write: Callable[[bytes], None],
        on_answer: Callable[[CcidMessage], None],
        on_move: Callable[[], None],
    ) -> None:
        self._write = write
        self._on_answer = on_answer
        self._on_move = on_move
        self._frames = SerialFrameReader(data_bytes_max=_DATA_BYTES_MAX)
        self._sequence = 0
        self._waiting: list[Request] = []
        self._current: Request | None = None
        self._deadline_ms: int | None = None
        self._repeats = 0
        self._has_echo = False  # then a reader that is there shows it at once, however slow the card is
        self._now_ms = 0

    @property
    def idle(self) -> bool:
        """True while no request is on its way or waiting."""
        return self._current is None and not self._waiting

    def deadline_ms(self) -> int | None:
        """When the answer is overdue."""
        return self._deadline_ms

    def request(
        self,
        kind: int,
        then: Callable[[CcidMessage | None], None],
        *,
        now_ms: int,
        data: bytes = b"",
        specific: bytes = bytes(3),
        patience_ms: int = ANSWER_MS,
    ) -> None:
        """Send a request, or queue it behind the others."""
        self._now_ms = now_ms
        self._waiting.append(Request(CcidMessage(kind, specific=specific, data=data), then, patience_ms))
        self._send_next()

    def give_up(self) -> None:
        """Forget what waits, and take no notice of the answer that is on its way."""
        self._waiting.clear()
        if self._current is not None:
            self._current = Request(self._current.message, _ignore, self._current.patience_ms)

    def reset(self) -> None:
        """Forget everything: the line is new."""
        self._waiting.clear()
        self._current, self._deadline_ms = None, None
        self._frames.forget()

    def receive(self, data: bytes, *, now_ms: int) -> None:
        """Take bytes of the reader."""
        self._now_ms = now_ms
        for event in self._frames.feed(data):
            match event:
                case CardMove():
                    self._on_move()
                case CcidMessage():
                    self._on_message(event)
                case FrameDamaged():
                    self._show_life()  # it may have been the echo
                    self._repeat(NAK_FRAME)
                case RepeatWanted() if self._current is not None:
                    self._repeat(encode_frame(self._current.message))

    def on_deadline(self, *, now_ms: int) -> None:
        """Give up the request whose answer is overdue."""
        self._now_ms = now_ms
        if self._deadline_ms is not None and self._deadline_ms <= now_ms:
            self._frames.forget()
            self._finish(None)

    def _on_message(self, message: CcidMessage) -> None:
        request = self._current
        if request is None or message.sequence != request.message.sequence:
            return
        if message.type < _ANSWER_TYPES_FROM:
            self._has_echo = True
            self._show_life()
            return
        if message.command is CommandState.TIME_EXTENSION:
            self._deadline_ms = self._now_ms + request.patience_ms * max(1, message.error)
            return
        self._on_answer(message)
        self._finish(message)

    def _show_life(self) -> None:
        """The reader is there: its answer may take as long as the card takes."""
        if self._current is not None:
            self._deadline_ms = self._now_ms + self._current.patience_ms

    def _finish(self, answer: CcidMessage | None) -> None:
        request, self._current, self._deadline_ms = self._current, None, None
        if request is not None:
            request.then(answer)
        self._send_next()

    def _send_next(self) -> None:
        if self._current is not None or not self._waiting:
            return
        request = self._waiting.pop(0)
        self._sequence = self._sequence + 1 & 0xFF
        message = CcidMessage(
            request.message.type,
            sequence=self._sequence,
            specific=request.message.specific,
            data=request.message.data,
        )
        self._current = Request(message, request.then, request.patience_ms)
        self._deadline_ms = self._now_ms + (ANSWER_MS if self._has_echo else request.patience_ms)
        self._repeats = 0
        self._write(encode_frame(message))

    def _repeat(self, frame: bytes) -> None:
        if self._repeats >= _REPEATS_MAX:
            self._finish(None)
        elif self._current is not None:
            self._repeats += 1
            self._write(frame)


def _ignore(_answer: CcidMessage | None) -> None:
    """The answer of a request that was given up."""
