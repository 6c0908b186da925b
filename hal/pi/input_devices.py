"""Keypads and swipe readers that Linux knows as keyboards (evdev), taken for the terminal alone.

A device is grabbed: while the terminal has it, nothing that is typed or swiped reaches any other program,
and no console. It is named by its path (`/dev/input/by-id/...` stays the same), or by its USB identity
`usb:VENDOR:PRODUCT`; when it is pulled it is looked for again. The codes of keys are Linux's
(`input-event-codes.h`); a keyboard-wedge reader types on a keyboard of the U.S. layout, as they are
delivered.
"""

from __future__ import annotations

import contextlib
import errno
from collections.abc import Callable, Iterator, Mapping, Sequence

import evdev
from evdev import ecodes

from hal.api import CardRemoved, Clock, DeviceEvent, DeviceMissing, Key, SelfTest
from hal.cores.keys import KeyQueue
from hal.cores.swipe import Swipe, SwipeFormat, SwipeStream, outcome
from hal.device import QuietDevice, is_readable

_LOOK_AGAIN_MS = 1_000
_USB = "usb:"
_UP, _DOWN, _REPEATED = range(3)

_KEYS: Mapping[str, Key] = {
    **{f"KEY_{digit}": Key(str(digit)) for digit in range(10)},
    **{f"KEY_KP{digit}": Key(str(digit)) for digit in range(10)},
    "KEY_DOT": Key.POINT,
    "KEY_KPDOT": Key.POINT,
    "KEY_KPCOMMA": Key.POINT,
    "KEY_ENTER": Key.ENTER,
    "KEY_KPENTER": Key.ENTER,
    "KEY_BACKSPACE": Key.CLEAR,
    "KEY_DELETE": Key.CLEAR,
    "KEY_ESC": Key.CANCEL,
    "KEY_KPMINUS": Key.CANCEL,  # number pads have no ESC
    "KEY_CANCEL": Key.CANCEL,
    "KEY_F1": Key.F1,
    "KEY_F2": Key.F2,
    "KEY_F3": Key.F3,
    "KEY_F4": Key.F4,
    "KEY_KPSLASH": Key.F1,
    "KEY_KPASTERISK": Key.F2,
    "KEY_KPPLUS": Key.F3,
    "KEY_NUMLOCK": Key.F4,
    "KEY_UP": Key.UP,
    "KEY_DOWN": Key.DOWN,
    "KEY_LEFT": Key.LEFT,
    "KEY_RIGHT": Key.RIGHT,
}
KEY_OF_CODE: Mapping[int, Key] = {ecodes.ecodes[name]: key for name, key in _KEYS.items()}

_SHIFTS = frozenset({ecodes.KEY_LEFTSHIFT, ecodes.KEY_RIGHTSHIFT})
_ROWS = (  # names of keys, what they type, and what with shift: the U.S. layout
    ("1 2 3 4 5 6 7 8 9 0 MINUS EQUAL", "1234567890-=", "!@#$%^&*()_+"),
    ("Q W E R T Y U I O P LEFTBRACE RIGHTBRACE", "qwertyuiop[]", "QWERTYUIOP{}"),
    ("A S D F G H J K L SEMICOLON APOSTROPHE GRAVE", "asdfghjkl;'`", 'ASDFGHJKL:"~'),
    ("Z X C V B N M COMMA DOT SLASH BACKSLASH SPACE", "zxcvbnm,./\\ ", "ZXCVBNM<>?| "),
    ("KP7 KP8 KP9 KP4 KP5 KP6 KP1 KP2 KP3 KP0 ENTER KPENTER TAB", "7894561230\r\r\t", "7894561230\r\r\t"),
)
CHARACTERS_OF_CODE: Mapping[int, tuple[str, str]] = {
    ecodes.ecodes[f"KEY_{name}"]: (plain, shifted)
    for names, plains, shifteds in _ROWS
    for name, plain, shifted in zip(names.split(), plains, shifteds, strict=True)
}


class _GrabbedInput:
    """One input device, grabbed; it may vanish and come back."""

    def __init__(self, device: str, clock: Clock) -> None:
        self.name = device
        self._clock = clock
        self._device: evdev.InputDevice[str] | None = None
        self._look_at_ms: int | None = None

    @property
    def is_there(self) -> bool:
        return self._device is not None

    def open(self) -> None:
        if self._device is None:
            self._device = _grabbed(self.name)

    def close(self) -> None:
        device, self._device, self._look_at_ms = self._device, None, None
        if device is not None:
            with contextlib.suppress(OSError):  # a vanished device refuses even this
                device.ungrab()
            device.close()

    def filenos(self) -> Sequence[int]:
        return () if self._device is None else (self._device.fd,)

    def deadline_ms(self) -> int | None:
        return self._look_at_ms

    def keys(self, on_lost: Callable[[], None]) -> Iterator[evdev.InputEvent]:
        """The key events since the last call; `on_lost` is called when the device has vanished."""
        if self._look_at_ms is not None and self._clock.monotonic_ms() >= self._look_at_ms:
            self._look_again()
        while self._device is not None and is_readable(self._device.fd):
            try:
                event = self._device.read_one()
            except OSError as error:
                if error.errno != errno.EAGAIN:
                    self.close()
                    self._look_at_ms = self._clock.monotonic_ms() + _LOOK_AGAIN_MS
                    on_lost()
                return
            if event is None:
                return
            if event.type == ecodes.EV_KEY:
                yield event

    def _look_again(self) -> None:
        try:
            self._device, self._look_at_ms = _grabbed(self.name), None
        except DeviceMissing:
            self._look_at_ms = self._clock.monotonic_ms() + _LOOK_AGAIN_MS


def _grabbed(name: str) -> evdev.InputDevice[str]:
    path = _path_of(name)
    try:
        device = evdev.InputDevice(path)
    except OSError as error:
        if error.errno in {errno.EACCES, errno.EPERM}:
            advice = "no permission: add your user to the group 'input' and log in again"
        else:
            advice = "it is not there: plug it in (posterm devices list shows what is)"
        raise DeviceMissing(f"input device {name}: {advice}") from None
    try:
        device.grab()
    except OSError:
        device.close()
        raise DeviceMissing(
            f"input device {name}: another program has grabbed it: stop that one, or take another device"
        ) from None
    return device


def _path_of(name: str) -> str:
    if not name.startswith(_USB):
        return name
    try:
        vendor, product = (int(part, 16) for part in name.removeprefix(_USB).split(":"))
    except ValueError:
        raise DeviceMissing(
            f"input device {name}: write it as usb:VENDOR:PRODUCT, as in usb:0c27:3bfa, or give its path"
        ) from None
    for path in sorted(evdev.list_devices()):
        with contextlib.suppress(OSError), contextlib.closing(evdev.InputDevice(path)) as device:
            if (device.info.vendor, device.info.product) == (vendor, product) and _types_digits(device):
                return str(path)
    raise DeviceMissing(
        f"input device {name}: no such device: plug it in (posterm devices list shows what is)"
    )


def _types_digits(device: evdev.InputDevice[str]) -> bool:
    """Whether this is the device's keyboard: many have another node for volume and other media keys."""
    keys = device.capabilities().get(ecodes.EV_KEY, [])
    return ecodes.KEY_1 in keys or ecodes.KEY_KP1 in keys


class _InputDriver(QuietDevice):
    """What the two drivers below have in common."""

    def __init__(self, device: str, clock: Clock) -> None:
        super().__init__()
        self._clock = clock
        self._input = _GrabbedInput(device, clock)

    def open(self) -> None:
        """Grab the device. Raises DeviceMissing."""
        self._input.open()
        super().open()

    def close(self) -> None:
        """Give the device back."""
        self._input.close()
        super().close()

    def self_test(self) -> SelfTest:
        """Report whether the device is there."""
        there = self._input.is_there
        return SelfTest(ok=there, detail="" if there else f"input device {self._input.name} is not there")

    def filenos(self) -> Sequence[int]:
        """The device's descriptor."""
        return self._input.filenos()


class EvdevKeypad(_InputDriver):
    """hal.api.Keypad on a USB keypad. On a number block `-` is CANCEL, `/ * +` are F1 F2 F3, NumLock is F4.

    `debounce_ms`: a key that goes down again so soon after it went down has bounced (the kernel tells when).
    """

    def __init__(self, device: str, clock: Clock, *, debounce_ms: int = 20) -> None:
        super().__init__(device, clock)
        self._debounce_ms = debounce_ms
        self._keys = KeyQueue()
        self._down: dict[int, float] = {}  # when each key went down last, in the kernel's seconds

    def begin_secure_entry(self, sink: Callable[[Key], None]) -> None:
        """Hand every key to `sink` from now on. Keys typed ahead are dropped: they were no PIN."""
        self._listen()
        self._keys.begin_secure_entry(sink)

    def end_secure_entry(self) -> None:
        """Return to ordinary mode. Keys not yet handed over are dropped, those in the kernel too."""
        if self._keys.is_secure:
            self._listen()
            self._keys.end_secure_entry(self._clock.monotonic_ms())

    def poll(self) -> Sequence[DeviceEvent]:
        """Return the keys since the last call, or hand them to the sink and return nothing."""
        self._listen()
        return self._keys.take(self._clock.monotonic_ms())

    def deadline_ms(self) -> int | None:
        """When a held key repeats or counts as stuck, or the device is to be looked for."""
        moments = (self._keys.deadline_ms(), self._input.deadline_ms())
        return min((at_ms for at_ms in moments if at_ms is not None), default=None)

    def close(self) -> None:
        """Let go of everything, and give the device back."""
        self._keys.clear()
        super().close()

    def _listen(self) -> None:
        now_ms = self._clock.monotonic_ms()
        for event in self._input.keys(lambda: self._keys.release(now_ms)):
            key = KEY_OF_CODE.get(event.code)
            if key is None or event.value == _REPEATED:  # ours is the same on all keypads
                continue
            if event.value == _UP:
                self._keys.release(now_ms, key)
            elif (event.timestamp() - self._down.get(event.code, float("-inf"))) * 1000 < self._debounce_ms:
                self._keys.hold_again(key, now_ms)
            else:
                self._keys.hold(key, now_ms)
            if event.value == _DOWN:
                self._down[event.code] = event.timestamp()


class EvdevMagstripeReader(_InputDriver):
    """hal.api.CardReader on a keyboard-wedge reader: it types the tracks. Swipes only: it has no slot.

    `prefix`, `suffix`, `has_lrc`: as in `hal.cores.swipe.SwipeFormat`; most readers type ENTER at the end.
    """

    def __init__(
        self, device: str, clock: Clock, *, prefix: str = "", suffix: str = "\r", has_lrc: bool = False
    ) -> None:
        super().__init__(device, clock)
        self._stream = SwipeStream(SwipeFormat(prefix, suffix, has_lrc))
        self._armed = False
        self._shift_is_down = False
        self._events: list[DeviceEvent] = []

    def arm(self) -> None:
        """From now on a card makes events; what was swiped before makes none."""
        self._forget()
        self._armed = True

    def disarm(self) -> None:
        """From now on none does, and what was read but not polled is forgotten."""
        self._forget()
        self._armed = False

    @property
    def card_present(self) -> bool:
        """Never: such a reader has no slot."""
        return False

    def poll(self) -> Sequence[DeviceEvent]:
        """Return what was swiped since the last call."""
        self._listen()
        events, self._events = self._events, []
        return events

    def deadline_ms(self) -> int | None:
        """When a swipe counts as over, or the device is to be looked for."""
        moments = (self._stream.deadline_ms(), self._input.deadline_ms())
        return min((at_ms for at_ms in moments if at_ms is not None), default=None)

    def close(self) -> None:
        """Disarm, forget everything, and give the device back."""
        self._armed = self._shift_is_down = False
        self._stream.reset()
        self._events.clear()
        super().close()

    def _listen(self) -> None:
        now_ms = self._clock.monotonic_ms()
        typed = "".join(self._characters())
        self._stream.feed(typed.encode("latin-1"), now_ms)
        for item in self._stream.take():
            if self._armed and isinstance(item, Swipe):
                self._events.append(outcome(item.tracks, held=False))

    def _characters(self) -> Iterator[str]:
        for event in self._input.keys(self._stream.reset):
            if event.code in _SHIFTS:
                self._shift_is_down = event.value != _UP
            elif event.value == _DOWN and event.code in CHARACTERS_OF_CODE:
                yield CHARACTERS_OF_CODE[event.code][self._shift_is_down]

    def _forget(self) -> None:
        self._listen()
        self._stream.reset()
        self._events = [event for event in self._events if isinstance(event, CardRemoved)]
