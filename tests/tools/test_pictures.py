"""The README's pictures show what the program draws."""

import pytest

from tools import pictures


@pytest.mark.parametrize("language", pictures.LANGUAGES)
def test_the_picture_is_current(language: str) -> None:
    assert pictures.is_current(language), "make diagrams, and look at the pictures"


def test_a_stale_picture_is_noticed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(pictures, "picture_path", lambda _language: pictures.FOLDER / "payment.zh.png")
    assert not pictures.is_current("en")
    assert pictures.main(["--check"]) == 1
    assert "make diagrams" in capsys.readouterr().err
