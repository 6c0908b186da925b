"""A state folder that cannot be used: one line, exit code 2, and every file as it was."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

import posterm
from hal.api import Put
from hal.profile import Profile, load_profile
from hal.virtual.storage import SqliteStorage
from tests.tools.test_cli import ROOT, exit_code, refused
from tools.state_folder import check_memory, taken
from tools.station import StationError

PAY = ("--amount", "12.34", "--card", "good", "--pin", "123456")
SCRIPT = str(ROOT / "examples" / "approved_pin_first.toml")
COMMANDS = (
    pytest.param(("sale", *PAY), id="sale"),
    pytest.param(("sale", *PAY, "--virtual-time"), id="sale-virtual"),
    pytest.param(("run", "--script", SCRIPT), id="run"),
    pytest.param(("run", "--script", SCRIPT, "--virtual-time"), id="run-virtual"),
)


@pytest.fixture(scope="module")
def used(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """What a folder holds in which a payment was made."""
    folder = tmp_path_factory.mktemp("used")
    with posterm.start(state_folder=folder) as pos:
        assert posterm.sell(pos, "12.34", "good", ["123456"]).outcome == "approved"
    return content(folder)


@pytest.fixture
def till(used: dict[str, bytes], tmp_path: Path) -> Path:
    """A folder of one's own with that."""
    folder = tmp_path / "till"
    folder.mkdir()
    for name, data in used.items():
        (folder / name).write_bytes(data)
        (folder / name).chmod(0o600)
    return folder


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def refused_unchanged(capsys: pytest.CaptureFixture[str], folder: Path, *command: str) -> str:
    """The line with which the command refuses the folder, which must stay as it is, byte for byte."""
    before = content(folder) if folder.exists() else None
    line = refused(capsys, *command, "--state", str(folder))
    assert (content(folder) if folder.exists() else None) == before
    return line


# --- what lies there ---------------------------------------------------------------------------------


def another_version(till: Path) -> None:
    _sql(till / "terminal.db", "PRAGMA user_version = 99")


def no_database(till: Path) -> None:
    (till / "terminal.db").write_bytes(b"this is no database, and it is longer than a header of one is" * 20)


def another_banks_version(till: Path) -> None:
    _sql(till / "bank.db", "PRAGMA user_version = 99")


def no_bank(till: Path) -> None:
    (till / "bank.db").write_bytes(b"nor is this one; it too is longer than a hundred bytes" * 20)


def counters_damaged(till: Path) -> None:
    storage = SqliteStorage(till / "terminal.db")
    storage.open()
    counters = json.loads(storage.get("terminal", "counters") or b"{}")
    storage.commit([Put("terminal", "counters", json.dumps(counters | {"stan": "x"}).encode())])
    storage.close()


def value_is_text(till: Path) -> None:
    _sql(till / "terminal.db", "UPDATE kv SET value = 'x' WHERE key = 'counters'")


def key_is_lost(till: Path) -> None:
    (till / "device-key.json").unlink()


def key_is_foreign(till: Path) -> None:
    _write_key(till, json.dumps({"device_key": "5a" * 32, "counter": 1}))


def key_is_garbage(till: Path) -> None:
    _write_key(till, "garbage")


def refusal(profile: Profile, till: Path) -> str:
    """Why the terminal would not use the folder; empty when it would."""
    try:
        check_memory(profile, till)
    except StationError as error:
        return str(error)
    return ""


def test_each_damaged_byte_of_the_key_file_is_refused_or_does_no_harm(till: Path) -> None:
    """It holds the key that seals all others, and how often keys were stored."""
    file = till / "device-key.json"
    whole = file.read_bytes()
    profile = load_profile("headless")
    refused_count = 0
    for spoilt in (
        *(whole[:at] + bytes([byte ^ 1 << (at % 8)]) + whole[at + 1 :] for at, byte in enumerate(whole)),
        *(whole[:length] for length in range(0, len(whole), 7)),
        bytes(len(whole)),
    ):
        file.write_bytes(spoilt)
        if why := refusal(profile, till):
            refused_count += 1
            assert "keys" in why, "what to do"
            assert file.read_bytes() == spoilt
        else:
            told = json.loads(file.read_bytes().lower())
            assert told == json.loads(whole), "only a count that lags is made good"
    assert refused_count > 90
    file.write_bytes(whole)
    assert refusal(profile, till) == ""


def key_is_readable(till: Path) -> None:
    (till / "device-key.json").chmod(0o644)


def store_is_old(till: Path) -> None:
    known = json.loads((till / "device-key.json").read_text())
    _write_key(till, json.dumps(known | {"counter": known["counter"] + 3}))


def _write_key(till: Path, text: str) -> None:
    (till / "device-key.json").write_text(text)


def _sql(path: Path, statement: str) -> None:
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as database:
        database.execute(statement)


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (another_version, "terminal.db is of another program or version (schema version 99, not 2)"),
        (no_database, "(SQLITE_NOTADB): it is not a database"),
        (another_banks_version, "bank.db has schema version 99"),
        (no_bank, "bank.db (SQLITE_NOTADB): it is not a database"),
        (counters_damaged, "the journal's record terminal/counters is damaged: restore"),
        (value_is_text, "terminal.db is damaged (what stands in it is not what was stored): restore"),
        (key_is_lost, "device-key.json is missing: restore it from a copy, or load the keys again with"),
        (key_is_foreign, "does not open with this device's key: load the keys again with"),
        (key_is_garbage, "device-key.json is damaged: restore it from a copy, or make a new one with"),
        (key_is_readable, "can be read by others: chmod 600 it"),
        (store_is_old, "the key store is an old copy"),
    ],
    ids=lambda value: value.__name__ if callable(value) else "",
)
def test_what_cannot_be_used_is_refused_as_it_is(
    capsys: pytest.CaptureFixture[str],
    till: Path,
    command: tuple[str, ...],
    damage: Callable[[Path], None],
    said: str,
) -> None:
    damage(till)
    line = refused_unchanged(capsys, till, *command)
    assert said in line
    assert line.count("load the keys again") <= 1


@pytest.mark.parametrize("command", COMMANDS)
def test_a_bad_file_alone_gets_no_company(
    capsys: pytest.CaptureFixture[str], till: Path, command: tuple[str, ...]
) -> None:
    for name in ("bank.db", "device-key.json"):
        (till / name).unlink()
    no_database(till)
    refused_unchanged(capsys, till, *command)
    assert set(content(till)) == {"terminal.db"}


def test_what_can_be_used_is_used(capsys: pytest.CaptureFixture[str], till: Path) -> None:
    assert exit_code("sale", *PAY, "--virtual-time", "--state", str(till)) == 0
    assert capsys.readouterr().err == ""


def test_a_terminal_whose_case_was_opened_says_so_itself(
    capsys: pytest.CaptureFixture[str], till: Path
) -> None:
    _write_key(till, json.dumps({"tripped": "case opened"}))
    assert exit_code("sale", *PAY, "--virtual-time", "--state", str(till)) == 1
    assert "tampered" in capsys.readouterr().out


# --- the folder itself -------------------------------------------------------------------------------


@pytest.mark.parametrize("command", COMMANDS)
def test_a_folder_in_use_is_refused(
    capsys: pytest.CaptureFixture[str], till: Path, command: tuple[str, ...]
) -> None:
    with posterm.start(state_folder=till):
        line = refused_unchanged(capsys, till, *command)
    assert line == (
        f"posterm: state folder {till} is in use by another process: stop the other terminal, or give this "
        "one its own folder with --state"
    )
    with posterm.start(state_folder=till) as pos:
        assert pos.state == "idle"


def test_the_second_in_a_new_folder_is_told_so(tmp_path: Path) -> None:
    folder = tmp_path / "new"
    with taken(folder):
        assert folder.stat().st_mode & 0o777 == 0o700
        with pytest.raises(StationError, match="is in use by another process"), taken(folder):
            pass
        assert folder.exists()


def test_a_power_cut_does_not_give_the_folder_away(tmp_path: Path) -> None:
    with posterm.start(state_folder=tmp_path) as pos:
        pos.cut_power()
        with pytest.raises(StationError, match="is in use"):
            posterm.start(state_folder=tmp_path)
        pos.power_on()
        assert pos.state == "idle"


@pytest.mark.parametrize("command", COMMANDS)
def test_a_folder_that_cannot_be_made(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, command: tuple[str, ...]
) -> None:
    (tmp_path / "file").touch()
    line = refused_unchanged(capsys, tmp_path / "file" / "till", *command)
    assert line.endswith("Not a directory: name another one with --state")


def test_a_folder_made_for_nothing_is_removed(tmp_path: Path) -> None:
    (tmp_path / "here").mkdir()
    with pytest.raises(StationError), taken(tmp_path / "here" / "a" / "b"):
        raise StationError("refused")
    assert list((tmp_path / "here").iterdir()) == []


# --- profiles ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", COMMANDS)
def test_a_real_serial_port_is_not_replaced_in_silence(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, command: tuple[str, ...]
) -> None:
    line = refused_unchanged(capsys, tmp_path / "till", *command, "--profile", "serial")
    assert line.startswith("posterm: profile serial: its serial_port is a real one, and this command brings ")
    assert "use posterm terminal --profile serial --link DEVICE" in line


# --- posterm keys ------------------------------------------------------------------------------------


def test_keys_are_not_touched_while_the_terminal_is_on(
    capsys: pytest.CaptureFixture[str], till: Path
) -> None:
    with posterm.start(state_folder=till):
        assert "is in use by another process" in refused_unchanged(capsys, till, "keys", "show")


@pytest.mark.parametrize("damage", [key_is_lost, key_is_foreign, key_is_garbage])
def test_the_way_out_that_is_named_is_one(
    capsys: pytest.CaptureFixture[str], till: Path, tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    damage(till)
    if "service-reset" in refused_unchanged(capsys, till, "sale", *PAY, "--virtual-time"):
        assert exit_code("keys", "service-reset", "--state", str(till)) == 0
    (tmp_path / "tmk.hex").write_text("11223344556677888877665544332211")
    assert exit_code("keys", "load-tmk", "--state", str(till), "--file", str(tmp_path / "tmk.hex")) == 0
    assert exit_code("sale", *PAY, "--virtual-time", "--state", str(till)) == 0
    assert "APPROVED" in capsys.readouterr().out
