"""Each checker is shown the very mistake that it is for: what has never found anything proves nothing."""

from __future__ import annotations

import dataclasses
from datetime import datetime, timedelta
from typing import Any

import pytest

from bank import settling, transactions
from bank.answers import Outcome
from bank.authoriser import Bank
from bank.ledger import AccountKind, HoldState, Ledger
from bank.payments import PaymentKind, Payments
from bank.plans import Effect
from bank.request import Request
from bank.transactions import Case
from firmware import batch_upload, messages, receipt, settlement_work
from firmware.app import Terminal
from firmware.batch_upload import UploadMessage
from firmware.journal import Draft
from firmware.kernel import Kernel
from firmware.paper import Paper
from firmware.payment_work import PaymentWork
from firmware.records import OutgoingKind, OutgoingState, Payment, Reason, ReversalReason, Settlement
from firmware.secure.card_vault import CardVault
from firmware.totals import batch_totals
from firmware.txn.transaction import State
from hal.api import PrintCut
from tests.simulate.planted import Odds, Plant, is_found
from tests.tools.test_cli import exit_code
from tools.simulate import town
from tools.simulate.checkers import second_decoder
from tools.simulate.checkers.paper import PaperSlip, slips_on
from tools.simulate.options import Options
from tools.simulate.till import FASTER_BITS_PER_S
from tools.simulate.world import World
from wire.iso8583 import IsoMessage

# --- the bank's mistakes -----------------------------------------------------------------------------


def _never_look_at_funds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(town, "BALANCE_MINOR", 10_000)
    monkeypatch.setattr(transactions, "_funds", lambda *_, **__: "")


def _debit_somebody_else(monkeypatch: pytest.MonkeyPatch) -> None:
    """The next account's owner pays."""
    move = transactions._move

    def moved(case: Case, payment_id: int, *, debit: int, credit: int) -> None:
        payer = debit + 1 if case.plan.effect is Effect.DEBIT else debit
        move(case, payment_id, debit=payer, credit=credit)

    monkeypatch.setattr(transactions, "_move", moved)


def _pay_somebody_else(monkeypatch: pytest.MonkeyPatch) -> None:
    """A sale is credited to the bank's own income."""
    move = transactions._move

    def moved(case: Case, payment_id: int, *, debit: int, credit: int) -> None:
        income = case.office.ledger.own_account_id("fees", AccountKind.INCOME)
        move(case, payment_id, debit=debit, credit=income if case.plan.effect is Effect.DEBIT else credit)

    monkeypatch.setattr(transactions, "_move", moved)


def _book_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    move = transactions._move

    def moved(case: Case, payment_id: int, *, debit: int, credit: int) -> None:
        move(case, payment_id, debit=debit, credit=credit)
        move(case, payment_id, debit=debit, credit=credit)

    monkeypatch.setattr(transactions, "_move", moved)


def _say_yes_and_book_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(transactions._BOOKINGS, Effect.TIP, transactions.book_nothing)


def _say_yes_and_take_it_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a transaction about another one, the bank's register says at once that it was reversed."""
    enter = Payments.enter

    def entered(self: Payments, request: Request, kind: PaymentKind, outcome: Outcome, **options: Any) -> int:
        payment_id = enter(self, request, kind, outcome, **options)
        if outcome.approved and outcome.original_id is not None:
            self.mark_reversed(payment_id, "98")
        return payment_id

    monkeypatch.setattr(Payments, "enter", entered)


def _let_holds_live(monkeypatch: pytest.MonkeyPatch) -> None:
    """The bank sweeps up no hold whose time is over."""
    monkeypatch.setattr(Ledger, "expire_holds", lambda *_: 0)


def _hold_for_a_year(monkeypatch: pytest.MonkeyPatch) -> None:
    place = Ledger.place_hold

    def placed(self: Ledger, *arguments: Any, expires_at: datetime, **options: Any) -> int:
        return place(self, *arguments, expires_at=expires_at + timedelta(days=365), **options)

    monkeypatch.setattr(Ledger, "place_hold", placed)


def _let_go_of_what_is_held(monkeypatch: pytest.MonkeyPatch) -> None:
    """A pre-authorisation is approved, and nothing is set aside for it."""
    hold = transactions._hold

    def held(case: Case, payment_id: int) -> None:
        hold(case, payment_id)
        for one in case.office.ledger.open_holds():
            if case.request.pin_block is not None and one.payment_id == payment_id:
                case.office.ledger.set_hold(one.hold_id, HoldState.RELEASED)

    monkeypatch.setitem(transactions._BOOKINGS, Effect.HOLD, held)


def _decline_what_is_refunded(monkeypatch: pytest.MonkeyPatch) -> None:
    """The bank pays back, and says no: the one message that no reversal follows when it is not answered."""
    answer = Bank._answer

    def answered(self: Bank, request: IsoMessage, outcome: Outcome, *arguments: Any, **options: Any) -> bytes:
        if (request.mti, request.fields.get(3)) == ("0220", "200000"):
            outcome = dataclasses.replace(outcome, code="05")
        return answer(self, request, outcome, *arguments, **options)

    monkeypatch.setattr(Bank, "_answer", answered)


def _call_right_totals_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settling, "_result", lambda *_: settling.NOT_BALANCED)


# --- the terminal's mistakes -------------------------------------------------------------------------


def _round_up_after_the_pin(monkeypatch: pytest.MonkeyPatch) -> None:
    """To the next yuan, where nobody sees it any more; message, journal, slip and bank agree."""
    assign = PaymentWork.assign_stan

    def assigned(self: PaymentWork, draft: Draft, data: object) -> None:
        assign(self, draft, data)
        if self.payment.kind == "purchase":
            self._change(draft, amount_minor=self.payment.amount_minor // 100 * 100 + 100)

    monkeypatch.setattr(PaymentWork, "assign_stan", assigned)


def _show_the_original_while_a_tip_is_typed(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the terminal did until the simulator looked."""
    from firmware.screen_sources import SOURCES, Sight

    def shown(sight: Sight) -> int | None:
        payment = sight.payment
        return payment.amount_minor or sight.work.amount.amount_minor if payment else None

    monkeypatch.setitem(SOURCES, "amount_minor", shown)


def _print_a_cent_more(monkeypatch: pytest.MonkeyPatch) -> None:
    amounts = receipt._amounts
    monkeypatch.setattr(
        receipt,
        "_amounts",
        lambda paper, payment: amounts(
            paper, dataclasses.replace(payment, amount_minor=payment.amount_minor + 1)
        ),
    )


def _print_before_the_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Declined transactions get a slip, too."""
    decline = PaymentWork.note_decline

    def noted(self: PaymentWork, draft: Draft, data: object) -> None:
        decline(self, draft, data)
        assert draft.payment is not None
        items = self.parts.board.printer
        text = Paper("en", items.columns, "slip").field("voucher_no", draft.payment.stan)
        self.parts.slip_printer.start((*text, PrintCut()))

    monkeypatch.setattr(PaymentWork, "note_decline", noted)


def _drop_what_is_posted(monkeypatch: pytest.MonkeyPatch) -> None:
    """An acknowledged completion is taken for a refused one."""
    note = messages.note_posting

    def noted(payment: Payment, answer: IsoMessage | None) -> Payment:
        return dataclasses.replace(note(payment, answer), reason=Reason.COMPLETION_REFUSED)

    monkeypatch.setattr(messages, "note_posting", noted)


def _reverse_what_is_completed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The reversal stays when the completion comes, and is sent in the end."""

    def kept(_self: PaymentWork, draft: Draft, kind: OutgoingKind) -> None:
        for number, entry in draft.outbox.items():
            if entry.kind is kind is OutgoingKind.REVERSAL:
                fields = messages.release(entry.fields, ReversalReason.UNFINISHED)
                draft.outbox[number] = dataclasses.replace(entry, state=OutgoingState.DUE, fields=fields)

    monkeypatch.setattr(PaymentWork, "_drop", kept)


def _settle_without_the_last(monkeypatch: pytest.MonkeyPatch) -> None:
    totals = batch_totals
    monkeypatch.setattr(
        settlement_work, "batch_totals", lambda payments, batch: totals(list(payments)[:-3], batch)
    )


def _upload_without_the_last(monkeypatch: pytest.MonkeyPatch) -> None:
    _call_right_totals_wrong(monkeypatch)
    upload = batch_upload.upload_messages

    def uploaded(payments: list[Payment], settlement: Settlement, details_max: int) -> list[UploadMessage]:
        return upload(payments, settlement, details_max)[:-1]

    monkeypatch.setattr(batch_upload, "upload_messages", uploaded)


def _wait_for_a_card_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    arm = Terminal._arm_timer
    monkeypatch.setattr(
        Terminal, "_arm_timer", lambda self, row: None if row.state is State.CARD else arm(self, row)
    )
    disarmed = Terminal._enter

    def entered(self: Terminal, section: Any, rule: Any) -> None:
        disarmed(self, section, rule)
        if rule.target is State.CARD:
            self._kernel.disarm("state")

    monkeypatch.setattr(Terminal, "_enter", entered)


def _let_no_timer_ring(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Kernel, "_post_due", lambda *_: None)


def _keep_every_card(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(CardVault, "erased", lambda _: [])


def _read_field_22_from_the_other_side(monkeypatch: pytest.MonkeyPatch) -> None:
    _, spec = second_decoder._theirs()
    entry = {name: value for name, value in spec["22"].items() if name != "right_pad"}
    monkeypatch.setitem(spec, "22", entry | {"left_pad": "0"})


USUAL = Odds()
TIPS = Odds(wants={"purchase": 1, "adjustment": 2})
PREAUTHS = Odds(wants={"preauth": 1})
PURCHASES = Odds(wants={"purchase": 1})
VOUCHERS = Odds(wants={"offline_settlement": 1})
REFUNDS = Odds(wants={"purchase": 1, "refund": 1})
MISTAKES: dict[str, tuple[Plant, str, Odds]] = {
    "the bank never looks at funds": (_never_look_at_funds, "limit", USUAL),
    "the bank debits somebody else": (_debit_somebody_else, "cardholder", PURCHASES),
    "the bank pays somebody else": (_pay_somebody_else, "merchant", PURCHASES),
    "the bank books twice": (_book_twice, "books", USUAL),
    "the bank says yes and books nothing": (_say_yes_and_book_nothing, "books", TIPS),
    "the bank says yes and takes it back": (_say_yes_and_take_it_back, "posting", USUAL),
    "the bank pays back and says no": (_decline_what_is_refunded, "journal", REFUNDS),
    "the bank lets go of what is held": (_let_go_of_what_is_held, "holds", PREAUTHS),
    "a hold outlives its time": (_let_holds_live, "holds", PREAUTHS),
    "a hold is to last too long": (_hold_for_a_year, "holds", PREAUTHS),
    "right totals are called wrong": (_call_right_totals_wrong, "batch", USUAL),
    "the amount is changed after the PIN": (_round_up_after_the_pin, "consent", PURCHASES),
    "the amount typed is not shown": (_show_the_original_while_a_tip_is_typed, "consent", TIPS),
    "the slip says another amount": (_print_a_cent_more, "slip", USUAL),
    "a slip of what was declined": (_print_before_the_answer, "slip", PURCHASES),
    "what was approved is dropped": (_drop_what_is_posted, "lost", USUAL),
    "what is completed is reversed": (_reverse_what_is_completed, "reversal", USUAL),
    "the totals leave something out": (_settle_without_the_last, "batch", USUAL),
    "the upload leaves something out": (_upload_without_the_last, "batch", USUAL),
    "a state waits for ever": (_wait_for_a_card_for_ever, "timer", USUAL),
    "no timer rings": (_let_no_timer_ring, "timer", USUAL),
    "cards outlive their batch": (_keep_every_card, "bounds", USUAL),
    "the two decoders differ": (_read_field_22_from_the_other_side, "decoder", USUAL),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_found_by_its_checker(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    is_found(*MISTAKES[name], monkeypatch)


# --- what they are made of -------------------------------------------------------------------------------


def test_without_the_second_decoder_it_is_said_once(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(second_decoder, "is_there", lambda: False)
    assert exit_code("simulate", "--seed", "3", "--runs", "2", "--transactions", "2") == 0
    assert capsys.readouterr().err.count("pyiso8583 is not installed") == 1


def test_a_slip_on_two_pieces_of_paper_is_one_transaction() -> None:
    text = "BATCH NO.  000001\nVOUCHER NO.  000003\n(CONTINUED)\nVOUCHER NO.  000003\nAMOUNT  RMB 4.10"
    assert list(slips_on(text)) == [PaperSlip("000001", "000003", None), PaperSlip("", "000003", 410)]


def test_a_slip_in_chinese_is_read_and_its_original_is_not_taken_for_it() -> None:
    text = "批次号 BATCH NO.   000001\n凭证号 VOUCHER NO.   000009\n金额 AMOUNT    RMB 12.00"
    text += "\n原凭证号 ORIGINAL VOUCHER NO. 000003"
    assert list(slips_on(text)) == [PaperSlip("000001", "000009", 1200)]


def test_tills_differ_in_their_shops_in_what_protects_their_messages_and_in_their_lines() -> None:
    world = World(Options(1, terminals=60))
    world.machine.close()
    settings = [till.station.settings for till in world.tills]
    assert {one.merchant_id for one in settings} == {"898320154110001", town.NEIGHBOUR_MID}
    assert {one.encrypt_track for one in settings} == {"off", "tdk", "dukpt"}
    assert {one.key_scheme for one in settings} == set(town.SCHEME_WEIGHTS)
    assert {one.half_duplex for one in settings} == {False, True}
    assert {till.station.board.serial_port.max_bits_per_s for till in world.tills} == {
        None,
        FASTER_BITS_PER_S,
    }
