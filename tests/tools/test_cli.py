"""The command `posterm` as a whole: help, versions, errors, exit codes."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from bank.errors import LedgerError, StoreVersionError
from firmware.secure.errors import KeyMissing
from hal.api import DeviceMissing, PortGone, StorageVersion
from host_link.errors import PortBusy, PortVanished
from tools import cli
from tools.config import ConfigError
from tools.station import StationError
from wire.money import parse_amount

ROOT = Path(__file__).parents[2]


def exit_code(*arguments: str) -> int:
    """The exit code, however the program ends."""
    with pytest.raises(SystemExit) as ending:
        sys.exit(cli.main(arguments))
    assert isinstance(ending.value.code, int)
    return ending.value.code


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """The one line that a wrong command line gets; its exit code must be 2 and its output empty."""
    assert exit_code(*arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    return captured.err.rstrip("\n")


def posterm(*arguments: str, **settings: Any) -> subprocess.CompletedProcess[str]:
    """Run the program as a process of its own."""
    command = [sys.executable, "-m", "posterm", *arguments]
    return subprocess.run(
        command, cwd=ROOT, text=True, capture_output=True, timeout=60, check=False, **settings
    )


def test_help_names_every_command_and_imports_none(capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code("--help") == 0
    text = capsys.readouterr().out
    for command in cli.COMMANDS:
        assert f"    {command.name} " in text
        assert command.help in text
    modules = [command.module for command in cli.COMMANDS]
    code = "import sys; from tools.cli import _parser; _parser(''); print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, text=True, capture_output=True, timeout=60, check=True
    )
    assert not {*modules, "bank", "firmware", "hal", "wire"} & {*done.stdout.split()}


@pytest.mark.parametrize("command", [command.name for command in cli.COMMANDS])
def test_every_command_explains_itself(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code(command, "--help") == 0
    assert capsys.readouterr().out.startswith(f"usage: posterm {command}")


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code("--version") == 0
    assert capsys.readouterr().out.startswith("posterm ")


def test_a_misspelt_command_gets_a_hint(capsys: pytest.CaptureFixture[str]) -> None:
    assert refused(capsys, "sael") == (
        "posterm: there is no such command (did you mean 'sale'?); see posterm --help"
    )
    assert "known: demo, sale, run" in refused(capsys, "zzz")


def test_no_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert refused(capsys) == "posterm: name a command; see posterm --help"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--pin", "135790"), "unknown option --pin"),
        (("135790",), "there is no such command"),
        (("sale", "--amount", "1", "--card", "good", "--pim", "135790"), "unknown option --pim"),
        (("sale", "--amount", "1", "--card", "good", "--pim=135790"), "unknown option --pim;"),
        (("sale", "--amount", "1", "--card", "good", "--pin", "123456", "135790"), "1 argument(s) too many"),
        (("sale", "--amount", "1", "--card", "good", "--pin", "135 790"), "4 to 12 digits"),
        (("sale", "--amount", "1", "--card", "good", "--pin", "135790135790135790"), "4 to 12 digits"),
    ],
)
def test_no_error_repeats_what_may_be_a_pin(
    arguments: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    line = refused(capsys, *arguments)
    assert said in line
    assert "1357" not in line
    assert "790" not in line


def _amount_error() -> ValueError:
    try:
        parse_amount("0")
    except ValueError as error:
        return error
    raise AssertionError


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ConfigError("a; b"), 2),
        (StationError("a; b"), 2),
        (DeviceMissing("a; b"), 2),
        (StorageVersion("a; b"), 2),
        (PortGone("a; b"), 1),
        (StoreVersionError("a; b"), 2),
        (LedgerError("a; b"), 1),
        (PortBusy("a; b"), 2),
        (PortVanished("a; b"), 1),
        (KeyMissing("a; b"), 1),
        (_amount_error(), 2),
        (OSError(28, "No space left on device", "/x/y"), 2),
        (ConfigError("two\nlines"), 2),
    ],
    ids=lambda value: type(value).__name__,
)
def test_every_known_error_is_one_line(
    error: Exception, code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _install(monkeypatch, error)
    assert cli.main(["probe"]) == code
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("posterm: ")
    assert captured.err.count("\n") == 1


def test_a_mistake_in_the_program_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    _install(monkeypatch, KeyError("a defect"))
    with pytest.raises(KeyError):
        cli.main(["probe"])


def test_ctrl_c_is_quiet(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    _install(monkeypatch, KeyboardInterrupt())
    assert cli.main(["probe"]) == 130
    assert capsys.readouterr() == ("", "")


def _install(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    """Make `posterm probe` raise `error`."""

    def run(_args: argparse.Namespace) -> int:
        raise error

    module = ModuleType("probe_command")
    module.register = lambda subparsers: subparsers.add_parser("probe").set_defaults(run=run)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "probe_command", module)
    monkeypatch.setattr(cli, "COMMANDS", (cli.Command("probe", "probe_command", "raise an error"),))


def test_as_a_process_a_sale_in_real_time_prints_its_slips() -> None:
    done = posterm("sale", "--amount", "12.34", "--card", "good", "--pin", "123456")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("APPROVED  CNY 12.34  622588******0100\n")
    assert "MERCHANT COPY" in done.stdout
    assert "CARDHOLDER COPY" in done.stdout


def test_as_a_process_nobody_reads_the_output() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as nobody:
        done = subprocess.run(
            [sys.executable, "-m", "tools.cli", "run", "--script", "examples/approved_pin_first.toml"],
            cwd=ROOT,
            stdout=nobody,
            stderr=subprocess.PIPE,
            timeout=60,
            check=False,
        )
    assert (done.returncode, done.stderr) == (141, b"")
