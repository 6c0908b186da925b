"""Config files: every setting is known, checked and named in its error."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path

import pytest

from firmware.records import Flow
from firmware.settings import TerminalSettings
from tests.tools.test_cli import ROOT
from tools.config import SETTINGS, Choices, ConfigError, check_settings, load_config
from wire.iso8583.profile import profile_with


def load(folder: Path, text: str) -> Choices:
    path = folder / "till.toml"
    path.write_text(text, "utf-8")
    return load_config(path)


def complaint(folder: Path, text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        load(folder, text)
    line = str(caught.value)
    assert line.startswith(str(folder / "till.toml"))
    assert "\n" not in line
    return line.removeprefix(str(folder / "till.toml: "))


SECRET = {"pairing_key"}  # has a file of its own, for its owner only


def test_every_setting_of_the_terminal_can_be_set() -> None:
    assert {item.name for item in fields(TerminalSettings)} == SETTINGS | SECRET


def test_the_defaults_pass_their_own_checks() -> None:
    defaults = TerminalSettings()
    values = {name: getattr(defaults, name) for name in SETTINGS}
    assert check_settings("defaults", values) == values


def test_a_whole_file(tmp_path: Path) -> None:
    choices = load(
        tmp_path,
        """
        profile = "board.toml"
        bank_data = "cards.toml"
        state = "/var/till"
        [terminal]
        flow = "pin-first"
        pin_tries = 2
        response_timeout_ms = 5_000
        """,
    )
    assert choices == Choices(
        settings={"flow": Flow.PIN_FIRST, "pin_tries": 2, "response_timeout_ms": 5000},
        profile=str(tmp_path / "board.toml"),
        bank_data=tmp_path / "cards.toml",
        state=Path("/var/till"),
    )


def test_the_example_is_good_and_says_the_defaults() -> None:
    settings = load_config(ROOT / "examples" / "posterm.toml").settings
    assert settings
    assert settings == {name: getattr(TerminalSettings(), name) for name in settings}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("profil = 'x'", "unknown key 'profil' (did you mean 'profile'?)"),
        ("profile = 1", "profile: must be a text in quotes"),
        ("terminal = 1", "terminal: must be a table"),
        ("[terminal]\nresponse_timeout = 1", "terminal: unknown key 'response_timeout' (did you mean 're"),
        (
            "[terminal]\nresponse_timeout_ms = 0",
            "terminal: response_timeout_ms: must be a whole number from 1",
        ),
        ("[terminal]\nresponse_timeout_ms = 1.5", "response_timeout_ms: must be a whole number"),
        ("[terminal]\npin_tries = true", "terminal: pin_tries: must be a whole number"),
        ("[terminal]\nflow = 'pin-frist'", "flow: there is no 'pin-frist' (did you mean 'pin-first'?)"),
        ("[terminal]\nlanguage = 'fr'", "language: there is no 'fr' (known: en, zh)"),
        ("[terminal]\nterminal_id = '123'", "terminal_id: must be 8 digits or capital letters"),
        ("[terminal]\noperator = '１２'", "operator: must be 2 digits"),
        ("[terminal]\ncurrency = '999'", "currency: this currency code is not one of"),
        ("[terminal]\npin_digits_min = 8\npin_digits_max = 6", "pin_digits_min: must not be above"),
        ("[terminal", "not TOML"),
    ],
)
def test_mistakes_are_named_with_their_place(text: str, said: str, tmp_path: Path) -> None:
    assert said in complaint(tmp_path, text)


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nowhere.toml: No such file or directory: check the path"):
        load_config(tmp_path / "nowhere.toml")
    (tmp_path / "latin.toml").write_bytes(b"state = '\xe9'")
    with pytest.raises(ConfigError, match="not a text in UTF-8"):
        load_config(tmp_path / "latin.toml")


def test_later_choices_go_over_earlier_ones() -> None:
    first = Choices(settings={"pin_tries": 2, "slip_copies": 1}, profile="a", live=True, seed=7)
    second = Choices(settings={"pin_tries": 3}, state=Path("b"), live=False)
    assert first.overlaid(second) == Choices(
        settings={"pin_tries": 3, "slip_copies": 1}, profile="a", state=Path("b"), live=False, seed=7
    )


def test_an_acquirers_limits_hold_where_the_file_gives_none(monkeypatch: pytest.MonkeyPatch) -> None:
    other = profile_with("other", {"tip_percent_max": 20, "offline_kept_max": 5, "response_timeout_s": 30})
    monkeypatch.setattr("tools.config.profile", lambda _name: other)
    chosen = check_settings("here", {"acquirer_profile": "unionpay", "offline_kept_max": 7})
    assert (chosen["tip_percent_max"], chosen["offline_kept_max"]) == (20, 7)
    assert chosen["response_timeout_ms"] == 30_000


def test_the_defaults_are_those_of_the_usual_acquirer() -> None:
    whole = replace(TerminalSettings(), **check_settings("here", {"acquirer_profile": "unionpay"}))
    assert whole == TerminalSettings()
    with pytest.raises(ConfigError, match="acquirer_profile"):
        check_settings("here", {"acquirer_profile": "nobody"})
