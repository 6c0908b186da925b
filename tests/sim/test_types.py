"""Every type of transaction once, from the first key to the bank's books and the slip."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from bank.faults import FaultKind
from firmware import script_result
from firmware.exchange import Answer, Verdict
from firmware.messages import note_posting
from firmware.records import Flow, Outcome, Payment, Reason
from firmware.totals import is_domestic
from firmware.txn.plans import PLANS, Delivery
from hal.virtual.card import MagneticCard
from tests.sim.shop import SILENT_AFTER, SILENT_BEFORE, Purchase, Shop
from wire.iso8583 import IsoMessage

GOOD_PAN = "6225880000000100"
CHIP_DATA = bytes.fromhex("95050000000000 DF31050000000000")  # TVR, and the result of one script


def opened(flow: Flow = Flow.PIN_FIRST, **settings: object) -> Shop:
    shop = Shop(flow=flow, security=settings)  # type: ignore[arg-type]
    shop.open()
    return shop


def done(shop: Shop, kind: str, outcome: Outcome = Outcome.APPROVED, **purchase: object) -> Payment:
    """Play a transaction; it ends as expected."""
    shop.play(replace(Purchase(kind=kind), **purchase))  # type: ignore[arg-type]
    payment = shop.station.payment
    assert payment is not None
    assert payment.kind == kind
    assert payment.outcome is outcome, payment
    return payment


def merchant_minor(shop: Shop) -> int:
    """What the merchant has earned, by the bank's books."""
    assert shop.bank.verify().ok, shop.bank.verify().findings
    return sum(
        account.balance_minor for account in shop.bank.accounts() if account.name.startswith("merchant")
    )


def voucher(payment: Payment) -> dict[str, str]:
    return {"original": payment.stan}


def by_code(payment: Payment) -> dict[str, str]:
    return {"authorisation_code": payment.authorisation_code, "original_date": payment.host_date}


def test_a_balance_is_shown_and_not_printed() -> None:
    shop = opened()
    shop.instead["balance_shown"] = lambda: shown.append(shop.station.display)
    shown: list[str] = []
    payment = done(shop, "balance")
    assert "10000.00" in shown[0].replace(",", "")
    assert shop.station.slips == []
    assert payment.amount_minor == 0
    assert (payment.response_code, len(payment.rrn)) == ("00", 12), "it can be looked up"
    assert "1000000" not in str(payment.to_json()), "a balance is not the merchant's business"


@pytest.mark.parametrize("flow", Flow, ids=lambda flow: flow.value)
def test_a_purchase_is_voided_once(flow: Flow) -> None:
    shop = opened(flow)
    sale = done(shop, "purchase")
    assert merchant_minor(shop) == 1234
    void = done(shop, "purchase_void", typed=voucher(sale))
    shop.heal()
    assert merchant_minor(shop) == 0
    assert void.amount_minor == 1234
    assert "VOID" in shop.station.slips[-1]
    assert f"VOUCHER NO. {sale.stan}" in " ".join(shop.station.slips[-1].split())
    shop.instead["original"] = lambda: shop.station.type(sale.stan)
    again = done(shop, "purchase_void", Outcome.TIMED_OUT)
    assert again.reason is Reason.OPERATOR_TIMEOUT, "nothing of that number can be voided any more"


def test_a_voucher_number_that_there_is_not_is_typed_anew() -> None:
    shop = opened()
    sale = done(shop, "purchase")
    shop.instead["original"] = lambda: shop.station.type("999999")
    done(shop, "purchase_void", typed=voucher(sale))


def test_a_void_may_ask_for_the_pin_of_a_card_that_is_not_read_again() -> None:
    """Reading it again is configurable, and so is the PIN (iso8583-pos section 7.4)."""
    shop = opened(manual_entry_allowed=True, void_asks_card=False)
    sale = done(shop, "purchase", number=GOOD_PAN, typed={"expiry": "3012"})
    void = done(shop, "purchase_void", typed=voucher(sale))
    assert void.pin_entered
    assert 52 in shop.bank.asked[-1].fields


def test_a_void_wants_the_same_card() -> None:
    shop = opened()
    sale = done(shop, "purchase")
    void = done(shop, "purchase_void", Outcome.FAILED, typed=voucher(sale), card="limited")
    assert void.reason is Reason.CARD_DIFFERS
    assert merchant_minor(shop) == 1234


def test_a_refund_names_the_original_by_its_reference() -> None:
    shop = opened()
    sale = done(shop, "purchase")
    typed = {"reference": sale.rrn, "original_date": sale.host_date}
    done(shop, "refund", typed=typed, amount="234")
    assert merchant_minor(shop) == 1000
    more = done(shop, "refund", Outcome.DECLINED, typed=typed, amount="1001")
    assert more.response_code == "64"
    assert merchant_minor(shop) == 1000


def test_a_preauthorisation_is_completed_within_its_limit() -> None:
    shop = opened()
    hold = done(shop, "preauth", amount="10000")
    assert merchant_minor(shop) == 0
    assert shop.bank.open_holds() != []
    done(shop, "completion", typed=by_code(hold), amount="8000")
    assert merchant_minor(shop) == 8000
    assert shop.bank.open_holds() == []


def test_more_than_may_be_completed_is_refused_at_the_terminal() -> None:
    shop = opened()
    hold = done(shop, "preauth", amount="10000")
    shop.instead["amount"] = lambda: shop.station.press(*"11501", "enter")
    completion = done(shop, "completion", Outcome.TIMED_OUT, typed=by_code(hold), amount="")
    assert completion.reason is Reason.OPERATOR_TIMEOUT
    assert merchant_minor(shop) == 0


def test_a_preauthorisation_is_cancelled() -> None:
    shop = opened()
    hold = done(shop, "preauth", amount="10000")
    done(shop, "preauth_cancel", typed=by_code(hold), amount="10000")
    assert shop.bank.open_holds() == []
    assert merchant_minor(shop) == 0


def test_a_completion_is_voided() -> None:
    shop = opened()
    hold = done(shop, "preauth", amount="10000")
    completion = done(shop, "completion", typed=by_code(hold), amount="8000")
    done(shop, "completion_void", typed=voucher(completion))
    assert merchant_minor(shop) == 0


def test_a_completion_by_advice_is_stored_and_sent_later() -> None:
    shop = opened()
    hold = done(shop, "preauth", amount="10000")
    advice = done(shop, "completion_advice", typed=by_code(hold), amount="8000")
    assert advice.authorisation_code == ""
    assert merchant_minor(shop) == 0, "nothing was sent yet"
    assert shop.owes == ["advice"]
    shop.heal()
    assert merchant_minor(shop) == 8000
    assert shop.station.payment is not None
    assert shop.station.payment.completed


def test_an_offline_settlement_needs_no_line() -> None:
    shop = opened(manual_entry_allowed=True)
    shop.station.unplug_cable()
    sale = done(
        shop,
        "offline_settlement",
        typed={"authorisation_code": "123456", "expiry": "3012"},
        number=GOOD_PAN,
        amount="5000",
    )
    assert sale.entry_mode == "01"
    assert "/M" in shop.station.slips[-1]
    shop.station.plug_cable()
    shop.heal()
    assert merchant_minor(shop) == 5000


def test_a_tip_is_added_within_its_limit() -> None:
    shop = opened()
    sale = done(shop, "purchase", amount="10000")
    tip = done(shop, "adjustment", typed=voucher(sale), amount="1500")
    assert (tip.amount_minor, tip.tip_minor) == (11_500, 1_500)
    assert "TIPS" in shop.station.slips[-1]
    shop.heal()
    assert merchant_minor(shop) == 11_500
    assert shop.station.terminal is not None
    assert [(one.kind, one.mark) for one in shop.station.terminal.journal.payments()] == [
        ("purchase", "adjusted"),
        ("adjustment", ""),
    ]


def test_the_tip_is_shown_while_it_is_typed() -> None:
    """Not the amount of the original, which the terminal knows already."""
    shop = opened()
    sale = done(shop, "purchase", amount="10000")
    done(shop, "adjustment", typed=voucher(sale), amount="1500")
    shown = [
        screen.text for _, screen in shop.station.devices.display.history if "Enter amount" in screen.text
    ]
    assert "RMB 15.00" in shown[-1]
    assert not any("RMB 100.00" in text for text in shown if "TIP" in text)


def test_too_high_a_tip_is_refused_at_the_terminal() -> None:
    shop = opened()
    sale = done(shop, "purchase", amount="10000")
    shop.instead["amount"] = lambda: shop.station.press(*"1501", "enter")
    assert done(shop, "adjustment", Outcome.TIMED_OUT, typed=voucher(sale), amount="").tip_minor == 0


def test_a_card_number_is_typed_where_that_is_allowed() -> None:
    shop = opened(manual_entry_allowed=True)
    sale = done(shop, "purchase", number=GOOD_PAN, typed={"expiry": "3012"})
    assert sale.entry_mode == "01"
    assert [52 in message.fields for message in shop.bank.asked if message.mti == "0200"] == [True]
    assert sale.pan_masked == "622588******0100"
    assert merchant_minor(shop) == 1234
    assert all(GOOD_PAN not in screen.text for _, screen in shop.station.devices.display.history)


def test_a_card_number_is_not_typed_where_it_is_not_allowed() -> None:
    shop = opened()
    shop.instead["card"] = lambda: shop.station.press(*"6225")
    assert done(shop, "purchase", Outcome.TIMED_OUT).entry_mode == "02"


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_whole_card_number_is_printed_only_where_the_settings_say_so(language: str) -> None:
    shop = opened(preauth_masks_pan=False, language=language)
    done(shop, "preauth", amount="10000")
    assert GOOD_PAN in shop.station.slips[-1].replace(" ", "")
    shop = opened(language=language)
    done(shop, "preauth", amount="10000")
    assert GOOD_PAN not in shop.station.slips[-1].replace(" ", "")


@pytest.mark.parametrize("chip_failed", [False, True])
def test_a_chip_card_is_swiped_only_when_its_chip_was_tried(chip_failed: bool) -> None:
    """The bank refuses a plain swipe (45), and takes one that is marked as fallback in 60.5."""
    shop = opened()
    chip_card = MagneticCard.from_fields(GOOD_PAN, "3012", "ZHANG/SAN", "201")
    shop.instead["card"] = lambda: shop.station.swipe(chip_card, chip_failed=chip_failed)
    shop.play()
    payment = shop.station.payment
    assert payment is not None
    assert payment.is_fallback is chip_failed
    assert shop.bank.asked[-1].fields[60][12:13] == ("2" if chip_failed else "0")
    assert (payment.response_code == "45") is not chip_failed


def test_a_script_result_goes_before_the_next_transaction_and_behind_reversals() -> None:
    """What the chip's issuer script did is owed to the bank like a reversal (iso8583-pos section 7.1)."""
    shop = opened()
    sale = done(shop, "purchase")
    assert shop.station.terminal is not None
    journal = shop.station.terminal.journal
    draft = journal.draft()
    script_result.store(draft, shop.station.settings, sale, CHIP_DATA)
    journal.commit(draft)
    shop.power_cycle()
    shop.go_on()
    assert shop.owes == []
    advice = shop.bank.asked[-1]
    assert (advice.mti, advice.fields[3], advice.fields[37]) == ("0620", "000000", sale.rrn)
    assert advice.fields[61] == f"{sale.batch}{sale.stan}{sale.host_date}"
    assert done(shop, "purchase").outcome is Outcome.APPROVED


def _prepared(shop: Shop, kind: str) -> dict[str, object]:
    """What a type needs before it can be played, and how it is played then."""
    match kind:
        case "purchase_void":
            return {"typed": voucher(done(shop, "purchase", amount="5000"))}
        case "preauth_cancel" | "completion":
            return {"typed": by_code(done(shop, "preauth", amount="5000")), "amount": "5000"}
        case "completion_void":
            hold = done(shop, "preauth", amount="5000")
            return {"typed": voucher(done(shop, "completion", typed=by_code(hold), amount="5000"))}
    return {"amount": "5000"}


FAULTS = [SILENT_BEFORE, SILENT_AFTER, FaultKind.WRONG_MAC, FaultKind.CLOSE_AFTER_POSTING]


@pytest.mark.parametrize("kind", [plan.name for plan in PLANS.values() if plan.reversible])
@pytest.mark.parametrize("fault", FAULTS)
def test_every_reversible_type_is_undone_when_its_answer_cannot_be_used(kind: str, fault: FaultKind) -> None:
    shop = opened()
    purchase = _prepared(shop, kind)
    shop.heal()
    before = merchant_minor(shop), [hold.amount_minor for hold in shop.bank.open_holds()]
    shop.fault(fault, (PLANS[kind].message.mti, PLANS[kind].message.processing_code))
    shop.play(replace(Purchase(kind=kind), **purchase))  # type: ignore[arg-type]
    payment = shop.station.payment
    assert payment is not None
    assert payment.outcome is not Outcome.APPROVED
    shop.heal()
    after = merchant_minor(shop), [hold.amount_minor for hold in shop.bank.open_holds()]
    assert after == before
    assert shop.station.payment is not None
    assert shop.station.payment.reversed
    done(shop, kind, Outcome.APPROVED, **purchase)  # undone, it can be done again


@pytest.mark.parametrize("kind", [plan.name for plan in PLANS.values() if plan.delivery is Delivery.STORED])
def test_a_stored_type_is_posted_once_however_often_its_answer_is_lost(kind: str) -> None:
    shop = opened(manual_entry_allowed=True)
    typed: dict[str, str] = {"authorisation_code": "123456", "expiry": "3012"}
    if kind == "completion_advice":
        typed = by_code(done(shop, "preauth", amount="5000"))
    if kind == "adjustment":
        typed = voucher(done(shop, "purchase", amount="50000"))
    shop.heal()
    before_minor = merchant_minor(shop)
    shop.fault(SILENT_AFTER, (PLANS[kind].message.mti, PLANS[kind].message.processing_code), count=2)
    done(shop, kind, typed=typed, number=GOOD_PAN if kind == "offline_settlement" else "", amount="5000")
    shop.heal()
    assert merchant_minor(shop) - before_minor == 5000


def test_a_balance_that_cannot_be_read_stops_nothing() -> None:
    """Field 54 is text of any length up to 20 by its format; only its inside has rules."""
    shop = opened()
    assert shop.station.terminal is not None
    work = shop.station.terminal._payment
    work.show_balance(Answer(Verdict.APPROVED, IsoMessage("0210", {54: "0002156X000001000000"})))
    assert work.balance_minor is None


def test_a_tip_on_what_the_bank_has_posted_another_day() -> None:
    """The bank dates an advice by the day on which it comes, not by that of the sale."""
    shop = opened(manual_entry_allowed=True)
    shop.station.unplug_cable()
    typed = {"authorisation_code": "123456", "expiry": "3012"}
    sale = done(shop, "offline_settlement", typed=typed, number=GOOD_PAN, amount="5000")
    clock = shop.station.board.clock
    clock.set_wall(clock.wall() + timedelta(days=1))
    shop.station.plug_cable()
    shop.heal()
    tip = done(shop, "adjustment", typed=voucher(sale), amount="500")
    shop.heal()
    assert merchant_minor(shop) == 5500
    assert tip.original_date == ""


def test_a_tip_on_a_purchase_of_seven_steps() -> None:
    shop = opened(Flow.AUTHORISE_FIRST)
    sale = done(shop, "purchase", amount="10000")
    done(shop, "adjustment", typed=voucher(sale), amount="1500")
    shop.heal()
    assert merchant_minor(shop) == 11_500


def test_the_answer_to_an_advice_tells_whose_card_it_was() -> None:
    """An offline sale of a foreign card counts in the foreign block at the bank, so it must here."""
    sale = Payment(1, Flow.PIN_FIRST, 5000, kind="offline_settlement", sends="offline_settlement")
    posted = note_posting(sale, IsoMessage("0230", {37: "000000000001", 63: "VIS"}))
    assert posted.card_organisation == "VIS"
    assert not is_domestic(posted)
    again = note_posting(replace(sale, card_organisation="CUP"), IsoMessage("0230", {63: "VIS"}))
    assert again.card_organisation == "CUP", "what the authorisation said stands"


@pytest.mark.parametrize("flow", Flow, ids=lambda flow: flow.value)
def test_a_reversal_whose_answer_has_a_wrong_mac_says_so_from_then_on(flow: Flow) -> None:
    """iso8583-pos section 7.2: a bad MAC on the 0410 changes the stored reason to A0."""
    shop = opened(flow)
    money = ("0100", "030000") if flow is Flow.AUTHORISE_FIRST else ("0200", "000000")
    shop.fault(SILENT_AFTER, money)
    shop.fault(FaultKind.WRONG_MAC, ("0400", ""), count=2)
    shop.play()
    reasons = [entry.fields["39"] for entry in shop.station.terminal.journal.outbox.values()]  # type: ignore[union-attr]
    assert reasons == ["A0"]
    shop.heal()
    told = [message.fields[39] for message in shop.bank.asked if message.mti == "0400"]
    assert (told[0], told[-1]) == ("98", "A0")


@pytest.mark.parametrize("fault", [SILENT_BEFORE, SILENT_AFTER])
def test_a_refund_without_an_answer_is_reported_as_unknown(fault: FaultKind) -> None:
    """Nothing undoes a refund, so nobody but the bank can tell (iso8583-pos section 7.5)."""
    shop = opened()
    sale = done(shop, "purchase")
    shop.fault(fault, ("0220", "200000"))
    typed = {"reference": sale.rrn, "original_date": sale.host_date}
    refund = done(shop, "refund", Outcome.TIMED_OUT, typed=typed, amount="234")
    assert refund.reason is Reason.UNKNOWN
    assert not refund.stands
    assert len(shop.station.slips) == 2, "the sale's two; a refund that is not known has none"


def test_a_balance_without_an_answer_leaves_no_doubt() -> None:
    shop = opened()
    shop.fault(SILENT_AFTER, ("0200", "310000"))
    assert done(shop, "balance", Outcome.TIMED_OUT).reason is Reason.NO_RESPONSE
