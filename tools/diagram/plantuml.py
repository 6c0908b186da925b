"""The graph for PlantUML: groups as composite states, timeouts and screens as descriptions."""

from __future__ import annotations

from collections.abc import Iterator

from tools.diagram.graph import Graph, Node, duration, words
from tools.diagram.palette import MAIN_LINE, ROLES, SIDE_LINE


def plantuml_of(graph: Graph) -> str:
    """A PlantUML state diagram. Source: plantuml.com/state-diagram."""
    lines = [f"@startuml {graph.name}", f"title {graph.table.title}", "hide empty description"]
    for group, nodes in graph.groups():
        lines.append(f'state "{group.value}" as group_{group.name.lower()} {{')
        lines += [f"    {line}" for node in nodes for line in _node(node)]
        lines.append("}")
    lines.append(f"[*] --> {graph.initial}")
    for edge in graph.edges:
        target = ROLES[graph.by_name[edge.target].role].strong
        colour = SIDE_LINE if edge.is_line else f"{target},dashed"
        look = f"{MAIN_LINE},bold" if edge.on_main_path else colour
        label = "\\n".join(line for trigger in edge.triggers for line in trigger.lines())
        lines.append(f"{edge.source} -[{look}]-> {edge.target} : {label}")
    lines += [f"{node.name} --> [*]" for node in graph.nodes if node.ended]
    return "\n".join([*lines, "@enduml", ""])


def _node(node: Node) -> Iterator[str]:
    colours = ROLES[node.role]
    steps = f"{', '.join(map(str, node.steps))} · " if node.steps else ""
    yield f'state "{steps}{node.title}" as {node.name} {colours.pale};line:{colours.strong.removeprefix("#")}'
    yield f"{node.name} : {node.meaning}"
    if node.timeout_ms is not None:
        yield f"{node.name} : timeout {duration(node.timeout_ms)}"
    if node.row.screen:
        yield f"{node.name} : screen {words(node.row.screen)}"
