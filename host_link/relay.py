"""The gateway's mind: what goes from the links to the bank and back, and what the terminals are told.

One connection to the bank, made when the first request comes, kept open, made again on demand. It serves one
port, or several that are told apart by their TPDU.

    state        HOST message            connected        refused, too late      closed by the bank
    IDLE         keep; Connect           -                -                      -
    CONNECTING   keep                    send all kept    UNREACHABLE for each   UNREACHABLE for each
    CONNECTED    send                    -                -                      LOST where answers are due

A request tries at once: somebody waits for it. After UNREACHABLE the relay also tries by itself, at growing
intervals, so that it can tell the terminals when the bank is back. What cannot be sent for another reason
(too long, no TPDU, too many waiting) is reported as UNREACHABLE too: it was surely not sent.

A relay does no I/O: each call returns the actions that its owner must carry out, in order.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from host_link.backoff import Backoff
from host_link.control import BankReport, BankStatus, request_check
from host_link.session import Channel, LinkEvent, MessageReceived, PeerRestarted
from host_link.tpdu import TPDU_BYTES, TpduRouter
from wire.iso8583 import CodecError, FrameSplitter, frame

CONNECT_TIMEOUT_MS = 5_000
KEEP_ALIVE_IDLE_S = 30
KEEP_ALIVE_INTERVAL_S = 10
KEEP_ALIVE_PROBES = 3
"""How the owner's system is to notice that the bank is gone without a word: it asks after so long a silence,
this often, so many times. What was sent and is not acknowledged for UNANSWERED_MS is given up."""
UNANSWERED_MS = 1000 * KEEP_ALIVE_INTERVAL_S * KEEP_ALIVE_PROBES
REQUESTS_KEPT_MAX = 32
_LENGTH_MAX = 0xFFFF  # two bytes stand before a message on TCP


@dataclass(frozen=True, slots=True)
class Connect:
    """Connect to the bank; then call on_bank_connected or on_bank_refused."""


@dataclass(frozen=True, slots=True)
class SendToBank:
    """Send bytes on the connection; if it breaks, call on_bank_closed."""

    data: bytes

    def __repr__(self) -> str:
        return f"SendToBank(<{len(self.data)} bytes>)"


@dataclass(frozen=True, slots=True)
class CloseBank:
    """Close the connection, or give up connecting. No call follows from it."""


@dataclass(frozen=True, slots=True)
class SendToTerminal:
    """Send a message on the link of that port."""

    channel: Channel
    payload: bytes
    port: int = 0

    def __repr__(self) -> str:
        return f"SendToTerminal({self.channel.name}, <{len(self.payload)} bytes>, port={self.port})"


Action = Connect | SendToBank | CloseBank | SendToTerminal


class BankState(Enum):
    """The connection to the bank."""

    IDLE = "idle"
    CONNECTING = "connecting"
    CONNECTED = "connected"


@dataclass(slots=True)
class RelayCounters:
    """What has happened since the relay was made."""

    requests: int = 0
    answers: int = 0
    answers_unroutable: int = 0  # to an address that no port has
    requests_not_sent: int = 0
    connections: int = 0
    connections_refused: int = 0
    connections_lost: int = 0  # with an answer due


class Relay:
    """Between the links and one bank connection.

    `port_count` over 1: the ports share the connection, and TPDU addresses tell them apart. `backoff` says
    how long to wait between the attempts that nobody asked for; None: there are none.
    """

    def __init__(
        self,
        *,
        port_count: int = 1,
        connect_timeout_ms: int = CONNECT_TIMEOUT_MS,
        backoff: Backoff | None = None,
    ) -> None:
        self.state = BankState.IDLE
        self.counters = RelayCounters()
        self._answers_due = [0] * port_count
        self._connect_timeout_ms = connect_timeout_ms
        self._backoff = backoff
        self._act_ms: int | None = None  # when to give up connecting, or to try again
        self._kept: list[tuple[int, bytes]] = []
        self._told_unreachable: set[int] = set()
        self._splitter = FrameSplitter()
        self._router = TpduRouter(port_count) if port_count > 1 else None

    @property
    def answers_due(self) -> int:
        """Requests sent on this connection and not answered."""
        return sum(self._answers_due)

    def on_link_event(self, event: LinkEvent, *, now_ms: int, port: int = 0) -> list[Action]:
        """A link has something. Events that do not concern the bank change nothing."""
        match event:
            case MessageReceived(Channel.HOST, payload):
                return self._request(port, payload, now_ms)
            case PeerRestarted():
                # What was not sent yet must not be sent for a terminal that no longer knows of it. Answers to
                # what was sent still come, and the terminal discards them.
                self._kept = [kept for kept in self._kept if kept[0] != port]
        return []

    def on_bank_connected(self, *, now_ms: int) -> list[Action]:  # noqa: ARG002 - time is part of every call
        """The connection stands."""
        if self.state is not BankState.CONNECTING:
            return [CloseBank()]
        self.state = BankState.CONNECTED
        self.counters.connections += 1
        self._act_ms = None
        self._splitter = FrameSplitter()
        if self._backoff is not None:
            self._backoff.reset()
        kept, self._kept = self._kept, []
        actions: list[Action] = [self._send(port, message) for port, message in kept]
        reachable = BankReport(BankStatus.REACHABLE)
        actions += [_tell(port, reachable) for port in sorted(self._told_unreachable)]
        self._told_unreachable.clear()
        return actions

    def on_bank_refused(self, *, now_ms: int) -> list[Action]:
        """No connection could be made."""
        return self._unreachable(now_ms) if self.state is BankState.CONNECTING else []

    def on_bank_closed(self, *, now_ms: int) -> list[Action]:
        """The connection is gone, whoever ended it."""
        if self.state is BankState.CONNECTING:
            return self._unreachable(now_ms)
        return self._lost() if self.state is BankState.CONNECTED else []

    def on_bank_bytes(self, data: bytes, *, now_ms: int) -> list[Action]:  # noqa: ARG002
        """Bytes from the bank, in pieces of any size."""
        if self.state is not BankState.CONNECTED:
            return []
        try:
            messages = self._splitter.feed(data)
        except CodecError:
            return [CloseBank(), *self._lost()]
        return [action for message in messages for action in self._answer(message)]

    def deadline_ms(self) -> int | None:
        """When connecting has taken too long, or is to be tried again."""
        return self._act_ms

    def on_deadline(self, *, now_ms: int) -> list[Action]:
        """Do what has become due by now."""
        if self._act_ms is None or now_ms < self._act_ms:
            return []
        if self.state is BankState.CONNECTING:
            return [CloseBank(), *self._unreachable(now_ms)]
        return self._connect(now_ms)

    def _request(self, port: int, message: bytes, now_ms: int) -> list[Action]:
        self.counters.requests += 1
        unroutable = self._router is not None and len(message) < TPDU_BYTES
        if unroutable or len(message) > _LENGTH_MAX or len(self._kept) == REQUESTS_KEPT_MAX:
            return [self._not_sent(port, message)]
        if self.state is BankState.CONNECTED:
            return [self._send(port, message)]
        self._kept.append((port, message))
        return self._connect(now_ms) if self.state is BankState.IDLE else []

    def _connect(self, now_ms: int) -> list[Action]:
        self.state = BankState.CONNECTING
        self._act_ms = now_ms + self._connect_timeout_ms
        return [Connect()]

    def _send(self, port: int, message: bytes) -> SendToBank:
        self._answers_due[port] += 1
        return SendToBank(frame(self._router.to_bank(port, message) if self._router else message))

    def _answer(self, message: bytes) -> list[Action]:
        routed = self._router.to_terminal(message) if self._router else (0, message)
        if routed is None:
            self.counters.answers_unroutable += 1
            return []
        port, answer = routed
        self.counters.answers += 1
        self._answers_due[port] = max(0, self._answers_due[port] - 1)
        return [SendToTerminal(Channel.HOST, answer, port)]

    def _unreachable(self, now_ms: int) -> list[Action]:
        self.state = BankState.IDLE
        self.counters.connections_refused += 1
        kept, self._kept = self._kept, []
        actions: list[Action] = [self._not_sent(port, message) for port, message in kept]
        self._told_unreachable.update(port for port, _ in kept)
        again = self._backoff if self._told_unreachable else None
        self._act_ms = now_ms + again.next_ms() if again else None
        return actions

    def _not_sent(self, port: int, message: bytes) -> SendToTerminal:
        self.counters.requests_not_sent += 1
        return _tell(port, BankReport(BankStatus.UNREACHABLE, request_check(message)))

    def _lost(self) -> list[Action]:
        self.state = BankState.IDLE
        due, self._answers_due = self._answers_due, [0] * len(self._answers_due)
        self.counters.connections_lost += any(due)
        lost = BankReport(BankStatus.LOST)
        return [_tell(port, lost) for port, count in enumerate(due) if count]


def _tell(port: int, report: BankReport) -> SendToTerminal:
    return SendToTerminal(Channel.CONTROL, report.encode(), port)
