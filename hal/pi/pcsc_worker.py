"""PC/SC's calls, which block for as long as a card computes, on a thread of their own.

Jobs go in by a queue, results come out by another and a pipe that wakes whoever polls. Between jobs the
reader is asked whether there is a card. The thread holds the context and the card, nobody else calls PC/SC.
"""

from __future__ import annotations

import contextlib
import os
import queue
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

_LOOK_S = 0.1
_NOTICE_MS = 1_000
"""How long after a failure to wait for pcscd to notice that the card is gone; it looks every 400 ms."""
_STOP_S = 5.0
_WAKE_BYTES = 4096


@dataclass(frozen=True, slots=True)
class Presence:
    """Whether there is a card; `count` changes with every insertion and removal."""

    present: bool
    count: int


@dataclass(frozen=True, slots=True)
class Done:
    """What a job came to: `code` 0 and data (an ATR, a response), or PC/SC's reason."""

    token: int
    code: int
    data: bytes = field(default=b"", repr=False)
    protocol: int = 0


class PcscWorker:
    """One reader. Start it once, and stop it."""

    def __init__(self, scard: Any, context: Any, reader: str) -> None:
        self._scard = scard
        self._context = context
        self._reader = reader
        self._card: Any = None
        self._protocol = 0
        self._jobs: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._results: deque[Presence | Done] = deque()
        self._presence: Presence | None = None
        self._state = 0  # of the reader, in PC/SC's bits
        self._wake_read, self._wake_write = os.pipe()
        os.set_blocking(self._wake_read, False)
        os.set_blocking(self._wake_write, False)
        self._thread = threading.Thread(target=self._run, name="PC/SC", daemon=True)

    # --- the terminal's side ---

    def start(self) -> None:
        """Begin to look for a card."""
        self._thread.start()

    def stop(self) -> None:
        """Switch the card off and end. Waits for a card that computes, but not for a reader that hangs."""
        self._jobs.put(None)
        self._thread.join(_STOP_S)
        if not self._thread.is_alive():  # else it goes on until PC/SC returns, and needs its pipe
            os.close(self._wake_read)
            os.close(self._wake_write)

    def fileno(self) -> int:
        """Readable when there is a result."""
        return self._wake_read

    def results(self) -> Sequence[Presence | Done]:
        """What came since the last call, oldest first."""
        try:
            os.read(self._wake_read, _WAKE_BYTES)
        except BlockingIOError:
            return ()
        found: list[Presence | Done] = []
        while self._results:
            found.append(self._results.popleft())
        return found

    def reset(self, token: int, *, warm: bool) -> None:
        """Reset the card: Done with its ATR follows."""
        self._jobs.put(lambda: self._reset(token, warm=warm))

    def transmit(self, token: int, data: bytes) -> None:
        """Send bytes to the card: Done with its answer follows."""
        self._jobs.put(lambda: self._transmit(token, data))

    def power_off(self) -> None:
        """Switch the card off."""
        self._jobs.put(self._disconnect)

    # --- the thread ---

    def _run(self) -> None:
        while True:
            try:
                job = self._jobs.get(timeout=_LOOK_S)
            except queue.Empty:
                self._look()
                continue
            if job is None:
                break
            job()
            self._look()
        self._disconnect()
        self._scard.SCardReleaseContext(self._context)

    def _tell(self, result: Presence | Done) -> None:
        self._results.append(result)
        with contextlib.suppress(BlockingIOError):  # a pipe full of wake-ups needs no more of them
            os.write(self._wake_write, b"\0")

    def _look(self, *, wait_ms: int = 0) -> None:
        """See whether there is a card; with `wait_ms`, once something has changed."""
        known = self._state if wait_ms else self._scard.SCARD_STATE_UNAWARE
        code, states = self._scard.SCardGetStatusChange(self._context, wait_ms, [(self._reader, known)])
        if code == self._scard.SCARD_E_TIMEOUT:
            return
        if code != 0:
            self._see(Presence(present=False, count=-1))
            self._find_again(code)
            return
        _, self._state, _ = states[0]
        present = bool(self._state & self._scard.SCARD_STATE_PRESENT)
        self._see(Presence(present, self._state >> 16 & 0xFFFF))

    def _find_again(self, code: int) -> None:
        """A pcscd that was started anew knows nothing of the context from before."""
        scard = self._scard
        if code in {scard.SCARD_E_NO_SERVICE, scard.SCARD_E_SERVICE_STOPPED, scard.SCARD_E_INVALID_HANDLE}:
            code, context = scard.SCardEstablishContext(scard.SCARD_SCOPE_SYSTEM)
            if code == 0:
                self._context, self._card = context, None

    def _see(self, presence: Presence) -> None:
        if presence != self._presence:
            self._presence = presence
            self._tell(presence)

    def _reset(self, token: int, *, warm: bool) -> None:
        scard = self._scard
        both = scard.SCARD_PROTOCOL_T0 | scard.SCARD_PROTOCOL_T1
        if self._card is None:
            code, card, self._protocol = scard.SCardConnect(
                self._context, self._reader, scard.SCARD_SHARE_EXCLUSIVE, both
            )
            if code != 0:
                self._tell(Done(token, code))
                return
            self._card = card
        how = scard.SCARD_RESET_CARD if warm else scard.SCARD_UNPOWER_CARD
        code, self._protocol = scard.SCardReconnect(self._card, scard.SCARD_SHARE_EXCLUSIVE, both, how)
        if code == 0:
            code, _, _, _, atr = scard.SCardStatus(self._card)
            self._tell(Done(token, code, bytes(atr), self._protocol))
        else:
            self._disconnect()
            self._tell(Done(token, code))

    def _transmit(self, token: int, data: bytes) -> None:
        scard = self._scard
        if self._card is None:
            self._tell(Done(token, scard.SCARD_W_REMOVED_CARD))
            return
        t1 = self._protocol == scard.SCARD_PROTOCOL_T1
        code, answer = scard.SCardTransmit(
            self._card, scard.SCARD_PCI_T1 if t1 else scard.SCARD_PCI_T0, list(data)
        )
        if code == scard.SCARD_E_NOT_TRANSACTED or (code == 0 and len(answer) < 2):  # no status word
            self._look(wait_ms=_NOTICE_MS)
            if self._presence is not None and not self._presence.present:
                code = scard.SCARD_W_REMOVED_CARD
        self._tell(Done(token, code, bytes(answer)))

    def _disconnect(self) -> None:
        if self._card is not None:
            self._scard.SCardDisconnect(self._card, self._scard.SCARD_UNPOWER_CARD)
            self._card = None
