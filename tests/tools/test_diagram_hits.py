"""Counts of rules on the pictures: what was taken often is thick, what never was is red."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import pytest

from tests.tools.test_diagram_layout import extent
from tools.diagram.choices import TERMINAL_MACHINES, render, table_of
from tools.diagram.graph import Graph, graph_of
from tools.diagram.hits import HitsError, key_of, read_hits
from tools.diagram.palette import MISSED
from tools.diagram.place import layout_of
from tools.diagram.scene import scene_of
from tools.diagram.shapes import Figure, Line, Text
from tools.diagram_command import register
from tools.runtime import start


def counted(folder: Path, machine: str, **counts: int) -> Path:
    """A file as the simulator writes it: rules by `source__event`, the rest of the machine never taken."""
    file = folder / "hits.json"
    content = {
        " ".join((machine, *key_of(rule))): counts[f"{rule.source.value}__{rule.event.value}"]
        for rule in table_of(machine).rules
        if f"{rule.source.value}__{rule.event.value}" in counts
    }
    file.write_text(json.dumps(content), encoding="utf-8")
    return file


def painted(folder: Path, machine: str = "transaction", **counts: int) -> Graph:
    table = table_of(machine)
    return graph_of(table, hits=read_hits(counted(folder, machine, **counts), table))


def figures(graph: Graph) -> dict[str, Figure]:
    return {figure.name: figure for figure in scene_of(layout_of(graph)).figures}


def line(figure: Figure) -> Line:
    return next(shape for shape in figure.shapes if isinstance(shape, Line))


def test_a_line_is_as_thick_as_it_was_taken_often_and_red_when_it_never_was(tmp_path: Path) -> None:
    drawn = figures(painted(tmp_path, authorised__timeout=1, pin__pin_entered=10_000))
    seldom, often = line(drawn["line-authorised-pin"]), line(drawn["line-pin-verifying_pin"])
    never = line(drawn["line-printing-tear_off"])
    assert seldom.width < often.width
    assert MISSED not in {seldom.stroke, often.stroke}
    assert never.stroke == MISSED


def test_a_rule_tells_its_count_and_a_rule_never_taken_is_red(tmp_path: Path) -> None:
    drawn = figures(painted(tmp_path, authorised__timeout=37, authorised__cancel=5))
    texts = [shape for shape in drawn["state-authorised"].shapes if isinstance(shape, Text)]
    assert {
        (one.text, one.fill == MISSED) for one in texts if ":" in one.text and "screen" not in one.text
    } == {
        ("timeout: 37", False),
        ("confirm: never", True),
        ("cancel: 5", False),
        ("card removed: never", True),
    }


def test_the_heading_counts_the_rules_that_were_taken(tmp_path: Path) -> None:
    heading = figures(painted(tmp_path, authorised__timeout=1, authorised__cancel=1))["heading"]
    rules = len(table_of("transaction").rules)
    assert any(f"2 of {rules} rules taken" in one.text for one in heading.shapes if isinstance(one, Text))


@pytest.mark.parametrize("machine", TERMINAL_MACHINES)
def test_no_rule_is_left_out_of_the_picture_and_no_text_leaves_its_box(machine: str, tmp_path: Path) -> None:
    layout = layout_of(painted(tmp_path, machine))
    drawn = {figure.name: figure for figure in scene_of(layout).figures}
    for name, placed in layout.cards.items():
        for shape in drawn[f"state-{name}"].shapes:
            if isinstance(shape, Text):
                assert placed.box.contains(extent(shape)), (name, shape.text)
    red = sum("never" in figure.note for figure in drawn.values() if figure.name.startswith("line-"))
    assert red == len(layout.routes)


@pytest.mark.parametrize("format_name", ["svg", "png"])
def test_counts_change_the_picture_and_nothing_else_does(format_name: str, tmp_path: Path) -> None:
    table = table_of("settlement")
    plain, red = graph_of(table), painted(tmp_path, "settlement")
    assert render(plain, format_name) != render(red, format_name)
    assert render(red, format_name) == render(painted(tmp_path, "settlement"), format_name)
    assert b"never" not in render(plain, "svg")


def test_the_counts_of_a_real_payment_are_the_rules_it_took(tmp_path: Path) -> None:
    hits: dict[str, int] = {}
    with start() as shop:
        shop.observers.append(
            lambda step: (
                hits.update({" ".join((step.machine, *key_of(step.rule))): 1})
                if step.machine == "transaction"
                else None
            )
        )
        shop.enter_amount("12.34")
        shop.swipe("good")
        shop.enter_pin("123456")
        shop.finish()
    file = tmp_path / "hits.json"
    file.write_text(json.dumps(hits), encoding="utf-8")
    table = table_of("transaction")
    graph = graph_of(table, hits=read_hits(file, table))
    main = {edge.key for edge in graph.edges if edge.on_main_path}
    taken = {edge.key for edge in graph.edges if edge.count}
    assert ("verifying_pin", "printing") in main & taken
    assert ("completing", "approved") in main & taken


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("[]", "one object"),
        ("{", "not JSON"),
        ('{"transaction pin cancel reversing ": -1}', "0 or more"),
        ('{"transaction pin cancel reversing ": true}', "whole number"),
        ('{"transaction pin cancel approved ": 1}', "no such rule"),
        ('{"settlement pin cancel approved ": 1}', "no such rule"),
        ('{"a": 1}', "'a': this version has no such rule"),
        ("[" * 100_000, "not JSON"),
    ],
)
def test_a_file_that_is_none_is_refused(content: str, told: str, tmp_path: Path) -> None:
    file = tmp_path / "hits.json"
    file.write_text(content, encoding="utf-8")
    with pytest.raises(HitsError, match=told) as refusal:
        read_hits(file, table_of("transaction"))
    assert str(file) in str(refusal.value)


def run(*arguments: str) -> int:
    parser = argparse.ArgumentParser()
    register(parser.add_subparsers())
    options = parser.parse_args(["diagram", *arguments])
    return int(options.run(options))


def test_the_command_paints_a_file(tmp_path: Path) -> None:
    file, picture = counted(tmp_path, "terminal"), tmp_path / "taken.svg"
    assert run("--machine", "terminal", "--hits", str(file), "-o", str(picture)) == 0
    assert MISSED in picture.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--hits", "missing.json"), "name another file with --hits"),
        (("--hits", "missing.json", "--type", "refund"), "leave --type out"),
        (("--hits", "missing.json", "--machine", "merchant"), "choose transaction"),
        (("--hits", "missing.json", "--format", "mermaid"), "svg, png"),
    ],
)
def test_choices_that_do_not_fit_are_refused(
    arguments: tuple[str, ...], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(*arguments) == 2
    assert told in capsys.readouterr().err
