"""What one till and the bank say to each other, message by message, as it passes the gateway."""

from __future__ import annotations

from collections.abc import Iterator

from firmware.app import Transition
from firmware.records import Outcome
from tools.simulate.any_till import AnyTill
from tools.simulate.checkers.finding import Finding
from tools.simulate.checkers.journal import Key, counts, name_of
from tools.simulate.checkers.second_decoder import SecondDecoder
from wire.iso8583 import IsoMessage
from wire.security_data import SecurityData

_REVERSAL, _ADVICE, _ADVICE_ANSWER = "0400", "0220", "0230"
_COMPLETION_TYPE = "24"  # 60.1
_SUCCESSES = frozenset({"00", "10", "11", "A2", "A4", "A5", "A6"})
_TROUBLE = frozenset({"68", "90", "91", "92", "96", "98"})  # nothing was decided
_NO_TRACE = "000000"


class Messages:
    """Listens, and remembers what must not be taken back.

    `approved`: what the terminal has called approved, by batch and voucher, whatever became of it.
    `refused`: advices to which the bank gave a definite no.
    """

    def __init__(self, till: AnyTill) -> None:
        self._till = till
        self._decoder = SecondDecoder()
        self.approved: set[Key] = set()
        self.refused: set[Key] = set()
        self.completed: set[Key] = set()  # a completion names it: its reversal is gone for good
        self._under: dict[bytes, str] = {}  # what was asked under each DUKPT serial number
        self.count = 0
        till.station.observers.append(self._observe)

    def _observe(self, _transition: Transition) -> None:
        terminal = self._till.station.terminal
        payment = terminal.journal.payment if terminal is not None else None
        if payment is not None and payment.outcome is Outcome.APPROVED and payment.stan:
            self.approved.add((payment.batch, payment.stan))

    def hear(self, message: bytes) -> tuple[IsoMessage | None, list[Finding]]:
        """One message in either direction, without its length: what it says, and what is wrong with it."""
        self.count += 1
        iso, disagreement = self._decoder.disagreement(message)
        findings = [Finding("decoder", f"{self._till.name}: {disagreement}")] if disagreement else []
        if iso is not None:
            findings += self._follow(iso)
            findings += self._serial_number(iso)
        return iso, findings

    def _serial_number(self, iso: IsoMessage) -> Iterator[Finding]:
        """A DUKPT key protects one message; a repeat of it is the same one (ANSI X9.24-1)."""
        protected = iso.fields.get(59)
        if not (isinstance(protected, bytes) and int(iso.mti[2]) % 2 == 0):
            return
        ksn, content = SecurityData.parse(protected).ksn, f"{iso.mti} {sorted(iso.fields.items())!r}"
        if ksn and self._under.setdefault(ksn, content) != content:
            yield Finding("ksn", f"{self._till.name}: the key of {ksn.hex().upper()} protects two messages")

    def _follow(self, iso: IsoMessage) -> Iterator[Finding]:
        private = str(iso.fields.get(60, ""))
        key = (private[2:8], str(iso.fields.get(11, "")))
        if iso.mti == _REVERSAL:
            yield from self._reversal(key)
        elif iso.mti == _ADVICE and private[:2] == _COMPLETION_TYPE:
            original = str(iso.fields.get(61, ""))
            if original[6:12] != _NO_TRACE:
                self.completed.add((original[:6], original[6:12]))
        elif iso.mti == _ADVICE_ANSWER:
            code = str(iso.fields.get(39, ""))
            if code not in _SUCCESSES | _TROUBLE:
                self.refused.add(key)

    def _reversal(self, key: Key) -> Iterator[Finding]:
        where = f"batch {key[0]}, trace {key[1]}"
        if key in self.completed:
            yield Finding("reversal", f"{self._till.name} reverses what it has completed: {where}")
        elif key in self.approved:
            yield Finding("reversal", f"{self._till.name} reverses what it has called approved: {where}")

    def kept(self) -> Iterator[Finding]:
        """What was called approved once is so in the end, unless the bank was seen to refuse its advice."""
        payments = {(one.batch, one.stan): one for one in self._till.payments.values()}
        for key in sorted(self.approved | self.completed):
            payment = payments.get(key)
            if payment is None:
                yield Finding("lost", f"{self._till.name}: batch {key[0]}, trace {key[1]} is in no journal")
            elif payment.stands or counts(payment):
                continue
            elif (payment.batch, payment.posted_stan) not in self.refused:
                text = f"{name_of(payment)} was approved, and does not stand"
                yield Finding("lost", f"{self._till.name}: {text}")
