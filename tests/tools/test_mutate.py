"""Spoilt state tables: what is done to them, and that a wrong one is told from a right one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from firmware.txn import transaction
from tools.mutate.__main__ import main
from tools.mutate.mutants import MACHINES, MODULES, Kind, Mutant, mutants_of, spoilt
from tools.mutate.trial import Fate, by_rule, try_mutant


def mutant_of(kind: Kind, source: str, event: str, detail: str = "") -> Mutant:
    """The first mutant of the transaction table that fits."""
    return next(
        one
        for one in mutants_of("transaction")
        if (one.kind, one.rule.source.value, one.rule.event.value) == (kind, source, event)
        and (not detail or one.detail == detail)
    )


@pytest.mark.parametrize("machine", MACHINES)
def test_every_mutant_is_another_table_and_is_found_again_by_its_name(machine: str) -> None:
    table = MODULES[machine].TABLE
    mutants = list(mutants_of(machine))
    assert len({str(one) for one in mutants}) == len(mutants)
    assert {one.rule for one in mutants} == set(table.rules)
    for one in mutants:
        assert Mutant.parse(str(one)) == one
        changed = spoilt(table, one)
        assert (changed.rules, changed.ignored) != (table.rules, table.ignored), one.text()


def test_a_mutant_spoils_nothing_else_than_it_says() -> None:
    table = transaction.TABLE
    for one in mutants_of("transaction"):
        changed = spoilt(table, one)
        others = {
            rule for rule in table.rules if (rule.source, rule.event) != (one.rule.source, one.rule.event)
        }
        assert others <= set(changed.rules), one.text()
        assert len(table.rules) - len(changed.rules) <= len(table.by_pair[one.rule.source, one.rule.event])


@pytest.mark.slow
def test_a_mutant_is_refused_by_the_table_s_own_check_only_where_a_state_is_cut_off() -> None:
    for machine in MACHINES:
        table = MODULES[machine].TABLE
        for one in mutants_of(machine):
            for defect in spoilt(table, one).defects():
                assert "not reachable" in defect, (one.text(), defect)


def test_a_reversal_that_is_not_stored_is_noticed_by_the_tests_of_the_tables() -> None:
    verdict = try_mutant(mutant_of(Kind.DROP_RECORD, "connecting", "link_up", "store_reversal"), {}, 1)
    assert verdict.fate is Fate.KILLED
    assert "test_tables" in verdict.by


def test_a_mutant_that_no_test_looks_at_is_not_called_caught() -> None:
    verdict = try_mutant(mutant_of(Kind.DROP_RECORD, "card", "card_read", "note_card"), {}, 1)
    assert verdict.fate is Fate.NEVER_TAKEN
    assert not verdict.is_caught


def test_a_guard_that_is_dropped_is_noticed_where_the_rules_behind_it_were_taken() -> None:
    """Where the guard held, nothing is different."""
    mutant = mutant_of(Kind.DROP_GUARD, "card", "card_read", "asks_pin")
    assert mutant.noticed_by == [
        "transaction card card_read printing is_stored",
        "transaction card card_read connecting ",
    ]
    other = mutant_of(Kind.DROP_RULE, "card", "card_read")
    assert other.noticed_by == ["transaction card card_read failed card_differs"]


def test_the_quickest_tests_of_a_rule_come_first() -> None:
    tests = {
        "slow": {"seconds": 2.0, "rules": ["transaction a b c "]},
        "quick": {"seconds": 0.5, "rules": ["transaction a b c ", "transaction d e f "]},
    }
    assert by_rule(tests) == {"transaction a b c ": ["quick", "slow"], "transaction d e f ": ["quick"]}


def test_the_command_tells_a_program_the_score(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    taken = tmp_path / "taken.json"
    taken.write_text("{}", "utf-8")
    mutant = str(mutant_of(Kind.SWAP_TARGET, "verifying_pin", "host_approved"))
    assert main(["--only", mutant, "--taken", str(taken), "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["score_percent"] == 100.0
    assert document["mutants"][0]["mutant"] == mutant


@pytest.mark.parametrize(
    "arguments",
    [["--only", "transaction/x"], ["--only", "terminal/1/drop rule"], ["--count", "0"], ["--taken", "/"]],
)
def test_what_cannot_be_is_refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    try:
        code = main(arguments)
    except SystemExit as ended:
        code = int(str(ended.code))
    assert code == 2
    assert capsys.readouterr().err


def test_tests_that_cannot_be_run_are_no_verdict(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Of a file of an older suite, say: a mutant is not called caught because its test is gone."""
    mutant = mutant_of(Kind.DROP_RECORD, "card", "card_read", "note_card")
    taken = tmp_path / "taken.json"
    test = {"rules": mutant.noticed_by, "seconds": 0.1}
    taken.write_text(json.dumps({"tests/sim/test_types.py::test_gone": test}), "utf-8")
    assert main(["--only", str(mutant), "--taken", str(taken)]) == 2
    assert "an old one" in capsys.readouterr().err
