"""Examples are found by name, wherever one stands; a file of one's own goes first."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from tests.tools.test_cli import ROOT, exit_code, refused
from tools.shipped_examples import file_or_example, names

SHIPPED = ROOT / "examples" / "approved.toml"


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_every_example_has_a_name() -> None:
    assert set(names()) == {path.stem for path in (ROOT / "examples").iterdir()} >= {"approved", "cards"}


@pytest.mark.parametrize(
    "text", ["approved", "approved.toml", "example:approved", "examples/approved.toml", str(SHIPPED)]
)
def test_an_example_is_found_by_name(text: str) -> None:
    assert file_or_example(text).samefile(SHIPPED)


@pytest.mark.parametrize("text", ["approved", "approved.toml", "examples/approved.toml"])
def test_a_file_of_ones_own_goes_first(text: str, elsewhere: Path) -> None:
    own = elsewhere / text
    own.parent.mkdir(exist_ok=True)
    own.touch()
    assert file_or_example(text).samefile(own)
    assert file_or_example("example:approved").samefile(SHIPPED)


@pytest.mark.parametrize("text", ["mine/approved.toml", "../approved.toml", "mine.toml", "mine/approved"])
def test_what_looks_like_a_path_is_one(text: str) -> None:
    assert file_or_example(text) == Path(text)


@pytest.mark.parametrize("text", ["aproved", "example:aproved"])
def test_a_misspelt_name_gets_a_hint(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match=r"no example 'aproved' .*did you mean 'approved'"):
        file_or_example(text)


def test_the_commands_know_them(capsys: pytest.CaptureFixture[str], elsewhere: Path) -> None:
    assert exit_code("run", "--script", "wrong_pin", "--config", "example:posterm", "--virtual-time") == 0
    pay = ("sale", "--amount", "1", "--pin", "123456", "--virtual-time", "--card", "anna")
    assert exit_code(*pay, "--bank-data", "example:cards") == 0
    assert exit_code("bank", "init", "--db", str(elsewhere / "b.db"), "--from", "example:cards") == 0
    capsys.readouterr()
    assert "did you mean 'wrong_pin'" in refused(capsys, "run", "--script", "wrong_pim")
