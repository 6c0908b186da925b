"""The hardware abstraction layer's contracts: devices, their events, their errors.

The plan of this file. A device is opened once, polled by the firmware's only thread, and closed. Nothing
here blocks. A device never calls the firmware: it is asked with `poll()` and answers with events. A device
whose physics take time (a printer moving paper) says with `deadline_ms()` when to ask again, so that the
same device runs in real time and in virtual time. Every backend passes the suite in `tests/contract/`.
One contract has a file of its own: the slot for chip cards, `hal.smart_card`.

The one exception to "asked, never calling" is PIN entry: while a secure entry is on, the keypad hands each
key to the sink that the secure room gave it, and `poll()` shows none of them (see `Keypad`).

Outcomes are events (a bad swipe, no paper). Exceptions are broken promises (the device is gone).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import ClassVar, NamedTuple, Protocol, runtime_checkable

from hal.smart_card_events import ChipEvent
from wire.track import Track1, Track2, Track3

# --- errors ------------------------------------------------------------------------------------------


class HalError(Exception):
    """Base of all errors of the HAL. `code` is stable; the text is safe to show and to log."""

    code: ClassVar[str] = "H000"


class DeviceMissing(HalError):
    """The device, its port or its library is not there: nothing was opened. The text says what to do."""

    code = "H100"


class DeviceFault(HalError):
    """The device was there and failed: what it was doing may or may not have happened."""

    code = "H200"


class PortGone(DeviceFault):
    """A serial port vanished (cable or adapter pulled, other side closed). Reopening may work."""

    code = "H210"


class StorageTrouble(Enum):
    """Why storage failed, as far as a person would do something else about it."""

    FULL = "full"
    READ_ONLY = "read_only"
    DAMAGED = "damaged"
    FAILED = "failed"  # anything else


class StorageFailed(DeviceFault):
    """A commit or read failed (disk full, read-only, corrupt). A failed commit changed nothing."""

    code = "H300"

    def __init__(self, text: str, trouble: StorageTrouble = StorageTrouble.FAILED) -> None:
        super().__init__(text)
        self.trouble = trouble


class StorageVersion(HalError):
    """The stored data was written by another schema version. Nothing was changed."""

    code = "H310"


class Tampered(HalError):
    """The tamper switch has tripped: the device key is gone for good."""

    code = "H900"


# --- what every device has ---------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SelfTest:
    """The result of a device's self-test. `detail` is one line in English, without secrets.

    `trouble`: what is wrong with a storage that failed.
    """

    ok: bool
    detail: str = ""
    trouble: StorageTrouble | None = None


class Device(Protocol):
    """What every device can do, besides its own work."""

    def open(self) -> None:
        """Take the hardware. Raises DeviceMissing. Calling it on an open device does nothing."""

    def close(self) -> None:
        """Give the hardware back. May be called twice, and before `open`."""

    def self_test(self) -> SelfTest:
        """Check the device without disturbing a person: no paper moved, no sound. Never raises."""

    def poll(self) -> Sequence[DeviceEvent]:
        """Return the events since the last call, oldest first; empty when nothing happened."""

    def deadline_ms(self) -> int | None:
        """When to poll again for something already on its way, in the clock's monotonic milliseconds."""

    def filenos(self) -> Sequence[int]:
        """File descriptors whose readability means that `poll` has something. Empty for virtual devices."""


# --- card reader -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class TrackData:
    """What was read off a magnetic stripe; a track that was not read or not encoded is None."""

    track1: Track1 | None
    track2: Track2 | None
    track3: Track3 | None = None


class ReadFailure(Enum):
    """Why a swipe gave no data."""

    NO_DATA = "no_data"
    PARITY = "bad_parity"
    LRC = "bad_lrc"
    INCOMPLETE = "incomplete"  # half a track: no end sentinel
    TOO_FAST = "too_fast"
    FORMAT = "bad_format"  # read well, but not a bank card's layout
    UNREADABLE = "unreadable"  # the reader's firmware could not decode it, and does not say why


@dataclass(frozen=True, slots=True)
class CardRead:
    """A card was read. `held`: it is still in the reader (inserted), and CardRemoved will follow.

    `chip_failed`: its chip was tried first and did not answer, so that the stripe may stand in (fallback).
    """

    tracks: TrackData
    held: bool = False
    chip_failed: bool = False


@dataclass(frozen=True, slots=True)
class CardReadFailed:
    """A card passed and could not be read."""

    reason: ReadFailure


@dataclass(frozen=True, slots=True)
class CardRemoved:
    """The inserted card was taken out."""


class CardReader(Device, Protocol):
    """A magnetic-stripe reader: swipe, or insert and remove."""

    def arm(self) -> None:
        """From now on a card makes events."""

    def disarm(self) -> None:
        """From now on swipes and insertions make no events. CardRemoved still comes."""

    @property
    def card_present(self) -> bool:
        """True while an inserted card is in the reader."""


# --- keypad ------------------------------------------------------------------------------------------


class Key(Enum):
    """The keys of a payment terminal. The value is the key's name in scripts and profiles."""

    DIGIT_0 = "0"
    DIGIT_1 = "1"
    DIGIT_2 = "2"
    DIGIT_3 = "3"
    DIGIT_4 = "4"
    DIGIT_5 = "5"
    DIGIT_6 = "6"
    DIGIT_7 = "7"
    DIGIT_8 = "8"
    DIGIT_9 = "9"
    DOUBLE_ZERO = "00"
    POINT = "."
    CLEAR = "clear"
    CANCEL = "cancel"
    ENTER = "enter"
    F1 = "f1"
    F2 = "f2"
    F3 = "f3"
    F4 = "f4"
    UP = "up"
    DOWN = "down"
    LEFT = "left"
    RIGHT = "right"

    @property
    def digits(self) -> str:
        """The digits that this key types: "7", "00", or "" for every other key."""
        return self.value if self.value.isdigit() else ""


@dataclass(frozen=True, slots=True)
class KeyPressed:
    """A key went down (debounced; a held key repeats by the keypad's own rules)."""

    key: Key


@dataclass(frozen=True, slots=True)
class KeyStuck:
    """A key has been down for longer than a finger stays."""

    key: Key


class Keypad(Device, Protocol):
    """A keypad with a secure mode for PIN entry (PCI PTS: digits leave only into the secure part)."""

    def begin_secure_entry(self, sink: Callable[[Key], None]) -> None:
        """Hand every key to `sink`, during `poll`, instead of returning it as an event."""

    def end_secure_entry(self) -> None:
        """Return to ordinary mode. Keys not yet handed over are dropped. Harmless when not in it."""


# --- display and lights ------------------------------------------------------------------------------


class Align(Enum):
    """Where text stands in its line, on display and paper."""

    LEFT = "left"
    CENTRE = "centre"
    RIGHT = "right"


class ScreenLine(NamedTuple):
    """One line of a screen. A Chinese character takes two columns. `double`: twice as high and wide."""

    text: str
    align: Align = Align.LEFT
    inverse: bool = False
    double: bool = False


@dataclass(frozen=True, slots=True)
class Screen:
    """What a display shows: lines from the top, and perhaps a QR code below or beside them."""

    lines: tuple[ScreenLine, ...] = ()
    qr: str | None = None

    @property
    def text(self) -> str:
        """The lines' text, one a line: what a person reads, for tests, logs and screen readers."""
        return "\n".join(line.text for line in self.lines)


class Display(Device, Protocol):
    """A character-cell view of any display; one column is half a Chinese character wide."""

    columns: int
    rows: int
    shows_chinese: bool
    """False: its characters are Latin only, and whoever writes on it should say it in English."""

    def show(self, screen: Screen) -> None:
        """Replace what is shown. What does not fit is cut off at the right and at the bottom."""


@runtime_checkable
class AdjustableDisplay(Protocol):
    """What a display can do besides when its contrast (or brightness) can be set."""

    def set_contrast(self, percent: int) -> None:
        """From now on show with this contrast: 0 is the least, 50 the usual one, 100 the most."""


class Led(Enum):
    """The lights of the terminal."""

    POWER = "power"  # green: on and in service
    LINK = "link"  # blue: session with the host link is up
    CARD = "card"  # yellow: present a card
    ALARM = "alarm"  # red: out of paper, out of service, tampered


class Leds(Device, Protocol):
    """The terminal's lights."""

    def set(self, lit: frozenset[Led]) -> None:
        """Light exactly these."""


# --- buzzer ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Tone:
    """A tone, or with `frequency_hz` 0 a silence."""

    frequency_hz: int
    duration_ms: int


class Beep(Enum):
    """The terminal's sounds: named patterns of tones."""

    KEY = (Tone(2000, 20),)
    AUTHORISED = (Tone(2700, 120), Tone(0, 80), Tone(2700, 120))  # two short beeps, step 4
    SUCCESS = (Tone(2700, 300),)
    ERROR = (Tone(600, 500),)
    ALERT = (Tone(1200, 150), Tone(0, 100), Tone(1200, 150), Tone(0, 100), Tone(1200, 150))

    def __init__(self, *tones: Tone) -> None:
        self.beep_count = sum(1 for tone in tones if tone.frequency_hz)
        """How many beeps a person counts."""
        self.duration_ms = sum(tone.duration_ms for tone in tones)
        """How long the pattern takes, silences included."""


class Buzzer(Device, Protocol):
    """A beeper. Patterns that overlap are played one after the other."""

    def sound(self, beep: Beep) -> None:
        """Start the pattern and return at once."""


@runtime_checkable
class AdjustableBuzzer(Protocol):
    """What a buzzer can do besides when its volume can be set."""

    def set_volume(self, percent: int) -> None:
        """From now on sound as loud as this: 0 is silent, 100 as loud as it gets."""


# --- printer -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class PrintText:
    """One line of text; a Chinese character takes two columns. Too long a line is wrapped by the printer."""

    text: str
    align: Align = Align.LEFT
    bold: bool = False
    double_width: bool = False
    double_height: bool = False


@dataclass(frozen=True, slots=True)
class PrintPair:
    """A label at the left and a value at the right of one line (of two lines where they do not fit)."""

    label: str
    value: str
    bold: bool = False
    double_height: bool = False


@dataclass(frozen=True, slots=True)
class PrintRule:
    """A line across the paper, drawn with `character`."""

    character: str = "-"


@dataclass(frozen=True, slots=True)
class PrintQr:
    """A QR code, centred."""

    data: str


class Symbology(Enum):
    """The bar codes that receipt printers draw."""

    UPC_A = "UPC-A"
    UPC_E = "UPC-E"
    EAN13 = "EAN-13"
    EAN8 = "EAN-8"
    CODE39 = "CODE39"
    ITF = "ITF"
    CODABAR = "CODABAR"
    CODE93 = "CODE93"
    CODE128 = "CODE128"


@dataclass(frozen=True, slots=True)
class PrintBarcode:
    """A bar code, centred, with its text below. What the symbology cannot hold is printed as text instead."""

    data: str
    symbology: Symbology = Symbology.CODE128


@dataclass(frozen=True, slots=True)
class PrintImage:
    """A picture in black and white, such as a logo, centred; what is wider than the paper is cut off.

    `rows`: one `bytes` a row, all of one length; 8 dots a byte, the leftmost is the highest bit; 1 is black.
    """

    rows: tuple[bytes, ...] = field(repr=False)


@dataclass(frozen=True, slots=True)
class PrintFeed:
    """Blank lines."""

    lines: int = 1


@dataclass(frozen=True, slots=True)
class PrintCut:
    """End of a slip: feed to the tear bar, and cut where there is a cutter.

    `partial` leaves a bridge, so that the slip hangs on until it is taken.
    """

    partial: bool = False


@dataclass(frozen=True, slots=True)
class OpenDrawer:
    """Open the cash drawer that is plugged into the printer: number 0 or 1. Nothing is printed."""

    number: int = 0


PrintItem = (
    PrintText
    | PrintPair
    | PrintRule
    | PrintQr
    | PrintBarcode
    | PrintImage
    | PrintFeed
    | PrintCut
    | OpenDrawer
)


class PrinterStatus(Enum):
    """What a printer says of itself."""

    READY = "ready"
    PAPER_OUT = "paper_out"
    COVER_OPEN = "cover_open"
    OVERHEATED = "overheated"
    JAM = "jam"
    OFFLINE = "offline"  # it does not answer: unplugged or switched off


@dataclass(frozen=True, slots=True)
class ItemPrinted:
    """The next of the items submitted is on paper."""


@dataclass(frozen=True, slots=True)
class PrintStopped:
    """The next of the items submitted is not on paper, nor is any after it.

    All is forgotten: submit them again once PrinterReady has come.
    """

    status: PrinterStatus


@dataclass(frozen=True, slots=True)
class PrinterReady:
    """What stopped the printer is over: new paper, cover closed, head cool, jam cleared, plugged in again."""


class Printer(Device, Protocol):
    """A slip printer that answers for every item, so that a slip can go on where it stopped."""

    columns: int
    """Half-width characters in a line: 32 on 58 mm paper, 48 on 80 mm."""

    def submit(self, *items: PrintItem) -> None:
        """Start printing `items`, one after the other, without a pause between them.

        From `poll` follows ItemPrinted for each, in their order, or PrintStopped in the place of the first
        that is not on paper. `deadline_ms` may wait for the end of them all: who polls earlier hears of those
        printed by then.

        Raises DeviceFault when items before them are still being printed: a caller's mistake.
        """

    def cancel(self) -> int:
        """Forget the items that are not begun; the one that the printer is at work on is printed to its end.

        Returns how many answers to items submitted before will still come from `poll`.
        """

    @property
    def status(self) -> PrinterStatus:
        """The printer's state now."""

    @property
    def paper_low(self) -> bool:
        """True when the roll is near its end, as far as the printer has a sensor for that."""


# --- serial port -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class BytesReceived:
    """Bytes came in on the serial port. They may hold anything: never log them."""

    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class PortLost:
    """The port vanished. The port tries to come back on its own."""


@dataclass(frozen=True, slots=True)
class PortRestored:
    """The port is back after PortLost. What was written in between is lost."""


class SerialPort(Device, Protocol):
    """The line to the host link. Bytes may be lost and damaged: the link protocol deals with that."""

    bits_per_s: int
    """The rate at which it is opened, and opened again after a loss."""

    def write(self, data: bytes) -> None:
        """Queue bytes for sending and return at once. While the port is lost, bytes are dropped."""


class LinkPort(SerialPort, Protocol):
    """The serial port to the host link: both ends may agree on a faster rate."""

    @property
    def max_bits_per_s(self) -> int | None:
        """The fastest rate that may be agreed on with the other end; None: the rate stays as it is."""

    def set_rate(self, bits_per_s: int) -> bool:
        """Change to another rate at once, until the port is lost; what waits to be sent is dropped.

        False: the port cannot do that, or is lost, and keeps the rate that it has.
        """


# --- storage -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Put:
    """Set `table[key]`; at most 64 KiB."""

    table: str
    key: str
    value: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Delete:
    """Remove `table[key]`; no error when it is not there."""

    table: str
    key: str


Change = Put | Delete


class Storage(Device, Protocol):
    """Durable tables of byte strings: the terminal's only memory across a power cut."""

    def get(self, table: str, key: str) -> bytes | None:
        """The value, or None."""

    def scan(self, table: str) -> Iterator[tuple[str, bytes]]:
        """All pairs of a table, in the order of their keys (code points)."""

    def commit(self, changes: Sequence[Change]) -> None:
        """Make all of `changes`, or none, durable before returning.

        Raises StorageFailed: nothing was changed, and the terminal must not tell the world.
        """


# --- clock, randomness, tamper -----------------------------------------------------------------------


class Clock(Device, Protocol):
    """The terminal's two clocks."""

    def monotonic_ms(self) -> int:
        """Milliseconds since some moment; never runs backwards. For timers."""

    def wall(self) -> datetime:
        """The terminal's date and time (naive, the merchant's local time). For paper and messages."""

    def set_wall(self, now: datetime) -> None:
        """Set the terminal's own clock (the bank's time at sign-in). Timers do not notice."""


class Rng(Device, Protocol):
    """The terminal's random numbers; seeded in a simulation."""

    def token(self, length_bytes: int) -> bytes:
        """`length_bytes` unpredictable bytes."""


@dataclass(frozen=True, slots=True)
class TamperTripped:
    """Somebody opened the case. The device key is gone."""

    cause: str


class Tamper(Device, Protocol):
    """The tamper switch, and the device key that lives and dies with it."""

    @property
    def tripped(self) -> bool:
        """True from the first trip on, across power cuts, until a service visit resets it."""

    def device_key(self) -> bytes:
        """32 bytes that seal the key store, the same at every call. Raises Tampered once tripped."""

    def counter(self) -> int:
        """How often `advance` was called in this device's life. Kept beside the device key, not in Storage.

        It never goes down, so that an old copy of the sealed store is told from the newest one.
        """

    def advance(self) -> int:
        """Count one on, durable before returning, and return the new count.

        Raises Tampered once tripped; StorageFailed: nothing was counted, though after a power cut it may be.
        """


DeviceEvent = (
    CardRead
    | CardReadFailed
    | CardRemoved
    | KeyPressed
    | KeyStuck
    | ItemPrinted
    | PrintStopped
    | PrinterReady
    | BytesReceived
    | PortLost
    | PortRestored
    | TamperTripped
    | ChipEvent
)
