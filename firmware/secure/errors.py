"""The errors of the secure room. Their texts name keys by use and index, never by value, and never a PIN."""

from __future__ import annotations

from typing import ClassVar


class SecureError(Exception):
    """Base of all errors of the secure room. `code` is stable; the text is safe to show and to log."""

    code: ClassVar[str] = "S000"


class KeyMissing(SecureError):
    """The key that was asked for is not loaded. Nothing was changed."""

    code = "S100"


class KeyFormat(SecureError):
    """A key, its index or a key bundle has the wrong length or an unknown layout."""

    code = "S110"


class KeyCheckFailed(SecureError):
    """A key does not fit its check value. `key` says which: "TMK", "PIK", "component" and so on."""

    code = "S120"

    def __init__(self, key: str, text: str) -> None:
        super().__init__(text)
        self.key = key


class SealBroken(SecureError):
    """A stored key does not open: written under another device key, by another version, or altered."""

    code = "S130"


class StoreOutdated(SecureError):
    """The key store is an old copy, or made of several: none of its keys is used until it is wiped."""

    code = "S140"


class KeyMisused(SecureError):
    """A key was asked for another use than its own. It was refused, and the security log says so."""

    code = "S150"


class KeysExhausted(SecureError):
    """DUKPT: this device has used up all its keys. It needs a new initial key; nothing was sent."""

    code = "S160"


class PinUnavailable(SecureError):
    """There is no PIN block to take: no PIN was entered, or its block was taken already."""

    code = "S200"


class PinFormat(SecureError):
    """PIN lengths or card number do not fit the PIN block. Nobody was asked for a PIN."""

    code = "S210"


class PinRateExceeded(SecureError):
    """Too many PIN entries within an hour. `wait_ms`: how long until the next one is allowed."""

    code = "S220"

    def __init__(self, wait_ms: int) -> None:
        super().__init__(f"too many PIN entries within an hour: the next is allowed in {wait_ms} ms")
        self.wait_ms = wait_ms


class BadInput(SecureError):
    """What was given to a calculation does not fit it: its length, a character, a key, a check.

    `reason` is one word, the same that the formats use (`wire.errors.REASONS`), or one of those that only
    keys have: "bad_key" (a key of the wrong size), "bad_mac", "bad_check" (a check value or authentication
    code does not fit), "bad_version" (an unknown format), "exhausted" (no key is left).
    """

    code = "S300"

    def __init__(self, reason: str, text: str) -> None:
        super().__init__(text)
        self.reason = reason
