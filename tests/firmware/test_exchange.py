"""The exchange believes the gateway only of the request that it is about."""

from __future__ import annotations

import pytest

from firmware.exchange import Answer, HostExchange, Verdict
from firmware.secure.module import SecureModule
from firmware.settings import TerminalSettings
from hal.virtual.rng import SeededRng
from hal.virtual.storage import MemoryStorage
from hal.virtual.tamper import VirtualTamper
from host_link.control import BankReport, BankStatus, request_check
from host_link.handshake import Role
from host_link.session import Channel, MessageReceived, Session

SIGN_IN = {41: "12345678", 42: "898320154110001", 60: "00000001003"}  # without a MAC: no keys are needed


class Till:
    """An exchange, and a gateway's session that hears what it sends."""

    def __init__(self) -> None:
        rng = SeededRng(seed=1)
        storage, tamper = MemoryStorage(), VirtualTamper(rng)
        for device in (storage, rng, tamper):
            device.open()
        self.now_ms = 0
        self.sessions = [Session(role, nonce=7) for role in Role]
        self.requests: list[bytes] = []
        for session in self.sessions:
            session.open(now_ms=0)
        self.exchange = HostExchange(TerminalSettings(), SecureModule(storage, tamper, rng), self.sessions[0])
        self.run()

    def run(self) -> None:
        """Let half a second pass."""
        terminal, gateway = self.sessions
        for _ in range(500):
            self.now_ms += 1
            for session in self.sessions:
                session.on_deadline(now_ms=self.now_ms)
            gateway.receive(terminal.bytes_to_send(now_ms=self.now_ms), now_ms=self.now_ms)
            terminal.receive(gateway.bytes_to_send(now_ms=self.now_ms), now_ms=self.now_ms)
        while event := gateway.next_event():
            if isinstance(event, MessageReceived) and event.channel is Channel.HOST:
                self.requests.append(event.payload)

    def send(self, trace: str) -> bytes:
        """Send a request; what the gateway got."""
        assert self.exchange.send("0800", SIGN_IN | {11: trace}, now_ms=self.now_ms) is None
        self.run()
        return self.requests[-1]

    def unreachable(self, request: bytes) -> Answer | None:
        return self.exchange.on_bank_status(BankReport(BankStatus.UNREACHABLE, request_check(request)))


@pytest.fixture
def till() -> Till:
    return Till()


def test_unreachable_about_the_open_request_means_that_it_was_not_sent(till: Till) -> None:
    request = till.send("000001")
    assert till.unreachable(request) == Answer(Verdict.NOT_SENT)
    assert not till.exchange.is_open


def test_unreachable_about_an_earlier_request_says_nothing_about_this_one(till: Till) -> None:
    """The gateway's report about a request that was given up crosses the next request on the line."""
    given_up = till.send("000001")
    till.exchange.close()
    open_request = till.send("000002")
    assert till.unreachable(given_up) is None
    assert till.exchange.is_open
    assert till.unreachable(open_request) == Answer(Verdict.NOT_SENT)


def test_unreachable_without_a_check_proves_nothing(till: Till) -> None:
    till.send("000001")
    assert till.exchange.on_bank_status(BankReport(BankStatus.UNREACHABLE)) is None
    assert till.exchange.is_open


def test_lost_is_about_whatever_is_open(till: Till) -> None:
    till.send("000001")
    assert till.exchange.on_bank_status(BankReport(BankStatus.REACHABLE)) is None
    assert till.exchange.on_bank_status(BankReport(BankStatus.LOST)) == Answer(Verdict.LOST)
    assert till.exchange.on_bank_status(BankReport(BankStatus.LOST)) is None
