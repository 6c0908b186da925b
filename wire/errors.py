"""The error tree of this room: one base, one class a format, so that a caller can tell formats apart.

Every error carries a stable `code` and a `reason`, one word out of a closed list (see `REASONS`). The text
is safe to show and to log: it never holds a card number, a track, a PIN or any other value that was given.
"""

from __future__ import annotations

from typing import ClassVar

REASONS = frozenset(
    {
        "truncated",  # the data ends before it should
        "trailing_data",  # something follows a complete object
        "bad_length",  # a length, of the input or stated in it, is not allowed
        "bad_character",  # a character or digit outside the allowed set
        "bad_format",  # the structure or a fixed value is wrong
        "bad_tag",  # a tag or an identifier is malformed
        "bad_padding",  # fill is not what the format says
        "bad_parity",  # a parity bit of a magnetic stripe is wrong
        "bad_lrc",  # the check character of a magnetic stripe or of a serial frame is wrong
        "bad_crc",  # a cyclic redundancy check does not fit
        "bad_date",  # an impossible date
        "bad_amount",  # zero, negative or too large
        "no_data",  # nothing was read
        "no_start_sentinel",  # a magnetic stripe without its first character
        "no_end_sentinel",  # a magnetic stripe without its last character
        "unsupported",  # a field or an element that is not known
        "missing_data",  # a mandatory object is absent
        "duplicate",  # an object twice
        "aborted",  # the sender cancelled the frame
    }
)


class WireError(ValueError):
    """Base of all errors of this room. `reason` is one of `REASONS`; the text is safe to log."""

    code: ClassVar[str] = "W000"

    def __init__(self, reason: str, text: str) -> None:
        assert reason in REASONS, reason
        super().__init__(text)
        self.reason = reason


class PanError(WireError):
    """Not a card number."""

    code = "W100"


class TrackError(WireError):
    """Not a track of a bank card, or not readable off the stripe."""

    code = "W200"

    def __init__(self, reason: str, text: str = "") -> None:
        super().__init__(reason, text or f"the track cannot be used: {reason}")


class AmountError(WireError):
    """Not an amount that can be charged."""

    code = "W300"


class TlvError(WireError):
    """Not BER-TLV data, or not a data object list."""

    code = "W400"


class BcdError(WireError):
    """Not packed decimal digits."""

    code = "W500"


class CodecError(WireError):
    """Not a message of the dialect. `field` is the data element concerned, None for the frame around them."""

    code = "W600"

    def __init__(self, reason: str, field: int | None, text: str) -> None:
        super().__init__(reason, text if field is None else f"field {field}: {text}")
        self.field = field


class EmvError(WireError):
    """Not the EMV element that it should be: wrong length, or impossible values."""

    code = "W700"


class QrError(WireError):
    """Not the payload of an EMV QR code."""

    code = "W800"


class FrameError(WireError):
    """Not a frame of a serial line, or a damaged one; or not the parameters of a CRC."""

    code = "W900"


class ApduError(WireError):
    """Not a command or a response of ISO/IEC 7816-4."""

    code = "W910"


class AtrError(WireError):
    """Not an answer to reset of ISO/IEC 7816-3, or not a PPS."""

    code = "W920"


class BlockError(WireError):
    """Not a block of the protocol T=1, or a damaged one."""

    code = "W930"


class CcidError(WireError):
    """Not a message of a CCID smart-card reader."""

    code = "W940"
