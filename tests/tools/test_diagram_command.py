"""The command line of `posterm diagram`."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path

import pytest

from firmware.txn.plans import PLANS, Ask
from tools.diagram.choices import FORMATS, MACHINES, SUFFIXES, table_of
from tools.diagram_command import register


def run(*arguments: str) -> int:
    parser = argparse.ArgumentParser()
    register(parser.add_subparsers())
    options = parser.parse_args(["diagram", *arguments])
    return int(options.run(options))


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_the_suffix_chooses_the_format(suffix: str, tmp_path: Path) -> None:
    named, chosen = tmp_path / f"picture{suffix}", tmp_path / "picture"
    assert run("-o", str(named)) == 0
    assert run("-o", str(chosen), "--format", SUFFIXES[suffix]) == 0
    assert named.read_bytes() == chosen.read_bytes() != b""


@pytest.mark.parametrize("machine", MACHINES)
def test_text_goes_to_the_standard_output(machine: str, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    assert run("--machine", machine, "--format", "json") == 0
    sys.stdout.flush()
    assert json.loads(capfdbinary.readouterr().out)["machine"] == machine


def test_without_a_choice_it_draws_the_transaction_as_svg(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    assert run() == 0
    sys.stdout.flush()
    assert f"<title>{table_of('transaction').title}</title>".encode() in capfdbinary.readouterr().out


def test_a_png_is_not_thrown_at_a_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    assert run("--format", "png") == 2
    assert "-o FILE" in capsys.readouterr().err


def test_a_suffix_without_a_format_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("-o", str(tmp_path / "picture.pdf")) == 2
    message = capsys.readouterr().err
    assert all(name in message for name in ("picture.pdf", *FORMATS))
    assert not (tmp_path / "picture.pdf").exists()


def test_a_file_that_cannot_be_written_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("-o", str(tmp_path / "nowhere" / "picture.svg")) == 2
    assert "picture.svg" in capsys.readouterr().err


def test_registering_imports_nothing_heavy() -> None:
    code = "import sys, tools.diagram_command; print(sorted({'PIL', 'firmware', 'json'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def states_of(capfdbinary: pytest.CaptureFixture[bytes], *arguments: str) -> set[str]:
    assert run(*arguments, "--format", "json") == 0
    sys.stdout.flush()
    return {state["name"] for state in json.loads(capfdbinary.readouterr().out)["states"]}


@pytest.mark.parametrize("kind", PLANS)
def test_one_type_s_path_has_what_its_plan_asks_for_and_nothing_else(
    kind: str, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    states = states_of(capfdbinary, "--type", kind, "--flow", "pin-first")
    asked = {"original", "reference", "authorisation_code", "original_date", "amount", "card"}
    assert states & asked == {ask.value for ask in PLANS[kind].asks} - {"pin"}
    assert ("purchase_pin" in states) == (Ask.PIN in PLANS[kind].asks)
    assert {"authorising", "verifying_pin", "completing"} & states == set()


def test_the_seven_steps_are_the_path_of_an_authorise_first_purchase(
    capfdbinary: pytest.CaptureFixture[bytes],
) -> None:
    states = states_of(capfdbinary, "--type", "purchase")
    assert {"authorising", "authorised", "pin", "verifying_pin", "completing"} <= states
    assert "purchasing" not in states


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--type", "lottery"], "no type 'lottery': choose one of purchase, balance"),
        (["--type", "refund", "--machine", "terminal"], "not through terminal"),
    ],
)
def test_a_path_that_there_is_not(
    arguments: list[str], complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(*arguments) == 2
    assert complaint in capsys.readouterr().err
