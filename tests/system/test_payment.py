"""Payments by commands only: `posterm bank serve`, `posterm link serve` and `posterm terminal`."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.system.parts import QUICK, ROOT, KeyboardAndScreen, Site, socat_line

SETTINGS = "\n".join(["[terminal]", *(f"{name} = {value}" for name, value in QUICK.items())])

APPROVED = f"""
title = "One payment"
{SETTINGS}
[[step]]
amount = "12.34"
[[step]]
swipe = "good"
[[step]]
pin = "123456"
[[step]]
finish = true
expect = {{ outcome = "approved", response_code = "00", completed = true, slips = 1, pending = 0 }}
[[step]]
expect = {{ slip = ["622588******0100", "RMB 12.34"] }}
"""

ABANDONED = f"""
title = "A payment that nobody goes on with"
{SETTINGS}
[[step]]
amount = "12.34"
[[step]]
swipe = "good"
[[step]]
wait_for = "pin"
note = "the bank holds the money"
[[step]]
wait_ms = 80_000_000
"""


def script(site: Site, text: str) -> Path:
    path = site.folder / "script.toml"
    path.write_text(text, "utf-8")
    return path


def asked(site: Site, *command: str) -> object:
    """What `posterm bank ... --json` answers."""
    part = site.start("bank", *command, "--db", site.db, "--json")
    assert part.exit_code() == 0, part.text
    answer: object = json.loads(part.text)
    return answer


def pay(site: Site) -> None:
    """One payment over three processes, judged by the terminal's script and by the bank's own commands."""
    bank = site.start_bank()
    gateway = site.start_gateway()
    terminal = site.start_terminal("--script", script(site, APPROVED))
    assert terminal.exit_code() == 0, terminal.text
    assert "5 of 5 steps as expected" in terminal.text
    postings = asked(site, "ledger", "list")
    assert isinstance(postings, list)
    assert [one["amount_minor"] for one in postings if one["kind"] == "completion"] == [1234]
    audit = asked(site, "ledger", "verify")
    assert isinstance(audit, dict)
    assert audit["ok"] is True
    assert site.holds() == 0
    assert gateway.terminate() == 0
    assert bank.terminate() == 0
    for part in site.parts:
        assert "Traceback" not in part.text
        assert "123456" not in part.text
        assert "6225880000000100" not in part.text


def test_a_payment_over_a_null_modem(site: Site) -> None:
    pay(site)


def test_a_payment_over_socat(site: Site) -> None:
    socat = shutil.which("socat")
    if socat is None:
        pytest.skip("socat is not installed: apt-get install socat")
    with socat_line(socat, site.folder) as site.line:
        pay(site)


def test_a_payment_with_everything_from_the_wheel(site: Site, tmp_path: Path) -> None:
    """Profiles, tables, texts, fonts and the demo's data are in it, for each of the three processes."""
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    done = subprocess.run(build, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (wheel,) = tmp_path.glob("*.whl")
    site.program_path = tmp_path / "site-packages"
    zipfile.ZipFile(wheel).extractall(site.program_path)
    where = "import tools.cli; print(tools.cli.__file__)"
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(site.program_path)}
    found = subprocess.check_output([sys.executable, "-c", where], cwd=tmp_path, env=environment, text=True)
    assert found.strip() == str(site.program_path / "tools" / "cli.py")
    version = site.start("--version")
    assert (version.exit_code(), version.lines) == (0, [f"posterm {wheel.name.split('-')[1]}"])
    pay(site)


def test_a_terminal_killed_after_the_authorisation_reverses_it(site: Site) -> None:
    """SIGKILL while the PIN is asked for: after the restart the hold is released, with nobody at the keys."""
    site.start_bank()
    site.start_gateway()
    terminal = site.start_terminal("--script", script(site, ABANDONED))
    terminal.wait_for("the bank holds the money")
    assert site.holds() == 1
    terminal.kill()
    restarted = site.start_terminal()
    restarted.wait_for(r"clearing -> idle")
    assert (site.postings(), site.holds()) == ([], 0)
    assert restarted.terminate() == 0
    assert "master key" not in restarted.text  # it was kept


def test_the_script_of_the_documentation(site: Site) -> None:
    page = (ROOT / "docs" / "processes.md").read_text("utf-8")
    (text,) = re.findall(r"```toml\n(.*?)```", page, re.DOTALL)
    site.start_bank()
    site.start_gateway()
    config = site.folder / "quick.toml"
    config.write_text("[terminal]\nauthorised_ms = 10\ntear_off_timeout_ms = 10\nresult_ms = 10\n", "utf-8")
    terminal = site.start_terminal("--script", script(site, text), "--config", config)
    assert terminal.exit_code() == 0, terminal.text


def test_the_window(site: Site) -> None:
    """With a person at the keys: a sale is begun and cancelled, q ends it."""
    site.start_bank()
    site.start_gateway()
    with KeyboardAndScreen() as person:
        window = site.start_terminal(person=person)
        person.wait_for("Ready for sale")
        person.type("5")
        person.wait_for("0.05")
        person.type("\x1b")
        person.wait_for("CANCELLED")
        person.type("q")
        assert window.exit_code() == 0


def test_a_script_whose_expectations_are_not_met(site: Site) -> None:
    """Without gateway and bank the terminal goes into service, but sells nothing."""
    text = "[terminal]\nconnect_timeout_ms = 10\n[[step]]\nexpect = { state = 'card' }\n"
    terminal = site.start_terminal("--script", script(site, text))
    assert terminal.exit_code() == 1
    assert "state: expected 'card', found 'idle'" in terminal.text


def test_a_master_key_that_the_bank_does_not_know(site: Site) -> None:
    """The working keys of the sign-in do not open under it: the terminal stays without keys, and says nothing
    of its own."""
    key = site.folder / "tmk.hex"
    key.write_text("00112233445566778899AABBCCDDEEFF\n", "ascii")
    site.start_bank()
    site.start_gateway()
    terminal = site.start_terminal("--tmk-file", key, "--language", "zh")
    terminal.wait_for(r"signing_in -> idle \(host_bad_mac\)")
    assert terminal.terminate() == 0
    assert "001122" not in terminal.text
