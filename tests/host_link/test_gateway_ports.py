"""Several terminals in one process, what a running gateway tells of itself, and what it writes down."""

from __future__ import annotations

import asyncio
import json
import socket
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from host_link.control import BankStatus
from host_link.control_socket import ask_stats, control_socket
from host_link.errors import ControlUnusable
from host_link.gateway import Gateway
from host_link.ports import NullModem
from host_link.recording import read_header, read_records
from host_link.spy import Spy
from tests.host_link.conftest import turning
from tests.host_link.gateway_bench import RATE, echo_bank, host, serving, status, terminals


@pytest.fixture
def modems() -> Iterator[tuple[NullModem, NullModem]]:
    with turning(NullModem()) as one, turning(NullModem()) as two:
        yield one, two


async def swapping_bank(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answers with the TPDU's addresses swapped and the rest in capitals, the newest request first."""
    requests = [await request(reader) for _ in range(2)]
    for message in reversed(requests):
        answer = message[:1] + message[3:5] + message[1:3] + message[5:].upper()
        writer.write(len(answer).to_bytes(2, "big") + answer)
    await reader.read()
    writer.close()


async def request(reader: asyncio.StreamReader) -> bytes:
    return await reader.readexactly(int.from_bytes(await reader.readexactly(2), "big"))


TPDU, TPDU_BACK = bytes.fromhex("6000060000"), bytes.fromhex("6000000006")


def test_two_terminals_share_one_connection(modems: tuple[NullModem, NullModem]) -> None:
    connections = 0

    async def bank(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        await swapping_bank(reader, writer)

    async def scenario() -> None:
        with terminals(*(modem.path_a for modem in modems)) as (one, two):
            async with serving(*(modem.path_b for modem in modems), serve=bank) as served:
                one.send(TPDU + b"one")
                two.send(TPDU + b"two")
                await asyncio.gather(one.until(host(TPDU_BACK + b"ONE")), two.until(host(TPDU_BACK + b"TWO")))
                assert f"{modems[1].path_b}: the terminal is connected" in served.notices
        assert connections == 1

    asyncio.run(scenario())


def test_a_bank_that_is_not_there_is_told_to_the_terminal_that_asked(
    modems: tuple[NullModem, NullModem],
) -> None:
    async def scenario() -> None:
        with terminals(*(modem.path_a for modem in modems)) as (one, two):
            async with serving(*(modem.path_b for modem in modems), serve=None):
                two.send(TPDU + b"two")
                await two.until(status(BankStatus.UNREACHABLE, TPDU + b"two"))
                await asyncio.sleep(0.05)
                assert status(BankStatus.UNREACHABLE, TPDU + b"two") not in one.events

    asyncio.run(scenario())


def test_a_bank_that_comes_back_is_told_without_being_asked(null_modem: NullModem) -> None:
    async def scenario() -> None:
        with terminals(null_modem.path_a) as (terminal,):
            async with serving(null_modem.path_b, serve=None) as served:
                terminal.send(b"first")
                await terminal.until(status(BankStatus.UNREACHABLE, b"first"))
                bank = await asyncio.start_server(echo_bank, "127.0.0.1", served.bank_port)
                await terminal.until(status(BankStatus.REACHABLE))
                assert f"the bank at 127.0.0.1:{served.bank_port} is connected" in served.notices
                bank.close()

    asyncio.run(scenario())


# --- numbers -----------------------------------------------------------------------------------------


def test_a_running_gateway_tells_its_counters_and_the_terminal_s(
    null_modem: NullModem, tmp_path: Path
) -> None:
    path = tmp_path / "link.sock"

    async def scenario() -> None:
        with terminals(null_modem.path_a) as (terminal,):
            async with serving(null_modem.path_b) as served, control_socket(path, stats_of(served.gateway)):
                assert stat.S_IMODE(path.stat().st_mode) == 0o600
                terminal.send(b"first")
                await terminal.until(host(b"FIRST"))
                asked = asyncio.create_task(asyncio.to_thread(ask_stats, path, peers=True))
                while not asked.done():
                    await terminal.turn()
                check(await asked)
                without_peers = await asyncio.to_thread(ask_stats, path)
                assert "peer" not in without_peers["gateways"][0]["links"][0]

    def check(answer: dict[str, Any]) -> None:
        (gateway,) = answer["gateways"]
        (link,) = gateway["links"]
        assert answer["version"] == 1
        assert (link["port"], link["bits_per_s"]) == (null_modem.path_b, RATE)
        assert (link["port_open"], link["up"]) == (True, True)
        assert link["counters"]["messages_received"] == 2  # the request, and the report asked for
        assert link["peer"]["messages_sent"] == 1
        assert link["peer"]["bytes_sent"] > 20
        assert gateway["bank"]["state"] == "connected"
        assert gateway["bank"]["counters"]["answers"] == 1

    asyncio.run(scenario())
    assert not path.exists()


def stats_of(gateway: Gateway) -> Any:
    async def stats(peers: bool) -> list[dict[str, Any]]:
        return [await gateway.stats(ask_peers=peers)]

    return stats


def test_a_terminal_that_is_away_tells_nothing(null_modem: NullModem) -> None:
    async def scenario() -> None:
        async with serving(null_modem.path_b) as served:
            (link,) = (await served.gateway.stats(ask_peers=True))["links"]
            assert (link["up"], link["peer"]) == (False, None)

    asyncio.run(scenario())


@pytest.mark.parametrize("question", [b"\n", b"[]\n", b'{"ask": "keys"}\n', b"no newline", b"x" * 9_000])
def test_what_is_not_understood_is_answered_with_what_is(tmp_path: Path, question: bytes) -> None:
    path = tmp_path / "link.sock"

    async def scenario() -> bytes:
        async with control_socket(path, stats_of(Gateway.__new__(Gateway))):
            reader, writer = await asyncio.open_unix_connection(path)
            writer.write(question)
            writer.write_eof()
            answer = await reader.read()
            writer.close()
            return answer

    answer = asyncio.run(scenario())
    if len(question) > 4_096:
        assert answer == b""  # hung up
    else:
        assert json.loads(answer) == {"version": 1, "error": 'ask {"ask": "stats"}'}


def test_a_socket_that_was_left_behind_is_replaced_and_nothing_else(tmp_path: Path) -> None:
    left, file = tmp_path / "left.sock", tmp_path / "file"
    file.write_text("precious", encoding="utf-8")
    with socket.socket(socket.AF_UNIX) as old:
        old.bind(str(left))

    async def use(path: Path) -> None:
        async with control_socket(path, stats_of(Gateway.__new__(Gateway))):
            with pytest.raises(ControlUnusable, match="another gateway's"):
                async with control_socket(path, stats_of(Gateway.__new__(Gateway))):
                    pass

    asyncio.run(use(left))
    with pytest.raises(ControlUnusable, match="no socket"):
        asyncio.run(use(file))
    with pytest.raises(ControlUnusable, match="no control socket can be made"):
        asyncio.run(use(tmp_path / "no" / "folder"))
    assert file.read_text(encoding="utf-8") == "precious"


def test_nobody_answers_where_no_gateway_runs(tmp_path: Path) -> None:
    with pytest.raises(ControlUnusable, match="is a gateway running"):
        ask_stats(tmp_path / "link.sock")


# --- the spy -----------------------------------------------------------------------------------------


def test_the_spy_writes_down_what_crosses_each_line(
    modems: tuple[NullModem, NullModem], tmp_path: Path
) -> None:
    path = tmp_path / "line.ptlr"
    names = tuple(modem.path_b for modem in modems)
    spy = Spy(path, names, RATE)

    async def scenario() -> None:
        with terminals(*(modem.path_a for modem in modems)) as (one, two):
            async with serving(*names, serve=swapping_bank, tap=spy.tap):
                one.send(TPDU + b"one")
                two.send(TPDU + b"two")
                await asyncio.gather(one.until(host(TPDU_BACK + b"ONE")), two.until(host(TPDU_BACK + b"TWO")))

    asyncio.run(scenario())
    spy.close()
    with path.open("rb") as file:
        assert read_header(file).ports == names
        records = list(read_records(file))
    for number, word in enumerate((b"one", b"two")):
        for side, heard in (("terminal", word), ("gateway", word.upper())):
            crossed = b"".join(one.data for one in records if (one.port, one.side) == (number, side))
            assert heard in crossed
