"""A line rate around a device in software: bytes take their time, and stay in order."""

import pytest

from hal.peripherals.pacing import Paced


class Echo:
    """Says what it hears."""

    def __init__(self) -> None:
        self.heard: list[tuple[int, bytes]] = []
        self._said = b""

    def receive(self, data: bytes, now_ms: int) -> None:
        if data:
            self.heard.append((now_ms, data))
        self._said += data

    def take_output(self) -> bytes:
        said, self._said = self._said, b""
        return said

    def deadline_ms(self) -> int | None:
        return None


def came_back(paced: Paced, end_ms: int) -> list[tuple[int, bytes]]:
    """Turn the line at its own deadlines; (when, bytes) of all that came back."""
    came, now_ms = [], 0
    while now_ms < end_ms:
        paced.receive(b"", now_ms)
        if output := paced.take_output():
            came.append((now_ms, output))
        due_ms = paced.deadline_ms()
        now_ms = end_ms if due_ms is None else max(now_ms + 1, due_ms)
    return came


def test_each_byte_takes_ten_bits_there_and_ten_back() -> None:
    paced = Paced(Echo(), 1_000)  # 10 ms a character
    paced.receive(b"abc", 0)
    assert came_back(paced, 1_000) == [(20, b"a"), (30, b"b"), (40, b"c")]
    assert paced.deadline_ms() is None


def test_a_byte_with_parity_takes_eleven_bits() -> None:
    far = Echo()
    paced = Paced(far, 1_000, bits_per_character=11)
    paced.receive(b"ab", 0)
    came_back(paced, 100)
    assert far.heard == [(11, b"a"), (22, b"b")]


def test_a_burst_waits_for_the_bytes_before_it() -> None:
    far = Echo()
    paced = Paced(far, 1_000)
    paced.receive(b"a", 0)
    paced.receive(b"b", 5)
    came_back(paced, 100)
    assert far.heard == [(10, b"a"), (20, b"b")]


def test_a_fast_line_hands_over_many_bytes_at_once_and_loses_none() -> None:
    far = Echo()
    paced = Paced(far, 921_600)
    paced.receive(bytes(range(256)), 0)
    back = came_back(paced, 100)
    assert b"".join(data for _, data in back) == bytes(range(256))
    assert back[-1][0] <= 6  # 2.8 ms there and 2.8 back


def test_what_nobody_takes_is_bounded_and_a_rate_is_positive() -> None:
    far = Echo()
    paced = Paced(far, 1_000_000_000)
    paced.receive(bytes(200_000), 0)
    paced.receive(b"", 60_000)
    assert sum(len(data) for _, data in far.heard) == 65_536
    with pytest.raises(ValueError, match="positive"):
        Paced(far, 0)
