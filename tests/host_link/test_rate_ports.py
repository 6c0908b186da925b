"""A change of the line's rate on real ports: what the operating system is told, and a cable that minds it."""

from __future__ import annotations

import asyncio
import os
import termios
from collections.abc import Iterator

import pytest

from host_link.gateway import Gateway
from host_link.ports import NullModem, open_port
from tests.host_link.conftest import turning
from tests.host_link.gateway_bench import Terminal, host, serving

BASE, FAST = 115_200, 921_600


def rate_of(path: str) -> int:
    """What a device is set to, as the operating system tells."""
    descriptor = os.open(path, os.O_RDWR | os.O_NOCTTY)
    try:
        return int(termios.tcgetattr(descriptor)[5])
    finally:
        os.close(descriptor)


class RatedModem(NullModem):
    """A cable whose ends hear each other only at the same rate; else each byte comes out as another one.

    Above `works_to` (a termios constant's rank is the rate's) nothing comes through as it was.
    """

    def __init__(self, works_to: int = termios.B921600) -> None:
        super().__init__()
        self._works_to = works_to

    def _carry(self, end: str) -> int:
        data = os.read(self._masters[end], 4096)
        speeds = {termios.tcgetattr(slave)[5] for slave in self._slaves.values()}
        if len(speeds) > 1 or max(speeds) > self._works_to:
            data = bytes(byte ^ 0xA5 for byte in data)
        os.write(self._masters["b" if end == "a" else "a"], data)
        return len(data)


@pytest.fixture
def rated_modem() -> Iterator[NullModem]:
    with turning(RatedModem()) as modem:
        yield modem


async def until_rate(gateway: Gateway, terminal: Terminal, bits_per_s: int) -> None:
    async with asyncio.timeout(10):
        while {gateway.lines[0].session.bits_per_s, terminal.session.bits_per_s} != {bits_per_s}:
            await terminal.turn()


def test_terminal_and_gateway_set_their_ports_and_go_on(rated_modem: NullModem) -> None:
    async def scenario() -> None:
        terminal = Terminal(open_port(rated_modem.path_a, BASE), bits_per_s=BASE, max_bits_per_s=FAST)
        async with serving(rated_modem.path_b, bits_per_s=BASE, max_bits_per_s=FAST) as served:
            await until_rate(served.gateway, terminal, FAST)
            assert rate_of(rated_modem.path_a) == rate_of(rated_modem.path_b) == termios.B921600
            assert f"{rated_modem.path_b}: the line runs at {FAST} bits/s" in served.notices
            terminal.send(b"fast")
            await terminal.until(host(b"FAST"))
            (link,) = (await served.gateway.stats())["links"]
            assert (link["bits_per_s"], link["counters"]["rate_raises"]) == (FAST, 1)
        async with asyncio.timeout(10):
            while terminal.session.bits_per_s != BASE:  # the gateway has said CLOSE
                await terminal.turn()
        assert rate_of(rated_modem.path_a) == termios.B115200
        terminal.port.close()

    asyncio.run(scenario())


def test_a_cable_that_is_too_bad_for_the_rate_is_used_at_a_slower_one() -> None:
    async def scenario(modem: NullModem) -> None:
        terminal = Terminal(open_port(modem.path_a, BASE), bits_per_s=BASE, max_bits_per_s=FAST)
        async with serving(modem.path_b, bits_per_s=BASE, max_bits_per_s=FAST) as served:
            await until_rate(served.gateway, terminal, 460_800)
            terminal.send(b"slower")
            await terminal.until(host(b"SLOWER"))
        terminal.port.close()

    with turning(RatedModem(works_to=termios.B460800)) as modem:
        asyncio.run(scenario(modem))


def test_a_port_that_cannot_do_a_rate_keeps_the_one_it_has(null_modem: NullModem) -> None:
    port = open_port(null_modem.path_a, BASE)
    assert port.set_rate(FAST)
    assert not port.set_rate(-1)
    assert rate_of(null_modem.path_a) == termios.B921600
    port.close()
