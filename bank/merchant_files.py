"""The file of each merchant: application, papers, contract, and every step from there on.

Which step is possible when stands in `bank.merchant_states`; here are the guards and records that its rules
name. A step is one transaction of the store and is written down with who took it and why.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from bank.entropy import Entropy
from bank.errors import MerchantRefusedError, RecordError
from bank.hsm import Hsm, check_value
from bank.ledger import Ledger
from bank.merchant_states import MERCHANT_TABLE, MerchantEvent, MerchantStatus
from bank.merchants import Merchant, Merchants, Terminal
from bank.qualifications import QUALIFICATIONS
from bank.rates import rates
from bank.store import BankStore, clock_text

INSTITUTION: Final = "898"  # first three characters of the merchant numbers that this bank gives out
PAPERS_NEEDED: Final = ("identity", "licence", "contract")
_FIRST_TID: Final = 10_000_001
_SERIALS: Final = 10_000


@dataclass(frozen=True, slots=True)
class Paper:
    """A document: what it is, its number or place in the archive, and the SHA-256 of what was seen (hex)."""

    kind: str
    reference: str
    sha256: str

    @classmethod
    def of(cls, kind: str, reference: str, content: bytes) -> Paper:
        """The record of a document with this content."""
        return cls(kind, reference, hashlib.sha256(content).hexdigest())


@dataclass(frozen=True, slots=True)
class Application:
    """What a merchant hands in. What is empty in an amendment stays as it was."""

    name: str = ""
    name_local: str = ""
    papers: tuple[Paper, ...] = ()
    qualifications: frozenset[str] = frozenset()
    payout_account: str = ""
    payout_holder: str = ""
    rate: str = ""

    def __repr__(self) -> str:
        return f"Application({self.name!r}, {len(self.papers)} papers)"


@dataclass(frozen=True, slots=True)
class IssuedTerminal:
    """A new terminal and the parts of its master key, one for each custodian; their XOR is the key."""

    terminal: Terminal
    components: tuple[bytes, ...]
    check_value: bytes

    def __repr__(self) -> str:
        return f"IssuedTerminal({self.terminal.tid!r}, {len(self.components)} components)"

    def component_lines(self) -> list[str]:
        """A line for each custodian, as `posterm keys load-components` reads it: component, check value."""
        return [f"{one.hex().upper()} {check_value(one).hex().upper()}" for one in self.components]


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """One step that was taken."""

    at: str
    event: str
    state_then: str
    by_whom: str
    reason: str


@dataclass(frozen=True, slots=True)
class _Step:
    """A step that is asked for: what guards and records look at."""

    merchant: Merchant
    application: Application
    reason: str
    now: datetime


class MerchantFiles:
    """The register. Writing methods open a store transaction of their own or join the caller's."""

    def __init__(
        self, store: BankStore, ledger: Ledger, hsm: Hsm, merchants: Merchants, entropy: Entropy
    ) -> None:
        self._store = store
        self._ledger = ledger
        self._hsm = hsm
        self._merchants = merchants
        self._entropy = entropy
        self.issued: IssuedTerminal | None = None
        """The terminal of the last approval, whose components are told once."""

    # --- steps ------------------------------------------------------------------------------------

    def apply(
        self, application: Application, *, area: str, category: str, by: str, now: datetime
    ) -> Merchant:
        """Begin the file of a new merchant. Its number holds `area` and `category`, four digits each.

        Raises RecordError when something in the application has a wrong form.
        """
        for what, text in (("area code", area), ("merchant category code", category)):
            if not (len(text) == 4 and text.isascii() and text.isdigit()):
                raise RecordError(f"the {what} must be four digits")
        self._check(application)
        with self._store.transaction():
            mid = self._free_mid(area, category)
            merchant = self._merchants.add(
                mid, application.name, name_local=application.name_local, status=MerchantStatus.APPLIED
            )
            self._merchants.set_qualifications(mid, frozenset({"purchase", "balance", "refund"}))
            self._file(_Step(merchant, application, "", now))
            self._write_down(mid, MerchantEvent.APPLY, MerchantStatus.APPLIED, by=by, reason="", now=now)
            return self.merchant(mid)

    def take_step(
        self,
        mid: str,
        event: MerchantEvent,
        *,
        by: str,
        now: datetime,
        reason: str = "",
        application: Application | None = None,
    ) -> Merchant:
        """Do `event` with a merchant's file; the merchant as it is then.

        Raises RecordError for an unknown merchant or a wrong application, MerchantRefusedError when its state
        or a guard forbids the step; nothing was changed then.
        """
        application = application or Application()
        self._check(application)
        self.issued = None
        with self._store.transaction():
            step = _Step(self.merchant(mid), application, reason, now)
            rule = MERCHANT_TABLE.rule_for(
                step.merchant.status, event, lambda guard: getattr(self, f"_is_{guard}")(step)
            )
            if isinstance(rule, str):
                missing = self._what_is_missing(step) if event is MerchantEvent.APPROVE else ""
                raise MerchantRefusedError(f"merchant {mid} is {step.merchant.status.value}: {rule}{missing}")
            for record in rule.records:
                getattr(self, f"_{record}")(step)
            state = MerchantStatus(rule.target.value)
            self._merchants.set_status(mid, state)
            self._write_down(mid, event, state, by=by, reason=reason, now=now)
            return self.merchant(mid)

    # --- guards -----------------------------------------------------------------------------------

    def _is_file_complete(self, step: _Step) -> bool:
        return not self._what_is_missing(step)

    def _is_reason_given(self, step: _Step) -> bool:
        return bool(step.reason.strip())

    def _is_nothing_owed(self, step: _Step) -> bool:
        return self._ledger.account(step.merchant.account_id).balance_minor == 0

    def _what_is_missing(self, step: _Step) -> str:
        """` (missing: contract, ...)`, or nothing, when file and step together have all that is needed."""
        kinds = {one.kind for one in (*self.papers(step.merchant.mid), *step.application.papers)}
        missing = [kind for kind in PAPERS_NEEDED if kind not in kinds]
        if not (step.merchant.payout_account_end or step.application.payout_account):
            missing.append("settlement account")
        return f" (missing: {', '.join(missing)})" if missing else ""

    # --- records ----------------------------------------------------------------------------------

    def _file(self, step: _Step) -> None:
        """Put what came with the step into the file."""
        mid, given = step.merchant.mid, step.application
        if given.payout_account:
            sealed = self._hsm.seal_account(given.payout_account)
            self._merchants.set_payout_account(
                mid, sealed, end=given.payout_account[-4:], holder=given.payout_holder or given.name
            )
        if given.name and given.name != step.merchant.name:
            self._merchants.rename(mid, given.name, given.name_local)
        if given.qualifications:
            self._merchants.set_qualifications(mid, given.qualifications)
        if given.rate:
            self._merchants.set_rate(mid, given.rate)
        for paper in given.papers:
            self._store.execute(
                "INSERT OR REPLACE INTO merchant_document VALUES (?, ?, ?, ?)",
                (mid, paper.kind, paper.reference, paper.sha256),
            )

    def _terminal(self, step: _Step) -> None:
        self.issued = self.issue_terminal(step.merchant.mid)

    def _terminals_out(self, step: _Step) -> None:
        for terminal in self._merchants.terminals():
            if terminal.mid == step.merchant.mid:
                self._merchants.sign_out(terminal)

    def issue_terminal(self, mid: str, *, parts: int = 2) -> IssuedTerminal:
        """Register one more terminal of a merchant, with a number and a master key of its own."""
        components = tuple(self._entropy.token(16) for _ in range(parts))
        key = bytes(16)
        for one in components:
            key = bytes(a ^ b for a, b in zip(key, one, strict=True))
        with self._store.transaction():
            terminal = self._merchants.add_terminal(mid, self._free_tid(), key)
        return IssuedTerminal(terminal, components, check_value(key))

    # --- what is in the files ----------------------------------------------------------------------

    def merchant(self, mid: str) -> Merchant:
        """The merchant with this number. Raises RecordError."""
        found = self._merchants.find(mid)
        if found is None:
            raise RecordError(f"there is no merchant {mid}")
        return found

    def papers(self, mid: str) -> list[Paper]:
        """A merchant's documents."""
        rows = self._store.rows(
            "SELECT kind, reference, sha256 FROM merchant_document WHERE mid = ? ORDER BY kind, reference",
            (mid,),
        )
        return [Paper(*row) for row in rows]

    def history(self, mid: str) -> list[HistoryEntry]:
        """Every step that was taken with a merchant's file, oldest first."""
        rows = self._store.rows(
            "SELECT at, event, state_then, by_whom, reason FROM merchant_event WHERE mid = ?"
            " ORDER BY event_id",
            (mid,),
        )
        return [HistoryEntry(*row) for row in rows]

    def _write_down(
        self, mid: str, event: MerchantEvent, state: MerchantStatus, *, by: str, reason: str, now: datetime
    ) -> None:
        self._store.insert(
            "INSERT INTO merchant_event (mid, at, event, state_then, by_whom, reason)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            (mid, clock_text(now), event.value, state.value, by, reason),
        )

    # --- numbers and forms --------------------------------------------------------------------------

    def _free_mid(self, area: str, category: str) -> str:
        for serial in range(1, _SERIALS):
            mid = f"{INSTITUTION}{area}{category}{serial:04d}"
            if self._merchants.find(mid) is None:
                return mid
        raise RecordError(f"all merchant numbers of area {area} and category {category} are given out")

    def _free_tid(self) -> str:
        taken = {terminal.tid for terminal in self._merchants.terminals()}
        return next(f"{number:08d}" for number in range(_FIRST_TID, 10**8) if f"{number:08d}" not in taken)

    def _check(self, application: Application) -> None:
        unknown = sorted(application.qualifications - set(QUALIFICATIONS))
        if unknown:
            known = ", ".join(QUALIFICATIONS)
            raise RecordError(f'there is no qualification "{unknown[0]}"; known are {known}')
        if application.rate and application.rate not in rates():
            raise RecordError(f'there is no rate "{application.rate}"; known are {", ".join(rates())}')
        account = application.payout_account
        if account and not (account.isascii() and account.isdigit() and 8 <= len(account) <= 32):
            raise RecordError("the settlement account has 8 to 32 digits")
        _check_papers(application.papers)


def _check_papers(papers: Sequence[Paper]) -> None:
    for paper in papers:
        if not paper.kind or not paper.reference:
            raise RecordError("a document needs a kind and a reference")
        if len(paper.sha256) != 64 or not set(paper.sha256) <= set("0123456789abcdef"):
            raise RecordError(f'document "{paper.kind}": a SHA-256 has 64 hex digits')
