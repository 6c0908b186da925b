"""Every format holds the whole table, and can be read by what reads it."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from io import BytesIO
from xml.etree import ElementTree as ET

import pytest
from PIL import Image

from firmware.settings import TerminalSettings
from firmware.txn.schema import Kind
from tools.diagram.card import STAYS
from tools.diagram.choices import FORMATS, MACHINES, render, table_of
from tools.diagram.document import documents, main
from tools.diagram.graph import Graph, duration, graph_of, steps_of, words
from tools.diagram.png import SCALE

SVG = "{http://www.w3.org/2000/svg}"
SCXML = "{http://www.w3.org/2005/07/scxml}"


@pytest.fixture(params=MACHINES)
def graph(request: pytest.FixtureRequest) -> Graph:
    return graph_of(table_of(request.param))


def text(graph: Graph, format_name: str) -> str:
    return render(graph, format_name).decode()


def test_the_merged_edges_hold_every_rule_once(graph: Graph) -> None:
    rules = [rule for edge in graph.edges for rule in edge.rules]
    assert len(rules) == len(graph.table.rules)
    assert set(rules) == set(graph.table.rules)
    assert len({edge.key for edge in graph.edges}) == len(graph.edges)
    for edge in graph.edges:
        told = [event for trigger in edge.triggers for event in trigger.events]
        assert sorted(told) == sorted(rule.event.value for rule in edge.rules)


def test_the_main_path_of_a_payment_has_all_seven_steps() -> None:
    graph = graph_of(table_of("transaction"))
    way = [edge for edge in graph.edges if edge.on_main_path]
    assert all(edge.is_line for edge in way)
    seen, name = set(graph.by_name[graph.initial].steps), graph.initial
    for _ in way:
        name = next(edge.target for edge in way if edge.source == name)
        seen |= set(graph.by_name[name].steps)
    assert seen == set(range(1, 8))
    assert graph.by_name[name].row.kind is Kind.ENDED_WELL


@pytest.mark.parametrize("format_name", FORMATS)
def test_the_same_table_gives_the_same_bytes(graph: Graph, format_name: str) -> None:
    assert render(graph, format_name) == render(graph_of(graph.table), format_name)


def test_svg_shows_every_state_and_every_edge(graph: Graph) -> None:
    root = ET.fromstring(text(graph, "svg"))
    figures = {figure.get("id"): figure for figure in root.iter(f"{SVG}g")}
    for edge in graph.edges:
        if edge.is_line:
            assert f"line-{edge.source}-{edge.target}" in figures
        else:
            box = figures[f"state-{edge.source}"]
            target = STAYS if edge.is_loop else graph.by_name[edge.target].title
            shown = [element.text for element in box.iter(f"{SVG}text")]
            assert target in shown or tells_arrival(figures, graph, edge.target)
    titles = {node.title for node in graph.nodes}
    assert titles <= {element.text for element in root.iter(f"{SVG}text")}


def tells_arrival(figures: dict[str | None, ET.Element], graph: Graph, target: str) -> bool:
    shown = " ".join(element.text or "" for element in figures[f"state-{target}"].iter(f"{SVG}text"))
    events = graph.from_everywhere[target]
    return "from every state in use" in shown and all(words(event) in shown for event in events)


def test_svg_tells_every_rule_in_full_under_the_pointer(graph: Graph) -> None:
    root = ET.fromstring(text(graph, "svg"))
    notes = {figure.get("id"): figure.findtext(f"{SVG}title") for figure in root.iter(f"{SVG}g")}
    for edge in graph.edges:
        note = notes[f"state-{edge.source}"] or ""
        assert all(line in note for line in edge.rule_texts())


def test_svg_is_small_and_needs_no_other_file(graph: Graph) -> None:
    svg = text(graph, "svg")
    assert len(svg) < 150_000
    assert "href" not in svg
    assert "url(" not in svg


def test_png_is_the_same_picture_at_twice_the_size(graph: Graph) -> None:
    root = ET.fromstring(text(graph, "svg"))
    with Image.open(BytesIO(render(graph, "png"))) as image:
        assert image.format == "PNG"
        size = tuple(round(float(root.get(side) or 0) * SCALE) for side in ("width", "height"))
        assert image.size == size
        assert len(image.getcolors(1 << 24) or []) > 20


def test_dot_is_balanced_and_complete(graph: Graph) -> None:
    dot = text(graph, "dot")
    bare = re.sub(r'"(?:[^"\\]|\\.)*"', "", dot)
    assert '"' not in bare
    assert all(bare.count(a) == bare.count(b) for a, b in ("{}", "[]"))
    assert all(f'"{node.name}" [label=' in dot for node in graph.nodes)
    assert len(re.findall(r'"\w+" -> "\w+" \[', dot)) == len(graph.edges)
    assert all(f'"{edge.source}" -> "{edge.target}" [' in dot for edge in graph.edges)


def test_mermaid_is_complete(graph: Graph) -> None:
    lines = text(graph, "mermaid").splitlines()
    assert "stateDiagram-v2" in lines
    assert sum(line.endswith("{") for line in lines) == lines.count("    }") == len(graph.groups())
    for edge in graph.edges:
        assert sum(line.startswith(f"    {edge.source} --> {edge.target}: ") for line in lines) == 1
    assert all(any(line.endswith(f'" as {node.name}') for line in lines) for node in graph.nodes)
    labels = [line.split(": ", 1)[1] for line in lines if ": " in line and "-->" in line]
    assert not [label for label in labels if set(label) & set(';:#"')]


def test_plantuml_is_complete(graph: Graph) -> None:
    lines = text(graph, "plantuml").splitlines()
    assert lines[0].startswith("@startuml")
    assert lines[-1] == "@enduml"
    assert sum(line.endswith("{") for line in lines) == lines.count("}") == len(graph.groups())
    for edge in graph.edges:
        assert sum(bool(re.match(rf"{edge.source} -\[.*\]-> {edge.target} : ", line)) for line in lines) == 1
    assert all(any(f'" as {node.name} #' in line for line in lines) for node in graph.nodes)


def test_scxml_has_every_rule_as_a_transition_in_order(graph: Graph) -> None:
    root = ET.fromstring(text(graph, "scxml"))
    assert root.get("initial") == graph.initial
    states = {state.get("id"): state for state in root if state.tag in {f"{SCXML}state", f"{SCXML}final"}}
    assert list(states) == [node.name for node in graph.nodes]
    for node in graph.nodes:
        found = [
            (t.get("event"), t.get("cond") or "", t.get("target"), [log.get("expr") for log in t])
            for t in states[node.name].iter(f"{SCXML}transition")
        ]
        assert found == [
            (r.event.value, r.guard, r.target.value, [f"'{name}'" for name in (*r.records, *r.effects)])
            for r in graph.table.rules
            if r.source is node.row.state
        ]
        assert (states[node.name].tag == f"{SCXML}final") == node.ended


def test_scxml_declares_its_guards_and_cancels_what_it_sends(graph: Graph) -> None:
    root = ET.fromstring(text(graph, "scxml"))
    assert {data.get("id") for data in root.iter(f"{SCXML}data")} == graph.table.names("guard")
    sent = [(send.get("id"), send.get("delay")) for send in root.iter(f"{SCXML}send")]
    assert [name for name, _ in sent] == [cancel.get("sendid") for cancel in root.iter(f"{SCXML}cancel")]
    waits = [node.timeout_ms for node in graph.nodes if node.timeout_ms is not None]
    assert [delay for _, delay in sent] == [f"{timeout_ms}ms" for timeout_ms in waits]


def test_json_holds_the_whole_table(graph: Graph) -> None:
    document = json.loads(text(graph, "json"))
    table = graph.table
    assert [state["name"] for state in document["states"]] == [row.state.value for row in table.rows]
    assert document["events"] == [event.value for event in table.events]
    assert [(r["source"], r["event"], r["guard"], r["target"]) for r in document["rules"]] == [
        (r.source.value, r.event.value, r.guard or None, r.target.value) for r in table.rules
    ]
    assert [(e["source"], e["target"]) for e in document["edges"]] == [edge.key for edge in graph.edges]
    told = {(pair["source"], pair["event"]): pair["because"] for pair in document["ignored"]}
    assert told == {(state.value, event.value): reason for (state, event), reason in table.ignored.items()}


def test_unknown_names_are_refused_by_name(graph: Graph) -> None:
    with pytest.raises(ValueError, match=r"'pdf'.*svg"):
        render(graph, "pdf")
    with pytest.raises(ValueError, match=r"'toaster'.*transaction"):
        table_of("toaster")


def test_timeouts_are_those_of_the_settings() -> None:
    table = table_of("transaction")
    row = next(row for row in table.rows if row.timeout)
    settings = replace(TerminalSettings(), **{row.timeout: 4_321})  # type: ignore[arg-type]
    assert graph_of(table, settings).by_name[row.state.value].timeout_ms == 4_321


@pytest.mark.parametrize(
    ("timeout_ms", "shown"), [(800, "0.8 s"), (60_000, "60 s"), (90_500, "90.5 s"), (120_000, "2 min")]
)
def test_durations_are_shown_as_people_say_them(timeout_ms: int, shown: str) -> None:
    assert duration(timeout_ms) == shown


def test_steps_are_read_from_the_meaning() -> None:
    assert steps_of("step 4: authorised") == ((4,), "authorised")
    assert steps_of("steps 2 and 3: with the bank") == ((2, 3), "with the bank")
    assert steps_of("stepping stone") == ((), "stepping stone")


def test_the_page_has_a_row_for_every_state_and_rule(graph: Graph) -> None:
    pages = {path: data for path, data in documents().items() if path.suffix == ".md"}
    page = b"\n".join(pages.values()).decode()
    part = page.split(f"## {graph.table.title}\n")[1].split("\n## ")[0]
    waiting = part.split("### What each state waits for")[1].split("### Rules")[0].splitlines()
    for node in graph.nodes:
        rows = [line for line in waiting if line.startswith(f"| `{node.name}` ")]
        assert len(rows) == (not node.ended)
        assert all(cell.strip() for row in rows for cell in row.strip("| ").split(" | ")[3:])
    rules = part.split("### Rules")[1].split("### Ignored")[0].splitlines()
    assert sum(line.startswith("| `") for line in rules) == len(graph.table.rules)


def test_the_page_is_current() -> None:
    assert main(["--check"]) == 0


def test_check_finds_a_stale_page_and_writing_renews_it(
    tmp_path: pytest.TempPathFactory, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--check", "--docs", str(tmp_path)]) == 1
    assert "python -m tools.diagram.document" in capsys.readouterr().out
    assert main(["--docs", str(tmp_path)]) == 0
    assert main(["--check", "--docs", str(tmp_path)]) == 0
