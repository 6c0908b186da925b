"""Every screen fits every display in both languages, and says what a person must know."""

from __future__ import annotations

from datetime import datetime
from itertools import pairwise, product
from typing import cast

import pytest

from firmware.records import Reason, SlipCopy
from firmware.screen_elements import ELEMENTS, Moment
from firmware.screen_sources import SOURCES
from firmware.screen_values import FloorView, ScreenValues
from firmware.screens import LAYOUTS, SCREEN_NAMES, UnknownScreenError, render, values_of
from firmware.secure.key_use import KeyUse
from firmware.texts import catalogue, response_codes
from firmware.texts.cells import columns_of
from hal.api import PrinterStatus, ReadFailure, Screen, StorageTrouble

LANGUAGES = ("en", "zh")
DISPLAYS = {"lcd": (16, 4), "vfd": (20, 2), "colour": (40, 15), "narrow": (16, 2), "char": (20, 4)}
EMPTY = ScreenValues()
FULL = ScreenValues(
    amount_minor=1234,
    pin_digits=4,
    tries_left=2,
    swipes_left=2,
    response_code="51",
    authorisation_code="123456",
    pan_masked="622588******6783",
    reason=Reason.NO_RESPONSE,
    detail="printer: no answer on its port after 3 tries",
    storage_trouble=StorageTrouble.FULL,
    now=datetime.fromisoformat("2025-11-22T23:45:30"),
    signed_in=True,
    link_up=True,
    pending=2,
    merchant_name="POSTERM DEMO SHOP",
    printer_status=PrinterStatus.PAPER_OUT,
    read_failure=ReadFailure.TOO_FAST,
    slip_copy=SlipCopy.CARDHOLDER,
    terminal_id="12345678",
    key_index=1,
    serial_number="FFFF9876543210E00000FFFF",
    component_number=2,
    component_digits=32,
    check_value="0123ABCD",
    operator="01",
    link_bars=3,
    cleaning=("printer", "reader"),
    floor=FloorView(
        "Enquiries", "1/2", (">1 Last trans.", " 2 By voucher"), ("Operator number", "Number"), "01_"
    ),
)
LONGEST = FULL._replace(
    amount_minor=999_999_999_999,
    pin_digits=12,
    tries_left=99,
    swipes_left=99,
    pan_masked="622588*********6783",
    detail="x" * 300,
    pending=999,
    merchant_name="小样咖啡馆" * 8,
    floor=FloorView("x" * 16, "12/12", ("x" * 60,) * 20, ("x " * 20, "x" * 16), "*" * 8 + "_"),
)
UNSENT = {
    "en": ("Messages waiting for the bank", "Unsent"),
    "zh": ("待上送银行的报文", "待上送"),
}
# A moment without mishaps, as most screens see it.
SALE = FULL._replace(
    response_code="00", reason=Reason.NONE, detail="", read_failure=None, pending=0, floor=None
)


def shown(name: str, values: ScreenValues, display: str = "lcd", language: str = "en") -> Screen:
    columns, rows = DISPLAYS[display]
    return render(name, values, columns=columns, rows=rows, language=language)


def assert_fits(screen: Screen, display: str) -> None:
    columns, rows = DISPLAYS[display]
    assert sum(2 if line.double else 1 for line in screen.lines) <= rows
    for line in screen.lines:
        assert columns_of(line.text) * (2 if line.double else 1) <= columns, line.text


def test_the_screens_are_those_that_the_terminal_asks_for() -> None:
    of_the_floor = (
        "adjusting asking_bank confirming guiding logged_off menu notice reading repeating_password "
        "report_printing report_stopped testing_devices typing_new_password typing_number typing_password"
    )
    assert " ".join(sorted(SCREEN_NAMES - {*of_the_floor.split()})) == (
        "approved authorised authorising balance_shown cancelled choosing_key clearing completing "
        "component_accepted component_refused confirming_key connecting declined ending_upload "
        "enter_amount enter_code enter_date enter_expiry enter_number enter_original enter_pin "
        "enter_reference failed idle key_loaded key_refused managed managing no_keys not_managed "
        "not_signed_in nothing_to_reprint opening original_shown out_of_service present_card "
        "printer_stopped printing printing_totals purchasing recovering reprinting reversing "
        "sale_refused self_test_failed settled settlement_interrupted settlement_linking signing_in "
        "starting tampered tear_off timed_out totalling typing_check_value typing_component "
        "typing_serial_number uploading verifying_pin wrong_pin"
    )


def test_layouts_name_elements_and_keys_that_there_are() -> None:
    used: set[str] = set()
    for layout in LAYOUTS.values():
        assert sorted(layout.important) == sorted(layout.lines)
        assert set(layout.big) <= set(layout.lines)
        assert all(f"screen.keys.{key}" in catalogue("en") for key in layout.keys)
        used |= set(layout.lines)
    assert used == set(ELEMENTS)


class Looked:
    """Values that know which of them were looked at."""

    def __init__(self, values: ScreenValues) -> None:
        self._values = values
        self.names: set[str] = set()

    def __getattr__(self, name: str) -> object:
        self.names.add(name)
        return getattr(self._values, name)


def test_elements_look_at_the_values_that_they_name_and_at_no_others() -> None:
    """Only those are asked for: another one would always be shown as nobody has set it."""
    odd = FULL._replace(key_use=KeyUse.DUKPT, reason=Reason.BANK_DECLINED, balance_minor=5)
    looked: dict[str, set[str]] = {element: set() for element in ELEMENTS}
    for name, element, values in product(sorted(SCREEN_NAMES), ELEMENTS, (EMPTY, SALE, FULL, odd)):
        if element in LAYOUTS[name].lines:
            watched = Looked(values)
            ELEMENTS[element].say(Moment(name, cast("ScreenValues", watched), "en"))
            looked[element] |= watched.names
    assert looked == {name: set(element.values) for name, element in ELEMENTS.items()}


@pytest.mark.parametrize("display", DISPLAYS)
@pytest.mark.parametrize("name", sorted(SCREEN_NAMES))
def test_a_screen_is_the_same_with_the_values_alone_that_it_looks_at(name: str, display: str) -> None:
    known = {value: getattr(FULL, value) for value in values_of(name, DISPLAYS[display][1])}
    assert shown(name, EMPTY._replace(**known), display) == shown(name, FULL, display)


def test_every_value_comes_from_somewhere() -> None:
    assert set(SOURCES) == set(ScreenValues._fields)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("display", DISPLAYS)
@pytest.mark.parametrize("values", [EMPTY, FULL, SALE, LONGEST], ids=["empty", "full", "sale", "longest"])
@pytest.mark.parametrize("name", sorted(SCREEN_NAMES))
def test_every_screen_fits_every_display(
    name: str, values: ScreenValues, display: str, language: str
) -> None:
    screen = shown(name, values, display, language)
    assert screen.text.strip()
    assert_fits(screen, display)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("display", DISPLAYS)
def test_every_mishap_fits_every_display(display: str, language: str) -> None:
    moments = [
        *(("present_card", FULL._replace(read_failure=failure)) for failure in ReadFailure),
        *(("printer_stopped", FULL._replace(printer_status=status)) for status in PrinterStatus),
        *(("tear_off", FULL._replace(slip_copy=copy)) for copy in SlipCopy),
        *(("failed", SALE._replace(reason=reason)) for reason in Reason),
        *(("declined", SALE._replace(response_code=code)) for code in response_codes()),
    ]
    for name, values in moments:
        assert_fits(shown(name, values, display, language), display)


@pytest.mark.parametrize("language", LANGUAGES)
def test_texts_keep_the_widths_that_their_file_promises(language: str) -> None:
    for key, words in catalogue(language).items():
        if key.startswith("screen."):
            limit = 16 if key.endswith((".title", ".brief")) else 40
            assert columns_of(words) <= limit, f"{key}: {words}"
        elif key != "slip.consent":
            assert columns_of(words) <= 32, f"{key}: {words}"


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("display", ["lcd", "vfd", "colour"])
def test_a_decline_always_says_why_in_full(display: str, language: str) -> None:
    for code, entry in response_codes().items():
        if entry.approved:
            continue
        screen = shown(
            "declined", SALE._replace(response_code=code, reason=Reason.BANK_DECLINED), display, language
        )
        words = screen.text.replace("\n", "").replace(" ", "")
        assert entry.text(language).replace(" ", "") in words


def test_a_bad_swipe_says_why_and_how_many_tries_are_left() -> None:
    values = SALE._replace(read_failure=ReadFailure.TOO_FAST, swipes_left=2)
    assert shown("present_card", values, "vfd").text == "Swiped too fast\nTries left: 2"
    assert shown("present_card", values).text == "Present card\nRMB 12.34\nSwiped too fast\nTries left: 2"
    assert "刷卡太快，请慢一些" in shown("present_card", values, "colour", "zh").text


def test_a_first_swipe_does_not_count_tries() -> None:
    assert shown("present_card", SALE).text == "Present card\nRMB 12.34\nSwipe or insert"


@pytest.mark.parametrize("digits", range(13))
@pytest.mark.parametrize("display", DISPLAYS)
def test_the_pin_is_stars(digits: int, display: str) -> None:
    values = SALE._replace(pin_digits=digits)
    screen = shown("enter_pin", values, display)
    assert screen.text.count("*") == digits
    assert "12.34" in screen.text


@pytest.mark.parametrize(
    ("language", "display", "amount_minor", "words"),
    [
        ("en", "lcd", 1234, "RMB 12.34"),
        ("zh", "lcd", 1234, "¥ 12.34"),
        ("en", "vfd", 999_999_999_999, "RMB 9999999999.99"),
        ("en", "lcd", 999_999_999_999, "¥ 9999999999.99"),  # the sign is shorter, nothing is cut off
        ("en", "lcd", None, "RMB 0.00"),
    ],
)
def test_the_amount_being_typed(language: str, display: str, amount_minor: int | None, words: str) -> None:
    values = EMPTY._replace(amount_minor=amount_minor)
    assert words in shown("enter_amount", values, display, language).text.splitlines()


def test_a_currency_without_decimals() -> None:
    assert "JPY 1234" in shown("authorising", SALE._replace(currency="392")).text.splitlines()


def test_approved_on_the_small_display() -> None:
    assert shown("approved", SALE).text == "APPROVED\nRMB 12.34\nAuth code 123456\n622588******6783"


@pytest.mark.parametrize(
    ("pending", "words"), [(0, "Nothing was charged"), (1, "Whatever the bank booked will be undone")]
)
@pytest.mark.parametrize("name", ["declined", "cancelled", "timed_out", "failed"])
def test_a_failure_says_what_became_of_the_money(name: str, pending: int, words: str) -> None:
    values = SALE._replace(reason=Reason.NO_RESPONSE, pending=pending)
    assert words in shown(name, values, "colour").text.splitlines()


def test_out_of_pin_tries_is_the_reason_not_the_last_answer() -> None:
    values = SALE._replace(response_code="55", reason=Reason.PIN_TRIES)
    text = shown("declined", values, "colour").text
    assert "Too many wrong PINs" in text
    assert "Wrong PIN" not in text


@pytest.mark.parametrize(
    ("tries_left", "words"), [(2, "Tries left: 2"), (0, "No tries left: the payment is undone")]
)
def test_a_wrong_pin_says_how_many_tries_are_left(tries_left: int, words: str) -> None:
    assert words in shown("wrong_pin", SALE._replace(tries_left=tries_left), "colour").text.splitlines()


@pytest.mark.parametrize(
    ("values", "alert"),
    [
        (SALE._replace(link_up=False, pending=2), "No link to the bank"),
        (SALE._replace(signed_in=False, pending=2), "Not signed in to the bank"),
        (SALE._replace(pending=2), "Messages waiting for the bank: 2"),
    ],
)
def test_idle_tells_the_worst_of_what_is_wrong(values: ScreenValues, alert: str) -> None:
    assert alert in shown("idle", values, "colour").text.splitlines()


@pytest.mark.parametrize("display", DISPLAYS)
@pytest.mark.parametrize(("language", "title"), [("en", "Waiting for bank"), ("zh", "等待银行")])
def test_idle_is_not_ready_while_something_must_reach_the_bank(
    display: str, language: str, title: str
) -> None:
    values = SALE._replace(link_up=False, pending=1)
    texts = [line.text for line in shown("idle", values, display, language).lines]
    assert title in texts
    if DISPLAYS[display][1] > 2:  # what is wrong with the line, and what waits for it
        assert sum("1" in text and text.split(":")[0] in UNSENT[language] for text in texts) == 1


def test_nothing_is_told_twice_while_idle() -> None:
    texts = [line.text for line in shown("idle", SALE._replace(pending=2), "colour").lines if line.text]
    assert len(texts) == len(set(texts))


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", sorted(SCREEN_NAMES))
def test_elements_of_a_sale_stand_apart_on_the_large_display(name: str, language: str) -> None:
    """Chinese characters fill their cells: lines need a blank row between them to be told apart."""
    texts = [line.text for line in shown(name, SALE, "colour", language).lines]
    assert not [above for above, below in pairwise(texts) if above and below]


def test_a_power_cut_is_noticed_and_an_old_payments_reason_is_not() -> None:
    cut = SALE._replace(reason=Reason.POWER_CUT)
    assert "The power failed during the payment" in shown("idle", cut, "colour").text.splitlines()
    assert shown("idle", SALE._replace(reason=Reason.CANCELLED)) == shown("idle", SALE)


def test_a_large_display_has_header_and_key_hints() -> None:
    screen = shown("enter_amount", SALE, "colour")
    assert screen.lines[0].text == " POSTERM DEMO SHOP     2025/11/22 23:45 "
    assert screen.lines[0].inverse
    assert screen.lines[-1].text == "CANCEL stop   CLEAR correct   ENTER ok"
    assert sum(2 if line.double else 1 for line in screen.lines) == 15  # the hints are at the bottom


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", [name for name, layout in LAYOUTS.items() if layout.keys])
def test_the_key_hints_stand_apart_on_the_large_display(name: str, language: str) -> None:
    lines = shown(name, SALE, "colour", language).lines
    assert lines[-1].text
    assert not lines[-2].text


@pytest.mark.parametrize(
    ("merchant_name", "end"),
    [("A" * 23, "A          23:45 "), ("A" * 38, "A "), ("A" * 39, "A... "), ("小样" * 20, "...  ")],
)
def test_a_long_merchant_name_takes_the_clocks_place(merchant_name: str, end: str) -> None:
    header = shown("idle", SALE._replace(merchant_name=merchant_name), "colour").lines[0].text
    assert header.endswith(end)
    assert columns_of(header) in {39, 40}


def test_a_long_detail_is_shortened_visibly() -> None:
    values = EMPTY._replace(detail="the self-test of the printer gave no answer within its time")
    assert shown("self_test_failed", values).text == (
        "Self-test failed\nthe self-test of\nthe printer g...\nCall support"
    )


def test_what_a_device_says_cannot_steer_the_display() -> None:
    assert "\x1b" not in shown("out_of_service", EMPTY._replace(detail="\x1b[2J gone"), "colour").text


def test_an_unknown_screen_is_an_error() -> None:
    with pytest.raises(UnknownScreenError, match="no_such_screen"):
        shown("no_such_screen", EMPTY)
