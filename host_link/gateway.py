"""The gateway as a process: serial ports on one side, the bank over TCP on the other.

This is the I/O shell around pure parts, a `Session` for each port and the `Relay`. Everything happens on one
event loop: bytes from a port, bytes from the bank and the timer each turn the crank once.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import secrets
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from host_link.backoff import Backoff
from host_link.bank_connection import BankAddress, BankCalls, BankConnection, TlsSettings
from host_link.diagnostics import answer_to, counter_request, read_report
from host_link.errors import SessionClosed
from host_link.ports import Port
from host_link.relay import CONNECT_TIMEOUT_MS, Action, CloseBank, Connect, Relay, SendToBank, SendToTerminal
from host_link.session import (
    Channel,
    DownReason,
    LinkDown,
    LinkEvent,
    LinkUp,
    MessageReceived,
    PeerRestarted,
)
from host_link.terminal_line import LineTap, Notice, TerminalLine, now_ms

PEER_ANSWER_TIMEOUT_S = 2.0
_REFUSED = (
    "the terminal is refused: one side has no pairing key, or another one "
    "(give both the same file, see posterm link pair)"
)


@dataclass(frozen=True, slots=True)
class GatewaySettings:
    """Where the two sides are. Several ports share the connection to the bank, by TPDU."""

    ports: tuple[str, ...]
    bank_host: str
    bank_port: int
    bits_per_s: int = 115_200
    max_bits_per_s: int | None = None  # the fastest to agree on with a terminal; None: no other
    connect_timeout_ms: int = CONNECT_TIMEOUT_MS
    tls: TlsSettings | None = None
    pairing_key: bytes | None = field(default=None, repr=False)  # of all its terminals
    half_duplex: bool = False  # the lines carry one direction at a time


class Gateway:
    """The terminals' way to one bank connection. `run` it as a task; cancel the task to end it.

    `open_ports`: the ports, open already, in the order of the settings; otherwise it opens them itself.
    `tap`: is told the number of the port, from 0, the side and the bytes of whatever crosses a line.
    Raises TlsUnusable.
    """

    def __init__(
        self,
        settings: GatewaySettings,
        *,
        notice: Notice = lambda _text: None,
        open_ports: Sequence[Port] = (),
        tap: Callable[[int, str, bytes], None] | None = None,
    ) -> None:
        self.settings = settings
        backoff = Backoff(random.Random(secrets.randbits(64)).random)
        self.relay = Relay(
            port_count=len(settings.ports), connect_timeout_ms=settings.connect_timeout_ms, backoff=backoff
        )
        self._notice = notice
        self._told_refused = ""
        self._timer: asyncio.TimerHandle | None = None
        self._reports: dict[tuple[int, int], asyncio.Future[dict[str, int]]] = {}
        self._last_token = 0
        self._bank = BankConnection(
            BankAddress(settings.bank_host, settings.bank_port, settings.tls),
            BankCalls(self._on_connected, self._on_refused, self._on_bank_bytes, self._on_closed),
        )
        self.lines = [
            TerminalLine(
                name,
                settings.bits_per_s,
                turn=self._turn,
                notice=notice,
                tap=_tap_of_line(tap, number),
                first_port=open_ports[number] if open_ports else None,
                pairing_key=settings.pairing_key,
                max_bits_per_s=settings.max_bits_per_s,
                half_duplex=settings.half_duplex,
            )
            for number, name in enumerate(settings.ports)
        ]

    async def run(self) -> None:
        """Serve until cancelled. A port that is missing or vanishes is waited for."""
        try:
            async with asyncio.TaskGroup() as lines:
                for line in self.lines:
                    lines.create_task(line.run())
        finally:
            await self._stop()

    # --- the crank ---

    def _turn(self) -> None:
        """Do all that can be done now, and set the timer for the rest."""
        self._perform(self.relay.on_deadline(now_ms=now_ms()))
        for number, line in enumerate(self.lines):
            for event in line.events():
                self._on_link_event(number, event)
        for line in self.lines:
            line.flush()
        self._set_timer()

    def _set_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        moments = [self.relay.deadline_ms(), *(line.session.deadline_ms() for line in self.lines)]
        first_ms = min((moment for moment in moments if moment is not None), default=None)
        loop = asyncio.get_running_loop()
        self._timer = None if first_ms is None else loop.call_at(first_ms / 1000, self._turn)

    def _perform(self, actions: list[Action]) -> None:
        for action in actions:
            match action:
                case Connect():
                    self._bank.connect()
                case SendToBank(data):
                    self._bank.send(data)
                case CloseBank():
                    self._bank.hang_up()
                case SendToTerminal(channel, payload, port):
                    with contextlib.suppress(SessionClosed):  # while it ends
                        self.lines[port].session.send(channel, payload, now_ms=now_ms())

    def _on_link_event(self, number: int, event: LinkEvent) -> None:
        match event:
            case LinkUp():
                self._tell(number, "the terminal is connected")
            case LinkDown(DownReason.AUTHENTICATION):
                self._tell(number, _REFUSED)
            case LinkDown(reason):
                self._tell(number, f"the terminal is away ({reason.name.lower()})")
            case PeerRestarted():
                self._tell(number, "the terminal has restarted")
            case MessageReceived(Channel.DIAGNOSTICS, payload):
                self._on_diagnostics(number, payload)
        self._perform(self.relay.on_link_event(event, now_ms=now_ms(), port=number))

    def _tell(self, number: int, text: str) -> None:
        self._notice(text if len(self.lines) == 1 else f"{self.lines[number].port_name}: {text}")

    # --- the bank ---

    def _on_connected(self) -> None:
        if self._told_refused:
            self._notice(f"the bank at {self._bank.address} is connected")
            self._told_refused = ""
        self._perform(self.relay.on_bank_connected(now_ms=now_ms()))
        self._turn()

    def _on_refused(self, why: str) -> None:
        if why != self._told_refused:  # the attempts go on; saying it once will do
            self._told_refused = why
            self._notice(why)
        self._perform(self.relay.on_bank_refused(now_ms=now_ms()))
        self._turn()

    def _on_bank_bytes(self, data: bytes) -> None:
        self._perform(self.relay.on_bank_bytes(data, now_ms=now_ms()))
        self._turn()

    def _on_closed(self) -> None:
        self._notice(f"the bank at {self._bank.address} has closed the connection")
        self._perform(self.relay.on_bank_closed(now_ms=now_ms()))
        self._turn()

    # --- numbers ---

    async def stats(self, *, ask_peers: bool = False) -> dict[str, Any]:
        """The counters of links and bank connection, as JSON knows them; with `ask_peers` the terminals' too.

        A peer that does not answer in time is None.
        """
        numbers = range(len(self.lines))
        peers = await asyncio.gather(*(self._ask_peer(number) for number in numbers)) if ask_peers else []
        links = [
            {
                "port": line.port_name,
                "bits_per_s": line.session.bits_per_s,
                "port_open": line.port_is_open,
                "up": line.session.is_up,
                "counters": asdict(line.session.counters),
            }
            | ({"peer": peers[number]} if ask_peers else {})
            for number, line in enumerate(self.lines)
        ]
        bank = {"address": str(self._bank.address), "state": self.relay.state.value}
        return {"links": links, "bank": bank | {"counters": asdict(self.relay.counters)}}

    async def _ask_peer(self, number: int) -> dict[str, int] | None:
        session = self.lines[number].session
        if not session.is_up:
            return None
        self._last_token = token = (self._last_token + 1) % 256
        report = self._reports[number, token] = asyncio.get_running_loop().create_future()
        session.send(Channel.DIAGNOSTICS, counter_request(token), now_ms=now_ms())
        self._turn()
        try:
            return await asyncio.wait_for(report, PEER_ANSWER_TIMEOUT_S)
        except TimeoutError:
            return None
        finally:
            del self._reports[number, token]

    def _on_diagnostics(self, number: int, message: bytes) -> None:
        session = self.lines[number].session
        answer = answer_to(message, session.counters)
        if answer is not None:
            session.send(Channel.DIAGNOSTICS, answer, now_ms=now_ms())
        elif (report := read_report(message)) is not None:
            waiting = self._reports.get((number, report[0]))
            if waiting is not None and not waiting.done():
                waiting.set_result(report[1])

    # --- the end ---

    async def _stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if (talk := self._bank.hang_up()) is not None:
            await asyncio.gather(talk, return_exceptions=True)


def _tap_of_line(tap: Callable[[int, str, bytes], None] | None, number: int) -> LineTap | None:
    return None if tap is None else lambda side, data: tap(number, side, data)


async def run_gateway(settings: GatewaySettings, *, notice: Notice = lambda _text: None) -> None:
    """Run one gateway until the task is cancelled."""
    await Gateway(settings, notice=notice).run()
