"""What can be measured, and the command that does it: `python -m tools.bench [--json] [NAME ...]`."""

from __future__ import annotations

import argparse
import importlib
import json
import platform
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from tools.bench.measure import Measurement

BENCHES: Mapping[str, str] = {
    "messages": "tools.bench.messages",
    "keys": "tools.bench.keys",
    "frames": "tools.bench.frames",
    "payments": "tools.bench.payments",
    "terminal": "tools.bench.terminal",
    "journal": "tools.bench.journal",
    "simulation": "tools.bench.simulation",
    "bank-socket": "tools.bench.bank_socket",
    "codec": "tools.bench.codec",
    "link": "tools.bench.link",
}
"""Name -> module with a function `measure() -> list[Measurement]`; imported when it is chosen.

One that compares with packages of others also has `missing() -> list[str]`: those that are not installed.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure what is asked for, or everything, and print it. Returns 0; a wrong name ends with 2."""
    parser = argparse.ArgumentParser(prog="make bench", description="measure how fast the parts are")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"what to measure: {', '.join(BENCHES)}")
    parser.add_argument("--json", action="store_true", help="print JSON")
    chosen = parser.parse_args(arguments)
    if unknown := [name for name in chosen.names if name not in BENCHES]:
        parser.error(f"no benchmark {unknown[0]!r}: choose from {', '.join(BENCHES)}")
    report: dict[str, Any] = {"python": platform.python_version(), "machine": platform.machine()}
    if not chosen.json:
        print(f"Python {report['python']} on {report['machine']}; the best of several rounds")
    results = []
    for name in chosen.names or BENCHES:
        module = importlib.import_module(BENCHES[name])
        for result in module.measure():
            results.append(asdict(result))
            if not chosen.json:
                print(_line(result), flush=True)
        absent: list[str] = getattr(module, "missing", list)()
        report.setdefault("not_installed", []).extend(absent)
        if absent and not chosen.json:
            print(f"{name}: not compared with {', '.join(absent)}: not installed")
    if chosen.json:
        json.dump({**report, "results": results}, sys.stdout, indent=2)
        print()
    return 0


def _line(result: Measurement) -> str:
    start = f"{result.name:34} {_figure(result.value):>10} {result.unit:5}"
    if result.references:
        return start + "".join(f"  {name} {_figure(value)}" for name, value in result.references.items())
    return f"{start} worst round -{result.spread:.0%}" if result.spread else start.rstrip()


def _figure(value: float) -> str:
    digits = 0 if value >= 100 else 1 if value >= 3 else 3
    return f"{value:,.{digits}f}"
