"""The graph for Graphviz: groups as clusters, one edge a pair of states."""

from __future__ import annotations

from collections.abc import Iterator

from tools.diagram.graph import Edge, Graph, Node, duration
from tools.diagram.palette import FAINT_INK, LANE, LANE_BORDER, MAIN_LINE, ROLES, SIDE_LINE


def dot_of(graph: Graph) -> str:
    """The graph in the DOT language. Source: graphviz.org/doc/info/lang.html."""
    lines = [
        f"digraph {_quoted(graph.name)} {{",
        f"    label={_quoted(graph.table.title)}; labelloc=t; fontsize=20;",
        '    fontname="Helvetica"; newrank=true; nodesep=0.5; ranksep=0.7;',
        '    node [shape=box, style="rounded,filled", fontname="Helvetica", fontsize=11];',
        '    edge [fontname="Helvetica", fontsize=9];',
        "    __begin [shape=point, width=0.15];",
    ]
    for group, nodes in graph.groups():
        lines.append(f"    subgraph cluster_{group.name.lower()} {{")
        lines.append(f'        label={_quoted(group.value)}; style="rounded,filled";')
        lines.append(f'        fillcolor="{LANE}"; color="{LANE_BORDER}";')
        lines += [f"        {_node(node)}" for node in nodes]
        lines.append("    }")
    lines.append(f"    __begin -> {_quoted(graph.initial)};")
    lines += [f"    {line}" for line in _edges(graph)]
    return "\n".join([*lines, "}", ""])


def _node(node: Node) -> str:
    steps = f"{', '.join(map(str, node.steps))}: " if node.steps else ""
    waits = f" ({duration(node.timeout_ms)})" if node.timeout_ms is not None else ""
    label = [f"{steps}{node.title}{waits}", node.meaning]
    colours = ROLES[node.role]
    outline = ", peripheries=2" if node.ended else ""
    look = f'color="{colours.strong}", fillcolor="{colours.pale}"{outline}'
    return f"{_quoted(node.name)} [label={_lines(label)}, {look}];"


def _edges(graph: Graph) -> Iterator[str]:
    for edge in graph.edges:
        look = f'color="{MAIN_LINE}", penwidth=3' if edge.on_main_path else f'color="{SIDE_LINE}"'
        if not edge.is_line:
            look = f'color="{ROLES[graph.by_name[edge.target].role].strong}", style=dashed, constraint=false'
        look += f', fontcolor="{FAINT_INK}"'
        yield f"{_quoted(edge.source)} -> {_quoted(edge.target)} [label={_label(edge)}, {look}];"


def _label(edge: Edge) -> str:
    return _lines([line for trigger in edge.triggers for line in trigger.lines()])


def _lines(lines: list[str]) -> str:
    """A label of several lines, each centred."""
    return _quoted("\n".join(line for line in lines if line)).replace("\n", "\\n")


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
