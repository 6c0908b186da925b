"""The talk with one printer: what is sent when, and what its answers mean. No I/O, no clock of its own.

The plan of this file. Items go out one after the other, each in pieces that are followed by GS r 1, which the
printer answers when what stood before it is printed. So ItemPrinted is said when the item is on paper; a
printer's buffer is never full, whatever the flow control; and a lost answer is asked for again, not printed
again.

What the sensors say comes from DLE EOT 1 to 4, asked one after the other: a round. Rounds are asked after
connecting, when the printer reports a change by itself (GS a), when an answer is late, and every
`TROUBLE_ROUND_MS` while something is wrong. Trouble counts when two rounds agree: one flipped bit stops no
slip.

When a slip is stopped, the printer's buffer is emptied (DLE DC4 8), so that what was on its way is not
printed later: the caller sends the item again. A printer that does not know that request prints it twice.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from enum import Enum, auto

from hal.api import (
    DeviceEvent,
    DeviceFault,
    ItemPrinted,
    PrinterReady,
    PrinterStatus,
    PrintItem,
    PrintStopped,
)
from hal.escpos.answers import Answer, AnswerKind, AnswerReader, Health
from hal.escpos.commands import Commands

ANSWER_MS = 1_000
"""How long a printer may take to answer a request in real time, once it has it."""

PRINT_MS = 5_000
"""How long it may be busy with one piece before it is asked whether something is wrong."""

TROUBLE_ROUND_MS = 2_000
ROUND_TRIES = 3
CHECKPOINT_TRIES = 5
SETTLE_MS = 200
"""After an answer that was asked for more than once: a second one may still come, and means nothing."""

_ASK_PRINTED = b"\x1dr\x01"
_REPORT_CHANGES, _REPORT_ALL = b"\x1da", b"\xff"
_EMPTY_BUFFER = bytes([0x10, 0x14, 8, 1, 3, 20, 1, 6, 2, 8])
_RECOVER = b"\x10\x05\x02"
_ROUND = (1, 2, 3, 4)


class _Phase(Enum):
    UNKNOWN = auto()  # nothing was heard since it was connected
    PREPARING = auto()  # it is well; it was initialised, and has not said so yet
    READY = auto()
    TROUBLE = auto()


class Dialogue:
    """One printer. Moments are the caller's monotonic milliseconds.

    bits_per_s: the line's rate, from which it is known when bytes have arrived; 0 for one that is not felt.
    """

    def __init__(self, commands: Commands, *, bits_per_s: int) -> None:
        self.health: Health | None = None
        """What the sensors said last; None while the printer is not connected or does not answer."""
        self._commands = commands
        self._bits_per_s = bits_per_s
        self._reader = AnswerReader()
        self._events: list[DeviceEvent] = []
        self._output = bytearray()  # whole commands
        self._urgent = bytearray()  # requests in real time: they pass XOFF and what waits
        self._is_connected = False
        self._phase = _Phase.UNKNOWN
        self._told_trouble = False
        self._items: deque[PrintItem] = deque()  # not begun yet
        self._pieces: deque[bytes] = deque()  # of the item that is being printed
        self._line_free_at_ms = 0
        self._checkpoint_due_ms: int | None = None
        self._checkpoint_tries = 0
        self._settled_at_ms: int | None = None
        self._round: list[int] = []  # the bytes that were answered in this round
        self._round_due_ms: int | None = None
        self._round_tries = 0
        self._suspected: PrinterStatus | None = None
        self._next_round_ms: int | None = None
        self._is_paused = False

    # --- what the caller does ------------------------------------------------------------------------

    @property
    def status(self) -> PrinterStatus:
        """The printer's state as far as it is known."""
        if self._phase is _Phase.READY:
            return PrinterStatus.READY
        if self.health is None or self.health.status is PrinterStatus.READY:
            return PrinterStatus.OFFLINE
        return self.health.status

    @property
    def is_settled(self) -> bool:
        """False while it is not known yet how the printer is."""
        return not self._is_asking and self._phase in {_Phase.READY, _Phase.TROUBLE}

    def connected(self, now_ms: int) -> None:
        """The line to the printer is there, for the first time or again."""
        self._is_connected = True
        self._phase = _Phase.UNKNOWN
        self._reader.reset()
        self._is_paused = False
        self._begin_round(now_ms)

    def disconnected(self) -> None:
        """The line is gone, and everything that was on it."""
        self._is_connected = False
        self._phase = _Phase.UNKNOWN
        self.health = None
        self._urgent.clear()
        self._round_due_ms = self._next_round_ms = None
        self._stop(PrinterStatus.OFFLINE)

    def submit(self, items: Sequence[PrintItem], now_ms: int) -> None:
        """Start printing. Raises DeviceFault while other items are being printed."""
        if self._pieces:
            raise DeviceFault("items are still being printed; wait for their end, or cancel them")
        if self._phase is not _Phase.READY:
            self._told_trouble = True
            self._events.append(PrintStopped(self.status))
            return
        self._items = deque(items)
        self._begin_item(now_ms)

    def cancel(self) -> int:
        """Forget the items that are not begun; returns how many answers will still come."""
        self._items.clear()
        answers = sum(isinstance(event, ItemPrinted | PrintStopped) for event in self._events)
        return answers + bool(self._pieces)

    def receive(self, data: bytes, now_ms: int) -> None:
        """Take what the printer said."""
        for answer in self._reader.feed(data):
            self._on_answer(answer, now_ms)

    def advance(self, now_ms: int) -> None:
        """Do what is due."""
        if self._round_due_ms is not None and now_ms >= self._round_due_ms:
            self._on_silence(now_ms)
        if self._checkpoint_due_ms is not None and now_ms >= self._checkpoint_due_ms:
            self._on_late_checkpoint(now_ms)
        if self._settled_at_ms is not None and now_ms >= self._settled_at_ms:
            self._settled_at_ms = None
            self._go_on(now_ms)
        if self._next_round_ms is not None and now_ms >= self._next_round_ms:
            self._next_round_ms = None
            if self.health is not None and self.health.status is PrinterStatus.JAM:
                self._send_now(_RECOVER, now_ms)
            self._begin_round(now_ms)

    def deadline_ms(self) -> int | None:
        """When to call `advance`."""
        moments = (self._round_due_ms, self._checkpoint_due_ms, self._settled_at_ms, self._next_round_ms)
        return min((at_ms for at_ms in moments if at_ms is not None), default=None)

    def take_events(self) -> list[DeviceEvent]:
        """What happened since the last call."""
        events, self._events = self._events, []
        return events

    def take_output(self) -> bytes:
        """What is to be sent now; while the printer has said XOFF, requests in real time only."""
        output = bytes(self._urgent)
        self._urgent.clear()
        if not self._is_paused:
            output += self._output
            self._output.clear()
        return output

    def send_aside(self, data: bytes, now_ms: int) -> None:
        """Send a command of another device in the same case, such as its buzzer."""
        if self._is_connected:
            self._send(data, now_ms)

    # --- printing ------------------------------------------------------------------------------------

    def _begin_item(self, now_ms: int) -> None:
        if self._items:
            self._pieces = deque(self._commands.pieces(self._items.popleft()))
            self._send_piece(now_ms)

    def _send_piece(self, now_ms: int) -> None:
        self._send(self._pieces[0] + _ASK_PRINTED, now_ms)
        self._checkpoint_tries = 0
        self._checkpoint_due_ms = self._line_free_at_ms + PRINT_MS

    def _on_printed(self, now_ms: int) -> None:
        """A piece is on paper, or the printer is initialised."""
        if self._checkpoint_due_ms is None:
            return  # nobody asked
        self._checkpoint_due_ms = None
        if self._checkpoint_tries > 1:
            self._settled_at_ms = now_ms + SETTLE_MS
        else:
            self._go_on(now_ms)

    def _go_on(self, now_ms: int) -> None:
        """The next piece, or the end of the item and the next one."""
        if self._phase is _Phase.PREPARING:
            self._phase = _Phase.READY
            if self._told_trouble:
                self._told_trouble = False
                self._events.append(PrinterReady())
        elif self._pieces:
            self._pieces.popleft()
            if self._pieces:
                self._send_piece(now_ms)
            else:
                self._events.append(ItemPrinted())
                self._begin_item(now_ms)

    def _on_late_checkpoint(self, now_ms: int) -> None:
        """It prints slowly, or the answer was lost, or it is in trouble: ask how it is, and ask again."""
        self._checkpoint_tries += 1
        if self._checkpoint_tries > CHECKPOINT_TRIES:
            self._lose(now_ms)
            return
        self._checkpoint_due_ms = now_ms + PRINT_MS
        self._begin_round(now_ms)
        if self._checkpoint_tries > 1:  # the round before this one found nothing wrong
            self._send(_ASK_PRINTED, now_ms)

    def _stop(self, status: PrinterStatus) -> None:
        """What is being printed is lost; say so."""
        self._told_trouble = True
        if self._pieces:
            self._events.append(PrintStopped(status))
        self._pieces.clear()
        self._items.clear()
        self._output.clear()
        self._checkpoint_due_ms = self._settled_at_ms = None

    # --- how it is -----------------------------------------------------------------------------------

    @property
    def _is_asking(self) -> bool:
        return self._round_due_ms is not None

    def _begin_round(self, now_ms: int) -> None:
        if self._is_asking or not self._is_connected:
            return
        self._round_tries = 0
        self._ask_first(now_ms)

    def _ask_first(self, now_ms: int) -> None:
        self._round = []
        self._ask(now_ms)

    def _ask(self, now_ms: int) -> None:
        self._send_now(bytes([0x10, 0x04, _ROUND[len(self._round)]]), now_ms)
        self._round_due_ms = self._line_free_at_ms + ANSWER_MS

    def _on_real_time(self, byte: int, now_ms: int) -> None:
        if not self._is_asking:
            return
        self._round.append(byte)
        if len(self._round) < len(_ROUND):
            self._ask(now_ms)
            return
        self._round_due_ms = None
        self._judge(Health.of(*self._round), now_ms)

    def _on_silence(self, now_ms: int) -> None:
        self._round_due_ms = None
        self._round_tries += 1
        if self._round_tries < ROUND_TRIES:
            self._ask_first(now_ms)
        else:
            self._lose(now_ms)

    def _lose(self, now_ms: int) -> None:
        """It does not answer: switched off, or not there. Look for it again and again."""
        self._phase = _Phase.UNKNOWN
        self.health = None
        self._is_paused = False
        self._round_due_ms = None
        self._stop(PrinterStatus.OFFLINE)
        self._next_round_ms = now_ms + TROUBLE_ROUND_MS

    def _judge(self, health: Health, now_ms: int) -> None:
        """A round is complete."""
        status = health.status
        was_first = self.health is None
        if status is PrinterStatus.READY:
            self.health, self._suspected = health, None
            if self._phase in {_Phase.UNKNOWN, _Phase.TROUBLE}:
                self._prepare(now_ms)
            return
        if self._suspected is not status and not was_first:
            self._suspected = status
            self._begin_round(now_ms)
            return
        self.health = health
        if self._phase is not _Phase.TROUBLE:
            self._phase = _Phase.TROUBLE
            self._stop(status)
            self._send_now(_EMPTY_BUFFER, now_ms)
        self._next_round_ms = now_ms + TROUBLE_ROUND_MS

    def _prepare(self, now_ms: int) -> None:
        """Bring it to a known state; it is ready when it has answered."""
        self._phase = _Phase.PREPARING
        self._next_round_ms = None
        self._send_now(_EMPTY_BUFFER, now_ms)
        self._send(self._commands.prepare() + _REPORT_CHANGES + _REPORT_ALL + _ASK_PRINTED, now_ms)
        self._checkpoint_tries = 0
        self._checkpoint_due_ms = self._line_free_at_ms + ANSWER_MS

    # --- bytes ---------------------------------------------------------------------------------------

    def _on_answer(self, answer: Answer, now_ms: int) -> None:
        match answer.kind:
            case AnswerKind.REAL_TIME:
                self._on_real_time(answer.data[0], now_ms)
            case AnswerKind.IN_TURN:
                self._on_printed(now_ms)
            case AnswerKind.AUTOMATIC:
                self._on_report(now_ms)
            case AnswerKind.XON | AnswerKind.XOFF:
                self._is_paused = answer.kind is AnswerKind.XOFF
            case AnswerKind.CLEARED:
                pass

    def _on_report(self, now_ms: int) -> None:
        """Something has changed: look, and while that is under way look once more after it."""
        if self._is_asking:
            self._next_round_ms = now_ms
        else:
            self._begin_round(now_ms)

    def _send(self, data: bytes, now_ms: int) -> None:
        self._output += data
        self._line_free_at_ms = max(self._line_free_at_ms, now_ms) + self._transmit_ms(len(data))

    def _send_now(self, data: bytes, now_ms: int) -> None:
        """Send before everything that waits here."""
        self._urgent += data
        self._line_free_at_ms = max(self._line_free_at_ms, now_ms) + self._transmit_ms(len(data))

    def _transmit_ms(self, size_bytes: int) -> int:
        return -(-size_bytes * 11_000 // self._bits_per_s) if self._bits_per_s else 0
