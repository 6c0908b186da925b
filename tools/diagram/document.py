"""Write docs/states.md, docs/merchant-states.md and their pictures from the tables.

python -m tools.diagram.document            # write
python -m tools.diagram.document --check    # write nothing; exit status 1 when something is stale
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from firmware.txn.schema import Recovery, Rule, Table
from tools.diagram.choices import MACHINES, TERMINAL_MACHINES, render, table_of
from tools.diagram.graph import Graph, Node, duration, graph_of
from tools.diagram.types_page import page

DOCS = Path(__file__).resolve().parent.parent.parent / "docs"
RENEW = "python -m tools.diagram.document"
QUESTIONS = {"timeout": "the timeout", "cancel": "Cancel", "card_removed": "card removed"}
AFTER_POWER_CUT = {
    Recovery.NOTHING: "nothing was sent: idle, with a notice",
    Recovery.REVERSE: "the reversal goes first; no new payment until it is answered",
    Recovery.STANDS: "the payment stands; the completion is sent again, the slip can be printed again",
    Recovery.ENDED: "it was over",
}
OPENING = f"""<!-- Made by `{RENEW}` from firmware/txn: change the tables, not this page. -->

# States

Machines take turns in the terminal. One starts it, signs in, clears what is owed to the bank, and waits
(`firmware/txn/terminal.py`); while a payment runs, a batch is settled or a menu is open, that one's own
machine decides (`firmware/section.py` says when). All are tables in `firmware/txn/`; the machine, this page
and the pictures are made from them, and every pair of state and event is either a rule or listed as ignored.
`posterm diagram` draws them in other formats.

In the pictures, a line leads on; a coloured chip names the state that an event leads to without a line. A
rule's journal entries are committed before its effects leave the terminal.
"""

MERCHANT_OPENING = f"""<!-- Made by `{RENEW}` from bank/merchant_states.py: change the table. -->

# A merchant's states

The bank's file of a merchant is a table like those of the [terminal](states.md): `posterm bank merchant`
takes a step if there is a rule for it, and says why not where there is none. Each step is written down with
who took it and why. An effect below is the reason that is given when the guard above it does not hold.
"""

Row = Sequence[str]


def documents() -> dict[Path, bytes]:
    """Every generated file, by its path below `docs/`."""
    graphs = {machine: graph_of(table_of(machine)) for machine in MACHINES}
    pictures = {Path("states") / f"{name}.svg": render(graph, "svg") for name, graph in graphs.items()}
    terminal = [graphs[name] for name in TERMINAL_MACHINES]
    return {
        Path("states.md"): _page(OPENING, terminal),
        Path("transactions.md"): page().encode(),
        Path("merchant-states.md"): _page(MERCHANT_OPENING, [graphs["merchant"]]),
        **pictures,
    }


def _page(opening: str, graphs: Iterable[Graph]) -> bytes:
    return "\n".join([opening, *("\n".join(_machine(graph)) for graph in graphs)]).encode()


def _machine(graph: Graph) -> Iterator[str]:
    name = graph.table.title
    yield f"## {name}\n"
    yield f"![{name}](states/{graph.name}.svg)\n"
    yield "<details><summary>The same as a Mermaid diagram</summary>\n"
    yield f"```mermaid\n{render(graph, 'mermaid').decode()}```\n"
    yield "</details>\n"
    yield "### What each state waits for\n"
    yield from _markdown_table(*_waiting(graph))
    ended = [f"`{node.name}`: {node.meaning}" for node in graph.nodes if node.ended]
    if ended:
        yield "It ends in " + "; ".join(ended) + ".\n"
    yield "### Rules\n"
    yield "Rules of one state and event are tried from the top; the one without a guard is the rest.\n"
    yield from _markdown_table(
        ("state", "event", "guard", "next state", "journal", "effects"), map(_rule, graph.table.rules)
    )
    yield "### Ignored\n"
    yield from _markdown_table(("because", "state", "event"), _ignored(graph.table))


def _waiting(graph: Graph) -> tuple[Row, list[Row]]:
    """Header and rows of the table of waiting states."""
    nodes = [node for node in graph.nodes if not node.ended]
    asked = [event for event in graph.table.events if event.value in QUESTIONS]
    asked.sort(key=lambda event: list(QUESTIONS).index(event.value))
    journalled = any(node.row.recovery in AFTER_POWER_CUT for node in nodes)
    header = ["state", "meaning", "screen", "timer", *(QUESTIONS[event.value] for event in asked)]
    rows: list[Row] = []
    for node in nodes:
        row = [
            f"`{node.name}`",
            node.row.meaning,
            f"`{node.row.screen}`" if node.row.screen else "",
            _timer(node),
        ]
        row += [_answer(graph.table, node, event.value) for event in asked]
        rows.append([*row, AFTER_POWER_CUT.get(node.row.recovery, "")] if journalled else row)
    return [*header, "after a power cut"] if journalled else header, rows


def _timer(node: Node) -> str:
    return f"`{node.row.timeout}` {duration(node.timeout_ms)}" if node.timeout_ms is not None else "none"


def _answer(table: Table, node: Node, event_name: str) -> str:
    """What an event does in a state: where it leads, or why it is ignored."""
    event = next(event for event in table.events if event.value == event_name)
    rules = table.by_pair.get((node.row.state, event), ())
    if not rules:
        return f"ignored: {table.ignored[node.row.state, event]}"
    return "; ".join(
        f"`{rule.target.value}`" + (f" if `{rule.guard}`" if rule.guard else "") for rule in rules
    )


def _rule(rule: Rule) -> Row:
    journal = [f"`{name}`" for name in rule.records]
    if rule.outcome:
        journal.append(
            f"outcome {rule.outcome.value}" + (f" ({rule.reason.value})" if rule.reason.value else "")
        )
    if rule.reversal:
        journal.append(f"reversal reason {rule.reversal.value}")
    names = [f"`{value.value}`" for value in (rule.source, rule.event)]
    guard, target = f"`{rule.guard}`" if rule.guard else "", f"`{rule.target.value}`"
    return [*names, guard, target, ", ".join(journal), ", ".join(f"`{name}`" for name in rule.effects)]


def _ignored(table: Table) -> Iterator[Row]:
    """The ignored pairs: by reason, then states with the same events together."""
    events_of: dict[str, dict[str, list[str]]] = {}
    for (state, event), reason in table.ignored.items():
        events_of.setdefault(reason, {}).setdefault(state.value, []).append(event.value)
    for reason, by_state in events_of.items():
        for events, states in _same_events(by_state).items():
            everything = len(events) == len(table.events)
            yield [reason, _names(states), "every event" if everything else _names(events)]


def _same_events(by_state: Mapping[str, list[str]]) -> Mapping[tuple[str, ...], list[str]]:
    states: dict[tuple[str, ...], list[str]] = {}
    for state, events in by_state.items():
        states.setdefault(tuple(events), []).append(state)
    return states


def _names(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _markdown_table(header: Row, rows: Iterable[Row]) -> Iterator[str]:
    yield f"| {' | '.join(header)} |"
    yield f"|{'---|' * len(header)}"
    for row in rows:
        yield f"| {' | '.join(cell.replace('|', '/') for cell in row)} |"
    yield ""


def main(arguments: list[str] | None = None) -> int:
    """Write or check the documents; returns the exit status."""
    parser = argparse.ArgumentParser(
        description="Write the pages of states and their pictures from the state tables."
    )
    parser.add_argument("--check", action="store_true", help="write nothing; fail when a file is stale")
    parser.add_argument(
        "--docs", type=Path, default=DOCS, help="the folder to write to (default: %(default)s)"
    )
    options = parser.parse_args(arguments)
    stale = []
    for name, data in documents().items():
        path = options.docs / name
        if path.exists() and path.read_bytes() == data:
            continue
        stale.append(path)
        if not options.check:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
    for path in stale:
        print(f"{path} is stale: run `{RENEW}`" if options.check else f"{path}: written")
    return 1 if options.check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
