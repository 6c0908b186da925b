"""The link beside its goals, public peers and the ideal: goodput, exchanges, outages, reboots.

In virtual time, so the figures repeat exactly; and once in real time over a pseudo-terminal pair. Peers that
are installed are measured in the same run; what the best of all once reached is shown as recorded.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from importlib import resources
from typing import Any

from tools.bench import link_peers, link_pty, link_virtual
from tools.bench.measure import Measurement

GOODPUT_S = 40.0
EXCHANGES = 300
MOMENTS = range(0, 200, 37)
REAL_TIME_S = 2.0
BIT_ERROR_RATES = (0.0, 1e-5, 1e-4, 1e-3)
_IDEAL_OVERHEAD_BYTES = 8
_SEED = 1


def measure() -> list[Measurement]:
    """All of it."""
    goals = references()
    return [
        *_goodput(goals["goodput"]),
        *_exchanges(goals["exchange"]),
        *_paired(),
        *_half_duplex(),
        *_recovery(goals["recovery"]),
        *_reboot(goals["reboot"]),
        *link_pty.measure(duration_s=REAL_TIME_S),
    ]


def references() -> Mapping[str, Any]:
    """Goals and peers' figures."""
    return tomllib.loads(resources.files("tools.bench").joinpath("link_references.toml").read_text("utf-8"))


def missing() -> list[str]:
    """The peers that could be measured and are not installed."""
    return sorted(link_peers.PEERS.keys() - link_peers.present().keys())


def numbers(entry: Mapping[str, Any]) -> dict[str, float]:
    """An entry's figures, with their names as they are printed."""
    figures = {"goal": entry.get("goal")}
    if "best_peer" in entry:
        figures[f"recorded: {entry['peer']}"] = entry["best_peer"]
    return {name: value for name, value in figures.items() if value is not None}


def _goodput(goals: Mapping[str, Any]) -> Iterator[Measurement]:
    for size in (128, 1024):
        for rate in BIT_ERROR_RATES:
            value = link_virtual.goodput(size, rate, duration_s=GOODPUT_S, seed=_SEED)
            # Long messages may be cut as is best, short ones go whole.
            payloads = (size,) if size == 128 else range(1, size + 1)
            ideal = max(
                link_virtual.ideal_goodput(payload, rate, _IDEAL_OVERHEAD_BYTES) for payload in payloads
            )
            columns = {**numbers(goals[str(size)][f"{rate:g}"]), **_peers_goodput(size, rate), "ideal": ideal}
            yield Measurement(f"goodput {size} B, BER {rate:g}", value, "line", references=columns)


def _peers_goodput(size: int, rate: float) -> dict[str, float]:
    """Of peers that take messages of that size."""
    return {
        name: link_peers.goodput(make, size, rate, duration_s=GOODPUT_S, seed=_SEED)
        for name, make in link_peers.present().items()
        if size <= link_peers.MESSAGE_BYTES_MAX
    }


def _exchanges(goals: Mapping[str, Any]) -> Iterator[Measurement]:
    total = link_virtual.REQUEST_BYTES + link_virtual.RESPONSE_BYTES + 2 * _IDEAL_OVERHEAD_BYTES
    for rate in BIT_ERROR_RATES:
        times_ms = link_virtual.exchange_times_ms(rate, count=EXCHANGES, seed=_SEED)
        peers = {
            name: link_peers.exchange_times_ms(make, rate, count=EXCHANGES, seed=_SEED)
            for name, make in link_peers.present().items()
        }
        for name, fraction in (("median", 0.5), ("p99", 0.99)):
            columns = numbers(goals[name].get(f"{rate:g}", {}))
            columns |= {peer: float(link_virtual.quantile(times, fraction)) for peer, times in peers.items()}
            if name == "median":
                columns["line alone"] = 1000 * total / link_virtual.BYTES_PER_S
            value = float(link_virtual.quantile(times_ms, fraction))
            yield Measurement(f"exchange 150/120, {name}, BER {rate:g}", value, "ms", references=columns)


def _paired() -> Iterator[Measurement]:
    """The same with a pairing key: what the seals cost. Nobody has set a goal for it."""
    for rate in BIT_ERROR_RATES:
        value = link_virtual.goodput(128, rate, duration_s=GOODPUT_S, seed=_SEED, paired=True)
        yield Measurement(f"paired: goodput 128 B, BER {rate:g}", value, "line")
    times_ms = link_virtual.exchange_times_ms(0.0, count=EXCHANGES, seed=_SEED, paired=True)
    median_ms = float(link_virtual.quantile(times_ms, 0.5))
    yield Measurement("paired: exchange 150/120, median, BER 0", median_ms, "ms")


def _half_duplex() -> Iterator[Measurement]:
    """The same on a line that carries one direction at a time: what taking turns costs."""
    for rate in BIT_ERROR_RATES[::2]:
        value = link_virtual.goodput(128, rate, duration_s=GOODPUT_S, seed=_SEED, half_duplex=True)
        yield Measurement(f"half duplex: goodput 128 B, BER {rate:g}", value, "line")
    times_ms = link_virtual.exchange_times_ms(0.0, count=EXCHANGES, seed=_SEED, half_duplex=True)
    median_ms = float(link_virtual.quantile(times_ms, 0.5))
    yield Measurement("half duplex: exchange 150/120, median, BER 0", median_ms, "ms")


def _recovery(goals: Mapping[str, Any]) -> Iterator[Measurement]:
    for outage, entry in goals.items():
        worst = max(link_virtual.recovery_ms(float(outage), moment=moment, seed=_SEED) for moment in MOMENTS)
        yield Measurement(f"back after {outage} s of outage", float(worst), "ms", references=numbers(entry))


def _reboot(goals: Mapping[str, Any]) -> Iterator[Measurement]:
    worst = max(link_virtual.reboot_noticed_ms(moment=moment, seed=_SEED) for moment in MOMENTS)
    yield Measurement("silent reboot noticed", float(worst), "ms", references=numbers(goals["noticed"]))
