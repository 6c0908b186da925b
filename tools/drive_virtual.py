"""Terminal, line, gateway and bank in one thread of virtual time.

The firmware, the link, the relay and the bank are the real ones; only what joins them is simulated: a serial
line at its true rate and a network (`tools.virtual_tcp`). Nothing here reads a clock or a random number that
does not come from the board's clock or the seed.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import datetime, timedelta

from bank.authoriser import Bank
from firmware.app import Terminal
from hal.virtual.clock import VirtualClock
from hal.virtual.serial_port import VirtualSerialPort
from host_link.backoff import Backoff
from host_link.half_duplex import HalfDuplexSession
from host_link.handshake import Role
from host_link.line import DuplexLine, Line
from host_link.pairing import SALT_BYTES
from host_link.relay import Action, CloseBank, Connect, Relay, SendToBank, SendToTerminal
from host_link.session import Channel, LineRate, LinkEvent, Session
from host_link.transport import earliest
from tools.drive import T, Tap
from tools.virtual_bank import BankMachine
from tools.virtual_tcp import VirtualTcp

LENGTH_BYTES = 2  # before each message on TCP (iso8583-pos section 1)


class VirtualDrive:
    """A `Drive` in virtual time. `port` and `clock` are the terminal board's own.

    `bank` is a bank, or the machine on which one runs, which several drives may share. `network` has the
    faults of the connection between gateway and bank.
    `tap` is told what crosses the serial line; `message_tap` each message that the gateway sends the bank
    (side "gateway") and each that it passes on from there (side "bank"), without its length.
    """

    def __init__(
        self,
        port: VirtualSerialPort,
        clock: VirtualClock,
        bank: Bank | BankMachine,
        *,
        seed: int = 1,
        line: DuplexLine | None = None,
        tap: Tap = lambda _at_ms, _side, _data: None,
        message_tap: Tap = lambda _at_ms, _side, _message: None,
        pairing_key: bytes | None = None,
        half_duplex: bool = False,
    ) -> None:
        self._pairing_key = pairing_key
        self._half_duplex = half_duplex
        self._port = port
        self._clock = clock
        self._tap = tap
        self._message_tap = message_tap
        self._rng = random.Random(seed)
        self._jitter = random.Random(seed)  # its own: the line's luck shall not depend on the bank's
        self.line = line or self._quiet_line()
        self._terminal_bits_per_s = port.bits_per_s
        self._started = clock.wall() - timedelta(milliseconds=clock.monotonic_ms())
        self.pump_count = 0  # what is due does not change in between, unless somebody touches a part
        self._terminal_due_ms: int | None = None  # when it was last asked for
        self._gateway_due_ms: int | None = None  # None without power
        self.machine = bank if isinstance(bank, BankMachine) else BankMachine(bank)
        self.machine.watchers.append(self)
        self.network = VirtualTcp(self.machine, clock, self._wall, seed=seed)
        self.gateway_has_power = True
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
            max_bits_per_s=self._port.max_bits_per_s,
        )
        self.line.set_rate("b", self._port.bits_per_s)
        self._session.open(now_ms=self.now_ms())
        self._relay = Relay(backoff=Backoff(self._jitter.random))
        self._gateway_due_ms = self.now_ms()

    @property
    def session(self) -> Session:
        """The gateway's end of the link, as it is now."""
        return self._session

    # --- Drive --------------------------------------------------------------------------------------

    def now_ms(self) -> int:
        """The virtual clock."""
        return self._clock.monotonic_ms()

    def pump(self, terminal: Terminal | None) -> None:
        """Do everything that can be done at this moment."""
        self._turn(terminal, terminal_has_news=True)

    def pump_due(self, terminal: Terminal | None) -> None:
        """As `pump`, when nobody has touched the terminal or a device since `deadline_ms` was asked."""
        self._turn(terminal, terminal_has_news=_is_due(self._terminal_due_ms, self.now_ms()))

    def _turn(self, terminal: Terminal | None, *, terminal_has_news: bool) -> None:
        now_ms, there, back = self._clock.monotonic_ms(), self.line.a_to_b, self.line.b_to_a
        self.pump_count += 1
        has_news = True
        while has_news:
            if terminal_has_news:
                if terminal is not None:
                    terminal.step()
                    self._follow_terminal_rate()
                if output := self._port.take_output():
                    self._carry("terminal", output, there, now_ms)
            heard = there.read(now_ms)
            gateway_has_news = bool(heard)
            if heard or self._gateway_is_due(now_ms):
                gateway_has_news |= self._turn_gateway(heard, now_ms)
            said = back.read(now_ms)
            if said:
                self._port.feed(said)
            terminal_has_news = bool(said)
            has_news = terminal_has_news or (gateway_has_news and self._gateway_is_due(now_ms))

    def _gateway_is_due(self, now_ms: int) -> bool:
        due_ms = self._gateway_due_ms
        return (due_ms is not None and due_ms <= now_ms) or self.network.is_due(now_ms)

    def wait(self, terminal: Terminal | None, until_ms: int) -> None:
        """Jump to the next moment at which anything is due."""
        soonest = self.deadline_ms(terminal)
        self._clock.advance_to(
            max(self.now_ms() + 1, until_ms if soonest is None else min(soonest, until_ms))
        )

    def deadline_ms(self, terminal: Terminal | None) -> int | None:
        """The next moment at which anything is due; None when nothing is."""
        self._terminal_due_ms = terminal.deadline_ms() if terminal is not None else None
        # What reaches an end without power is lost, whenever that is.
        there_ms = self.line.a_to_b.deadline_ms() if self.gateway_has_power else None
        back_ms = self.line.b_to_a.deadline_ms() if terminal is not None else None
        return earliest(
            self._terminal_due_ms, self._gateway_due_ms, self.network.deadline_ms(), there_ms, back_ms
        )

    def ask_bank(self, question: Callable[[Bank], T]) -> T:
        """Ask at once: there is only one thread."""
        return question(self.machine.bank)

    def cut_line(self) -> None:
        """Both directions are out."""
        self.line.cut(self.now_ms())

    def mend_line(self) -> None:
        """Both directions are good."""
        self.line.mend(self.now_ms())

    def lose_input(self) -> None:
        """What has come to the terminal by now came while it had no power."""
        self.line.b_to_a.read(self.now_ms())

    def stop_bank(self) -> None:
        """The server is down."""
        self.machine.stop_server()

    def start_bank(self) -> None:
        """The server is up."""
        self.machine.start_server()

    def cut_bank_power(self, off_ms: int) -> None:
        """The bank forgets all but its database, and says nothing, for so long.

        Raises ValueError for a bank that was not made by `BankMachine.on_disk`. `machine.cut_power_at` does
        it at a commit.
        """
        self.machine.cut_power(self.now_ms(), off_ms)

    def restore_bank_power(self) -> None:
        """The power is there at once, and does not go at a commit any more."""
        self.machine.restore_power()

    def restart_gateway(self) -> None:
        """A new session and a new relay; the connection to the bank is gone."""
        self.cut_gateway_power()
        self.restore_gateway_power()

    def cut_gateway_power(self) -> None:
        """The gateway's memory is gone, the line is silent, the bank does not know. May be called twice."""
        self.network.hang_up()
        self.gateway_has_power = False
        self._gateway_due_ms = None
        self.pump_count += 1

    def restore_gateway_power(self) -> None:
        """It starts with an empty memory, if it had no power."""
        if not self.gateway_has_power:
            self.line.a_to_b.read(self.now_ms())  # what came before is lost
            self.gateway_has_power = True
            self._new_gateway()
            self.pump_count += 1

    def close(self) -> None:
        """Close the bank's store."""
        self.machine.close()

    # --- what the bank's machine tells --------------------------------------------------------------

    def on_server_stopped(self) -> None:
        """The bank's system hangs up."""
        self.network.on_server_stopped()
        self.pump_count += 1

    def on_power_lost(self) -> None:
        """The bank's machine is off."""
        self.network.on_power_lost()
        self.pump_count += 1

    # --- the gateway's crank ------------------------------------------------------------------------

    def _carry(self, side: str, data: bytes, line: Line, now_ms: int) -> None:
        self._tap(now_ms, side, data)
        line.write(data, now_ms)

    def _turn_gateway(self, heard: bytes, now_ms: int) -> bool:
        if not self.gateway_has_power:
            self._perform(self.network.due())  # what it has sent arrives, and changes nothing here
            return False
        session = self._session
        if heard:
            session.receive(heard, now_ms=now_ms)
        if _is_due(self._gateway_due_ms, now_ms):
            session.on_deadline(now_ms=now_ms)
            self._perform(self._relay.on_deadline(now_ms=now_ms))
        while (event := session.next_event()) is not None:
            self._on_link_event(event)
        if self.network.is_due(now_ms):
            self._perform(self.network.due())
        if output := session.bytes_to_send(now_ms=now_ms):
            self._carry("gateway", output, self.line.b_to_a, now_ms)
        self._gateway_due_ms = earliest(session.deadline_ms(), self._relay.deadline_ms())
        return bool(output)

    def _follow_terminal_rate(self) -> None:
        if self._port.rate_now != self._terminal_bits_per_s:
            self._terminal_bits_per_s = self._port.rate_now
            self.line.set_rate("a", self._port.rate_now)

    def _on_link_event(self, event: LinkEvent) -> None:
        if isinstance(event, LineRate):
            self.line.set_rate("b", event.bits_per_s)
            return
        self._perform(self._relay.on_link_event(event, now_ms=self.now_ms()))

    def _perform(self, actions: list[Action]) -> None:
        for action in actions:
            self._carry_out(action)

    def _carry_out(self, action: Action) -> None:
        match action:
            case Connect():
                self.network.connect(self._relay)
            case SendToBank(data):
                self._message_tap(self.now_ms(), "gateway", data[LENGTH_BYTES:])
                self.network.send(data)
            case CloseBank():
                self.network.hang_up()
            case SendToTerminal(channel, payload):
                if channel is Channel.HOST:
                    self._message_tap(self.now_ms(), "bank", payload)
                self._session.send(channel, payload, now_ms=self.now_ms())


def _is_due(deadline_ms: int | None, now_ms: int) -> bool:
    return deadline_ms is not None and deadline_ms <= now_ms
