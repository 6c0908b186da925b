"""`posterm service`: the unit is whole, quotes what it must, and systemd understands it where it is there."""

import shutil
import subprocess
from configparser import RawConfigParser
from pathlib import Path

import pytest

from tests.tools.test_cli import exit_code, refused

LINK = ("--profile", "headless", "--link", "/dev/ttyAMA0")


def unit_of(text: str) -> RawConfigParser:
    """systemd's format is an INI in which keys may be repeated."""
    unit = RawConfigParser(strict=False, delimiters=("=",), comment_prefixes=("#",), interpolation=None)
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read_string(text)
    return unit


def shown(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert exit_code("service", "show", *arguments) == 0
    return capsys.readouterr().out


def test_the_unit_watches_and_locks_in(capsys: pytest.CaptureFixture[str]) -> None:
    text = shown(capsys, *LINK)
    assert "@" not in text.replace("@system-service", "")
    service = unit_of(text)["Service"]
    assert service["Type"] == "notify"
    assert service["WatchdogSec"] == "30"
    assert service["Restart"] == "always"
    assert service["ProtectSystem"] == "strict"
    assert service["CapabilityBoundingSet"] == ""
    assert service["User"] == "posterm"
    words = service["ExecStart"].split()
    assert words[1:5] == ["-m", "tools.cli", "terminal", "--profile"]
    assert words[-4:] == ["--link", "/dev/ttyAMA0", "--baud", "115200"]


def test_what_must_be_quoted_is(capsys: pytest.CaptureFixture[str]) -> None:
    text = shown(capsys, "--profile", "headless", "--link", "/dev/my port 100%$HOME", "--user", "till-1")
    assert '"/dev/my port 100%%$$HOME"' in text
    assert "User=till-1" in text


def test_a_program_in_a_home_folder_can_be_read(capsys: pytest.CaptureFixture[str]) -> None:
    own = shown(capsys, *LINK, "--config", "/home/till/posterm.toml")
    assert unit_of(own)["Service"]["ProtectHome"] == "read-only"


def test_an_image_gets_its_unit_and_only_groups_that_it_has(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/group").write_text("root:x:0:\ndialout:x:20:\ninput:x:105:\n")
    assert exit_code("service", "install", *LINK, "--root", str(tmp_path)) == 0
    unit = unit_of((tmp_path / "etc/systemd/system/posterm.service").read_text())
    assert unit["Service"]["SupplementaryGroups"] == "dialout input"
    assert unit["Install"]["WantedBy"] == "multi-user.target"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--profile", "headless"), "where is the gateway"),
        (("--profile", "no-such"), "no profile 'no-such'"),
        ((*LINK, "--user", "no such user"), "not a name of a system user"),
        (("--profile", "headless", "--link", "/dev/tty\nExecStart=evil"), "no control characters"),
    ],
)
def test_what_no_terminal_could_run_with_is_refused(
    arguments: tuple[str, ...], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert message in refused(capsys, "service", "show", *arguments)


def test_installing_needs_systemd_and_root(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    assert "only root may write units" in refused(capsys, "service", "install", *LINK)
    monkeypatch.setattr("os.geteuid", lambda: 0)
    monkeypatch.setattr("shutil.which", lambda _name: None)
    assert "no systemd here" in refused(capsys, "service", "install", *LINK)


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")
def test_systemd_understands_the_unit(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    unit = tmp_path / "posterm.service"
    unit.write_text(shown(capsys, *LINK))
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(unit)], capture_output=True, text=True, check=False
    )
    assert [line for line in done.stderr.splitlines() if "posterm.service:" in line] == []
