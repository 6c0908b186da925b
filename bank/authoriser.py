"""The bank: one message in, its answer out, and in between exactly one durable transaction.

The plan of this file. `Bank.handle` decodes, decides in the order of iso8583-pos section 13,
commits, and only then returns the answer. It has no clock and no random numbers of its own: `now` is an
argument, keys and codes come from the entropy passed in. What a transaction means stands in `transactions`
and `management`; here is what all of them share: who may speak, whether the MAC is right, whether it was
all said before.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Final, Literal

from bank.answers import (
    APPROVED,
    SUCCESSES,
    UNDECIDED,
    BankPolicy,
    Outcome,
    answer_envelope,
    answer_message,
)
from bank.batches import Batch, Batches
from bank.cards import Card, Cards
from bank.demands import FULFILS
from bank.entropy import Entropy
from bank.errors import BankError, FrameError, HsmError
from bank.faults import BankFaults, FaultKind
from bank.hsm import Hsm, MessageKeys
from bank.ledger import Account, Audit, Hold, HoldState, Ledger
from bank.management import MANAGEMENT
from bank.merchant_files import MerchantFiles
from bank.merchant_states import MerchantStatus
from bank.merchants import Merchants, Terminal
from bank.office import Office
from bank.payments import Payment, Payments, PaymentState
from bank.payouts import PayoutRegister
from bank.plans import Plan, plan_of
from bank.reconcile import Difference, differences
from bank.replies import PaymentLedger, Reply
from bank.request import Request, read_request, security_data
from bank.reversals import reverse
from bank.settlement import BatchTotals, batch_totals
from bank.settling import refused_settlement, settle
from bank.store import BankStore
from bank.transactions import Booking, book_nothing, judge
from wire.errors import CodecError
from wire.iso8583 import Dialect, IsoMessage, dialect

__all__ = ["Bank", "PaymentLedger", "Reply"]

_REVERSAL: Final = "0400"
_SETTLEMENT: Final = "0500"
_PARTIAL: Final = "10"
_MASTER_KEY_MARK: Final = "master key mark"


class Bank:
    """A bank over one store. Deterministic: same store, entropy, messages and times, same answers."""

    def __init__(
        self,
        store: BankStore,
        master_key: bytes,
        *,
        entropy: Entropy,
        policy: BankPolicy | None = None,
        faults: BankFaults | None = None,
        dialect_name: Literal["unionpay", "iso87"] = "unionpay",
    ) -> None:
        """Take over `store`. `master_key`: 32 bytes, the one that the store's keys are sealed under.

        Raises HsmError if it is another one; nothing is changed then.
        """
        self.store = store
        self.hsm = Hsm(master_key)
        self.ledger = Ledger(store)
        self.cards = Cards(store, self.ledger, self.hsm)
        self.merchants = Merchants(store, self.ledger, self.hsm)
        self.payments = Payments(store)
        self.batches = Batches(store)
        self.payouts = PayoutRegister(store, self.ledger, self.merchants, self.payments, self.batches)
        self.files = MerchantFiles(store, self.ledger, self.hsm, self.merchants, entropy)
        self.faults = faults if faults is not None else BankFaults()
        self._dialect: Dialect = dialect(dialect_name)
        self._office = Office(
            self.ledger,
            self.cards,
            self.merchants,
            self.payments,
            self.batches,
            self.hsm,
            entropy,
            policy or BankPolicy(),
        )
        self._check_master_key()

    @classmethod
    def open(
        cls,
        path: Path | str,
        master_key: bytes,
        *,
        entropy: Entropy,
        create: bool = True,
        check: bool = True,
        policy: BankPolicy | None = None,
        faults: BankFaults | None = None,
    ) -> Bank:
        """A bank over the database at `path` (":memory:" for none). Raises StoreError, HsmError.

        `create` and `check` as for `BankStore.open`.
        """
        store = BankStore.open(path, create=create, check=check)
        try:
            return cls(store, master_key, entropy=entropy, policy=policy, faults=faults)
        except BankError:
            store.close()
            raise

    def _check_master_key(self) -> None:
        mark = self.hsm.seal_tmk(bytes(16))  # deterministic, so it tells one master key from another
        with self.store.transaction():
            known = self.store.setting(_MASTER_KEY_MARK)
            if known is None:
                self.store.set_setting(_MASTER_KEY_MARK, mark)
            elif known != mark:
                raise HsmError(f"the bank database {self.store.path} belongs to another bank master key")

    @property
    def policy(self) -> BankPolicy:
        """What this bank does differently from the next."""
        return self._office.policy

    def set_policy(self, policy: BankPolicy) -> None:
        """Let it be another bank from the next message on."""
        self._office = replace(self._office, policy=policy)

    def close(self) -> None:
        """Close the store; may be called twice."""
        self.store.close()

    # --- the one entrance ------------------------------------------------------------------------

    def handle(self, message: bytes, *, now: datetime) -> list[Reply]:
        """Decide one request (TPDU, header, message; no length prefix) and return what is to be sent.

        When this returns, everything the answer says is on disk. An empty list means silence. A request that
        came before is answered as before, and nothing is done twice. Raises FrameError when the bytes are no
        request (drop the connection), StoreError when the database failed (nothing was stored: say nothing).
        """
        iso = self._decode(message)
        selector = (iso.mti, str(iso.fields.get(3, "")), _amount_of(iso))
        if self.faults.take(FaultKind.SILENT_BEFORE_POSTING, *selector):
            return []
        if self.faults.take(FaultKind.CLOSE_BEFORE_POSTING, *selector):
            return [Reply(b"", close=True)]
        with self.store.transaction():
            self.ledger.expire_holds(now)
            answer = self._decide(iso, message, now)
        return self._send(answer, iso, selector)

    def _decode(self, message: bytes) -> IsoMessage:
        try:
            iso = self._dialect.decode(message)
        except CodecError as error:
            raise FrameError(f"no message of this dialect: {error}") from error
        if not iso.tpdu.startswith("60"):
            raise FrameError("the TPDU does not begin with 60")
        if iso.mti[0] != "0" or iso.mti[2] not in "02468":
            raise FrameError(f"message type {iso.mti} is not a request")
        return iso

    def _decide(self, iso: IsoMessage, raw: bytes, now: datetime) -> bytes:
        """The answer, encoded. Runs inside the transaction."""
        rrn = self.payments.next_rrn(now.strftime("%H%M%S"))
        request = read_request(iso, now)
        if request is None:
            mid, tid = str(iso.fields.get(42, "")), str(iso.fields.get(41, ""))
            return self._answer(iso, Outcome("30"), rrn, now, demand=self.merchants.demands(mid, tid)[:1])
        terminal = self.merchants.find_terminal(request.mid, request.tid)
        if terminal is None:
            merchant = self.merchants.find(request.mid)
            is_served = merchant is not None and merchant.status is MerchantStatus.ACTIVE
            return self._answer(iso, _refused(request, "97" if is_served else "03"), rrn, now)
        if terminal.merchant_status is not MerchantStatus.ACTIVE:
            return self._answer(iso, _refused(request, "03"), rrn, now, demand=terminal.demand)
        if not request.is_financial:
            outcome = self._manage(request, terminal)  # may fulfil a demand, and makes none
            demand = terminal.demand and self.merchants.demands(request.mid, request.tid)[:1]
            return self._answer(iso, outcome, rrn, now, demand=demand)
        keys = terminal.message_keys(request.protected.ksn)
        if not self._mac_is_right(iso, raw, terminal, keys):
            return self._answer(iso, Outcome("A0"), rrn, now, demand=terminal.demand)
        try:
            request = self._with_card_number(request, keys)
        except HsmError:
            return self._answer(iso, Outcome("30"), rrn, now, keys, demand=terminal.demand)
        return self._decide_financial(request, terminal, keys, rrn)

    def _with_card_number(self, request: Request, keys: MessageKeys) -> Request:
        """With the number that field 59 has enciphered, where it has one. Raises HsmError."""
        enciphered = request.protected.card_number
        if not enciphered:
            return request
        return replace(request, deciphered_number=self.hsm.decrypt_whole_track(keys, enciphered))

    def _manage(self, request: Request, terminal: Terminal) -> Outcome:
        handler = MANAGEMENT.get((request.mti, request.network_code))
        if handler is None:
            return Outcome("12")
        forced = self._forced(request)
        if forced:
            outcome = _refused(request, forced)
        elif request.mti == _SETTLEMENT and self.faults.take(FaultKind.UNBALANCED, _SETTLEMENT):
            outcome = settle(self._office, request, terminal, unbalanced=True)
        else:
            outcome = handler(self._office, request, terminal)
        done = FULFILS.get((request.mti, request.network_code))
        if done and outcome.approved and terminal.demand:
            self.merchants.fulfil(terminal, done)
        return outcome

    def _decide_financial(self, request: Request, terminal: Terminal, keys: MessageKeys, rrn: str) -> bytes:
        found = self.payments.find(request.mid, request.tid, request.batch, request.trace)
        if request.mti == _REVERSAL:
            forced = "30" if request.lacks(frozenset({39})) else self._forced(request)
            outcome = Outcome(forced) if forced else reverse(self._office, request, found, rrn=rrn)
        elif found is None:
            return self._decide_new(request, terminal, keys, rrn)
        elif found.state in {PaymentState.FORESTALLED, PaymentState.REVERSED}:
            outcome = Outcome("22")
        elif found.digest != request.digest():
            outcome = Outcome("94")
        else:
            return self._repeat(found, request, keys)
        return self._answer(request.message, outcome, rrn, request.now, keys, demand=terminal.demand)

    def _decide_new(self, request: Request, terminal: Terminal, keys: MessageKeys, rrn: str) -> bytes:
        plan = plan_of(request)
        if plan is None:
            outcome = Outcome("40")
            return self._answer(request.message, outcome, rrn, request.now, keys, demand=terminal.demand)
        outcome, book = self._judge(plan, request, terminal)
        answer = self._answer(request.message, outcome, rrn, request.now, keys, demand=terminal.demand)
        if outcome.code in UNDECIDED:
            return answer  # and remember nothing
        reply = self._without_card(answer) if 2 in request.message.fields else answer
        book(self.payments.enter(request, plan.kind, outcome, rrn=rrn, reply=reply))
        return answer

    def _judge(self, plan: Plan, request: Request, terminal: Terminal) -> tuple[Outcome, Booking]:
        """What the plan says; or the code that a fault wants: instead of it, or, a success, in its place."""
        if not self._takes_payments(request, terminal):
            return Outcome("22"), book_nothing
        forced = self._forced(request)
        if forced and forced not in SUCCESSES:
            return Outcome(forced), book_nothing
        is_part = forced == _PARTIAL and plan.partial
        outcome, book = judge(self._office, plan, request, terminal, part=is_part)
        if outcome.code == APPROVED and forced and forced != _PARTIAL:
            outcome = replace(outcome, code=forced)
        return outcome, book

    def _takes_payments(self, request: Request, terminal: Terminal) -> bool:
        """Whether the batch that is named takes new payments, by the rules of this acquirer."""
        profile = self.policy.profile
        if self.batches.is_closed(request.mid, request.tid, request.batch):
            return profile.closed_batch_takes_payments
        return profile.other_batch_takes_payments or request.batch == terminal.batch

    def _forced(self, request: Request) -> str:
        """The response code that a fault wants, "" for none."""
        fault = self.faults.take(FaultKind.RESPONSE_CODE, request.mti, request.text(3), request.amount_minor)
        return fault.value if fault else ""

    # --- answers and their MACs ------------------------------------------------------------------

    def _answer(
        self,
        request: IsoMessage,
        outcome: Outcome,
        rrn: str,
        now: datetime,
        keys: MessageKeys | None = None,
        *,
        demand: str = "",
    ) -> bytes:
        """Encode an answer. With `keys` (the request's MAC was right) it carries a MAC, declined or not."""
        answer = answer_message(
            request, outcome, rrn=rrn, policy=self.policy, now=now, requirement=demand or "0"
        )
        return self._encode(answer, keys)

    def _repeat(self, payment: Payment, request: Request, keys: MessageKeys) -> bytes:
        """The stored answer again, on the way the repeat came and under the MAK of today."""
        stored = self._dialect.decode(payment.reply)
        card_number = {2: request.message.fields[2]} if 2 in request.message.fields else {}
        tpdu, header = answer_envelope(request.message, self.policy)
        repeated = replace(stored, fields={**stored.fields, **card_number}, tpdu=tpdu, header=header)
        return self._encode(repeated, keys)

    def _without_card(self, answer: bytes) -> bytes:
        """An answer as it is stored: a repeat brings the number of its card along."""
        iso = self._dialect.decode(answer)
        return self._encode(replace(iso, fields={k: v for k, v in iso.fields.items() if k != 2}), None)

    def _encode(self, answer: IsoMessage, keys: MessageKeys | None) -> bytes:
        """An answer as it leaves, with a MAC if there is a key for it."""
        if keys is not None and (keys.mak_sealed is not None or keys.is_dukpt):
            return self._dialect.encode_with_mac(answer, lambda mab: self.hsm.mac(keys, mab))
        if 64 in answer.fields:
            answer = replace(answer, fields={k: v for k, v in answer.fields.items() if k != 64})
        return self._dialect.encode(answer)

    def _mac_is_right(self, iso: IsoMessage, raw: bytes, terminal: Terminal, keys: MessageKeys) -> bool:
        mac = iso.fields.get(64)
        if not terminal.signed_in or not isinstance(mac, bytes):
            return False
        return self.hsm.mac_is_right(keys, self._dialect.mac_region(raw), mac)

    def _send(self, answer: bytes, request: IsoMessage, selector: tuple[str, str, int]) -> list[Reply]:
        """The answer as it leaves: after the commit, so a fault here loses the answer and nothing else."""
        if self.faults.is_quiet:
            return [Reply(answer)]
        if self.faults.take(FaultKind.SILENT_AFTER_POSTING, *selector):
            return []
        if self.faults.take(FaultKind.CLOSE_AFTER_POSTING, *selector):
            return [Reply(b"", close=True)]
        answer = self._spoil(answer, request, selector)
        delay = self.faults.take(FaultKind.DELAY, *selector)
        reply = Reply(answer, delay_ms=delay.delay_ms if delay else 0)
        if self.faults.take(FaultKind.TRUNCATE, *selector):
            half = len(answer) // 2
            return [replace(reply, message=answer[:half], lost_bytes=len(answer) - half, close=True)]
        if self.faults.take(FaultKind.SPLIT, *selector):
            return [replace(reply, in_pieces=True)]
        return [reply, reply] if self.faults.take(FaultKind.DUPLICATE, *selector) else [reply]

    def _spoil(self, answer: bytes, request: IsoMessage, selector: tuple[str, str, int]) -> bytes:
        if not self.faults.has(FaultKind.WRONG_TRACE, FaultKind.HEADER_DIGIT, FaultKind.WRONG_MAC):
            return answer
        iso = self._dialect.decode(answer)
        if self.faults.take(FaultKind.WRONG_TRACE, *selector):
            trace = f"{(int(str(iso.fields.get(11, '0'))) + 1) % 1_000_000:06d}"
            iso = replace(iso, fields={**iso.fields, 11: trace})
            terminal = self.merchants.find_terminal(str(iso.fields.get(42)), str(iso.fields.get(41)))
            is_maced = terminal is not None and 64 in iso.fields
            keys = terminal.message_keys(security_data(request).ksn) if terminal and is_maced else None
            answer = self._encode(iso, keys)
            iso = self._dialect.decode(answer)
        digit = self.faults.take(FaultKind.HEADER_DIGIT, *selector)
        if digit:
            iso = replace(iso, header=iso.header[:5] + digit.value + iso.header[6:])
            answer = self._dialect.encode(iso)
        mac = iso.fields.get(64)
        if isinstance(mac, bytes) and self.faults.take(FaultKind.WRONG_MAC, *selector):
            answer = self._dialect.with_mac(answer, b"00000000" if mac != b"00000000" else b"11111111")
        return answer

    # --- questions for tools and tests -----------------------------------------------------------

    def payment_ledger(self, tid: str, mid: str, batch: str, trace: str) -> PaymentLedger:
        """What the payment that began with this message (authorisation or purchase) left in the books.

        Its postings, those of everything that refers to it and of their reversals, and its open holds (0 or
        1). A payment that the bank never saw has none of either.
        """
        payment = self.payments.find(mid, tid, batch, trace)
        if payment is None:
            return PaymentLedger((), 0)
        related = self.payments.family(payment)
        postings = [p for one in related for p in self.ledger.postings(payment_id=one.payment_id)]
        hold = self.ledger.hold_of(payment.payment_id)
        return PaymentLedger(tuple(postings), int(hold is not None and hold.state is HoldState.OPEN))

    def open_holds(self) -> list[Hold]:
        """All open holds, oldest first."""
        return self.ledger.open_holds()

    def accounts(self) -> list[Account]:
        """All accounts with balance and available amount."""
        return self.ledger.accounts()

    def card_account(self, name: str) -> Account:
        """The account of a card by the card's name. Raises RecordError."""
        return self.ledger.account(self.cards.named(name).account_id)

    def account_of(self, card: Card) -> Account:
        """The account of a card."""
        return self.ledger.account(card.account_id)

    def batch_totals(self, tid: str, mid: str, batch: str) -> BatchTotals:
        """The settlement totals of one terminal and batch."""
        return batch_totals(self.payments.of_batch(mid, tid, batch))

    def differences(self, batch: Batch) -> list[Difference]:
        """The transactions of a settled batch on which terminal and bank differ."""
        return differences(self.batches, self.payments, batch)

    def verify(self) -> Audit:
        """Whether the books are right."""
        return self.ledger.verify()

    @property
    def is_empty(self) -> bool:
        """Whether the bank has neither cards nor merchants yet."""
        return not self.cards.cards() and not self.merchants.merchants()


def _refused(request: Request, code: str) -> Outcome:
    """The refusal of a request; a settlement has its own form for it."""
    return refused_settlement(request) if request.mti == _SETTLEMENT else Outcome(code)


def _amount_of(message: IsoMessage) -> int:
    """Field 4 in minor units; 0 when it is absent or no number."""
    text = str(message.fields.get(4, ""))
    return int(text) if text.isascii() and text.isdigit() else 0
