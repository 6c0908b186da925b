"""Faults on demand: how the bank misbehaves when a test or a scenario asks it to.

A fault waits until messages match it, spares the first `skip` of them, strikes the next `count`, and is
spent. Faults live in memory only and draw no random numbers: a scenario is the same every time.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final

from bank.errors import RecordError
from wire.errors import AmountError
from wire.money import parse_amount


class FaultKind(Enum):
    """What goes wrong. The text is the fault's name on a command line."""

    SILENT_BEFORE_POSTING = "silent-before-posting"  # the request is lost: nothing is done, nothing is said
    SILENT_AFTER_POSTING = (
        "silent-after-posting"  # the answer is lost: all is done and durable, nothing is said
    )
    CLOSE_BEFORE_POSTING = "close-before-posting"  # as silent, and the connection closes
    CLOSE_AFTER_POSTING = "close-after-posting"
    RESPONSE_CODE = "response-code"  # declined with `value` before anything is done
    WRONG_MAC = "wrong-mac"
    WRONG_TRACE = "wrong-trace"  # F11 one too high, with a right MAC
    DELAY = "delay"  # the answer leaves `delay_ms` late
    DUPLICATE = "duplicate"  # the answer is sent twice
    TRUNCATE = "truncate"  # half of the answer's frame, then the connection closes
    SPLIT = "split"  # the answer's frame leaves in pieces of one byte
    UNBALANCED = "unbalanced"  # a settlement's totals are said not to agree, whatever they are
    HEADER_DIGIT = "header-digit"  # `value` as processing requirement in the answer's header
    REFUSE_CONNECTION = "refuse-connection"  # the server hangs up on whoever connects


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault: what, for which messages ("" = any), how often (None = always), with which value.

    `amount_minor`: only for messages with just this amount in F4; so an amount can stand for an answer.
    """

    kind: FaultKind
    mti: str = ""
    processing_code: str = ""
    count: int | None = 1
    skip: int = 0
    delay_ms: int = 0
    value: str = ""
    amount_minor: int | None = None


class _Armed:
    """A fault and what is left of it."""

    def __init__(self, fault: Fault) -> None:
        self.fault = fault
        self.skip_left = fault.skip
        self.count_left = fault.count

    @property
    def is_spent(self) -> bool:
        """Whether it will strike no more."""
        return self.count_left is not None and self.count_left <= 0

    def strikes(self, mti: str, processing_code: str, amount_minor: int) -> bool:
        """Whether this matching message is hit; counts it."""
        if self.fault.mti not in {"", mti} or self.fault.processing_code not in {"", processing_code}:
            return False
        if self.fault.amount_minor not in {None, amount_minor}:
            return False
        if self.skip_left > 0:
            self.skip_left -= 1
            return False
        if self.count_left is None:
            return True
        self.count_left -= 1
        return self.count_left >= 0


class BankFaults:
    """The faults that are armed now. An empty one is a bank that behaves."""

    def __init__(self, *faults: Fault) -> None:
        self._armed = [_Armed(fault) for fault in faults]

    @property
    def is_quiet(self) -> bool:
        """Whether none was ever armed: a bank that behaves need not ask."""
        return not self._armed

    def has(self, *kinds: FaultKind) -> bool:
        """Whether a fault of one of these kinds is armed and not spent."""
        return any(armed.fault.kind in kinds and not armed.is_spent for armed in self._armed)

    def add(self, fault: Fault) -> None:
        """Arm one more fault."""
        self._armed.append(_Armed(fault))

    def clear(self) -> None:
        """Disarm all of them."""
        self._armed.clear()

    def take(
        self, kind: FaultKind, mti: str = "", processing_code: str = "", amount_minor: int = 0
    ) -> Fault | None:
        """The fault of this kind that strikes this message, counted as used; or None."""
        for armed in self._armed:
            if armed.fault.kind is kind and armed.strikes(mti, processing_code, amount_minor):
                return armed.fault
        return None


_NEEDS_VALUE: Final = {FaultKind.RESPONSE_CODE: 2, FaultKind.HEADER_DIGIT: 1}


def parse_fault(text: str) -> Fault:
    """A fault from a command line: its name, then options. Raises RecordError naming what is wrong.

    >>> parse_fault("delay:mti=0200,delay_ms=61000").delay_ms
    61000
    >>> parse_fault("silent-after-posting:mti=0220,count=always").count is None
    True
    >>> parse_fault("response-code:value=91,amount=91.00").amount_minor
    9100
    """
    name, _, rest = text.partition(":")
    try:
        kind = FaultKind(name)
    except ValueError:
        known = ", ".join(kind.value for kind in FaultKind)
        raise RecordError(f'there is no fault "{name}"; known are {known}') from None
    options = dict(option.partition("=")[::2] for option in rest.split(",") if option)
    unknown = options.keys() - {"mti", "processing_code", "count", "skip", "delay_ms", "value", "amount"}
    if unknown:
        raise RecordError(f'fault {name} has no option "{min(unknown)}"')
    count = options.get("count", "1")
    try:
        fault = Fault(
            kind,
            mti=options.get("mti", ""),
            processing_code=options.get("processing_code", ""),
            count=None if count == "always" else int(count),
            skip=int(options.get("skip", "0")),
            delay_ms=int(options.get("delay_ms", "0")),
            value=options.get("value", ""),
            amount_minor=parse_amount(options["amount"]) if "amount" in options else None,
        )
    except AmountError:
        raise RecordError(f"fault {name}: amount is a sum of money such as 12.34") from None
    except ValueError:
        raise RecordError(
            f"fault {name}: count, skip and delay_ms are whole numbers (count may be always)"
        ) from None
    if kind in _NEEDS_VALUE and len(fault.value) != _NEEDS_VALUE[kind]:
        raise RecordError(f"fault {name} needs value= with {_NEEDS_VALUE[kind]} characters")
    return fault
