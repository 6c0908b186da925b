"""Terminal, line, gateway and bank in one thread of virtual time.

The firmware, the link, the relay and the bank are the real ones; only what joins them is simulated: a serial
line at its true rate and a TCP connection with a fixed delay. Nothing here reads a clock or a random number
that does not come from the board's clock or the seed.
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable
from datetime import datetime, timedelta
from itertools import count

from bank.authoriser import Bank, Reply
from bank.errors import BankError
from bank.faults import FaultKind
from firmware.app import Terminal
from hal.virtual.clock import VirtualClock
from hal.virtual.serial_port import VirtualSerialPort
from host_link.backoff import Backoff
from host_link.half_duplex import HalfDuplexSession
from host_link.handshake import Role
from host_link.line import DuplexLine, Line
from host_link.pairing import SALT_BYTES
from host_link.relay import Action, CloseBank, Connect, Relay, SendToBank, SendToTerminal
from host_link.session import Session
from tools.drive import T, Tap
from wire.iso8583 import FrameSplitter

BANK_DELAY_MS = 5


class _BankLine:
    """The TCP connection between relay and bank: a queue of things that happen a little later."""

    def __init__(self, bank: Bank, clock: VirtualClock, wall: Callable[[], datetime]) -> None:
        self.bank = bank
        self.is_up = True
        self._clock = clock
        self._wall = wall
        self._order = count()
        self._queue: list[tuple[int, int, Callable[[], list[Action]]]] = []
        self._splitter = FrameSplitter()
        self._generation = 0

    def deadline_ms(self) -> int | None:
        return self._queue[0][0] if self._queue else None

    def due(self) -> list[Action]:
        """The relay's answers to everything that has happened by now."""
        actions: list[Action] = []
        while self._queue and self._queue[0][0] <= self._clock.monotonic_ms():
            actions += heapq.heappop(self._queue)[2]()
        return actions

    def connect(self, relay: Relay) -> None:
        self._generation += 1
        self._splitter = FrameSplitter()
        refused = not self.is_up or self.bank.faults.take(FaultKind.REFUSE_CONNECTION) is not None
        answer = relay.on_bank_refused if refused else relay.on_bank_connected
        self._later(BANK_DELAY_MS, lambda: answer(now_ms=self._clock.monotonic_ms()))

    def send(self, relay: Relay, data: bytes) -> None:
        generation = self._generation
        self._later(BANK_DELAY_MS, lambda: self._arrive(relay, data, generation))

    def hang_up(self) -> None:
        """Nothing that is still on its way arrives."""
        self._generation += 1

    def break_off(self, relay: Relay) -> None:
        """The bank's side breaks the connection."""
        self._generation += 1
        self._later(0, lambda: relay.on_bank_closed(now_ms=self._clock.monotonic_ms()))

    def _later(self, delay_ms: int, happen: Callable[[], list[Action]]) -> None:
        heapq.heappush(self._queue, (self._clock.monotonic_ms() + delay_ms, next(self._order), happen))

    def _arrive(self, relay: Relay, data: bytes, generation: int) -> list[Action]:
        if generation != self._generation:
            return []
        for message in self._splitter.feed(data):
            try:
                replies = self.bank.handle(message, now=self._wall())
            except BankError:
                self.break_off(relay)
                return []
            for reply in replies:
                self._answer(relay, reply, generation)
        return []

    def _answer(self, relay: Relay, reply: Reply, generation: int) -> None:
        def deliver() -> list[Action]:
            if generation != self._generation:
                return []
            if reply.close:
                self.break_off(relay)
            if reply.message:
                return relay.on_bank_bytes(reply.frame(), now_ms=self._clock.monotonic_ms())
            return []

        self._later(BANK_DELAY_MS + reply.delay_ms, deliver)


class VirtualDrive:
    """A `Drive` in virtual time. `port` and `clock` are the terminal board's own."""

    def __init__(
        self,
        port: VirtualSerialPort,
        clock: VirtualClock,
        bank: Bank,
        *,
        seed: int = 1,
        line: DuplexLine | None = None,
        tap: Tap = lambda _at_ms, _side, _data: None,
        pairing_key: bytes | None = None,
        half_duplex: bool = False,
    ) -> None:
        self._pairing_key = pairing_key
        self._half_duplex = half_duplex
        self._port = port
        self._clock = clock
        self._tap = tap
        self._rng = random.Random(seed)
        self._jitter = random.Random(seed)  # its own: the line's luck shall not depend on the bank's
        self.line = line or self._quiet_line()
        self._started = clock.wall() - timedelta(milliseconds=clock.monotonic_ms())
        self.pump_count = 0  # what is due does not change in between, unless somebody touches a part
        self._bank_line = _BankLine(bank, clock, self._wall)
        self._new_gateway()

    def _quiet_line(self) -> DuplexLine:
        return DuplexLine(
            Line(self._rng, bits_per_s=self._port.bits_per_s),
            Line(self._rng, bits_per_s=self._port.bits_per_s),
            half_duplex=self._half_duplex,
        )

    def _wall(self) -> datetime:
        """The bank's clock: it does not follow what the terminal sets its own to."""
        return self._started + timedelta(milliseconds=self._clock.monotonic_ms())

    def _new_gateway(self) -> None:
        make_session = HalfDuplexSession if self._half_duplex else Session
        self._session = make_session(
            Role.GATEWAY,
            nonce=self._rng.getrandbits(32),
            bits_per_s=self._port.bits_per_s,
            pairing_key=self._pairing_key,
            pairing_salt=self._rng.randbytes(SALT_BYTES) if self._pairing_key else b"",
        )
        self._session.open(now_ms=self.now_ms())
        self._relay = Relay(backoff=Backoff(self._jitter.random))

    # --- Drive --------------------------------------------------------------------------------------

    def now_ms(self) -> int:
        """The virtual clock."""
        return self._clock.monotonic_ms()

    def pump(self, terminal: Terminal | None) -> None:
        """Do everything that can be done at this moment."""
        now_ms = self.now_ms()
        self.pump_count += 1
        terminal_has_news = gateway_has_news = True
        while terminal_has_news or gateway_has_news:
            if terminal_has_news and terminal is not None:
                terminal.step()
            self._carry("terminal", self._port.take_output(), self.line.a_to_b)
            heard = self.line.a_to_b.read(now_ms)
            if heard:
                self._session.receive(heard, now_ms=now_ms)
            gateway_has_news = self._turn_gateway() or bool(heard)
            said = self.line.b_to_a.read(now_ms)
            if said:
                self._port.feed(said)
            terminal_has_news = bool(said)

    def wait(self, terminal: Terminal | None, until_ms: int) -> None:
        """Jump to the next moment at which anything is due."""
        soonest = self.deadline_ms(terminal)
        self._clock.advance_to(
            max(self.now_ms() + 1, until_ms if soonest is None else min(soonest, until_ms))
        )

    def deadline_ms(self, terminal: Terminal | None) -> int | None:
        """The next moment at which anything is due; None when nothing is."""
        deadlines = [self._session.deadline_ms(), self._relay.deadline_ms(), self._bank_line.deadline_ms()]
        deadlines += [self.line.deadline_ms(), terminal.deadline_ms() if terminal is not None else None]
        return min((at_ms for at_ms in deadlines if at_ms is not None), default=None)

    def ask_bank(self, question: Callable[[Bank], T]) -> T:
        """Ask at once: there is only one thread."""
        return question(self._bank_line.bank)

    def cut_line(self) -> None:
        """Both directions are out."""
        self.line.cut(self.now_ms())

    def mend_line(self) -> None:
        """Both directions are good."""
        self.line.mend(self.now_ms())

    def stop_bank(self) -> None:
        """The server is down."""
        self._bank_line.is_up = False
        self._bank_line.break_off(self._relay)

    def start_bank(self) -> None:
        """The server is up."""
        self._bank_line.is_up = True

    def restart_gateway(self) -> None:
        """A new session and a new relay; the connection to the bank is gone."""
        self._bank_line.hang_up()
        self._new_gateway()

    def close(self) -> None:
        """Close the bank's store."""
        self._bank_line.bank.close()

    # --- the gateway's crank ------------------------------------------------------------------------

    def _carry(self, side: str, data: bytes, line: Line) -> bool:
        if data:
            self._tap(self.now_ms(), side, data)
            line.write(data, self.now_ms())
        return bool(data)

    def _turn_gateway(self) -> bool:
        now_ms = self.now_ms()
        if _is_due(self._session.deadline_ms(), now_ms):
            self._session.on_deadline(now_ms=now_ms)
        if _is_due(self._relay.deadline_ms(), now_ms):
            self._perform(self._relay.on_deadline(now_ms=now_ms))
        while (event := self._session.next_event()) is not None:
            self._perform(self._relay.on_link_event(event, now_ms=now_ms))
        self._perform(self._bank_line.due())
        return self._carry("gateway", self._session.bytes_to_send(now_ms=now_ms), self.line.b_to_a)

    def _perform(self, actions: list[Action]) -> None:
        for action in actions:
            match action:
                case Connect():
                    self._bank_line.connect(self._relay)
                case SendToBank(data):
                    self._bank_line.send(self._relay, data)
                case CloseBank():
                    self._bank_line.hang_up()
                case SendToTerminal(channel, payload):
                    self._session.send(channel, payload, now_ms=self.now_ms())


def _is_due(deadline_ms: int | None, now_ms: int) -> bool:
    return deadline_ms is not None and deadline_ms <= now_ms
