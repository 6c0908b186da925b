"""Every parser of the program explains itself: examples that can be parsed, and the exit codes."""

from __future__ import annotations

import argparse
import importlib
import re
import shlex
from collections.abc import Iterator

import pytest

from tests.tools.test_cli import exit_code, refused
from tools import cli
from tools.calc.command import _parser as calc_parser
from tools.calc_command import SUBJECTS


def below(parser: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    yield parser
    for command in cli.commands_of(parser).values():
        yield from below(command)


def every_parser() -> Iterator[argparse.ArgumentParser]:
    yield cli._parser("")
    for command in cli.COMMANDS:
        yield from below(cli.commands_of(cli._parser(command.name))[command.name])
    for subject, (module, _) in SUBJECTS.items():
        groups = importlib.import_module(f"tools.calc.commands.{module}").GROUPS
        yield from below(calc_parser(groups[subject]))


PARSERS = list(every_parser())


def examples(help_text: str) -> list[str]:
    return [
        re.split(r" {3,}| < ", line)[0] for line in re.findall(r"^  (posterm .*)$", help_text, re.MULTILINE)
    ]


def test_all_are_found() -> None:
    progs = {parser.prog for parser in PARSERS}
    assert {"posterm", "posterm sale", "posterm bank card list", "posterm calc pin-block encode"} <= progs
    assert len(progs) == len(PARSERS)


@pytest.mark.parametrize("parser", PARSERS, ids=lambda parser: parser.prog)
def test_help_has_examples_and_exit_codes(parser: argparse.ArgumentParser) -> None:
    text = parser.format_help()
    assert text == parser.format_help(), "asking changes nothing"
    assert any(example.startswith(parser.prog) for example in examples(text))
    assert text.count("exit codes: 0 ") == 1
    assert "`" not in text, "a docstring is no help"
    assert parser.description


@pytest.mark.parametrize("tool", ["chaos", "durability", "fuzz", "mutate"])
def test_the_help_of_a_tool_has_them_too(tool: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        importlib.import_module(f"tools.{tool}.__main__").main(["--help"])
    text = capsys.readouterr().out
    assert text.startswith(f"usage: make {tool} ")
    assert f"examples:\n  python -m tools.{tool} " in text
    assert "exit codes: 0 " in text


@pytest.mark.parametrize("parser", PARSERS, ids=lambda parser: parser.prog)
def test_examples_can_be_parsed(parser: argparse.ArgumentParser) -> None:
    for example in examples(parser.format_help()):
        _, *words = shlex.split(example.removesuffix("\\"))
        if not example.endswith("\\"):
            assert cli._parse(words).run


@pytest.mark.parametrize(
    ("arguments", "place"),
    [
        (("bank", "card", "list", "--db", "x", "--jsno"), "posterm bank card list"),
        (("bank", "card", "show", "anna", "bert", "--db", "x"), "posterm bank card show"),
        (("bank", "card", "list"), "posterm bank card list"),
        (("bank", "card"), "posterm bank card"),
        (("link", "stats", "--control", "x", "--jsno"), "posterm link stats"),
        (("link", "decode", "x", "--jsno"), "posterm link decode"),
        (("sale", "--amount", "1", "--card", "good", "--jsno"), "posterm sale"),
        (("calc", "pin-block", "encode", "--jsno"), "posterm calc pin-block"),
        (("--jsno",), "posterm"),
    ],
)
def test_wrong_arguments_point_to_the_help_of_their_command(
    arguments: tuple[str, ...], place: str, capsys: pytest.CaptureFixture[str]
) -> None:
    line = refused(capsys, *arguments)
    assert line.startswith(f"{place}: ") or place.startswith("posterm calc")
    assert re.search(rf"; see {place}( encode)? --help$", line)
    assert exit_code(*arguments[: len(place.split()) - 1], "--help") == 0
