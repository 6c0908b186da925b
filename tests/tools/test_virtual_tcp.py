"""The network to the bank in virtual time: what each fault does to bytes, and what both ends are told."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest

from bank.authoriser import Bank
from bank.entropy import SeededEntropy
from bank.provision import DEMO_MASTER_KEY, fill, load_provision
from hal.virtual.clock import VirtualClock
from host_link.control import BankReport, BankStatus
from host_link.relay import Action, BankState, CloseBank, Connect, Relay, SendToBank, SendToTerminal
from host_link.session import Channel, MessageReceived
from tests.bank.till import NOW, UNIONPAY, Till
from tools.virtual_bank import BankMachine
from tools.virtual_tcp import BANK_IDLE_MS, DELAY_MS, Toward, VirtualTcp

ECHO = "00000001301"
ROUND_TRIP_MS = 2 * DELAY_MS


class Gateway:
    """A gateway that asks the bank for echoes, and notes when it is told what."""

    def __init__(self) -> None:
        entropy = SeededEntropy(1)
        self.machine = BankMachine.on_disk(lambda store: Bank(store, DEMO_MASTER_KEY, entropy=entropy))
        fill(self.machine.bank, load_provision(), now=NOW)
        self.clock = VirtualClock()
        self.network = VirtualTcp(self.machine, self.clock, self._wall, seed=1)
        self.machine.watchers.append(self.network)
        self.relay = Relay()
        self.till = Till(self.machine.bank)
        self.asked: list[bytes] = []
        self.machine.on_request = self.asked.append
        self.answers: list[tuple[int, str]] = []  # when, and to which trace
        self.told: list[tuple[int, BankStatus]] = []

    def _wall(self) -> datetime:
        return NOW + timedelta(milliseconds=self.clock.monotonic_ms())

    def ask(self) -> None:
        self.till.bank = self.machine.bank
        message = self.till.pack("0820", {11: self.till.next_trace(), 60: ECHO}, mac=False)
        event = MessageReceived(Channel.HOST, message)
        self._perform(self.relay.on_link_event(event, now_ms=self.clock.monotonic_ms()))

    def run(self, duration_ms: int) -> None:
        end_ms = self.clock.monotonic_ms() + duration_ms
        while True:
            self._perform(self.relay.on_deadline(now_ms=self.clock.monotonic_ms()))
            self._perform(self.network.due())
            due = [at_ms for at_ms in (self.network.deadline_ms(), self.relay.deadline_ms()) if at_ms]
            if min(due, default=end_ms) > end_ms or self.clock.monotonic_ms() >= end_ms:
                break
            self.clock.advance_to(min([*due, end_ms]))
        self.clock.advance_to(end_ms)

    def _perform(self, actions: list[Action]) -> None:
        for action in actions:
            match action:
                case Connect():
                    self.network.connect(self.relay)
                case SendToBank(data):
                    self.network.send(data)
                case CloseBank():
                    self.network.hang_up()
                case SendToTerminal(Channel.HOST, payload):
                    trace = UNIONPAY.decode(payload).text(11)
                    self.answers.append((self.clock.monotonic_ms(), trace))
                case SendToTerminal(_, payload):
                    report = BankReport.decode(payload)
                    assert report is not None
                    self.told.append((self.clock.monotonic_ms(), report.status))


@pytest.fixture
def gateway() -> Iterator[Gateway]:
    gateway = Gateway()
    yield gateway
    assert gateway.machine.bank.verify().ok
    gateway.machine.close()


@pytest.fixture
def connected(gateway: Gateway) -> Gateway:
    """One that has had an answer: trace 1, after connecting and a round trip."""
    gateway.ask()
    gateway.run(100)
    assert gateway.answers == [(DELAY_MS + ROUND_TRIP_MS, "000001")]
    return gateway


def test_without_faults_an_answer_takes_a_round_trip(connected: Gateway) -> None:
    connected.ask()
    connected.run(100)
    assert connected.answers[1:] == [(100 + ROUND_TRIP_MS, "000002")]
    assert connected.relay.counters.connections == 1


def test_a_stall_lets_nothing_through_then_all_at_once_and_in_order(connected: Gateway) -> None:
    connected.network.stall(2_000)
    connected.ask()
    connected.run(1_998)  # the last one arrives when the stall has just ended
    connected.ask()
    connected.run(1)
    assert len(connected.asked) == 1
    connected.run(100)
    assert [trace for _, trace in connected.answers[1:]] == ["000002", "000003"]
    assert connected.answers[1][0] == 100 + 2_000 + DELAY_MS
    assert connected.told == []


@pytest.mark.parametrize("toward", Toward)
def test_a_reset_in_the_middle_of_a_message_takes_the_rest_of_it(connected: Gateway, toward: Toward) -> None:
    connected.network.reset_after(toward, 30)
    connected.ask()
    connected.run(100)
    assert len(connected.answers) == 1, "a part of an answer is no answer"
    assert len(connected.asked) == (1 if toward is Toward.BANK else 2)
    assert [status for _, status in connected.told] == [BankStatus.LOST]
    connected.ask()
    connected.run(100)
    assert connected.answers[-1][1] == "000003", "a new connection works, and begins with a whole message"


def test_a_rough_network_cuts_anywhere_and_delays_and_loses_nothing(connected: Gateway) -> None:
    connected.network.roughen(60_000, piece_bytes_max=3, delay_ms_max=40)
    for _ in range(20):
        connected.ask()
    connected.run(20_000)
    assert [trace for _, trace in connected.answers] == [f"{number:06d}" for number in range(1, 22)]
    assert connected.answers[-1][0] > 150, "it took a while"
    connected.run(60_000)
    connected.ask()
    asked_ms = connected.clock.monotonic_ms()
    connected.run(100)
    assert connected.answers[-1][0] == asked_ms + ROUND_TRIP_MS, "it is smooth again"


def test_a_half_open_connection_brings_its_bytes_late_beside_the_new_one(connected: Gateway) -> None:
    connected.network.part_at_next_request(3_000)
    connected.ask()
    connected.run(100)
    assert [status for _, status in connected.told] == [BankStatus.LOST]
    connected.ask()
    connected.run(100)
    assert connected.answers[-1][1] == "000003", "on a second connection"
    assert connected.relay.counters.connections == 2
    connected.run(5_000)
    traces = [UNIONPAY.decode(message).text(11) for message in connected.asked]
    assert traces == ["000001", "000003", "000002"], "the bank still reads the first one"
    assert connected.answers[-1][1] == "000003", "and its answer reaches nobody"


def test_a_connection_that_is_forgotten_on_the_way_is_given_up_after_the_gateways_own_time(
    connected: Gateway,
) -> None:
    connected.network.swallow()
    connected.ask()
    connected.run(30_000)
    assert len(connected.asked) == 1
    assert connected.told == []
    connected.run(100)
    assert connected.told == [(100 + DELAY_MS + 30_000, BankStatus.LOST)]
    connected.ask()
    connected.run(100)
    assert connected.answers[-1][1] == "000003"


def test_an_idle_connection_that_is_forgotten_is_noticed_by_asking(connected: Gateway) -> None:
    connected.network.swallow()
    connected.run(59_000)
    states = [connected.relay.state]
    connected.run(2_000)
    assert [*states, connected.relay.state] == [BankState.CONNECTED, BankState.IDLE]


def test_a_gateway_that_loses_its_power_has_sent_what_it_has_sent(connected: Gateway) -> None:
    connected.ask()
    connected.network.hang_up()
    connected.relay = Relay()
    connected.run(100)
    assert len(connected.asked) == 2
    assert len(connected.answers) == 1
    connected.run(BANK_IDLE_MS + 1_000)
    assert connected.network.deadline_ms() is None, "in the end the bank hangs up, too"


def test_the_bank_hangs_up_after_its_own_time_without_a_request(connected: Gateway) -> None:
    connected.run(200_000)
    connected.ask()
    connected.run(BANK_IDLE_MS - 1_000)
    states = [connected.relay.state]
    connected.run(2_000)
    assert [*states, connected.relay.state] == [BankState.CONNECTED, BankState.IDLE]
    assert connected.told == [], "nobody waits for anything"
    connected.ask()
    connected.run(100)
    assert connected.answers[-1][1] == "000003", "the next request connects again"


def test_a_request_that_crosses_the_banks_farewell_is_lost_and_told(connected: Gateway) -> None:
    connected.network.hang_up_at_next_request()
    connected.ask()
    connected.run(100)
    assert len(connected.asked) == 1
    assert connected.told == [(100 + DELAY_MS, BankStatus.LOST)]
    connected.ask()
    connected.run(100)
    assert connected.answers[-1][1] == "000003"


# --- the bank's machine --------------------------------------------------------------------------------


def test_a_bank_without_power_says_nothing_and_then_that_it_knows_no_connection(connected: Gateway) -> None:
    connected.machine.cut_power(100, off_ms=2_000)
    connected.ask()
    connected.run(2_000)
    assert connected.told == []
    assert len(connected.asked) == 1
    connected.run(2_000)
    # Sent at 100 ms, not acknowledged from 105 ms on, sent again 200, 600, 1,400 and 3,000 ms later.
    assert connected.told == [(105 + 3_000, BankStatus.LOST)]


def test_who_connects_while_the_power_is_off_knocks_again(gateway: Gateway) -> None:
    gateway.machine.cut_power(0, off_ms=500)
    gateway.ask()
    gateway.run(2_000)
    assert gateway.answers == [(DELAY_MS + 1_000 + ROUND_TRIP_MS, "000001")]


def test_who_connects_for_too_long_gives_up(gateway: Gateway) -> None:
    gateway.machine.cut_power(0, off_ms=60_000)
    gateway.ask()
    gateway.run(6_000)
    assert [status for _, status in gateway.told] == [BankStatus.UNREACHABLE]


def test_a_stopped_server_hangs_up_and_refuses(connected: Gateway) -> None:
    connected.machine.stop_server()
    connected.ask()
    connected.run(100)
    assert [status for _, status in connected.told] == [BankStatus.LOST]
    connected.ask()
    connected.run(100)
    assert connected.told[-1] == (200 + DELAY_MS, BankStatus.UNREACHABLE)
    connected.machine.start_server()
    connected.ask()
    connected.run(100)
    assert connected.answers[-1][1] == "000004"


@pytest.mark.parametrize(("when", "count"), [("before", 0), ("after", 1)])
def test_a_power_cut_at_a_commit_loses_it_or_its_answer(connected: Gateway, when: str, count: int) -> None:
    machine, old = connected.machine, connected.machine.bank
    before = _requests_counted(machine.bank)
    machine.cut_power_at(1, "before" if when == "before" else "after", 500)
    connected.ask()
    connected.run(300)
    assert len(connected.answers) == 1
    assert not machine.has_power
    assert machine.bank is not old, "nothing but the database is left of it"
    assert _requests_counted(machine.bank) - before == count
    connected.run(1_000)
    connected.ask()
    connected.run(100)
    assert connected.told == [(100 + 300 + 1_000 + DELAY_MS, BankStatus.LOST)], "an answer from a new system"
    connected.ask()
    connected.run(100)
    assert connected.answers[-1][1] == "000004"


def _requests_counted(bank: Bank) -> int:
    """How many requests the bank has ever decided, by the counter of its reference numbers."""
    return bank.store.number("SELECT sum(value) FROM counter")


def test_a_request_that_finds_the_power_gone_is_not_decided(connected: Gateway) -> None:
    connected.machine.on_request = lambda _message: connected.machine.cut_power(100, off_ms=500)
    before = _requests_counted(connected.machine.bank)
    connected.ask()
    connected.run(100)
    assert _requests_counted(connected.machine.bank) == before


def test_a_bank_that_was_opened_elsewhere_cannot_lose_its_power() -> None:
    bank = Bank.open(":memory:", DEMO_MASTER_KEY, entropy=SeededEntropy(1))
    with pytest.raises(ValueError, match="opened elsewhere"):
        BankMachine(bank).cut_power(0, 1)
    bank.close()


def test_a_commit_that_is_past_cannot_be_the_last(gateway: Gateway) -> None:
    with pytest.raises(ValueError, match="is past"):
        gateway.machine.cut_power_at(0, "before", 1)
