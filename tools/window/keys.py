"""The keyboard's bytes as names of keys. Pure: bytes and the time in, names out.

A key that is not a character comes as an escape sequence, and ESC alone is a key too: it counts as that when
nothing follows it for `ESCAPE_WAIT_MS`. A sequence that means nothing here is swallowed whole, so that its
letters are not taken for keys.

Sources: ECMA-48 section 5.4 (CSI), xterm control sequences (SS3, function keys), the Linux console's `CSI [`.
"""

from __future__ import annotations

import re

ESCAPE_WAIT_MS = 50
_SEQUENCE_BYTES_MAX = 32

_PLAIN = {"\r": "enter", "\n": "enter", "\x7f": "clear", "\x08": "clear"}
_ARROWS = {"A": "up", "B": "down", "C": "right", "D": "left"}
_FUNCTIONS = {"P": "f1", "Q": "f2", "R": "f3", "S": "f4"}
_NUMBERED = {"3": "clear", "11": "f1", "12": "f2", "13": "f3", "14": "f4"}
_CONSOLE = {"A": "f1", "B": "f2", "C": "f3", "D": "f4"}

_SEQUENCE = re.compile(
    r"\x1b(?:"
    r"\[\[(?P<console>[ -~])"
    r"|\[(?P<parameters>[0-?]*)[ -/]*(?P<final>[@-~])"
    r"|O(?P<modifier>[0-9;]*)(?P<ss3>[A-Za-z])"
    r")"
)
_UNFINISHED = re.compile(r"\x1b(?:\[\[?[0-?]*[ -/]*|O[0-9;]*)?\Z")


class KeyDecoder:
    """Collects bytes until they are keys."""

    def __init__(self) -> None:
        self._pending = ""
        self._pending_since_ms = 0

    def feed(self, data: bytes, *, now_ms: int) -> list[str]:
        """The keys that `data` completes: "enter", "clear", "cancel", "f1", "up" ..., or one character."""
        if data:
            self._pending += data.decode("latin-1")
            self._pending_since_ms = now_ms
        keys = []
        while self._pending:
            if _UNFINISHED.match(self._pending) and not self._has_waited(now_ms):
                break
            keys += self._take()
        return keys

    def flush(self, *, now_ms: int) -> list[str]:
        """The keys that the passing of time completes: an ESC that nothing followed."""
        return self.feed(b"", now_ms=now_ms)

    def _has_waited(self, now_ms: int) -> bool:
        is_long = len(self._pending) > _SEQUENCE_BYTES_MAX
        return is_long or now_ms - self._pending_since_ms >= ESCAPE_WAIT_MS

    def _take(self) -> list[str]:
        """Take one key off the front of what is pending."""
        if found := _SEQUENCE.match(self._pending):
            self._pending = self._pending[found.end() :]
            name = _name_of(found)
            return [name] if name else []
        character, self._pending = self._pending[0], self._pending[1:]
        if character == "\x1b":
            if self._pending[:1] in {"[", "O"}:  # a sequence that was cut off is no key, nor are its letters
                self._pending = ""
                return []
            return ["cancel"]
        if character in _PLAIN:
            return [_PLAIN[character]]
        return [character] if " " < character <= "~" else []


def _name_of(sequence: re.Match[str]) -> str | None:
    if (console := sequence["console"]) is not None:
        return _CONSOLE.get(console)
    final = sequence["final"] or sequence["ss3"]
    if final == "~":
        return _NUMBERED.get((sequence["parameters"] or "").partition(";")[0])
    return _ARROWS.get(final) or _FUNCTIONS.get(final)
