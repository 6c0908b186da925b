"""A keypad behind a serial port: one that sends characters, or one that sends key codes.

Characters (`ascii`): digits and point as themselves; CR or LF, or `#`, is ENTER; BS, DEL or `*` is CLEAR;
ESC or CAN is CANCEL; `A` to `D` are the right-hand column of a matrix keypad, F1 to F4. Arrows and function
keys may also come as the sequences of a terminal (ECMA-48: `ESC [ A`; DEC VT100: `ESC O P`). A lone ESC is
known by the silence after it.

Key codes (`scancodes`): the make and break codes of IBM's scan code set 1, as most key encoders speak it;
the code of a key with its high bit set says that the key was let go. Only here a held key is known, and
repeats.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Literal, Protocol

from hal.api import Clock, DeviceEvent, Key
from hal.cores.keys import KeyQueue
from hal.serial.behind_port import DeviceBehindPort
from hal.serial.opening import FlowControl, Parity

ESCAPE_ALONE_MS = 50
"""A sequence's bytes follow each other at once; after this silence ESC was a key of its own."""

_SEQUENCE_CHARACTERS_MAX = 16

_DIGITS = {str(digit): Key(str(digit)) for digit in range(10)}
_CHARACTERS: Mapping[str, Key] = {
    **_DIGITS,
    **dict.fromkeys(".,", Key.POINT),
    **dict.fromkeys("\r\n#", Key.ENTER),
    **dict.fromkeys("\b\x7f*", Key.CLEAR),
    "\x18": Key.CANCEL,
    **dict(zip("ABCD", (Key.F1, Key.F2, Key.F3, Key.F4), strict=True)),
}
_SEQUENCES: Mapping[str, Key] = {
    **dict(zip(("[A", "[B", "[C", "[D"), (Key.UP, Key.DOWN, Key.RIGHT, Key.LEFT), strict=True)),
    **dict(zip(("OP", "OQ", "OR", "OS"), (Key.F1, Key.F2, Key.F3, Key.F4), strict=True)),
}

_EXTENDED = 0xE0  # the code that follows is one of the keys that the first keyboards did not have
_BREAK = 0x80
_TOP_ROW = {0x02 + index: Key(str((index + 1) % 10)) for index in range(10)}
_NUMBER_BLOCK = dict(
    zip((0x52, 0x4F, 0x50, 0x51, 0x4B, 0x4C, 0x4D, 0x47, 0x48, 0x49), _DIGITS.values(), strict=True)
)
_SCANCODES: Mapping[int, Key] = {
    **_TOP_ROW,
    **_NUMBER_BLOCK,
    **dict.fromkeys((0x34, 0x53), Key.POINT),
    **dict.fromkeys((0x1C,), Key.ENTER),
    **dict.fromkeys((0x0E,), Key.CLEAR),
    **dict.fromkeys((0x01,), Key.CANCEL),
    **dict(zip((0x3B, 0x3C, 0x3D, 0x3E), (Key.F1, Key.F2, Key.F3, Key.F4), strict=True)),
}
_EXTENDED_SCANCODES: Mapping[int, Key] = {
    0x1C: Key.ENTER,
    0x48: Key.UP,
    0x50: Key.DOWN,
    0x4B: Key.LEFT,
    0x4D: Key.RIGHT,
    0x53: Key.CLEAR,
}

Stroke = tuple[Key, bool | None]
"""A key that went down (True), came up (False), or did both (None: the keypad tells no more)."""


class _Decoder(Protocol):
    """From bytes to strokes. Foreign bytes give none."""

    def feed(self, data: bytes, now_ms: int) -> Iterator[Stroke]: ...

    def settle(self, now_ms: int) -> Iterator[Stroke]: ...

    def deadline_ms(self) -> int | None: ...


class _Characters:
    def __init__(self) -> None:
        self._sequence: str | None = None  # what came since ESC
        self._alone_at_ms: int | None = None
        self._after_cr = False

    def feed(self, data: bytes, now_ms: int) -> Iterator[Stroke]:
        yield from self.settle(now_ms)
        for character in data.decode("latin-1"):
            yield from self._take(character, now_ms)

    def settle(self, now_ms: int) -> Iterator[Stroke]:
        if self._alone_at_ms is not None and now_ms >= self._alone_at_ms:
            yield from self._give_up_sequence()

    def deadline_ms(self) -> int | None:
        return self._alone_at_ms

    def _take(self, character: str, now_ms: int) -> Iterator[Stroke]:
        if character == "\x1b":
            yield from self._give_up_sequence()
            self._sequence, self._alone_at_ms = "", now_ms + ESCAPE_ALONE_MS
            return
        if self._sequence is not None:
            if self._goes_on(character):
                self._sequence += character
                if self._is_whole(self._sequence):
                    if (key := _SEQUENCES.get(self._sequence)) is not None:
                        yield key, None
                    self._sequence = self._alone_at_ms = None
                return
            yield from self._give_up_sequence()
        is_crlf, self._after_cr = self._after_cr and character == "\n", character == "\r"
        if character in _CHARACTERS and not is_crlf:
            yield _CHARACTERS[character], None

    def _goes_on(self, character: str) -> bool:
        """Whether `character` may follow: after ESC `[`, parameters, a last letter; or `O` and one."""
        assert self._sequence is not None
        if not self._sequence:
            return character in "[O"
        return " " <= character <= "~" and len(self._sequence) < _SEQUENCE_CHARACTERS_MAX

    @staticmethod
    def _is_whole(sequence: str) -> bool:
        return len(sequence) == 2 if sequence.startswith("O") else len(sequence) > 1 and sequence[-1] >= "@"

    def _give_up_sequence(self) -> Iterator[Stroke]:
        """What began like a sequence was the key ESC; an unknown sequence is no key at all."""
        sequence, self._sequence, self._alone_at_ms = self._sequence, None, None
        if sequence is not None and sequence[:1] not in {"[", "O"}:
            yield Key.CANCEL, None


class _ScanCodes:
    def __init__(self) -> None:
        self._extended = False

    def feed(self, data: bytes, now_ms: int) -> Iterator[Stroke]:  # noqa: ARG002 - codes know no time
        for code in data:
            table = _EXTENDED_SCANCODES if self._extended else _SCANCODES
            self._extended = code == _EXTENDED
            if not self._extended and (key := table.get(code & ~_BREAK)) is not None:
                yield key, not code & _BREAK

    def settle(self, now_ms: int) -> Iterator[Stroke]:  # noqa: ARG002 - codes know no time
        yield from ()

    def deadline_ms(self) -> int | None:
        return None


_DECODERS: Mapping[str, Callable[[], _Decoder]] = {"ascii": _Characters, "scancodes": _ScanCodes}


class SerialKeypad(DeviceBehindPort):
    """hal.api.Keypad over a serial port. `protocol` is explained above, `debounce_ms` in `_is_bounce`.

    PIN digits go from the port's bytes into the sink and nowhere else; what was typed when no secure entry
    was on never reaches a sink, and the other way round. A keypad whose cable is pulled holds no key.
    """

    def __init__(
        self,
        url: str,
        clock: Clock,
        *,
        bits_per_s: int = 9_600,
        parity: Parity = "none",
        data_bits: int = 8,
        stop_bits: int = 1,
        flow_control: FlowControl = "none",
        protocol: Literal["ascii", "scancodes"] = "ascii",
        debounce_ms: int = 30,
    ) -> None:
        super().__init__(
            url,
            clock,
            bits_per_s=bits_per_s,
            parity=parity,
            data_bits=data_bits,
            stop_bits=stop_bits,
            flow_control=flow_control,
        )
        self._new_decoder = _DECODERS[protocol]
        self._decoder = self._new_decoder()
        self._debounce_ms = debounce_ms
        self._keys = KeyQueue()
        self._last: tuple[Key, int] | None = (
            None  # the stroke before, and the earliest moment at which it came
        )
        self._listened_at_ms: int | None = None

    def open(self) -> None:
        """Take the port; what was typed before does not count. Raises DeviceMissing."""
        super().open()
        self._drop_what_waits()

    def begin_secure_entry(self, sink: Callable[[Key], None]) -> None:
        """Hand every key to `sink` from now on. Keys typed ahead are dropped: they were no PIN."""
        self._drop_what_waits()
        self._keys.begin_secure_entry(sink)

    def end_secure_entry(self) -> None:
        """Return to ordinary mode. Keys not yet handed over are dropped, those in the port too."""
        if self._keys.is_secure:
            self._drop_what_waits()
            self._keys.end_secure_entry(self._clock.monotonic_ms())

    def poll(self) -> Sequence[DeviceEvent]:
        """Return the keys since the last call, or hand them to the sink and return nothing."""
        self._listen()
        return self._keys.take(self._clock.monotonic_ms())

    def deadline_ms(self) -> int | None:
        """When a held key repeats or counts as stuck, or a lone ESC is one."""
        moments = (self._keys.deadline_ms(), self._decoder.deadline_ms(), super().deadline_ms())
        return min((at_ms for at_ms in moments if at_ms is not None), default=None)

    def close(self) -> None:
        """Let go of everything, and give the port back."""
        self._on_lost()
        self._keys.clear()
        super().close()

    def _listen(self) -> None:
        now_ms = self._clock.monotonic_ms()
        since_ms = now_ms if self._listened_at_ms is None else self._listened_at_ms
        for data in self._received():
            for stroke in self._decoder.feed(data, now_ms):
                self._strike(stroke, since_ms, now_ms)
        for stroke in self._decoder.settle(now_ms):
            self._strike(stroke, since_ms, now_ms)
        self._listened_at_ms = now_ms

    def _strike(self, stroke: Stroke, since_ms: int, now_ms: int) -> None:
        key, is_down = stroke
        if is_down is False:
            self._keys.release(now_ms, key)
        elif not (is_down and self._keys.held is key):  # the keypad's own repeat: ours is the same on all
            bounced = self._is_bounce(key, now_ms)
            self._last = (key, since_ms)
            if is_down and bounced:
                self._keys.hold_again(key, now_ms)
            elif is_down:
                self._keys.hold(key, now_ms)
            elif not bounced:
                self._keys.press(key)

    def _is_bounce(self, key: Key, now_ms: int) -> bool:
        """Whether `key` came for certain less than `debounce_ms` after it came before.

        What is read now arrived at some moment since the last look: a firmware that was busy finds two
        strokes of a digit at once that were half a second apart, and must not lose one of a PIN's.
        """
        return self._last is not None and self._last[0] is key and now_ms - self._last[1] < self._debounce_ms

    def _drop_what_waits(self) -> None:
        for _ in self._received():
            pass
        self._decoder, self._last = self._new_decoder(), None
        self._listened_at_ms = self._clock.monotonic_ms()

    def _on_lost(self) -> None:
        self._decoder, self._last = self._new_decoder(), None
        self._keys.release(self._clock.monotonic_ms())
