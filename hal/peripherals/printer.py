"""An ESC/POS printer in software: bytes in; paper, status bytes, drawer pulses and beeps out.

The plan of this file. Bytes come into a receive buffer of the size that real printers have, watched by the
flow control; requests in real time (DLE EOT, DLE ENQ, DLE DC4) are answered as they come in, whatever stands
before them in the buffer and whatever is wrong. The interpreter takes tokens from the buffer only while the
mechanism has little to do, so a full buffer, a printer that is busy and one that is stopped look to the host
as they do in life. Hands and faults act at the moment that `receive` was last told.

Not modelled: printing over a line, paper fed backwards, two colours, NV memory over a power cut, sheet paper.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from hal.peripherals.api import DeviceLines, HostLines
from hal.peripherals.printer_actions import Pulse
from hal.peripherals.printer_interpreter import Interpreter
from hal.peripherals.printer_mechanism import Mechanism, MechanismEvent
from hal.peripherals.printer_paper import Paper, PrintedSlip
from hal.peripherals.printer_status import Health, real_time
from hal.peripherals.printer_text import KanjiEncoding
from hal.peripherals.printer_tokens import Tokeniser

WIDTHS_DOTS = {"58mm": 384, "80mm": 576}

BUFFER_BYTES = 4096
FULL_ROOM_BYTES, AGAIN_ROOM_BYTES = 128, 256
"""Room in the buffer at which the host is asked to stop, and to go on (Epson's printers of this class)."""

OUTPUT_BYTES_MAX = 4096
"""What waits for a host that does not read; more is lost."""

_QUEUE_ACTIONS = 8
_XON, _XOFF = b"\x11", b"\x13"
_DLE, _EOT, _ENQ, _DC4 = 0x10, 0x04, 0x05, 0x14
_CLEAR_BUFFER = bytes([1, 3, 20, 1, 6, 2, 8])
_REQUEST_BYTES_MAX = 10
_CLEARED = b"\x37\x25\x00"
_PULSE_UNIT_MS = 100

FlowControl = Literal["xonxoff", "dtr", "none"]


class SoftwarePrinter:
    """A thermal printer. It implements `hal.peripherals.api.LinePeripheral`.

    model: "58mm" or "80mm". speed_mm_per_s: 0 prints at once, and the head stays cool. paper_mm: length of
    the first roll. has_cutter: without one a cut only ends the slip. kanji_encoding: what FS & switches on;
    kanji_at_start: it is on after power-on, as on printers sold in China. Raises ValueError.
    """

    def __init__(
        self,
        *,
        model: str = "80mm",
        speed_mm_per_s: int = 200,
        paper_mm: int = 30_000,
        has_cutter: bool = True,
        flow_control: FlowControl = "xonxoff",
        kanji_encoding: KanjiEncoding = "gb18030",
        kanji_at_start: bool = False,
    ) -> None:
        if model not in WIDTHS_DOTS:
            raise ValueError(f"printer model {model!r} is unknown; known are {', '.join(WIDTHS_DOTS)}")
        if speed_mm_per_s < 0 or paper_mm < 0:
            raise ValueError("speed_mm_per_s and paper_mm must not be negative")
        self.lost_bytes = 0
        """Bytes that came in while the buffer was full."""
        self._flow_control = flow_control
        self._paper = Paper(WIDTHS_DOTS[model])
        self._mechanism = Mechanism(
            self._paper, speed_mm_per_s=speed_mm_per_s, paper_mm=paper_mm, has_cutter=has_cutter
        )
        self._interpreter = Interpreter(
            WIDTHS_DOTS[model], kanji_encoding=kanji_encoding, kanji_at_start=kanji_at_start
        )
        self._tokens = Tokeniser()
        self._recent = b""  # the last bytes, where a request in real time may have begun
        self._asked_to_stop = False
        self._reads_on = False  # there may be a whole token in the buffer
        self._is_on = True
        self._now_ms = 0

    # --- the serial line -----------------------------------------------------------------------------

    def receive(self, data: bytes, now_ms: int) -> None:
        """Take bytes and do what is due. A printer that is off hears nothing."""
        self._now_ms = max(self._now_ms, now_ms)
        if not self._is_on:
            return
        self._work()
        for piece in _pieces(data):
            self._take(piece)
            self._work()

    def take_output(self) -> bytes:
        """What the printer says."""
        output = bytes(self._mechanism.output[:OUTPUT_BYTES_MAX])
        self._mechanism.output.clear()
        return output

    def deadline_ms(self) -> int | None:
        """When the next line is on paper, or the head is cool."""
        if not self._is_on:
            return None
        if self._reads_on and self.health.is_online and self._mechanism.waiting < _QUEUE_ACTIONS:
            return self._now_ms
        return self._mechanism.deadline_ms()

    @property
    def lines(self) -> DeviceLines:
        """DTR of the printer is the host's DSR and CTS: with "dtr" it is off while the buffer is full."""
        ready = self._is_on and not (self._flow_control == "dtr" and self._asked_to_stop)
        return DeviceLines(cts=ready, dsr=ready, dcd=self._is_on)

    def set_host_lines(self, lines: HostLines, now_ms: int) -> None:  # noqa: ARG002 - the contract's
        """The host's lines change nothing here."""
        self.receive(b"", now_ms)

    # --- hands and faults ----------------------------------------------------------------------------

    @property
    def health(self) -> Health:
        """What the sensors say now."""
        return self._mechanism.health()

    def open_cover(self) -> None:
        """Open the cover; the line under way is printed anew later."""
        self._mechanism.cover_open = True
        self._mechanism.stop()

    def close_cover(self) -> None:
        """Close the cover; this also takes back the error of a cutter that is free again."""
        self._mechanism.cover_open = False
        self._recover()

    def run_out_of_paper(self) -> None:
        """The roll ends here."""
        self._mechanism.end_paper()

    def load_paper(self, length_mm: int = 30_000) -> None:
        """Put in a new roll."""
        self._mechanism.load_paper(length_mm)

    @property
    def paper_left_mm(self) -> float:
        """Paper left on the roll."""
        return self._mechanism.paper_left_mm

    def block_cutter(self, *, error: bool = False) -> None:
        """Something is in the way of the blade: the next cut fails; `error`: one has failed just now."""
        self._mechanism.cutter_blocked = True
        self._mechanism.cutter_error |= error
        self._mechanism.stop()

    def free_cutter(self) -> None:
        """Take it out. The printer notices when the host tells it to go on, or the cover is closed."""
        self._mechanism.cutter_blocked = False

    def overheat(self) -> None:
        """Heat the head beyond its limit; it cools by itself."""
        self._mechanism.overheat()

    def cool_down(self) -> None:
        """Bring the head to the room's temperature at once."""
        self._mechanism.cool_down()

    def hold_feed_button(self, *, held: bool) -> None:
        """While somebody feeds paper by hand, nothing is printed."""
        self._mechanism.feeding = held
        self._mechanism.stop()

    def set_drawer_open(self, *, is_open: bool) -> None:
        """What the drawer's sensor says."""
        self._mechanism.drawer_open = is_open
        self._mechanism.tell()

    def power_off(self) -> None:
        """Everything that was not printed is lost; nothing is answered."""
        self._is_on = False
        self._tokens.clear()
        self._mechanism.clear()
        self._mechanism.automatic_mask = 0
        self._mechanism.output.clear()
        self._recent = b""
        self._asked_to_stop = False

    def power_on(self) -> None:
        """As new, with the paper that is in it."""
        self._is_on = True
        self._interpreter.reset()
        self._recover()

    def tear(self) -> None:
        """Tear the paper off here."""
        self._paper.end_slip(is_cut=False)

    # --- what came of it -----------------------------------------------------------------------------

    @property
    def slips(self) -> list[PrintedSlip]:
        """The last slips, oldest first; what hangs out of the printer comes last, not cut."""
        current = self._paper.current()
        return [*self._paper.slips, *([] if current.is_blank else [current])]

    @property
    def finished(self) -> list[PrintedSlip]:
        """The last slips that were cut or torn off, oldest first."""
        return list(self._paper.slips)

    @property
    def finished_slips(self) -> int:
        """How many slips were cut or torn off, forgotten ones included."""
        return self._paper.finished_count

    def take_events(self) -> list[MechanismEvent]:
        """Drawer pulses, beeps and cuts since the last call (the last thousand)."""
        events = list(self._mechanism.events)
        self._mechanism.events.clear()
        return events

    @property
    def skipped_commands(self) -> dict[str, int]:
        """Commands that did nothing, and how often: unknown, not modelled, or with data they cannot hold."""
        return dict(self._interpreter.skipped)

    # --- inside --------------------------------------------------------------------------------------

    def _take(self, data: bytes) -> None:
        """Put bytes into the buffer, and obey at once what is asked in real time, where it stands."""
        window, fresh = self._recent + data, len(self._recent)
        fed, at = fresh, window.find(_DLE)
        while at >= 0:
            end = at + _request_size(window, at)
            if end > max(at, fed):
                self._store(window[fed:end])
                self._request(window[at:end])
                fed = end
            at = window.find(_DLE, max(at + 1, end))
        self._store(window[fed:])
        self._recent = window[max(fed if fed > fresh else 0, len(window) - _REQUEST_BYTES_MAX + 1) :]

    def _store(self, data: bytes) -> None:
        room = BUFFER_BYTES - self._tokens.waiting_bytes
        self._tokens.feed(data[:room])
        self.lost_bytes += len(data[room:])
        self._reads_on = True

    def _request(self, request: bytes) -> None:
        """A request in real time."""
        answer = None
        if request[1] == _EOT:
            answer = real_time(self.health, request[2])
        elif request[1] == _ENQ and request[2] in {1, 2}:
            if request[2] == 2 and self._mechanism.cutter_error:
                self._clear()
            self._recover()
        elif request[1:3] == bytes([_DC4, 1]):
            self._mechanism.add([Pulse(request[3] & 1, request[4] * _PULSE_UNIT_MS, 0)])
        elif request[1:3] == bytes([_DC4, 8]) and request[3:] == _CLEAR_BUFFER:
            self._clear()
            answer = _CLEARED
        if answer is not None and len(self._mechanism.output) < OUTPUT_BYTES_MAX:
            self._mechanism.output += answer

    def _clear(self) -> None:
        self._tokens.clear()
        self._interpreter.line.clear()
        self._mechanism.clear()

    def _recover(self) -> None:
        if not self._mechanism.cutter_blocked:
            self._mechanism.cutter_error = False
        self._mechanism.stop()

    def _work(self) -> None:
        """Print what can be printed now, read on where there is room, and tell the host how it stands."""
        mechanism = self._mechanism
        mechanism.advance(self._now_ms)
        while mechanism.waiting < _QUEUE_ACTIONS and self.health.is_online:
            token = self._tokens.next()
            self._reads_on = token is not None
            if token is None:
                break
            self._interpreter.execute(token)
            mechanism.add(self._interpreter.actions)
            self._interpreter.actions.clear()
            mechanism.advance(self._now_ms)
        del mechanism.output[OUTPUT_BYTES_MAX:]
        self._control_flow()

    def _control_flow(self) -> None:
        room = BUFFER_BYTES - self._tokens.waiting_bytes
        wanted = room < AGAIN_ROOM_BYTES if self._asked_to_stop else room < FULL_ROOM_BYTES
        if wanted != self._asked_to_stop:
            self._asked_to_stop = wanted
            if self._flow_control == "xonxoff":
                self._mechanism.output += _XOFF if wanted else _XON


def _pieces(data: bytes) -> Iterator[bytes]:
    """Pieces small enough that the flow control sees the buffer fill."""
    for at in range(0, len(data), 64):
        yield data[at : at + 64]


def _request_size(window: bytes, at: int) -> int:
    """Length of the request in real time that begins at `at`; 0 when it is none, or not whole."""
    head = window[at + 1 : at + 3]
    if len(head) < 2:
        return 0
    if (head[0] == _EOT and 1 <= head[1] <= 4) or head[0] == _ENQ:
        return 3
    size = {1: 5, 8: 10}.get(head[1], 0) if head[0] == _DC4 else 0
    return size if at + size <= len(window) else 0
