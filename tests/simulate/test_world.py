"""The simulator: seeds that keep every promise, runs that repeat, and mistakes that it must find."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bank.authoriser import Bank
from bank.faults import FaultKind
from bank.hsm import MessageKeys
from bank.ledger import HoldState, Ledger
from bank.payments import Payment as BankPayment
from bank.payments import Payments
from bank.plans import plan_of
from bank.request import Request
from bank.store import BankStore
from firmware.journal import Draft
from firmware.payment_work import PaymentWork
from firmware.records import OutgoingKind
from hal.api import SelfTest
from hal.virtual.storage import MemoryStorage
from tests.simulate.planted import Odds, broken_run
from tests.tools.test_cli import exit_code
from tools.simulate import shrink
from tools.simulate.clerk import Clerk
from tools.simulate.options import ALL, Options, Trouble, strikes_named, strikes_text, troubles_named
from tools.simulate.world import World, run

FEW = 12


@pytest.mark.parametrize("seed", range(1, 9))
def test_every_promise_is_kept(seed: int) -> None:
    report = run(Options(seed, transactions=FEW))
    assert report.findings == [], Options(seed, transactions=FEW).command
    assert report.transactions > 0


def test_the_same_seed_is_the_same_run_and_another_is_another() -> None:
    once, again, other = (run(Options(seed, transactions=6)) for seed in (3, 3, 4))
    assert once.digest == again.digest != other.digest
    assert once.to_json() == again.to_json()


def test_each_trouble_is_off_in_about_half_of_the_seeds() -> None:
    for trouble in Trouble:
        on = sum(trouble in Options(seed).active for seed in range(400))
        assert 140 < on < 260, trouble


def test_all_on_is_all_on() -> None:
    assert Options(1, all_on=True).active == ALL
    assert Options(1).with_troubles({Trouble.POWER}).active == {Trouble.POWER}


def test_options_come_back_from_their_file() -> None:
    options = Options(7, 40, 3, frozenset({Trouble.POWER, Trouble.NOISE}), 1.5)
    assert Options.from_json(json.loads(json.dumps(options.to_json()))) == options


def test_a_shop_in_which_nothing_can_be_sold_is_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(MemoryStorage, "self_test", lambda _self: SelfTest(ok=False, detail="broken"))
    report = run(Options(1, FEW, 1, frozenset()))
    assert [finding.checker for finding in report.findings] == ["rest"]
    assert "out_of_service" in report.findings[0].text


def test_whatever_ends_a_run_is_a_finding_that_says_where(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_clerk: Clerk, _now_ms: int) -> str:
        raise AttributeError("no such thing")

    monkeypatch.setattr(Clerk, "turn", broken)
    (finding,) = run(Options(1, FEW, 1)).findings
    assert re.fullmatch(r"crash: AttributeError: no such thing \(test_world.py:\d+\)", str(finding))


# --- the classic mistakes, each made here on purpose ---------------------------------------------------


def _store_the_reversal_when_it_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not before the request leaves, as it must be, but when no answer has come."""
    store, release = PaymentWork.store_reversal, PaymentWork.release_reversal

    def store_then_release(self: PaymentWork, draft: Draft, data: object) -> None:
        if all(entry.kind is not OutgoingKind.REVERSAL for entry in draft.outbox.values()):
            store(self, draft, data)
        release(self, draft, data)

    monkeypatch.setattr(PaymentWork, "store_reversal", lambda *_: None)
    monkeypatch.setattr(PaymentWork, "release_reversal", store_then_release)


def _clear_completions_too_early(monkeypatch: pytest.MonkeyPatch) -> None:
    """The completion is dropped when it is sent, not when it is acknowledged."""
    send = PaymentWork.send_completion

    def send_and_forget(self: PaymentWork, data: object) -> None:
        send(self, data)
        draft = self.parts.journal.draft()
        draft.outbox = {
            number: entry
            for number, entry in draft.outbox.items()
            if entry.kind is not OutgoingKind.COMPLETION
        }
        self.parts.journal.commit(draft)

    monkeypatch.setattr(PaymentWork, "send_completion", send_and_forget)


def _take_a_repeat_for_new(monkeypatch: pytest.MonkeyPatch) -> None:
    """The bank does what it is asked to do, also when it has done it."""
    repeat = Bank._repeat

    def again(self: Bank, payment: BankPayment, request: Request, keys: MessageKeys) -> bytes:
        plan = plan_of(request)
        assert plan is not None
        _, book = self._judge(plan, request, self.merchants.terminal(request.mid, request.tid))
        book(payment.payment_id)
        return repeat(self, payment, request, keys)

    monkeypatch.setattr(Bank, "_repeat", again)


def _keep_the_hold_of_what_was_reversed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Ledger, "set_hold", _unless_released(Ledger.set_hold))


def _unless_released(set_hold: Callable[..., None]) -> Callable[..., None]:
    def changed(self: Ledger, hold_id: int, state: HoldState) -> None:
        if state is not HoldState.RELEASED:
            set_hold(self, hold_id, state)

    return changed


def _forget_reversals_that_come_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that an original which the network has kept back is carried out after its reversal."""
    monkeypatch.setattr(Payments, "forestall", lambda *_, **__: None)


def _answer_before_the_commit(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a request has done becomes durable when the next one comes."""

    @contextlib.contextmanager
    def transaction(self: BankStore) -> Iterator[None]:
        if self._depth > 0:
            yield
            return
        self._connection.commit()
        self._connection.execute("BEGIN IMMEDIATE")
        self._depth = 1
        try:
            yield
        finally:
            self._depth = 0

    monkeypatch.setattr(BankStore, "transaction", transaction)


@dataclasses.dataclass(frozen=True, slots=True)
class Mistake:
    """How it is made, which troubles bring it out, in how many transactions, and what makes it likelier."""

    plant: Callable[[pytest.MonkeyPatch], None]
    troubles: frozenset[Trouble]
    transactions: int = FEW
    odds: Odds = dataclasses.field(default_factory=Odds)


MISTAKES = {
    "the reversal is stored after sending": Mistake(
        _store_the_reversal_when_it_is_needed,
        frozenset({Trouble.POWER}),
        odds=Odds({"purchase": 1}, every_ms={Trouble.POWER: 10_000}),
    ),
    "the completion is cleared too early": Mistake(
        _clear_completions_too_early,
        frozenset({Trouble.BANK}),
        20,
        Odds(
            {"purchase": 1},
            (FaultKind.SILENT_BEFORE_POSTING, FaultKind.CLOSE_BEFORE_POSTING),
            {Trouble.BANK: 10_000},
        ),
    ),
    "a repeat is taken for new": Mistake(
        _take_a_repeat_for_new,
        frozenset({Trouble.BANK}),
        odds=Odds(
            {"offline_settlement": 1},
            (FaultKind.SILENT_AFTER_POSTING, FaultKind.CLOSE_AFTER_POSTING),
            {Trouble.BANK: 8_000},
        ),
    ),
    "the hold of what was reversed is kept": Mistake(
        _keep_the_hold_of_what_was_reversed, frozenset({Trouble.BANK})
    ),
    "a reversal that comes first is forgotten": Mistake(
        _forget_reversals_that_come_first,
        frozenset({Trouble.TCP}),
        odds=Odds({"purchase": 1}, every_ms={Trouble.TCP: 10_000}),
    ),
    "the bank answers before it commits": Mistake(_answer_before_the_commit, frozenset({Trouble.BANK_POWER})),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_classic_mistake_is_found(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """And without it, the very same run keeps every promise."""
    mistake = MISTAKES[name]
    mistake.odds.arrange(monkeypatch)
    with monkeypatch.context() as spoilt:
        mistake.plant(spoilt)
        found = broken_run(
            Options(transactions=mistake.transactions, terminals=1).with_troubles(mistake.troubles)
        )
    assert run(found.options).ok


def test_strikes_come_back_from_their_text() -> None:
    strikes = frozenset({(Trouble.BANK, 1), (Trouble.BANK, 2), (Trouble.BANK, 3), (Trouble.POWER, 7)})
    assert strikes_text(strikes) == "bank:1-3,power:7"
    assert strikes_named("bank:1-3,power:7") == strikes
    assert strikes_text(()) == ""
    assert strikes_named("") == frozenset()
    options = Options(7, left_out=strikes)
    assert Options.from_json(json.loads(json.dumps(options.to_json()))) == options
    assert options.command.endswith("--without bank:1-3,power:7")


@pytest.mark.parametrize("text", ["bank", "bank:", "bank:0", "bank:3-2", "gremlins:1", "all:1", "bank:x"])
def test_what_names_no_strike_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"no (strikes|fault class)"):
        strikes_named(text)


def test_without_one_strike_the_others_stay_as_they_are() -> None:
    def strikes(options: Options) -> list[str]:
        world = World(options)
        world.troubles.turn(600_000)
        world.machine.close()
        return list(world.trace.newest)

    options = Options(5, terminals=3).with_troubles({Trouble.OUTAGE, Trouble.NOISE})
    left_out = frozenset({(Trouble.OUTAGE, 2), (Trouble.NOISE, 1)})
    every, fewer = strikes(options), strikes(dataclasses.replace(options, left_out=left_out))
    gone = ("trouble: outage 2:", "trouble: noise 1:")
    assert len(every) > 6
    assert fewer == [line for line in every if not any(text in line for text in gone)]
    assert len(fewer) == len(every) - 2


# --- the command -----------------------------------------------------------------------------------------


def test_the_command_tells_each_run(capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code("simulate", "--seed", "3", "--runs", "2", "--transactions", "4", "--json") == 0
    runs = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [one["options"]["seed"] for one in runs] == [3, 4]
    assert all(one["ok"] for one in runs)


def test_a_violation_is_kept_and_can_be_replayed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _keep_the_hold_of_what_was_reversed(monkeypatch)
    monkeypatch.setattr(shrink, "WORK_RUNS", 0)
    monkeypatch.setattr(shrink, "WORK_LINES", 1_500)
    keep = tmp_path / "violation.json"
    arguments = ("--seed", "3", "--runs", "40", "--transactions", "12", "--terminals", "1")
    faults = ("--faults", "bank", "--all-on", "--keep", str(keep))
    assert exit_code("simulate", *arguments, *faults) == 1
    error = capsys.readouterr().err
    assert "BROKEN holds" in error
    assert " bytes" not in error, "what happened, not what crossed the lines"
    assert " to the bank: 0400 " in error, "the reversal that should have released the hold"
    assert "posterm simulate --seed" in error
    assert exit_code("simulate", "--replay", str(keep)) == 1
    shown = capsys.readouterr().out
    assert "till0" in shown
    assert "Held" in shown


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("--faults", "gremlins"), "no fault class 'gremlins'"),
        (("--step",), "--step goes with --replay"),
        (("--without", "bank"), "no strikes 'bank'"),
        (("--replay", "/nowhere.json"), "/nowhere.json: No such file"),
        (("--replay", "/nowhere.json", "--hits", "hits.json"), "--hits does not go with --replay"),
        (("--hits", "/nowhere/hits.json"), "--hits /nowhere/hits.json: there is no such folder"),
        (("--keep", "/nowhere/it.json"), "--keep /nowhere/it.json: there is no such folder"),
        (("--only", "echo"), "--only goes with --matrix"),
        (("--hours", "-1"), "argument --hours: more than 0"),
        (("--hours", "nan"), "argument --hours: more than 0"),
        (("--hours", "soon"), "argument --hours"),
    ],
)
def test_what_does_not_fit_is_refused(
    arguments: tuple[str, ...], complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert exit_code("simulate", *arguments) == 2
    assert complaint in capsys.readouterr().err


@pytest.mark.parametrize(("text", "troubles"), [("all", ALL), ("none", frozenset())])
def test_all_and_none(text: str, troubles: frozenset[Trouble]) -> None:
    assert troubles_named(text) == troubles
