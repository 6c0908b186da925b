"""Of a broken run that part is printed which shows why, and the trace is whole in its file."""

from __future__ import annotations

import pytest

from tools.simulate import trace as trace_module
from tools.simulate.excerpt import GAP, excerpt
from tools.simulate.trace import Trace
from wire.iso8583 import IsoMessage, dialect

IDLE = "terminal: idle --timeout--> idle"


def story_of(count: int, till: str = "till0", **lines: str) -> list[str]:
    """So many lines in which nothing matters, but for those named `at7="…"`."""
    return [f"{number:>10} {till} {lines.get(f'at{number}', IDLE)}" for number in range(count)]


def test_a_short_story_is_told_whole() -> None:
    assert excerpt(story_of(7), ["holds: held for nobody: [815]"], 7) == story_of(7)


def test_what_a_strike_led_to_is_shown_and_not_the_end() -> None:
    story = story_of(
        90, at0="trouble: noise 1: bit error rate 1e-05", at40="trouble: power 2: the plug is pulled"
    )
    shown = excerpt(story, ["holds: held for nobody: [815]"], 12)
    assert shown == [GAP, *story[38:50], GAP]


@pytest.mark.parametrize(
    ("finding", "named"),
    [
        ("holds: held for nobody: [70, 8150]", "to the bank: 0100 030000 #000012 81.50"),
        (
            "posting: till0: sale 3 (batch 000002, trace 000012) is not posted",
            "from the bank: 0110 #000012 = 00",
        ),
        ("books: Payment(3, sale, 000002/000012, approved) has moved 7", "from the bank: 0110 #000012 = 00"),
    ],
)
def test_what_the_finding_names_is_shown(finding: str, named: str) -> None:
    """Not what happens to have the number of its batch, and no strikes where there are so many of them."""
    strikes = {f"at{number}": f"trouble: bank {number}: delay" for number in range(2, 40, 2)}
    story = story_of(90, at60=named, at80="to the bank: 0100 #000002 1.00", **strikes)
    shown = excerpt(story, [finding], 8)
    assert shown == [GAP, *story[57:65], GAP]


def test_another_till_than_the_one_named_is_left_out_first() -> None:
    story = story_of(20, at5="trouble: power 1: the plug is pulled") + story_of(20, "till1") + story_of(5)
    shown = excerpt(story, ["lost: till0: batch 000001, trace 000044 is in no journal"], 25)
    assert [line for line in shown if line != GAP] == story[:20] + story[-5:]


@pytest.mark.parametrize("strikes", [0, 40])
def test_without_either_the_last_transaction_is_shown(strikes: int) -> None:
    """As where there are so many strikes that nobody knows which matters."""
    begin = "transaction: opening --begin [asks_amount]--> amount"
    lines = {f"at{number}": f"trouble: bank {number}: delay" for number in range(1, strikes)}
    story = story_of(90, **{**lines, "at10": begin, "at50": begin})
    assert excerpt(story, ["rest: nothing can be sold any more"], 5) == [GAP, *story[49:54], GAP]


def test_a_gap_of_one_line_is_none() -> None:
    story = story_of(
        40, at10="trouble: power 1: the plug is pulled", at13="trouble: power 2: the plug is pulled"
    )
    assert excerpt(story, ["crash: KeyError"], 4) == [GAP, *story[10:15], GAP]


# --- what a trace keeps ----------------------------------------------------------------------------------


def test_messages_are_told_between_the_lines_and_change_nothing() -> None:
    message = dialect("unionpay").encode(
        IsoMessage("0200", {3: "000000", 11: "000007"}, tpdu="6000060000", header="603100320000")
    )
    trace, plain = Trace(), Trace()
    for one in (trace, plain):
        one.note(1, "till0", "begins")
        one.crossed(2, "till0", "terminal", b"frame")
        if one is trace:
            one.passed(3, "till0", "gateway", message)
        one.note(4, "till0", "ends")
    told = "         3 till0 to the bank: 0200 000000 #000007"
    assert trace.kept == [*plain.kept[:2], told, plain.kept[2]]
    assert trace.story == [plain.kept[0], told, plain.kept[2]]
    assert (trace.digest, trace.lines, trace.told) == (plain.digest, 3, 2)
    assert list(trace.newest) == plain.kept


def test_a_long_trace_loses_bytes_before_it_loses_what_happened(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trace_module, "WHOLE_MAX", 4)
    monkeypatch.setattr(trace_module, "TOLD_MAX", 5)
    trace = Trace()
    for number in range(7):
        trace.note(number, "till0", "does it")
        trace.crossed(number, "till0", "terminal", b"frame")
    does = [f"{number:>10} till0 does it" for number in range(7)]
    sends = [f"{number:>10} till0 terminal sent 5 bytes" for number in range(7)]
    assert trace.story == does[2:]
    assert trace.kept == [*does[2:5], does[5], sends[5], does[6], sends[6]]
