"""The machines and the formats, by name; what a choice needs is imported when it is chosen."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from firmware.txn.schema import Table
    from tools.diagram.graph import Graph

TERMINAL_MACHINES = ("transaction", "settlement", "terminal", "floor")
MACHINES = (*TERMINAL_MACHINES, "merchant")
SUFFIXES = {
    ".svg": "svg",
    ".png": "png",
    ".dot": "dot",
    ".gv": "dot",
    ".mmd": "mermaid",
    ".mermaid": "mermaid",
    ".puml": "plantuml",
    ".plantuml": "plantuml",
    ".scxml": "scxml",
    ".json": "json",
}
PICTURES = ("svg", "png")
FORMATS = tuple(dict.fromkeys(SUFFIXES.values()))


def table_of(machine: str) -> Table:
    """The running table of a machine. Raises ValueError for an unknown one."""
    match machine:
        case "transaction":
            from firmware.txn import transaction

            return transaction.TABLE
        case "terminal":
            from firmware.txn import terminal

            return terminal.TABLE
        case "floor":
            from firmware.txn import floor

            return floor.TABLE
        case "merchant":
            from tools.diagram.bank_tables import merchant_table

            return merchant_table()
        case "settlement":
            from firmware.txn import settlement

            return settlement.TABLE
    raise ValueError(f"unknown machine {machine!r}: choose one of {', '.join(MACHINES)}")


def render(graph: Graph, format_name: str) -> bytes:
    """The graph in a format, as the file's bytes. Raises ValueError for an unknown format."""
    if format_name in PICTURES:
        return _picture(graph, format_name)
    match format_name:
        case "dot":
            from tools.diagram.dot import dot_of as text_of
        case "mermaid":
            from tools.diagram.mermaid import mermaid_of as text_of
        case "plantuml":
            from tools.diagram.plantuml import plantuml_of as text_of
        case "scxml":
            from tools.diagram.scxml import scxml_of as text_of
        case "json":
            from tools.diagram.table_json import json_of as text_of
        case _:
            raise ValueError(f"unknown format {format_name!r}: choose one of {', '.join(FORMATS)}")
    return text_of(graph).encode()


def _picture(graph: Graph, format_name: str) -> bytes:
    from tools.diagram.place import layout_of
    from tools.diagram.scene import scene_of

    scene = scene_of(layout_of(graph))
    if format_name == "png":
        from tools.diagram.png import png_of

        return png_of(scene)
    from tools.diagram.svg import svg_of

    return svg_of(scene).encode()
