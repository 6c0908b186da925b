"""The graph as a Mermaid state diagram, which GitHub and many editors draw."""

from __future__ import annotations

from tools.diagram.graph import Graph, Node, Role, duration
from tools.diagram.palette import ROLES


def mermaid_of(graph: Graph) -> str:
    """A stateDiagram-v2: groups as composite states, roles as classes.

    Source: mermaid.js.org, State diagrams. All transitions stand outside of the composite states: a
    state that is named within another group would move there.
    """
    lines = ["---", f"title: {graph.table.title}", "---", "stateDiagram-v2"]
    lines += [
        f"    classDef {_class(role)} fill:{colours.pale},stroke:{colours.strong},color:#1f2937"
        for role, colours in ROLES.items()
        if any(node.role is role for node in graph.nodes)
    ]
    for group, nodes in graph.groups():
        lines.append(f'    state "{_text(group.value)}" as group_{group.name.lower()} {{')
        lines += [f'        state "{_title(node)}" as {node.name}' for node in nodes]
        lines.append("    }")
    lines += [f"    class {node.name} {_class(node.role)}" for node in graph.nodes]
    lines.append(f"    [*] --> {graph.initial}")
    for edge in graph.edges:
        label = "<br/>".join(_text(line) for trigger in edge.triggers for line in trigger.lines())
        lines.append(f"    {edge.source} --> {edge.target}: {label}")
    lines += [f"    {node.name} --> [*]" for node in graph.nodes if node.ended]
    return "\n".join([*lines, ""])


def _class(role: Role) -> str:
    return role.name.lower()


def _title(node: Node) -> str:
    steps = f"{', '.join(map(str, node.steps))} · " if node.steps else ""
    waits = f" ({duration(node.timeout_ms)})" if node.timeout_ms is not None else ""
    return _text(f"{steps}{node.title}{waits}")


def _text(text: str) -> str:
    """Without the characters that mean something to Mermaid."""
    return text.translate(str.maketrans('";:#', "',, "))
