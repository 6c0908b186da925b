"""What the demo leaves in its folder: pictures, sound, and the payment as data."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

from hal.virtual.clock import VirtualClock
from hal.virtual.display import VirtualDisplay
from tools.demo_steps import Play, StepTold, books
from tools.wire_log import LoggedFrame, WireLog

MACHINE = "transaction"


def write_files(play: Play, steps: Sequence[StepTold], folder: Path) -> list[tuple[str, list[Path]]]:
    """Write everything; returns (what, its files) in the order in which it is told.

    Files of these names are replaced, others left alone. Raises OSError.
    """
    return [
        ("displays", _displays(play.display.model, steps, folder)),
        ("slips", _slips(play, folder)),
        ("sound", _sound(play, folder)),
        ("states", _diagram(folder)),
        ("line", [_written(folder / "line.txt", "".join(f"{line}\n" for line in line_lines(play.log)))]),
        ("report", [_report(play, folder)]),
    ]


def line_lines(log: WireLog) -> Iterator[str]:
    """Every frame as one line: seconds since the first, sender, bytes on the line, kind, hex (masked)."""
    frames: Sequence[LoggedFrame] = log.since(0)
    for frame in frames:
        seconds = (frame.at_ms - frames[0].at_ms) / 1000
        names = " ".join(f"[{message.mti} {message.name.value}]" for message in frame.messages)
        head = f"{seconds:8.3f}  {frame.side:8}  {frame.byte_count:4}  {frame.kind.value:7}"
        yield f"{head}  {frame.hex_masked}  {frame.detail}  {names}".rstrip()


def _displays(model: str, steps: Sequence[StepTold], folder: Path) -> list[Path]:
    """One picture a step, drawn on a display of the same model."""
    paths = []
    glass = VirtualDisplay(clock=VirtualClock(), model=model)
    for number, step in enumerate(steps, start=1):
        glass.show(step.screen)
        paths.append(folder / f"display-{number}-{step.name.replace('_', '-')}.png")
        glass.png(paths[-1])
    return paths


def _slips(play: Play, folder: Path) -> list[Path]:
    printer = play.station.devices.printer
    paths = []
    for index, slip in enumerate(printer.slips):
        paths.append(folder / f"slip-{index + 1}.png")
        printer.paper_png(paths[-1], slip=index)
        paths.append(_written(folder / f"slip-{index + 1}.txt", f"{slip.text}\n"))
    return paths


def _sound(play: Play, folder: Path) -> list[Path]:
    path = folder / "beeps.wav"
    play.station.devices.buzzer.write_wav(path)
    return [path]


def _diagram(folder: Path) -> list[Path]:
    from tools.diagram.choices import render, table_of
    from tools.diagram.graph import graph_of

    graph = graph_of(table_of(MACHINE))
    paths = []
    for suffix in ("svg", "png"):
        paths.append(folder / f"states.{suffix}")
        paths[-1].write_bytes(render(graph, suffix))
    return paths


def _report(play: Play, folder: Path) -> Path:
    entries, holds_left, findings = books(play)
    report = play.payment.to_json() | {
        "states": play.station.states,
        "beeps": play.station.beeps,
        "slips": play.station.slips,
        "ledger": {
            "entries": [{"account": name, "amount_minor": amount_minor} for name, amount_minor in entries],
            "holds_left": holds_left,
            "findings": list(findings),
        },
    }
    return _written(folder / "payment.json", json.dumps(report, ensure_ascii=False, indent=2) + "\n")


def _written(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path
