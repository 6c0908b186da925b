"""A replay shows display, state, frames, messages and books of each moment, and never a secret."""

from __future__ import annotations

import io
import re

import pytest
from rich.console import Console

from tools.simulate.kept import Kept
from tools.simulate.message_line import in_a_line
from tools.simulate.options import Options
from tools.simulate.replay import Replay
from tools.simulate.replay_command import replay
from tools.simulate.town import PIN
from tools.simulate.world import World, run
from tools.texts import Words
from wire.iso8583 import IsoMessage, dialect
from wire.pan import Pan

OPTIONS = Options(2, 6, 2).with_troubles(())


def shown(language: str, width: int = 170) -> tuple[str, list[str]]:
    """What a run shows, all of it, and moment by moment."""
    paper = io.StringIO()
    console = Console(file=paper, width=width, highlight=False)
    moments: list[str] = []

    def pause() -> None:
        moments.append(paper.getvalue())
        paper.seek(0)
        paper.truncate()

    replayed = Replay(console.print, pause, Words(language))
    world = World(OPTIONS, watch=replayed.watch)
    replayed.listen(world)
    report = world.run()
    assert report.digest == run(OPTIONS).digest, "to be watched changes nothing"
    return "".join(moments), moments


def test_everything_of_a_moment_is_beside_each_other() -> None:
    text, moments = shown("en")
    sale = next(one for one in moments if "0210 000000" in one and "= 00" in one)
    row = next(line for line in sale.splitlines() if "0210 000000" in line)
    assert row.count("│") >= 6, "two tills, the line and the bank are side by side"
    assert "RMB " in sale, "the display"
    assert "In service" in text, "what the state belongs to"
    assert "data #" in text, "a frame by its kind"
    assert "hello session id" in text
    assert "ack next #" in text


def test_what_has_changed_in_the_books_is_marked() -> None:
    _, moments = shown("en")
    amount = re.compile(r"0210 000000 #\d+ ([0-9.]+) = 00")
    paid = [one for one in moments if (found := amount.search(one)) and f"+{found[1]}" in one]
    assert paid, "the merchant has got it"
    sums = [amount.findall(one)[0] for one in paid]
    assert all(f"-{told}" in one for one, told in zip(paid, sums, strict=True)), "the card has paid it"


def test_no_secret_is_shown() -> None:
    text, _ = shown("en")
    cards = World(OPTIONS).tills[0].station.cards
    assert PIN not in text
    assert not any(card.plastic.pan.reveal() in text for card in cards)


def test_it_speaks_chinese() -> None:
    text, _ = shown("zh", width=90)
    assert "余额" in text
    assert "线路与报文" in text
    assert "Line and messages" not in text, "the displays are the terminals' own, which speak English here"


@pytest.mark.parametrize(
    ("fields", "line"),
    [
        ({3: "000000", 4: "000000001234", 11: "000007", 2: "6225880123456783"}, "0200 000000 #000007 12.34"),
        ({60: "00000001301"}, "0200 301"),
        ({39: "55"}, "0200 = 55"),
    ],
)
def test_a_message_is_one_line_without_its_card(fields: dict[int, str], line: str) -> None:
    message = dialect("unionpay").encode(
        IsoMessage("0200", dict(fields), tpdu="6000060000", header="603100320000")
    )
    assert in_a_line(message) == line
    assert Pan("6225880123456783").reveal() not in in_a_line(message)


def test_what_is_no_message_says_so() -> None:
    assert in_a_line(b"nonsense") == "? (8 B)"


def test_the_command_shows_it_on_a_narrow_pipe(capsys: pytest.CaptureFixture[str]) -> None:
    assert replay(Kept(OPTIONS), Words("en"))[0].ok
    out = capsys.readouterr().out
    assert "till1" in out
    assert max(map(len, out.splitlines())) > 60
