"""Who else has a device open, as Linux tells under /proc.

Only processes whose descriptors may be read are found: one's own, and everybody's for root.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_PROC = Path("/proc")


@dataclass(frozen=True, slots=True)
class Holder:
    """A process that has a device open. `str` of it: "minicom (process 4711)"."""

    pid: int
    name: str

    def __str__(self) -> str:
        return f"{self.name} (process {self.pid})"


def holders(device: str, *, proc: Path = _PROC) -> list[Holder]:
    """The processes, this one included, that have `device` open; by pid. Never raises."""
    try:
        wanted = Path(device).stat().st_rdev
    except OSError:
        return []
    pids = sorted(int(entry.name) for entry in proc.iterdir() if entry.name.isdigit())
    return [Holder(pid, _name(proc, pid)) for pid in pids if wanted in _open_devices(proc, pid)]


def _open_devices(proc: Path, pid: int) -> Iterator[int]:
    """The numbers of the character devices that a process has open."""
    with contextlib.suppress(OSError):  # not ours to read, or ended meanwhile
        for descriptor in (proc / str(pid) / "fd").iterdir():
            with contextlib.suppress(OSError):
                if str(descriptor.readlink()).startswith("/dev/"):
                    yield descriptor.stat().st_rdev


def _name(proc: Path, pid: int) -> str:
    try:
        return (proc / str(pid) / "comm").read_text("utf-8", "replace").strip()
    except OSError:
        return "a process that has just ended"
