"""What can go wrong in the bank, as one small tree.

A declined card is not here: it is an outcome, answered with a response code. These are broken promises: a
file that cannot be used, bytes that are no message, a name that does not exist. `code` is stable; every
text is one line and free of card numbers, PINs and keys.
"""

from __future__ import annotations

from typing import ClassVar


class BankError(Exception):
    """Base of all errors of the bank. `code` is stable; the text is safe to show and to log."""

    code: ClassVar[str] = "B000"


class StoreError(BankError):
    """The database file cannot be opened, read or written. The transaction in hand changed nothing."""

    code = "B100"


class StoreVersionError(StoreError):
    """The database was written by another schema version. Nothing was changed."""

    code = "B110"


class HsmError(BankError):
    """A key has the wrong size or check value, or a sealed value does not open under this master key."""

    code = "B200"


class FrameError(BankError):
    """The bytes are no message that can be answered: the connection they came on should be dropped."""

    code = "B300"


class RecordError(BankError):
    """A card, account, merchant or terminal that does not exist, exists already, or is described wrongly."""

    code = "B400"


class MerchantRefusedError(BankError):
    """A step with a merchant's file that its state, or what is missing, forbids. Nothing was changed."""

    code = "B410"


class ListenError(BankError):
    """The address to listen on is taken or not allowed. The text names it."""

    code = "B500"


class LedgerError(BankError):
    """A movement that would break the books; nothing was booked."""

    code = "B600"
