"""Why a calculation was refused, in one word and one sentence, whichever room refused it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from firmware.secure.errors import BadInput, KeyCheckFailed, KeyFormat, PinFormat, SecureError
from wire.errors import WireError

CalculationErrors = (SecureError, WireError)
"""What a calculation may raise: everything else is a defect of the program."""

_REASONS: Mapping[type[Exception], str] = {
    KeyCheckFailed: "bad_check",
    KeyFormat: "bad_key",
    PinFormat: "bad_length",
}


class Refused(BadInput):
    """Refused, with what can be said all the same: `result`."""

    def __init__(self, reason: str, text: str, result: Mapping[str, Any]) -> None:
        super().__init__(reason, text)
        self.result = result


def reason_of(error: SecureError | WireError) -> str:
    """The class of the reason, as the test vectors name it (`tests/vectors/README.md`)."""
    if isinstance(error, (BadInput, WireError)):
        return error.reason
    return next((reason for kind, reason in _REASONS.items() if isinstance(error, kind)), "bad_format")
