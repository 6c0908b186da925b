"""The whole table as JSON, with the table's own names."""

from __future__ import annotations

import json
from typing import Any

from firmware.txn.schema import Rule
from tools.diagram.graph import Edge, Graph, Node


def json_of(graph: Graph) -> str:
    """States, events, rules in order, merged edges, and the ignored pairs with their reasons."""
    table = graph.table
    document = {
        "machine": graph.name,
        "title": table.title,
        "initial": graph.initial,
        "states": [_state(node) for node in graph.nodes],
        "events": [event.value for event in table.events],
        "rules": [_rule(rule) for rule in table.rules],
        "edges": [_edge(edge) for edge in graph.edges],
        "ignored": [
            {"source": state.value, "event": event.value, "because": reason}
            for (state, event), reason in table.ignored.items()
        ],
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _state(node: Node) -> dict[str, Any]:
    row = node.row
    return {
        "name": node.name,
        "group": row.group.value,
        "kind": row.kind.value,
        "meaning": node.meaning,
        "steps": list(node.steps),
        "screen": row.screen or None,
        "keys": row.keys.value,
        "timeout": row.timeout or None,
        "timeout_ms": node.timeout_ms,
        "recovery": row.recovery.value,
    }


def _rule(rule: Rule) -> dict[str, Any]:
    return {
        "source": rule.source.value,
        "event": rule.event.value,
        "guard": rule.guard or None,
        "target": rule.target.value,
        "records": list(rule.records),
        "effects": list(rule.effects),
        "outcome": rule.outcome.value if rule.outcome else None,
        "reason": rule.reason.value or None,
        "reversal": rule.reversal.value if rule.reversal else None,
    }


def _edge(edge: Edge) -> dict[str, Any]:
    return {
        "source": edge.source,
        "target": edge.target,
        "events": [rule.event.value for rule in edge.rules],
        "drawn_as_line": edge.is_line,
        "on_main_path": edge.on_main_path,
    }
