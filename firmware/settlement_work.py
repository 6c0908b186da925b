"""What the settlement table's guards, records and effects do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from firmware import batch_upload, messages
from firmware.batch_upload import UploadMessage
from firmware.exchange import Answer
from firmware.journal import Draft, Journal
from firmware.records import OutgoingState, Payment, Settlement, SettlementStep
from firmware.secure.card_vault import SealedCard
from firmware.secure.scheme import TrackEncryption
from firmware.settlement_slip import settlement_slip
from firmware.totals import batch_totals
from firmware.txn.schema import Rule
from firmware.work import Guards, Parts, Work
from wire.errors import CodecError
from wire.iso8583 import IsoMessage
from wire.iso8583.private import F48Totals

CONNECTION_FAILURES_MAX = 3  # section 8.2


class SettlementWork(Work):
    """Carries out one settlement after the other."""

    def __init__(self, parts: Parts) -> None:
        super().__init__(parts)
        self._uploads: Sequence[UploadMessage] | None = None  # as `uploads` found them
        self.connections_failed = 0  # since it was begun or gone on with

    def apply(self, rule: Rule, draft: Draft) -> None:
        """The step is in the settlement's own record; its state is not journalled."""

    @property
    def settlement(self) -> Settlement:
        """The settlement at hand, as committed."""
        assert self.parts.journal.settlement is not None
        return self.parts.journal.settlement

    @property
    def uploads(self) -> Sequence[UploadMessage]:
        """Every message of the upload; the first `position` of them are done.

        The journal is read once: while a batch is settled, none of its payments changes.
        """
        if self._uploads is None:
            self._uploads = self.uploads_of(self.settlement)
        return self._uploads

    def uploads_of(self, settlement: Settlement) -> Sequence[UploadMessage]:
        """The same for a settlement with results that are not committed yet."""
        details_max = self.parts.settings.acquirer.detail_records_max
        return batch_upload.upload_messages(unsettled(self.parts.journal), settlement, details_max)

    # --- records ------------------------------------------------------------------------------------

    def note_result(self, draft: Draft, data: object) -> None:
        """The bank has compared: upload what differs, or end at once."""
        results = results_of(data)
        assert results is not None
        domestic, foreign = results
        compared = self.settlement.changed(domestic_result=domestic, foreign_result=foreign)
        self._uploads = left = self.uploads_of(compared)
        self._next(
            draft,
            step=SettlementStep.RECORDS if left else SettlementStep.END,
            domestic_result=domestic,
            foreign_result=foreign,
        )

    def note_uploaded(self, draft: Draft, _data: object) -> None:
        """One message is through."""
        self._pass_by(draft, failed=0)

    def note_not_uploaded(self, draft: Draft, _data: object) -> None:
        """The bank will not take it: marked, and still counted (section 8.2)."""
        self._pass_by(draft, failed=len(self._message.payments))

    def note_end(self, draft: Draft, data: object) -> None:
        """The bank has closed the batch; it may name the next one."""
        assert isinstance(data, Answer)
        private = messages.text_of(data.message, 60) if data.message is not None else ""
        told = private[2:8]
        other = told if len(told) == 6 and told != self.settlement.batch else ""
        self._next(draft, step=SettlementStep.PAPER, next_batch=other)

    def count_try(self, draft: Draft, _data: object) -> None:
        """Once more."""
        self._change(draft, tries=self.settlement.tries + 1)

    def forget_tries(self, draft: Draft, _data: object) -> None:
        """It is begun or gone on with: however often the message was sent before, it has all tries again."""
        self._change(draft, tries=0)

    def start_over(self, draft: Draft, _data: object) -> None:
        """From the totals on, as if none had been told."""
        settlement = self.settlement
        kept = Settlement(
            settlement.batch, settlement.stan, settlement.totals, started_at=settlement.started_at
        )
        draft.settlement = kept
        self._next(draft)

    def close_batch(self, draft: Draft, _data: object) -> None:
        """The next batch is open. What only this one needed goes: cards, and messages that were refused."""
        settlement, counters = self.settlement, draft.counters
        if counters.batch == settlement.batch:
            counters = counters.changed(batch=settlement.next_batch or _one_more(settlement.batch))
        draft.counters = counters.changed(settled_up_to=self._last_settled())
        draft.extra += self.parts.cards.erased()
        for number, entry in list(draft.outbox.items()):
            if entry.state is OutgoingState.REFUSED:
                del draft.outbox[number]
        self._change(draft, step=SettlementStep.CLOSED)

    # --- effects ------------------------------------------------------------------------------------

    def begin(self) -> None:
        """The session with the host link must be up."""
        self._uploads = None
        self.connections_failed = 0
        self.connect(None)

    def end(self) -> None:
        """The list goes: the next settlement has another."""
        self._uploads = None

    def count_connection(self, _data: object) -> None:
        """The line has failed once more."""
        self.connections_failed += 1

    def send_totals(self, _data: object) -> None:
        """0500."""
        parts = self.parts
        fields = batch_upload.totals_fields(self.settlement, parts.settings, parts.settings.operator)
        self.send(batch_upload.SETTLEMENT_MTI, fields)

    def send_records(self, _data: object) -> None:
        """The next 0320 of the upload."""
        parts = self.parts
        fields = batch_upload.upload_fields(self._message, self.settlement, parts.settings, self._card_of)
        self.send(batch_upload.UPLOAD_MTI, fields)

    def send_end(self, _data: object) -> None:
        """0320 with the number of records; sent even when there were none."""
        fields = batch_upload.end_fields(self.settlement, self.parts.settings)
        self.send(batch_upload.UPLOAD_MTI, fields)

    def print_totals(self, _data: object) -> None:
        """The settlement slip."""
        parts = self.parts
        totals = batch_totals(unsettled(parts.journal), self.settlement.batch)
        items = settlement_slip(
            self.settlement,
            totals,
            parts.settings,
            language=parts.language,
            columns=parts.board.printer.columns,
            printed_at=parts.board.clock.wall(),
        )
        parts.slip_printer.start(items)

    # --- their parts --------------------------------------------------------------------------------

    def _card_of(self, number: int) -> SealedCard | None:
        """The card of a payment; None where numbers leave only enciphered, for which no 03xx has a key."""
        is_barred = self.parts.secure.security.track_encryption is TrackEncryption.DUKPT
        return None if is_barred else self.parts.cards.opened(number)

    @property
    def _message(self) -> UploadMessage:
        return self.uploads[self.settlement.position]

    def _pass_by(self, draft: Draft, *, failed: int) -> None:
        settlement, uploads = self.settlement, self.uploads
        position = settlement.position + 1
        self._next(
            draft,
            step=SettlementStep.RECORDS if position < len(uploads) else SettlementStep.END,
            position=position,
            sent=settlement.sent + len(uploads[settlement.position].payments),
            failed=settlement.failed + failed,
        )

    def _last_settled(self) -> int:
        batch = self.settlement.batch
        numbers = [one.number for one in self.parts.journal.payments() if one.batch == batch]
        return max(numbers, default=self.parts.journal.counters.settled_up_to)

    def _next(self, draft: Draft, **changes: Any) -> None:
        """A new message, with a trace of its own, so that a repeat of it can be told from it."""
        self._change(draft, stan=draft.next_stan(), tries=0, **changes)

    def _change(self, draft: Draft, **changes: Any) -> None:
        assert draft.settlement is not None
        draft.settlement = draft.settlement.changed(**changes)


class SettlementGuards(Guards):
    """The settlement table's questions."""

    def __init__(self, work: SettlementWork) -> None:
        super().__init__()
        self._work = work

    def totals_left(self) -> bool:
        """The bank has not compared yet."""
        return self._work.settlement.step is SettlementStep.TOTALS

    def records_left(self) -> bool:
        """Records are to be uploaded."""
        return self._work.settlement.step is SettlementStep.RECORDS

    def end_left(self) -> bool:
        """The bank was not told yet that this is all."""
        return self._work.settlement.step is SettlementStep.END

    def result_unreadable(self) -> bool:
        """The answer has no results. An error of the bank (3) is one: it gets the records (section 8.2)."""
        return results_of(self.data) is None

    def bank_has_no_totals(self) -> bool:
        """It was told them, and does not know of it: it refused them, or was put back to an older day."""
        return self.answer is not None and self.answer.response_code == batch_upload.NO_TOTALS

    def differs(self) -> bool:
        """The bank has other totals, and there is something to upload for the half that differs."""
        results = results_of(self.data)
        if results is None:
            return False
        domestic, foreign = results
        compared = self._work.settlement.changed(domestic_result=domestic, foreign_result=foreign)
        return bool(self._work.uploads_of(compared))

    def more_records(self) -> bool:
        """After this message there is another."""
        return self._work.settlement.position + 1 < len(self._work.uploads)

    def connections_left(self) -> bool:
        """The line may fail once more."""
        return self._work.connections_failed + 1 < CONNECTION_FAILURES_MAX

    def tries_left(self) -> bool:
        """The same message may be sent again."""
        return self._work.settlement.tries < self._work.parts.settings.resends


def unsettled(journal: Journal) -> list[Payment]:
    """What is of no closed batch: the number of a batch may have been used before."""
    return [one for one in journal.payments() if one.number > journal.counters.settled_up_to]


def begun(parts: Parts, draft: Draft) -> Settlement:
    """A new settlement, of the oldest batch that is not settled: the one at hand, but for a lost journal.

    The answer that it waited for may be noted in the same draft: a card's organisation, or a refusal.
    """
    payments = [draft.as_changed(one) for one in unsettled(parts.journal)]
    batch = next((one.batch for one in payments if one.batch and one.stands), draft.counters.batch)
    return Settlement(
        batch=batch,
        stan=draft.next_stan(),
        totals=batch_totals(payments, batch).encoded(),
        started_at=parts.board.clock.wall().isoformat(timespec="seconds"),
    )


def results_of(data: object) -> tuple[int, int] | None:
    """The results of both blocks in the answer to a 0500; None when it has none."""
    answer = data.message if isinstance(data, Answer) else None
    return _results(answer) if answer is not None else None


def _results(answer: IsoMessage) -> tuple[int, int] | None:
    try:
        told = F48Totals.parse(messages.text_of(answer, 48))
    except CodecError:
        return None
    return told.domestic.result, told.foreign.result


def _one_more(batch: str) -> str:
    return f"{(int(batch) + 1) % 1_000_000:06d}"
