"""The table as SCXML, which interpreters of that standard can run.

Guards are data of the document: set one to true to take its branch. What a rule journals and what leaves the
terminal are `log` elements, in the order in which the machine carries them out. A timeout is an event that is
sent to the machine itself on entry, and cancelled on exit.
Source: W3C Recommendation "State Chart XML (SCXML)", 1 September 2015.
"""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

from firmware.txn.schema import Rule
from tools.diagram.graph import Graph, Node

TIMEOUT = "timeout"


def scxml_of(graph: Graph) -> str:
    """The SCXML document of a table; every rule is one transition, in the table's order."""
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        '<scxml xmlns="http://www.w3.org/2005/07/scxml" version="1.0" datamodel="ecmascript"',
        f'       name="{escape(graph.name)}" initial="{graph.initial}">',
        "  <datamodel>",
        *(f'    <data id="{guard}" expr="false"/>' for guard in sorted(graph.table.names("guard"))),
        "  </datamodel>",
    ]
    for node in graph.nodes:
        lines += _final(node) if node.ended else _state(graph, node)
    return "\n".join([*lines, "</scxml>", ""])


def _final(node: Node) -> Iterator[str]:
    yield f'  <final id="{node.name}"/>'


def _state(graph: Graph, node: Node) -> Iterator[str]:
    yield f"  <!-- {node.row.group.value}: {node.meaning.replace('--', '-')} -->"
    yield f'  <state id="{node.name}">'
    if node.timeout_ms is not None:
        name = f"{TIMEOUT}.{node.name}"
        yield f'    <onentry><send id="{name}" event="{TIMEOUT}" delay="{node.timeout_ms}ms"/></onentry>'
        yield f'    <onexit><cancel sendid="{name}"/></onexit>'
    for rule in graph.table.rules:
        if rule.source is node.row.state:
            yield from _transition(rule)
    yield "  </state>"


def _transition(rule: Rule) -> Iterator[str]:
    guard = f' cond="{rule.guard}"' if rule.guard else ""
    opening = f'    <transition event="{rule.event.value}"{guard} target="{rule.target.value}"'
    logs = [("record", name) for name in rule.records] + [("effect", name) for name in rule.effects]
    if not logs:
        yield f"{opening}/>"
        return
    yield f"{opening}>"
    yield from (f'      <log label="{label}" expr="\'{name}\'"/>' for label, name in logs)
    yield "    </transition>"
