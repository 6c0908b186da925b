"""Every message of a merchant's day, field by field, against the specification's own tables.

Sources: docs/spec/iso8583-pos.md sections 3.2, 3.3, 3.5 and 4. What a row allows is written as there.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from bank.faults import FaultKind
from firmware.records import Flow, Outcome
from tests.sim.shop import SILENT_AFTER, Shop
from tests.sim.test_settlement import busy_day, managed, settle, unbalance
from tests.sim.test_types import GOOD_PAN, by_code, done, opened, voucher
from wire.iso8583 import IsoMessage
from wire.iso8583.profile import profile_with

PURCHASE = "2? 3 4 11 14? 22 23? 25 26? 35? 36? 41 42 49 52? 53? 55? 59? 60 62? 64"
ADVICE = "2? 3 4 11 14? 22 23? 25 35? 36? 38 41 42 49 60 61 63? 64"
REVERSAL = "2? 3 4 11 14? 22 23? 25 38? 39 41 42 49 55? 59? 60 61? 62? 64"

FIELDS = {  # MTI, F3, F25, 60.1 -> section 4, request fields
    ("0200", "310000", "00", "01"): PURCHASE.replace(" 4 ", " "),
    ("0200", "000000", "00", "22"): PURCHASE,
    ("0200", "200000", "00", "23"): f"{PURCHASE} 37 38? 61",
    ("0220", "200000", "00", "25"): f"{PURCHASE} 37 38? 61 63",
    ("0100", "030000", "06", "10"): PURCHASE,
    ("0100", "200000", "06", "11"): f"{PURCHASE} 38 61",
    ("0200", "000000", "06", "20"): f"{PURCHASE} 38 61",
    ("0220", "000000", "06", "24"): ADVICE,
    ("0200", "200000", "06", "21"): f"{PURCHASE} 37 38 61",
    ("0220", "000000", "00", "30"): ADVICE,
    ("0220", "000000", "00", "32"): f"{ADVICE.replace(' 38 ', ' 38? ')} 37? 48",
    # management: no F3
    ("0800", "", "", "003"): "11 41 42 60 62? 63",
    ("0820", "", "", "002"): "11 41 42 60",
    ("0820", "", "", "301"): "41 42 60 11?",
    ("0820", "", "", "362"): "41 42 60 62",
    ("0800", "", "", "360"): "41 42 60",
    ("0800", "", "", "361"): "41 42 60",
    ("0500", "", "", "201"): "11 41 42 48 49 60 63",
    ("0320", "", "", "201"): "11 41 42 48 60",
    ("0320", "", "", "202"): "11 41 42 48 60",
    ("0320", "", "", "207"): "11 41 42 48 60",
}


def row_of(message: IsoMessage) -> str:
    """What section 4 says of a message."""
    private = str(message.fields[60])
    if message.mti == "0400":
        return REVERSAL
    if 3 not in message.fields:
        return FIELDS[message.mti, "", "", private[8:11]]
    mti = "0220" if message.mti == "0320" else message.mti
    row = FIELDS[mti, str(message.fields[3]), str(message.fields[25]), private[:2]]
    return row.removesuffix(" 64").replace(" 64 ", " ") if message.mti == "0320" else row


def wrong(message: IsoMessage) -> tuple[list[int], list[int]]:
    """The fields that are missing, and those that the row does not allow."""
    row = row_of(message).split()
    needed = {int(one) for one in row if not one.endswith("?")}
    allowed = {int(one.rstrip("?")) for one in row}
    has = set(message.fields)
    return sorted(needed - has), sorted(has - allowed)


def asked(shop: Shop, mti: str, type_code: str) -> IsoMessage:
    """The newest request of that kind that the bank has seen."""
    found = [one for one in shop.bank.asked if one.mti == mti and str(one.fields[60])[:2] == type_code]
    return found[-1]


@pytest.mark.parametrize("flow", [Flow.PIN_FIRST])
def test_every_message_of_a_day_has_the_fields_of_its_row(flow: Flow) -> None:
    shop = opened(flow, manual_entry_allowed=True)
    for name in ("echo", "status", "parameters"):
        managed(shop, name)
    busy_day(shop)
    done(shop, "balance")
    hold = done(shop, "preauth", amount="100")
    done(shop, "preauth_cancel", typed=by_code(hold), amount="100")
    hold = done(shop, "preauth", amount="100")
    completion = done(shop, "completion", typed=by_code(hold), amount="100")
    done(shop, "completion_void", typed=voucher(completion))
    typed = {"authorisation_code": "123456", "expiry": "3012"}
    done(shop, "offline_settlement", typed=typed, number=GOOD_PAN, amount="5000")
    done(shop, "purchase", number=GOOD_PAN, typed={"expiry": "3012"})
    unbalance(shop)
    settle(shop)
    managed(shop, "sign_out")
    assert len(shop.bank.asked) > 30
    found = {(one.mti, str(one.fields[60])): wrong(one) for one in shop.bank.asked}
    assert {key: value for key, value in found.items() if value != ([], [])} == {}


def test_how_each_link_names_its_original() -> None:
    """Section 3.3: void and cancel by batch and trace, refund and completion advice by zeros and the day."""
    shop = opened(manual_entry_allowed=True)
    sale = done(shop, "purchase", amount="500")
    done(shop, "refund", typed={"reference": sale.rrn, "original_date": sale.host_date}, amount="100")
    assert asked(shop, "0220", "25").fields[61] == "000000000000" + sale.host_date
    assert asked(shop, "0220", "25").fields[63] == "000"
    other = done(shop, "purchase", amount="500")
    done(shop, "purchase_void", typed=voucher(other))
    assert asked(shop, "0200", "23").fields[61] == f"{other.batch}{other.stan}{other.host_date}"
    hold = done(shop, "preauth", amount="100")
    done(shop, "completion_advice", typed=by_code(hold), amount="100")
    shop.heal()
    assert asked(shop, "0220", "24").fields[61] == "000000000000" + hold.host_date
    typed = {"authorisation_code": "123456", "expiry": "3012"}
    done(shop, "offline_settlement", typed=typed, number=GOOD_PAN, amount="5000")
    shop.heal()
    offline = asked(shop, "0220", "30")
    assert (offline.fields[61], offline.fields[63]) == ("0" * 16 + "01", "CUP")


def test_an_acquirer_that_does_it_another_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """The profile says how long a PIN may be, how a tip is told, how many records a message has."""
    other = profile_with(
        "other",
        {
            "pin_length_max": "12",
            "adjustment_type": "34",
            "adjustment_amount": "tip",
            "detail_records_max": 2,
            "parameter_code": "364",
        },
    )
    monkeypatch.setattr("firmware.settings.profile", lambda _name: other)
    shop = opened()
    office = shop.bank._office
    object.__setattr__(office, "policy", replace(office.policy, profile=other))
    sale = done(shop, "purchase", amount="10000")
    assert asked(shop, "0200", "22").fields[26] == "12"
    done(shop, "adjustment", typed=voucher(sale), amount="1000")
    shop.heal()
    tip = asked(shop, "0220", "34")
    assert (tip.fields[4], tip.fields[48]) == ("000000001000", "000000001000")
    managed(shop, "parameters")
    for _ in range(3):
        done(shop, "purchase", amount="100")
    unbalance(shop)
    settle(shop)
    records = [one for one in shop.bank.asked if (one.mti, str(one.fields[60])[8:]) == ("0320", "201")]
    assert [str(one.fields[48])[:2] for one in records] == ["02", "02"]


@pytest.mark.parametrize("is_told", [True, False])
def test_a_part_is_approved_only_where_the_terminal_takes_one(*, is_told: bool) -> None:
    shop = opened(partial_approval=is_told)
    done(shop, "purchase")
    private = str(asked(shop, "0200", "22").fields[60])
    assert private[11:] == ("201" if is_told else "20")


def test_the_reversal_of_a_typed_card_names_it_and_that_of_a_swiped_one_does_not() -> None:
    """Section 7.2: F2 only for non-swipe entry. The number is sealed, and gone when it is not needed."""
    shop = opened(manual_entry_allowed=True)
    shop.fault(SILENT_AFTER, ("0200", "000000"))
    done(shop, "purchase", Outcome.TIMED_OUT, number=GOOD_PAN, typed={"expiry": "3012"})
    shop.heal()
    reversal = asked(shop, "0400", "22")
    assert (reversal.fields[2], wrong(reversal)) == (GOOD_PAN, ([], []))
    assert list(shop.storage.scan("cards")) == [], "what was undone is not uploaded"
    shop.fault(SILENT_AFTER, ("0200", "000000"))
    done(shop, "purchase", Outcome.TIMED_OUT)
    shop.heal()
    assert 2 not in asked(shop, "0400", "22").fields


@pytest.mark.parametrize("code", ["51", "00"])
def test_a_typed_card_is_kept_only_of_what_stands(code: str) -> None:
    shop = opened(manual_entry_allowed=True)
    if code != "00":
        shop.fault(FaultKind.RESPONSE_CODE, ("0200", "000000"), value=code)
    outcome = Outcome.APPROVED if code == "00" else Outcome.DECLINED
    done(shop, "purchase", outcome, number=GOOD_PAN, typed={"expiry": "3012"})
    assert len(list(shop.storage.scan("cards"))) == (code == "00")


def test_a_void_of_a_typed_sale_names_the_card_that_is_not_read_again() -> None:
    """Section 4: F2 is sent for entry mode 01."""
    shop = opened(manual_entry_allowed=True, void_asks_card=False, void_asks_pin=False)
    sale = done(shop, "purchase", number=GOOD_PAN, typed={"expiry": "3012"})
    done(shop, "purchase_void", typed=voucher(sale))
    void = asked(shop, "0200", "23")
    assert (void.fields[2], void.fields[22]) == (GOOD_PAN, "012")
