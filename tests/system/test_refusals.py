"""What cannot be used at the start: one clear line, exit code 2, nothing changed."""

from __future__ import annotations

import contextlib
import json
import re
import sqlite3
from pathlib import Path

import pytest

import posterm
from hal.api import Put
from hal.virtual.storage import SqliteStorage
from host_link.ports import open_port
from tests.system.parts import ROOT, Part, Site
from tools.chaos.line import null_modem
from tools.cli import main
from tools.scenario_expect import EXPECTATION_KINDS
from tools.scenario_steps import STEP_KINDS
from tools.terminal_command import ELSEWHERE

LINE = "/dev/null/no-line"


def refusal(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> str:
    """Run a command that must refuse: its one line."""
    assert main([str(one) for one in arguments]) == 2
    output = capsys.readouterr()
    assert output.out == ""
    (line,) = output.err.splitlines()
    return line


# --- the gateway -------------------------------------------------------------------------------------


def test_a_port_that_is_not_there(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    line = refusal(capsys, "link", "serve", "--port", tmp_path / "tty9", "--bank", "127.0.0.1:8583")
    assert line == f"posterm link: {tmp_path}/tty9 cannot be opened: connect it, or check its name"


def test_a_port_that_is_in_use(capsys: pytest.CaptureFixture[str]) -> None:
    with null_modem() as (port, _):
        user = open_port(port)
        line = refusal(capsys, "link", "serve", "--port", port, "--bank", "127.0.0.1:8583")
        user.close()
    assert line.startswith(f"posterm link: {port} is in use by another process: ")


@pytest.mark.parametrize("text", ["8583", "127.0.0.1", "bank:", ":8583", "bank:0", "bank:65536", "bank:http"])
def test_a_bank_that_is_no_host_and_port(capsys: pytest.CaptureFixture[str], text: str) -> None:
    line = refusal(capsys, "link", "serve", "--port", LINE, "--bank", text)
    assert line == f'posterm link: --bank: "{text}" is no HOST:PORT: write it as 127.0.0.1:8583'


def test_a_bank_whose_name_can_be_no_host(capsys: pytest.CaptureFixture[str]) -> None:
    line = refusal(capsys, "link", "serve", "--port", LINE, "--bank", "a..b:8583")
    assert line == 'posterm link: --bank: "a..b" is no host name or address'


@pytest.mark.parametrize("rate", ["0", "-9600", "fast"])
def test_a_rate_that_no_line_has(capsys: pytest.CaptureFixture[str], rate: str) -> None:
    with pytest.raises(SystemExit) as refused:
        main(["link", "serve", "--port", LINE, "--bank", "127.0.0.1:8583", f"--baud={rate}"])
    assert refused.value.code == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


# --- the terminal ------------------------------------------------------------------------------------


def terminal(capsys: pytest.CaptureFixture[str], *options: str | Path) -> str:
    return refusal(capsys, "terminal", *options)


def test_a_line_that_is_not_there_leaves_no_state_folder(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    state = tmp_path / "till"
    line = terminal(capsys, "--link", tmp_path / "tty9", "--state", state)
    assert line.startswith(f"posterm terminal: serial port {tmp_path}/tty9: it is not there: ")
    assert not state.exists()


def test_no_line_at_all(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    line = terminal(capsys, "--state", tmp_path / "till")
    assert line == (
        "posterm terminal: where is the gateway? Name the serial port to it with --link DEVICE_OR_URL"
    )


def test_a_line_that_the_gateway_has_taken(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    with null_modem() as (port, _):
        user = open_port(port)
        line = terminal(capsys, "--link", port, "--state", tmp_path / "till")
        user.close()
    assert line.startswith(f"posterm terminal: serial port {port}: another process uses it: ")


def test_a_state_folder_that_cannot_be_made(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with null_modem() as (port, _):
        line = terminal(capsys, "--link", port, "--state", tmp_path / "file" / "till")
    assert line == (
        f"posterm terminal: state folder {tmp_path}/file/till: Not a directory: name another one with --state"
    )


def test_a_state_folder_that_another_terminal_uses(capsys: pytest.CaptureFixture[str], site: Site) -> None:
    other = site.start_terminal()
    other.wait_for("running until SIGTERM")
    with null_modem() as (port, _):
        line = terminal(capsys, "--link", port, "--state", site.folder / "till")
    assert line == (
        f"posterm terminal: state folder {site.folder}/till is in use by another process: "
        "stop the other terminal, or give this one its own folder with --state"
    )


def test_a_database_of_another_version(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / "terminal.db"
    with contextlib.closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA user_version = 99")
    before = path.read_bytes()
    with null_modem() as (port, _):
        line = terminal(capsys, "--link", port, "--state", tmp_path)
    assert "schema version 99, not 2" in line
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_a_journal_of_another_version(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    storage = SqliteStorage(tmp_path / "terminal.db")
    storage.open()
    storage.commit([Put("terminal", "journal_version", b"7")])
    storage.close()
    before = dump(tmp_path / "terminal.db")
    with null_modem() as (port, _):
        line = terminal(capsys, "--link", port, "--state", tmp_path)
    assert "the journal has version 7, this firmware reads versions 1 to 2" in line
    assert dump(tmp_path / "terminal.db") == before
    assert list(tmp_path.iterdir()) == [tmp_path / "terminal.db"]


@pytest.fixture
def used_till(tmp_path: Path) -> Path:
    """The folder of a terminal that has its keys."""
    with posterm.start(state_folder=tmp_path / "till"):
        return tmp_path / "till"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "device-key.json is missing: restore it from a copy, or load the keys again with"),
        ("garbage", "device-key.json is damaged: restore it from a copy, or make a new one with"),
        (json.dumps({"device_key": "5a" * 32}), "does not open with this device's key: load the keys again"),
    ],
)
def test_keys_that_do_not_open(
    capsys: pytest.CaptureFixture[str], used_till: Path, content: str | None, said: str
) -> None:
    path = used_till / "device-key.json"
    path.unlink() if content is None else path.write_text(content)
    before = {one.name: one.read_bytes() for one in used_till.iterdir()}
    with null_modem() as (port, _):
        assert said in terminal(capsys, "--link", port, "--state", used_till)
    assert {one.name: one.read_bytes() for one in used_till.iterdir()} == before


def test_a_master_key_that_is_loaded_anew_makes_up_for_a_lost_device_key(
    used_till: Path, tmp_path: Path
) -> None:
    (used_till / "device-key.json").unlink()
    (tmp_path / "tmk.hex").write_text("11" * 16)
    (tmp_path / "script.toml").write_text("[[step]]\nexpect = { state = 'idle' }\nwithin_ms = 60_000\n")
    options = ["--tmk-file", str(tmp_path / "tmk.hex"), "--script", str(tmp_path / "script.toml")]
    with null_modem() as (port, _):
        assert main(["terminal", "--link", port, "--state", str(used_till), *options]) == 0


def dump(path: Path) -> list[str]:
    with contextlib.closing(sqlite3.connect(path)) as database:
        return list(database.iterdump())


@pytest.mark.parametrize("content", ["", "1122", "xyz", "11" * 16 + "22", "密钥"])
def test_a_master_key_that_is_none_is_not_quoted(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, content: str
) -> None:
    path = tmp_path / "tmk.hex"
    path.write_text(content, "utf-8")
    line = terminal(capsys, "--link", LINE, "--state", tmp_path / "till", "--tmk-file", path)
    assert line == f"posterm terminal: --tmk-file {path}: it must hold the key as 32 hex digits"


def test_a_master_key_file_that_is_missing(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    line = terminal(capsys, "--link", LINE, "--tmk-file", tmp_path / "none")
    assert line == (
        f"posterm terminal: --tmk-file {tmp_path}/none: No such file or directory: "
        "name a file that can be read"
    )


def test_a_master_key_index_out_of_range(capsys: pytest.CaptureFixture[str]) -> None:
    assert "master_key_index" in terminal(capsys, "--link", LINE, "--tmk-index", "100")


def test_no_master_key_for_this_terminal(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    config = tmp_path / "till.toml"
    config.write_text('[terminal]\nterminal_id = "87654321"\n', "utf-8")
    with null_modem() as (port, _):
        line = terminal(capsys, "--link", port, "--state", tmp_path / "till", "--config", config)
    assert line == (
        "posterm terminal: no master key for terminal 87654321 of merchant 898320154110001: "
        "load one with --tmk-file, or name the bank's data with --bank-data"
    )
    assert not (tmp_path / "till").exists()


def test_a_profile_whose_time_is_virtual(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    shipped = (ROOT / "hal/profiles/virtual.toml").read_text("utf-8")
    profile = tmp_path / "frozen.toml"
    profile.write_text(shipped, "utf-8")
    with null_modem() as (port, _):
        line = terminal(capsys, "--link", port, "--profile", profile, "--state", tmp_path / "till")
    assert line.startswith("posterm terminal: profile frozen: its clock is virtual, and a real line needs ")
    assert not (tmp_path / "till").exists()


@pytest.mark.parametrize(
    "step",
    [
        'cable = "pull"',
        'gateway = "restart"',
        'bank = "stop"',
        'bank_fault = "wrong-mac"',
        "expect = { holds = 0 }",
        "expect = { postings = 1 }",
        "expect = { balanced = true }",
        'expect = { balance = { good = "1.00" } }',
    ],
)
def test_a_script_about_line_or_bank(capsys: pytest.CaptureFixture[str], tmp_path: Path, step: str) -> None:
    path = tmp_path / "script.toml"
    path.write_text(f'[[step]]\namount = "1.00"\n[[step]]\n{step}\n', "utf-8")
    name = re.findall(r"\w+", step.removeprefix("expect"))[0]
    assert terminal(capsys, "--link", LINE, "--script", path) == (
        f"posterm terminal: {path}: step 2: {name}: line, gateway and bank are not in this process: "
        "leave it out, or use posterm run"
    )


def test_what_is_elsewhere_is_all_that_needs_a_bank_or_a_line() -> None:
    """A new kind of step or expectation is either refused here, or works without them."""
    kinds = STEP_KINDS.keys() | EXPECTATION_KINDS.keys()
    assert kinds >= ELSEWHERE
    assert kinds - ELSEWHERE == {
        *("amount", "swipe", "insert", "remove", "pin", "press", "hold", "release"),
        *("start", "type", "settle"),
        *("wait_for", "wait_ms", "finish", "paper", "cover", "printer", "power", "tamper"),
        *("state", "passed", "display", "outcome", "reason", "response_code", "reversed", "completed"),
        *("beeps", "slips", "slip", "pending"),
    }


# --- all of them -------------------------------------------------------------------------------------


def test_a_refusal_is_the_same_from_a_real_process(tmp_path: Path) -> None:
    part = Part(["link", "serve", "--port", "tty9", "--bank", "127.0.0.1:8583"], cwd=tmp_path)
    assert part.exit_code() == 2
    assert part.lines == ["posterm link: tty9 cannot be opened: connect it, or check its name"]
