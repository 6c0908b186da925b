"""Scenarios: every example passes, a step that fails says why, and a malformed file is one line."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.tools.test_cli import ROOT, exit_code, refused
from tools.scenario import ScenarioError, load_scenario
from tools.scenario_expect import EXPECTATION_KINDS
from tools.scenario_steps import STEP_KINDS

NO_SCENARIOS = {"cards.toml", "posterm.toml"}
EXAMPLES = sorted(path for path in (ROOT / "examples").glob("*.toml") if path.name not in NO_SCENARIOS)
SALE = '[[step]]\namount = "12.34"\n[[step]]\nswipe = "good"\n'


def written(folder: Path, text: str) -> str:
    """A scenario's file in virtual time."""
    path = folder / "script.toml"
    path.write_text(f'clock = "virtual"\n{text}', "utf-8")
    return str(path)


def test_there_are_examples() -> None:
    assert len(EXAMPLES) >= 10


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_every_example_passes(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert path.read_text("utf-8").startswith("# ")
    assert exit_code("run", "--script", str(path)) == 0, capsys.readouterr().out
    captured = capsys.readouterr()
    assert captured.err == ""
    steps = len(load_scenario(path).steps)
    assert captured.out.endswith(f"{steps} of {steps} steps as expected\n")
    assert captured.out.count("\nok ") == steps


def test_the_examples_show_every_kind_of_step_and_expectation_but_the_rare_ones() -> None:
    text = "\n".join(path.read_text("utf-8") for path in EXAMPLES)
    unseen = {kind for kind in (*STEP_KINDS, *EXPECTATION_KINDS) if not re.search(rf"\b{kind} = ", text)}
    assert unseen == {"insert", "remove", "gateway", "cover", "printer", "tamper"}


def test_the_rare_steps(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    script = """
        [[step]]
        gateway = "restart"
        [[step]]
        wait_ms = 10_000
        [[step]]
        amount = "12.34"
        [[step]]
        insert = "good"
        [[step]]
        wait_for = "pin"
        [[step]]
        cover = "open"
        [[step]]
        pin = "123456"
        [[step]]
        wait_for = "printer_stopped"
        [[step]]
        cover = "close"
        [[step]]
        printer = "jam"
        expect = { state = "printer_stopped" }
        [[step]]
        printer = "clear"
        [[step]]
        wait_for = "tear_off"
        [[step]]
        printer = "overheat"
        [[step]]
        remove = true
        [[step]]
        wait_for = "printer_stopped"
        [[step]]
        printer = "cool"
        [[step]]
        finish = true
        expect = { outcome = "approved", slips = 2, postings = 1 }
        [[step]]
        tamper = true
        expect = { state = "tampered" }
    """
    assert exit_code("run", "--script", written(tmp_path, script)) == 0, capsys.readouterr().out


@pytest.mark.parametrize(
    ("expected", "said"),
    [
        ('state = "pin"', "state: expected 'pin', found 'result' or 'declined'"),
        ('display = "APPROVED"', "display: expected 'APPROVED', found 'DECLINED 51 | "),
        ('outcome = "approved"', "outcome: expected 'approved', found 'declined'"),
        ('reason = ["", "cancelled"]', "reason: expected '' or 'cancelled', found 'bank_declined'"),
        ('response_code = "54"', "response_code: expected '54', found '51'"),
        ("reversed = true", "reversed: expected True, found False"),
        ("beeps = 2", "beeps: expected 2, found 1"),
        ("slips = 1", "slips: expected 1, found 0"),
        ('slip = "RMB"', "slip: expected 'RMB', found ''"),
        ("postings = 1", "postings: expected 1, found 0"),
        ("holds = 1", "holds: expected 1, found 0"),
        ("balanced = false", "balanced: expected False, found True"),
        ('balance = { poor = "2.00" }', "balance: expected poor 2.00, found expired 10000.00, good"),
        ("pending = 1", "pending: expected 1, found 0"),
        ('passed = ["declined", "card"]', "passed: expected 'declined' or 'card', found 'amount'"),
    ],
)
def test_what_is_not_as_expected_is_said(
    expected: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = SALE.replace("good", "poor") + f'[[step]]\nwait_for = "declined"\nexpect = {{ {expected} }}\n'
    assert exit_code("run", "--script", written(tmp_path, text + "[[step]]\nwait_ms = 1\n")) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1] == "2 of 4 steps as expected"
    assert lines[-3].startswith("FAILED    3  wait for declined (1 checked)")
    assert said in lines[-2]


@pytest.mark.parametrize(
    ("step", "said"),
    [
        ('wait_for = "pin"\nwithin_ms = 5', "wait_for: waited for pin, but the terminal is in 'authorising'"),
        ("remove = true", "remove: no card is in the reader"),
        (
            'pin = "123456"\n[[step]]\npin = "123456"\n[[step]]\npin = "123456"',
            "waited for pin or purchase_pin",
        ),
    ],
)
def test_a_step_that_cannot_be_done(
    step: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert exit_code("run", "--script", written(tmp_path, f"{SALE}[[step]]\n{step}\n")) == 1
    assert said in capsys.readouterr().out


def test_expectations_may_take_their_time(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    at_once = f'{SALE}[[step]]\nexpect = {{ state = "pin", holds = 1 }}\n'
    assert exit_code("run", "--script", written(tmp_path, at_once)) == 1
    assert exit_code("run", "--script", written(tmp_path, f"{at_once}within_ms = 5_000\n")) == 0
    assert "look (2 checked)" in capsys.readouterr().out


def test_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = f'title = "t"\n{SALE}[[step]]\npress = "cancel"\nexpect = {{ state = "pin" }}\n'
    assert exit_code("run", "--json", "--script", written(tmp_path, text)) == 1
    result = json.loads(capsys.readouterr().out)
    assert (result["title"], result["ok"], result["steps_in_all"]) == ("t", False, 3)
    assert [step["ok"] for step in result["steps"]] == [True, True, False]
    assert result["steps"][2]["misses"] == ["state: expected 'pin', found 'reversing'"]
    assert result["steps"][0] == {
        "number": 1,
        "step": "amount 12.34",
        "ok": True,
        "misses": [],
        "state": "card",
        "at_ms": 0,
    }


def test_no_pin_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = f'{SALE}[[step]]\npin = "135790"\n[[step]]\nwait_for = "pin"\n[[step]]\npress = "2 4 6 8 enter"\n'
    assert exit_code("run", "--script", written(tmp_path, text)) == 0
    told = capsys.readouterr().out
    assert "press (keys of a PIN)" in told
    assert "135790" not in told
    assert "2 4 6 8" not in told


def test_no_password_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = 'title = "t"\n[[step]]\npress = "down 7 4"\n[[step]]\npress = "9 7 5 3 1 enter"\n'
    assert exit_code("run", "--script", written(tmp_path, text), "--virtual-time") == 0
    told = capsys.readouterr().out
    assert "press (keys of a password)" in told
    assert "9 7 5 3 1" not in told


def test_options_go_over_the_script_and_the_script_over_the_config_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "config.toml"
    config.write_text('[terminal]\nlanguage = "zh"\nflow = "authorise-first"\n', "utf-8")
    text = f'flow = "pin-first"\n{SALE}[[step]]\nexpect = {{ state = "purchase_pin", display = "PIN" }}\n'
    script = written(tmp_path, text)
    command = ("run", "--script", script, "--config", str(config))
    assert exit_code(*command) == 1
    assert "found '请输入密码" in capsys.readouterr().out
    assert exit_code(*command, "--language", "en") == 0


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "step: there must be at least one [[step]]"),
        ("stepp = 1", "unknown key 'stepp' (did you mean 'step'?)"),
        ("step = 1", "step: must be a list"),
        ("step = [1]", "step: write it as [[step]]"),
        ('flow = "pin"', "flow: there is no 'pin' (known: authorise-first, pin-first)"),
        ("seed = -1", "seed: must be a whole number from 0"),
        ("[terminal]\npin_trys = 2", "terminal: unknown key 'pin_trys' (did you mean 'pin_tries'?)"),
        ('[[card]]\nname = "x"', 'card "x": pan: is missing'),
        ('[[step]]\nswpie = "good"', "step 1: unknown key 'swpie' (did you mean 'swipe'?)"),
        ('[[step]]\nswipe = "god"', "step 1: swipe: there is no 'god' (did you mean 'good'?)"),
        (
            '[[step]]\nswipe = "good"\nqality = "bad"',
            "step 1: unknown key 'qality' (did you mean 'quality'?)",
        ),
        ('[[step]]\nswipe = "good"\nquality = "worst"', "step 1: quality: there is no 'worst'"),
        ('[[step]]\nswipe = "good"\namount = "1"', "amount: this step does 'swipe' already"),
        ('[[step]]\nnote = "x"', "step 1: step: it does nothing and expects nothing"),
        ('[[step]]\namount = "0"', "step 1: amount: an amount must be more than zero"),
        ('[[step]]\npress = "1 entre"', "step 1: press: no key has this name"),
        ('[[step]]\nwait_for = "pim"', "step 1: wait_for: there is no 'pim' (did you mean 'pin'?)"),
        ("[[step]]\nwait_ms = -1", "step 1: wait_ms: must be a whole number from 0"),
        ("[[step]]\nremove = false", "step 1: remove: must be true"),
        ('[[step]]\nbank_fault = "sleepy"', 'step 1: bank_fault: there is no fault "sleepy"'),
        ('[[step]]\ncable = "cut"', "step 1: cable: there is no 'cut'"),
        ("[[step]]\nexpect = { beep = 2 }", "step 1: expect: unknown key 'beep' (did you mean 'beeps'?)"),
        ('[[step]]\nexpect = { beeps = "2" }', "step 1: expect: beeps: must be a whole number"),
        (
            '[[step]]\nexpect = { outcome = "aproved" }',
            "outcome: there is no 'aproved' (did you mean 'approved'?)",
        ),
        ("[[step]", "not TOML"),
    ],
)
def test_a_malformed_script_is_one_line(
    text: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, state = written(tmp_path, text), tmp_path / "state"
    line = refused(capsys, "run", "--script", path, "--state", str(state))
    assert line.startswith(f"posterm: {path}")
    assert said in line
    assert not state.exists()


def test_a_malformed_pin_is_not_repeated(tmp_path: Path) -> None:
    with pytest.raises(ScenarioError) as caught:
        load_scenario(Path(written(tmp_path, '[[step]]\npin = "135790x"')))
    assert str(caught.value).endswith("step 1: pin: must be 4 to 12 digits")


def test_a_window_needs_a_window(capsys: pytest.CaptureFixture[str]) -> None:
    assert "terminal window" in refused(capsys, "run")
