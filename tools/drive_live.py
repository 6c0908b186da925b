"""The same in real time: a pseudo-terminal pair, a gateway and a TCP bank in the background.

The terminal runs in the caller's thread and is its only one. Gateway and bank share a second thread with an
event loop; the bank's database is used there and nowhere else.
"""

from __future__ import annotations

import asyncio
import select
import threading
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from typing import Any

from bank.authoriser import Bank
from bank.server import LOOPBACK, BankServer, serve
from firmware.app import Terminal
from host_link.gateway import GatewaySettings, run_gateway
from host_link.ports import NullModem
from tools.drive import T, Tap
from tools.loopback import Loopback

WAIT_MAX_S = 0.02
"""A device without a file descriptor (the virtual keypad) may have news: look at least so often."""

_ANSWER_TIMEOUT_S = 10.0


class LiveDrive:
    """A `Drive` in real time. Open the terminal's serial port on `port_path`."""

    def __init__(
        self,
        open_bank: Callable[[], Bank],
        *,
        bits_per_s: int = 115_200,
        tap: Tap = lambda _at_ms, _side, _data: None,
        loopback: Loopback | None = None,
        pairing_key: bytes | None = None,
        half_duplex: bool = False,
    ) -> None:
        self._loopback = loopback
        sides = {"a": "terminal", "b": "gateway"}
        self._modem = NullModem(lambda end, data: tap(self.now_ms(), sides[end], data))
        self.port_path = self._modem.path_a
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="bank-and-gateway", daemon=True)
        self._thread.start()
        self._closed = False
        self._gateway: Future[None] | None = None
        try:
            self._bank: Bank = self._call(_as_coroutine(open_bank))
            self._server: BankServer = self._call(serve(self._bank))
        except BaseException:
            self._stop_loop()
            raise
        self._settings = GatewaySettings(
            (self._modem.path_b,),
            LOOPBACK,
            self._server.port,
            bits_per_s,
            pairing_key=pairing_key,
            half_duplex=half_duplex,
        )
        self._start_gateway()

    # --- Drive --------------------------------------------------------------------------------------

    def now_ms(self) -> int:
        """The machine's monotonic clock."""
        return time.monotonic_ns() // 1_000_000

    def pump(self, terminal: Terminal | None) -> None:
        """Carry over what waits, then let the terminal work."""
        self._carry()
        if terminal is not None:
            terminal.step()
            self._carry()

    def _carry(self) -> None:
        self._modem.pump()
        if self._loopback is not None:
            self._loopback.turn(self.now_ms())

    def wait(self, terminal: Terminal | None, until_ms: int) -> None:
        """Sleep until bytes come in or something is due."""
        deadline_ms = terminal.deadline_ms() if terminal is not None else None
        soonest = until_ms if deadline_ms is None else min(until_ms, deadline_ms)
        filenos = list(self._modem.filenos())
        if self._loopback is not None:
            filenos += self._loopback.filenos()
            soonest = min(soonest, self._loopback.deadline_ms() or soonest)
        timeout_s = min(max(soonest - self.now_ms(), 0) / 1000, WAIT_MAX_S)
        if terminal is not None:
            filenos += [fd for _, device in terminal.board.devices() for fd in device.filenos()]
        select.select(filenos, [], [], timeout_s)

    def ask_bank(self, question: Callable[[Bank], T]) -> T:
        """Ask in the bank's own thread."""
        return self._call(_as_coroutine(lambda: question(self._bank)))

    def cut_line(self) -> None:
        """Pull the null modem's cable."""
        self._modem.unplug()

    def mend_line(self) -> None:
        """Plug it in."""
        self._modem.plug()

    def stop_bank(self) -> None:
        """Close the listening socket and every connection."""
        self._call(self._stop_server())

    def start_bank(self) -> None:
        """Listen on the same port again."""
        self._server = self._call(serve(self._bank, port=self._settings.bank_port))

    def restart_gateway(self) -> None:
        """End the gateway and start a new one."""
        self._stop_gateway()
        self._start_gateway()

    def close(self) -> None:
        """End gateway, bank and line."""
        if self._closed:
            return
        self._closed = True
        self._stop_gateway()
        self._call(self._stop_server())
        self._call(_as_coroutine(self._bank.close))
        self._stop_loop()
        if self._loopback is not None:
            self._loopback.close()

    # --- its parts ----------------------------------------------------------------------------------

    def _call(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(_ANSWER_TIMEOUT_S)

    def _start_gateway(self) -> None:
        self._gateway = asyncio.run_coroutine_threadsafe(run_gateway(self._settings), self._loop)

    def _stop_gateway(self) -> None:
        if self._gateway is not None:
            self._gateway.cancel()
            self._gateway = None
        self._call(asyncio.sleep(0))

    async def _stop_server(self) -> None:
        self._server.close()
        self._server.drop_connections()
        await self._server.wait_closed()

    def _stop_loop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        self._modem.close()


async def _as_coroutine(function: Callable[[], T]) -> T:
    return function()
