"""A faster line by agreement: reached, left when it does not work, and nothing is lost on the way."""

from __future__ import annotations

from typing import Any

import pytest

from host_link.frames import Rate, RateStep, decode_body
from host_link.framing import FrameDecoder, FrameReceived
from host_link.line import Line
from host_link.rate import RATES, RateControl, RateState
from host_link.session import Channel, MessageReceived, PeerRestarted, Session
from tests.host_link.virtual_link import VirtualLink

BASE, FAST = 115_200, 921_600
BOTH = (FAST, FAST)


def rates(link: VirtualLink) -> set[int]:
    return {session.bits_per_s for session in link.sessions.values()}


def raised(seed: int = 1, **options: Any) -> VirtualLink:
    link = VirtualLink(seed, **{"max_bits_per_s": BOTH} | options)
    link.run_until(1_000, stop=lambda: rates(link) == {FAST} and not quiet(link))
    assert rates(link) == {FAST}
    return link


def quiet(link: VirtualLink) -> bool:
    return any(session._rates.is_quiet for session in link.sessions.values())


def received(link: VirtualLink, name: str) -> list[bytes]:
    return [event.payload for event in link.events[name] if isinstance(event, MessageReceived)]


def exchange_ms(link: VirtualLink, *, patience_ms: int = 20_000) -> int:
    """A message each way; how long that takes."""
    began = link.now_ms
    before = {name: len(received(link, name)) for name in "ab"}
    for name in "ab":
        link.sessions[name].send(Channel.HOST, f"from {name} at {began}".encode(), now_ms=began)
    link.run_until(
        began + patience_ms, stop=lambda: all(len(received(link, name)) > before[name] for name in "ab")
    )
    for name, peer in (("a", "b"), ("b", "a")):
        assert received(link, peer)[before[peer] :] == [f"from {name} at {began}".encode()]
    return link.now_ms - began


# --- the fastest that both can -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("terminal", "gateway", "agreed"),
    [(FAST, FAST, FAST), (460_800, FAST, 460_800), (FAST, 500_000, 500_000), (300_000, FAST, 230_400)],
)
def test_both_ends_go_to_the_fastest_rate_that_both_can(terminal: int, gateway: int, agreed: int) -> None:
    link = VirtualLink(max_bits_per_s=(terminal, gateway))
    link.run_until(1_000)
    assert rates(link) == {agreed}
    for session in link.sessions.values():
        counters = session.counters
        assert (counters.bits_per_s, counters.rate_raises, counters.rate_fall_backs) == (agreed, 1, 0)


@pytest.mark.parametrize("most", [(None, None), (FAST, None), (None, FAST), (BASE, FAST)])
def test_an_end_that_cannot_change_is_left_alone(most: tuple[int | None, int | None]) -> None:
    """An older peer sets no bit in its capabilities, and ignores frames of kinds that it does not know."""
    link = VirtualLink(max_bits_per_s=most)
    link.run_until(5_000)
    assert rates(link) == {BASE}
    assert exchange_ms(link) < 50


def time_for_a_file_ms(most: tuple[int | None, int | None]) -> int:
    link = VirtualLink(max_bits_per_s=most)
    link.run_until(1_000)
    link.sessions["a"].send(Channel.FILE, bytes(100_000), now_ms=link.now_ms)
    link.run_until(60_000, stop=lambda: bool(received(link, "b")))
    return link.now_ms - 1_000


def test_a_long_message_is_through_in_an_eighth_of_the_time() -> None:
    assert time_for_a_file_ms(BOTH) < time_for_a_file_ms((None, None)) / 7


def test_the_change_costs_no_more_than_some_hundredths_of_a_second() -> None:
    link = VirtualLink(max_bits_per_s=BOTH)
    link.run_until(1_000, stop=lambda: quiet(link))
    assert exchange_ms(link) < 60
    assert rates(link) == {FAST}


# --- a rate that does not work -----------------------------------------------------------------------


@pytest.mark.parametrize("broken", ["a_to_b", "b_to_a", "both"])
@pytest.mark.parametrize(("works", "agreed"), [(250_000, 230_400), (BASE, BASE)])
def test_a_rate_that_does_not_work_is_given_up_for_a_slower_one(broken: str, works: int, agreed: int) -> None:
    link = VirtualLink(max_bits_per_s=BOTH)
    for name in ("a_to_b", "b_to_a"):
        if broken in (name, "both"):
            limited = Line(link.rng, bits_per_s_max=works)
            setattr(link.line, name, limited)
    for _ in range(20):
        exchange_ms(link, patience_ms=1_500)
    link.run_until(20_000)
    assert rates(link) == {agreed}
    exchange_ms(link)


def test_a_rate_at_which_too_much_is_lost_is_given_up() -> None:
    """Four times as fast, but three frames of four are damaged: the slow rate carries more."""
    link = VirtualLink(max_bits_per_s=(460_800, 460_800))
    for name in ("a_to_b", "b_to_a"):
        setattr(link.line, name, Line(link.rng, bits_per_s_max=BASE, beyond_bit_error_rate=6e-3))
    for _ in range(60):
        link.sessions["a"].send(Channel.FILE, bytes(2_000), now_ms=link.now_ms)
        link.run_until(link.now_ms + 150)
    link.run_until(link.now_ms + 20_000)
    assert rates(link) == {BASE}
    assert len(received(link, "b")) == 60


@pytest.mark.parametrize("name", ["a", "b"])
def test_a_port_that_cannot_do_the_rate_is_no_harm(name: str) -> None:
    link = VirtualLink(max_bits_per_s=BOTH)
    link.refused_rates[name] = FAST
    for _ in range(10):
        exchange_ms(link, patience_ms=1_500)
        link.run_until(link.now_ms + 200)
    assert rates(link) == {460_800}


# --- whatever frame is lost --------------------------------------------------------------------------


class LossyLink(VirtualLink):
    """Loses the frames of the change whose number, in the order in which they are sent, is in `lost`."""

    def __init__(self, lost: set[int]) -> None:
        self.lost = lost
        self.sent: list[tuple[str, RateStep]] = []
        super().__init__(max_bits_per_s=BOTH)
        for name, line in (("a", self.line.a_to_b), ("b", self.line.b_to_a)):
            line.write = self._losing(name, line.write)  # type: ignore[method-assign]

    def _losing(self, name: str, write: Any) -> Any:
        def write_or_lose(data: bytes, now_ms: int) -> None:
            step = self._step(name, data)
            if step is not None:
                self.sent.append((name, step))
                if len(self.sent) - 1 in self.lost:
                    data = data[:3] + bytes(len(data) - 3)
            write(data, now_ms)

        return write_or_lose

    def _step(self, name: str, data: bytes) -> RateStep | None:
        for event in FrameDecoder(self.sessions[name]._handshake.own_tag).feed(data):
            if isinstance(event, FrameReceived) and isinstance(rate := decode_body(event.body), Rate):
                return rate.step
        return None


def test_the_frames_of_the_change_are_the_specified_ones() -> None:
    link = LossyLink(set())
    link.run_until(1_000)
    assert link.sent[:2] == [("b", RateStep.PROPOSE), ("a", RateStep.AGREE)]
    assert {step for _, step in link.sent[2:]} == {RateStep.TEST, RateStep.HERE}


class FramesOfAChange(VirtualLink):
    """Keeps the kinds of the frames that an end sends while its change of the rate is under way."""

    def __init__(self) -> None:
        self.kinds: list[type[object]] = []
        super().__init__(max_bits_per_s=BOTH)
        for name, line in (("a", self.line.a_to_b), ("b", self.line.b_to_a)):
            line.write = self._noting(name, line.write)  # type: ignore[method-assign]

    def _noting(self, name: str, write: Any) -> Any:
        def note_and_write(data: bytes, now_ms: int) -> None:
            session = self.sessions[name]
            if session._rates.state not in {RateState.BASE, RateState.RAISED}:
                frames = FrameDecoder(session._handshake.own_tag).feed(data)
                bodies = [decode_body(frame.body) for frame in frames if isinstance(frame, FrameReceived)]
                self.kinds += [type(body) for body in bodies]
            write(data, now_ms)

        return note_and_write


def test_during_the_change_nothing_but_its_own_frames_goes_out() -> None:
    """docs/link-protocol.md, 9: traffic in both directions waits, and is through afterwards."""
    link = FramesOfAChange()
    files = {"a": bytes(3_000), "b": bytes(4_000)}
    for name, file in files.items():
        link.sessions[name].send(Channel.FILE, file, now_ms=0)
    link.run_until(2_000)
    assert rates(link) == {FAST}
    assert set(link.kinds) == {Rate}
    assert (received(link, "a"), received(link, "b")) == ([files["b"]], [files["a"]])


@pytest.mark.parametrize("lost", [{n} for n in range(8)] + [{n, n + 1} for n in range(7)] + [set(range(9))])
def test_whatever_frame_of_the_change_is_lost_both_ends_get_to_the_same_rate(lost: set[int]) -> None:
    link = LossyLink(lost)
    for _ in range(10):
        assert exchange_ms(link, patience_ms=1_500) < 1_000
        link.run_until(link.now_ms + 400)
    assert rates(link) == {FAST}
    assert all(session.is_up for session in link.sessions.values())
    assert PeerRestarted() not in link.events["a"] + link.events["b"]


# --- reboots and outages -----------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["a", "b"])
@pytest.mark.parametrize("moment_ms", [*range(98, 160, 3), 400])
def test_a_reboot_in_the_middle_of_the_change_or_after_it(name: str, moment_ms: int) -> None:
    link = VirtualLink(max_bits_per_s=BOTH)
    peer = "b" if name == "a" else "a"
    link.run_until(moment_ms)
    link.boot(name)
    link.run_until(moment_ms + 2_000, stop=lambda: PeerRestarted() in link.events[peer])
    assert link.now_ms - moment_ms <= 400
    exchange_ms(link, patience_ms=1_000)
    link.run_until(link.now_ms + 2_000)
    assert rates(link) == {FAST}


@pytest.mark.parametrize("duration_ms", [50, 250, 1_000, 2_400, 4_000, 10_000])
@pytest.mark.parametrize("moment_ms", [0, 31, 67, 420])
def test_after_an_outage_traffic_flows_again_at_once_and_the_rate_comes_back(
    duration_ms: int, moment_ms: int
) -> None:
    link = raised()
    link.run_until(link.now_ms + moment_ms)
    link.line.cut(link.now_ms)
    link.run_until(link.now_ms + duration_ms)
    link.line.mend(link.now_ms)
    assert exchange_ms(link) <= 100
    link.run_until(link.now_ms + 2_000)
    assert rates(link) == {FAST}


def test_where_one_end_has_fallen_back_and_the_other_not_yet_they_meet() -> None:
    link = raised()
    link.sessions["a"].line_returned(now_ms=link.now_ms)  # its adapter was pulled and is back
    assert exchange_ms(link, patience_ms=2_000) <= 400
    link.run_until(link.now_ms + 4_000)
    assert rates(link) == {460_800}


def test_noise_on_a_resting_line_is_no_reason_to_leave_the_rate() -> None:
    link = raised()
    for _ in range(20):
        link.line.a_to_b.write(b"\x55\x00\xaa", link.now_ms)
        link.line.b_to_a.write(b"\x12", link.now_ms)
        link.run_until(link.now_ms + 500)
    assert rates(link) == {FAST}


# --- the end -----------------------------------------------------------------------------------------


def test_a_close_is_heard_at_the_fast_rate_and_the_next_session_begins_at_the_first() -> None:
    link = raised()
    link.sessions["b"].close(now_ms=link.now_ms)
    link.run_until(link.now_ms + 100)
    assert rates(link) == {BASE}
    assert not link.sessions["a"].is_up
    link.sessions["b"].open(now_ms=link.now_ms)
    link.run_until(link.now_ms + 60)
    exchange_ms(link)
    link.run_until(link.now_ms + 1_000)
    assert rates(link) == {FAST}


def test_paired_ends_change_too() -> None:
    link = VirtualLink()
    link.sessions = {
        name: Session(
            session._handshake.role,
            nonce=session._handshake.nonce,
            pairing_key=bytes(32),
            pairing_salt=bytes(12),
            max_bits_per_s=FAST,
        )
        for name, session in link.sessions.items()
    }
    for session in link.sessions.values():
        session.open(now_ms=0)
    link.run_until(1_000)
    assert rates(link) == {FAST}
    exchange_ms(link)


# --- one end alone -----------------------------------------------------------------------------------


def test_frames_that_do_not_fit_the_state_change_nothing() -> None:
    for leads in (True, False):
        for step in RateStep:
            for bits_per_s in (0, BASE, 1 << 32 - 1):
                control = RateControl(BASE, FAST, leads=leads)
                control.link_is_up(0, agreed=True)
                control.on_rate(Rate(step, bits_per_s), 0)
                assert control.state is RateState.BASE
                assert control.bits_per_s == BASE
                answer = control.next_frame()
                assert answer == (
                    None if leads or step is not RateStep.PROPOSE else Rate(RateStep.REFUSE, FAST)
                )


def test_a_gateway_that_is_never_answered_asks_ever_more_seldom() -> None:
    control = RateControl(BASE, FAST, leads=True)
    control.link_is_up(0, agreed=True)
    asked: list[int] = []
    while (due_us := control.deadline_us(10_000)) is not None and due_us < 60_000_000:
        control.on_deadline(due_us, 10_000)
        if rate := control.next_frame():
            asked.append(due_us)
            control.sent(rate, due_us, 10_000)
    assert len(asked) == 5 * 5
    assert asked[0] == 100_000


def test_every_standard_rate_is_in_order() -> None:
    assert list(RATES) == sorted(set(RATES))


def test_an_outage_that_ends_the_fast_rate_leaves_nothing_that_was_due_before() -> None:
    """The virtual link asserts at each turn that what is due lies in the future."""
    link = VirtualLink(latency_ms=1, max_bits_per_s=(460_800, FAST))
    link.run_until(212)
    link.sessions["a"].send(Channel.HOST, bytes(5_000), now_ms=link.now_ms)
    link.line.cut(link.now_ms)
    link.run_until(link.now_ms + 2_700)
    link.line.mend(link.now_ms)
    link.run_until(10_000)
    assert received(link, "b") == [bytes(5_000)]
