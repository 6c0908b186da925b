"""The gateway's mind: what goes from the link to the bank and back, and what the terminal is told.

One connection to the bank a terminal, made when the first request comes, kept open, made again on demand.

    state        HOST message            connected        refused, too late     closed by the bank
    IDLE         keep; Connect           -                -                     -
    CONNECTING   keep                    send all kept    drop all; UNREACHABLE drop all; UNREACHABLE
    CONNECTED    send                    -                -                     LOST if answers are due

A relay does no I/O: each call returns the actions that its owner must carry out, in order.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from host_link.control import BankStatus
from host_link.session import Channel, LinkEvent, MessageReceived, PeerRestarted
from wire.iso8583 import CodecError, FrameSplitter, frame

CONNECT_TIMEOUT_MS = 15_000
REQUESTS_KEPT_MAX = 32


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
    """Send a message on the link."""

    channel: Channel
    payload: bytes

    def __repr__(self) -> str:
        return f"SendToTerminal({self.channel.name}, <{len(self.payload)} bytes>)"


Action = Connect | SendToBank | CloseBank | SendToTerminal


class BankState(Enum):
    """The connection to the bank."""

    IDLE = "idle"
    CONNECTING = "connecting"
    CONNECTED = "connected"


class Relay:
    """Between one link and one bank connection."""

    def __init__(self, *, connect_timeout_ms: int = CONNECT_TIMEOUT_MS) -> None:
        self.state = BankState.IDLE
        self.answers_due = 0
        self._connect_timeout_ms = connect_timeout_ms
        self._give_up_ms = 0
        self._kept: list[bytes] = []
        self._said_unreachable = False
        self._splitter = FrameSplitter()

    def on_link_event(self, event: LinkEvent, *, now_ms: int) -> list[Action]:
        """The link has something. Events that do not concern the bank change nothing."""
        match event:
            case MessageReceived(Channel.HOST, payload):
                return self._request(payload, now_ms)
            case PeerRestarted():
                # What was not sent yet must not be sent for a terminal that no longer knows of it. Answers to
                # what was sent still come, and the terminal discards them.
                self._kept.clear()
        return []

    def on_bank_connected(self, *, now_ms: int) -> list[Action]:  # noqa: ARG002 - time is part of every call
        """The connection stands."""
        if self.state is not BankState.CONNECTING:
            return [CloseBank()]
        self.state = BankState.CONNECTED
        self._splitter = FrameSplitter()
        actions: list[Action] = [SendToBank(frame(message)) for message in self._kept]
        self.answers_due = len(self._kept)
        self._kept.clear()
        if self._said_unreachable:
            self._said_unreachable = False
            actions.append(_tell(BankStatus.REACHABLE))
        return actions

    def on_bank_refused(self, *, now_ms: int) -> list[Action]:  # noqa: ARG002
        """No connection could be made."""
        return self._unreachable() if self.state is BankState.CONNECTING else []

    def on_bank_closed(self, *, now_ms: int) -> list[Action]:  # noqa: ARG002
        """The connection is gone, whoever ended it."""
        if self.state is BankState.CONNECTING:
            return self._unreachable()
        return self._lost() if self.state is BankState.CONNECTED else []

    def on_bank_bytes(self, data: bytes, *, now_ms: int) -> list[Action]:  # noqa: ARG002
        """Bytes from the bank, in pieces of any size."""
        if self.state is not BankState.CONNECTED:
            return []
        try:
            messages = self._splitter.feed(data)
        except CodecError:
            return [CloseBank(), *self._lost()]
        self.answers_due = max(0, self.answers_due - len(messages))
        return [SendToTerminal(Channel.HOST, message) for message in messages]

    def deadline_ms(self) -> int | None:
        """When connecting has taken too long."""
        return self._give_up_ms if self.state is BankState.CONNECTING else None

    def on_deadline(self, *, now_ms: int) -> list[Action]:
        """Do what has become due by now."""
        if self.state is BankState.CONNECTING and now_ms >= self._give_up_ms:
            return [CloseBank(), *self._unreachable()]
        return []

    def _request(self, message: bytes, now_ms: int) -> list[Action]:
        if self.state is BankState.CONNECTED:
            self.answers_due += 1
            return [SendToBank(frame(message))]
        self._kept.append(message)
        if self.state is BankState.IDLE:
            self.state = BankState.CONNECTING
            self._give_up_ms = now_ms + self._connect_timeout_ms
            return [Connect()]
        if len(self._kept) > REQUESTS_KEPT_MAX:
            return [CloseBank(), *self._unreachable()]
        return []

    def _unreachable(self) -> list[Action]:
        self.state = BankState.IDLE
        self._kept.clear()
        self._said_unreachable = True
        return [_tell(BankStatus.UNREACHABLE)]

    def _lost(self) -> list[Action]:
        self.state = BankState.IDLE
        due, self.answers_due = self.answers_due, 0
        return [_tell(BankStatus.LOST)] if due else []


def _tell(status: BankStatus) -> SendToTerminal:
    return SendToTerminal(Channel.CONTROL, status.encode())
