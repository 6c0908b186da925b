"""The communication test's report: did the bank answer, how fast, and how good is the line on the way."""

from __future__ import annotations

from dataclasses import dataclass

from firmware.exchange import Verdict
from firmware.link_quality import BARS_MAX, bars_of
from firmware.paper import Paper
from firmware.reports import Items
from hal.api import PrintRule
from host_link.session import LinkCounters


@dataclass(frozen=True, slots=True)
class EchoResult:
    """What became of the echo; without a verdict nobody answered in time."""

    verdict: Verdict | None = None
    round_trip_ms: int = 0


def line_report(
    paper: Paper, echo: EchoResult, counters: LinkCounters, *, is_up: bool, bits_per_s: int
) -> Items:
    """The echo of the bank, then what the link has counted since it was switched on."""
    verdict = echo.verdict.value if echo.verdict else "silence"
    items = paper.pair(paper.text("line.bank"), paper.text(f"line.echo.{verdict}"), bold=True)
    if echo.verdict is Verdict.APPROVED:
        items += paper.field("line.round_trip", f"{echo.round_trip_ms} ms")
    bars = bars_of(counters.good_frames, counters.spoilt_frames) if is_up else 0
    values = {
        "state": paper.text("line.up" if is_up else "line.down"),
        "quality": f"{'#' * bars:.<{BARS_MAX}}",
        "rate": f"{bits_per_s} bit/s",
        "link_round_trip": f"{counters.round_trip_us / 1000:.1f} ms",
        "sent": counters.frames_sent,
        "received": counters.frames_received,
        "damaged": counters.check_errors,
        "noise": counters.noise_pieces,
        "repeated": counters.ranges_resent,
        "outages": counters.outages,
        "restarts": counters.peer_restarts,
    }
    items.append(PrintRule())
    return items + [item for key, value in values.items() for item in paper.field(f"line.{key}", str(value))]
