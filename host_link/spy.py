"""The spy: writes down what crosses the gateway's lines, in a file that only its owner may read."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

from host_link.errors import RecordingUnusable
from host_link.recording import Record, RecordingHeader


class Spy:
    """A recording in the making. Give `tap` to a gateway.

    Every piece is written at once, so the file is whole up to the moment of a power cut. When it cannot be
    written any more (disk full), `failed` is told once and the line is served on.
    """

    def __init__(
        self,
        path: Path,
        ports: tuple[str, ...],
        bits_per_s: int,
        *,
        failed: Callable[[str], None] = lambda _text: None,
    ) -> None:
        """Make the file. Raises RecordingUnusable, also when there is one of that name already."""
        self._path = path
        self._failed = failed
        self._started_ns = time.monotonic_ns()
        header = RecordingHeader(time.time_ns() // 1000, bits_per_s, ports)
        try:
            # Made anew, never taken over: an existing file may be readable for others.
            self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
            self._write(header.encode())
        except FileExistsError:
            raise RecordingUnusable(f"{path} exists: give another name, or remove it first") from None
        except OSError as error:
            raise RecordingUnusable(f"{path} cannot be written: {error.strerror}") from None

    def tap(self, port: int, side: str, data: bytes) -> None:
        """Write down what `side` has sent on that port."""
        if self._file < 0 or not data:
            return
        at_us = (time.monotonic_ns() - self._started_ns) // 1000
        try:
            self._write(Record(at_us, port, side, data).encode())
        except OSError as error:
            self._failed(f"{self._path} cannot be written any more ({error.strerror}): recording has ended")
            self.close()

    def close(self) -> None:
        """End the recording. May be called twice."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def _write(self, data: bytes) -> None:
        while data:
            data = data[os.write(self._file, data) :]
