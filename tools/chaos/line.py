"""A serial line between two processes: two pseudo-terminals, and a thread that carries the bytes."""

from __future__ import annotations

import contextlib
import select
import threading
from collections.abc import Iterator

from host_link.ports import NullModem

POLL_S = 0.01


@contextlib.contextmanager
def null_modem() -> Iterator[tuple[str, str]]:
    """A line without any other program; gives the devices of its two ends."""
    modem = NullModem()
    ended = threading.Event()

    def carry() -> None:
        while not ended.is_set():
            select.select(modem.filenos(), [], [], POLL_S)
            modem.pump()

    thread = threading.Thread(target=carry, daemon=True)
    thread.start()
    try:
        yield modem.path_a, modem.path_b
    finally:
        ended.set()
        thread.join()
        modem.close()
