"""The demo tells every step of a payment, in both flows and languages, and gives no secret away."""

from __future__ import annotations

import io
import json
import re
import subprocess
import sys
import wave
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from string import Formatter

import pytest
from rich.console import Console

from bank.provision import load_provision
from firmware.records import Flow, Outcome
from firmware.settings import TerminalSettings
from hal.profile import load_profile
from tools import demo
from tools.demo_files import write_files
from tools.demo_steps import SCRIPTS, Play, StepTold
from tools.demo_teller import Teller
from tools.runtime import StationPlan, build_station, settings_of
from tools.texts import LANGUAGES, Words, catalogue
from tools.wire_log import WireLog

PNG = b"\x89PNG\r\n\x1a\n"


@dataclass
class Played:
    """A demo that has run in virtual time."""

    play: Play
    steps: list[StepTold]
    text: str
    folder: Path


def played(flow: Flow, language: str, folder: Path) -> Iterator[Played]:
    log = WireLog()
    provision = load_provision()
    plan = StationPlan(
        profile=load_profile("virtual").with_options("display", model=demo.DISPLAY_MODEL),
        settings=settings_of(provision, TerminalSettings(flow=flow, language=language)),
        provision=provision,
        tap=log.feed,
    )
    out = io.StringIO()
    with build_station(plan) as station:
        play = Play(station, log)
        teller = Teller(Console(file=out, highlight=False), Words(language))
        steps = demo.tell_payment(play, teller)
        teller.slips(station.slips, 1.5)
        teller.files(write_files(play, steps, folder))
        yield Played(play, steps, out.getvalue(), folder)


@pytest.fixture(scope="module", params=[(flow, language) for flow in Flow for language in LANGUAGES], ids=str)
def any_demo(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Played]:
    flow, language = request.param
    yield from played(flow, language, tmp_path_factory.mktemp("out"))


@pytest.fixture(scope="module")
def seven_steps(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Played]:
    yield from played(Flow.AUTHORISE_FIRST, "en", tmp_path_factory.mktemp("out"))


def test_the_payment_is_approved_and_every_step_is_told(any_demo: Played) -> None:
    assert any_demo.play.payment.outcome is Outcome.APPROVED
    flow = any_demo.play.station.settings.flow
    assert len(any_demo.steps) == SCRIPTS[flow].count
    words = Words(any_demo.play.station.settings.language)
    headings = [
        words("demo.step", number=n, count=len(any_demo.steps)) for n in range(1, len(any_demo.steps) + 1)
    ]
    places = [any_demo.text.index(f"{heading}  ") for heading in headings]
    assert places == sorted(places)


def test_the_seven_steps_show_what_the_design_says(seven_steps: Played) -> None:
    told = [
        (step.name, [message.mti for frame in step.frames for message in frame.messages], step.screen.text)
        for step in seven_steps.steps
    ]
    expected = [
        ("card", [], "622588******"),
        ("request", ["0100"], "Authorising"),
        ("decision", ["0110"], "Authorising"),
        ("authorised", [], "AUTHORISED"),
        ("pin", ["0100"], "PIN: ******_"),
        ("verified", ["0110"], "Checking PIN"),
        ("done", ["0220", "0230"], "APPROVED"),
    ]
    assert [(name, mtis) for name, mtis, _ in told] == [(name, mtis) for name, mtis, _ in expected]
    for (_, _, screen), (_, _, words) in zip(told, expected, strict=True):
        assert words in screen


def test_a_display_is_drawn_when_it_has_changed_and_only_then(any_demo: Played) -> None:
    words = Words(any_demo.play.station.settings.language)
    screens = [step.screen for step in any_demo.steps]
    same = sum(before == after for before, after in pairwise(screens))
    assert any_demo.text.count(words("demo.same_display")) == same
    assert any_demo.text.count("╭") == len(screens) + 1 - same + len(any_demo.play.station.slips)


def test_two_beeps_holds_and_postings_are_told_as_they_are(seven_steps: Played) -> None:
    by_name = {step.name: step for step in seven_steps.steps}
    assert by_name["authorised"].values["beeps"] == 2
    assert by_name["decision"].values["held"] == "RMB 12.34"
    assert "merchant 898320154110001  +RMB 12.34" in seven_steps.text
    assert "card good                 -RMB 12.34" in seven_steps.text
    assert "holds left: 0; the sum over all accounts is zero" in seven_steps.text


def test_chinese_sentences_have_chinese_marks(any_demo: Played) -> None:
    if any_demo.play.station.settings.language == "zh":
        assert "剩余冻结：0；所有账户之和为零" in any_demo.text


def test_the_one_message_flow_shows_the_stars_before_anything_is_sent(tmp_path: Path) -> None:
    for demo_run in played(Flow.PIN_FIRST, "en", tmp_path):
        _, pin, purchase, *_ = demo_run.steps
        assert "******" in pin.screen.text
        assert [frame for frame in pin.frames if frame.messages] == []
        assert [message.mti for frame in purchase.frames for message in frame.messages] == ["0200"]


def test_the_slips_stand_in_the_text_line_by_line(any_demo: Played) -> None:
    for slip in any_demo.play.station.slips:
        for line in slip.splitlines():
            assert line.rstrip() in any_demo.text


def test_no_line_is_too_wide_or_ends_in_spaces(any_demo: Played) -> None:
    from rich.cells import cell_len

    lines = any_demo.text.splitlines()
    folder = str(any_demo.folder)
    assert max(cell_len(line) for line in lines if folder not in line) <= 100
    assert [line for line in lines if line != line.rstrip()] == []


def test_text_and_files_hold_no_card_number_track_or_pin(any_demo: Played) -> None:
    pan = next(card.plastic.pan.reveal() for card in any_demo.play.station.cards if card.name == "good")
    written = [path.read_bytes() for path in any_demo.folder.iterdir() if path.suffix in {".txt", ".json"}]
    assert len(written) == 4
    for content in [any_demo.text.encode(), *written]:
        packed = re.sub(rb"\s", b"", content).upper()
        for secret in (
            pan.encode(),
            pan.encode().hex().encode(),
            f"{pan}D".encode(),
            b'123456"',
            b"PIN123456",
        ):
            assert secret not in packed


def test_every_file_that_is_named_is_there_and_is_what_it_says(any_demo: Played) -> None:
    files = {path.name: path.read_bytes() for path in any_demo.folder.iterdir()}
    pictures = [name for name in files if name.startswith("display-")]
    assert len(pictures) == len(any_demo.steps)
    for name, content in files.items():
        if name.endswith(".png"):
            assert content.startswith(PNG), name
    assert files["states.svg"].startswith(b"<")
    report = json.loads(files["payment.json"])
    assert (report["outcome"], report["beeps"], report["ledger"]["holds_left"]) == ("approved", 2, 0)
    assert report["states"][-1] == "approved"
    with wave.open(str(any_demo.folder / "beeps.wav")) as sound:
        assert sound.getnframes() > 0
    assert files["slip-1.txt"].decode().rstrip("\n") == any_demo.play.station.slips[0]


def test_the_languages_have_the_same_words_with_the_same_placeholders() -> None:
    english, chinese = (catalogue(language) for language in LANGUAGES)
    assert english.keys() == chinese.keys()
    for key, text in english.items():
        assert _placeholders(text) == _placeholders(chinese[key]), key


def _placeholders(text: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(text) if name}


# --- as a command ------------------------------------------------------------------------------------


def _command(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tools.demo", *arguments],
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=60,
        check=False,
    )


@pytest.mark.slow
def test_the_command_plays_over_a_real_line_and_exits_0(tmp_path: Path) -> None:
    done = _command("--out", str(tmp_path / "new" / "out"))
    assert (done.returncode, done.stderr) == (0, "")
    assert "Step 7 of 7" in done.stdout
    assert "0230 completion answer" in done.stdout
    assert (tmp_path / "new" / "out" / "states.png").exists()


def test_a_folder_that_cannot_be_made_is_one_line_and_exit_2(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = _command("--out", str(tmp_path / "file"))
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert f"{tmp_path / 'file'}: File exists: name another folder with --out" in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize("arguments", [("--flow", "backwards"), ("--language", "fr")])
def test_wrong_usage_is_exit_2(arguments: tuple[str, str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        demo.main(arguments)
    assert stopped.value.code == 2
