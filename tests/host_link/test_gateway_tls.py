"""The gateway talks to the bank that it knows, proves itself to it, and to nobody else."""

from __future__ import annotations

import asyncio
import socket
import ssl
from pathlib import Path

import pytest

from host_link.bank_connection import TlsSettings
from host_link.control import BankStatus
from host_link.errors import TlsUnusable
from host_link.ports import NullModem
from host_link.session import LinkEvent
from tests.host_link.certificates import Authority
from tests.host_link.gateway_bench import Terminal, echo_bank, host, run, serving, status


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path, "authority")


@pytest.fixture
def stranger(tmp_path: Path) -> Authority:
    return Authority(tmp_path, "stranger")


def asked(
    null_modem: NullModem, tls: TlsSettings, server_tls: ssl.SSLContext | None, expected: LinkEvent
) -> list[str]:
    """Send a request, wait for what must come of it, and return what the operator was told."""
    notices: list[str] = []

    async def scenario(terminal: Terminal) -> None:
        async with serving(null_modem.path_b, tls=tls, server_tls=server_tls) as served:
            terminal.send(b"first")
            await terminal.until(expected)
            notices.extend(served.notices)

    run(scenario, null_modem.path_a)
    return notices


def test_both_sides_prove_who_they_are(null_modem: NullModem, authority: Authority) -> None:
    tls = TlsSettings(authority.ca, *authority.issue("gateway"), server_name="bank.test")
    server = authority.server_context(clients=authority.ca)
    asked(null_modem, tls, server, host(b"FIRST"))


UNREACHABLE = status(BankStatus.UNREACHABLE, b"first")


def test_a_bank_that_another_authority_vouches_for_gets_nothing(
    null_modem: NullModem, authority: Authority, stranger: Authority
) -> None:
    told = asked(null_modem, TlsSettings(authority.ca), stranger.server_context(), UNREACHABLE)
    assert any("does not prove who it is" in text for text in told)


def test_a_bank_of_another_name_gets_nothing(null_modem: NullModem, authority: Authority) -> None:
    tls = TlsSettings(authority.ca, server_name="bank.example")
    told = asked(null_modem, tls, authority.server_context("bank.test"), UNREACHABLE)
    assert any("bank.example" in text for text in told)


def test_a_bank_that_speaks_no_tls_gets_nothing(null_modem: NullModem, authority: Authority) -> None:
    heard: list[bytes] = []

    async def plain_bank(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(await reader.read(1000))
        writer.write(b"\x00\x05HELLO")
        writer.close()

    async def scenario(terminal: Terminal) -> None:
        async with serving(null_modem.path_b, serve=plain_bank, tls=TlsSettings(authority.ca)) as served:
            terminal.send(b"first")
            await terminal.until(UNREACHABLE)
            assert any("over TLS" in text or "cannot be reached" in text for text in served.notices)

    run(scenario, null_modem.path_a)
    assert b"first" not in heard[0]


def test_a_gateway_without_the_certificate_that_the_bank_wants_gets_no_answer(
    null_modem: NullModem, authority: Authority
) -> None:
    """With TLS 1.3 the refusal comes after the request has left: the outcome is not known then."""
    answered: list[bytes] = []

    async def bank(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        answered.append(b"")
        await echo_bank(reader, writer)

    async def scenario(terminal: Terminal) -> None:
        server = authority.server_context(clients=authority.ca)
        async with serving(null_modem.path_b, serve=bank, tls=TlsSettings(authority.ca), server_tls=server):
            terminal.send(b"first")
            await terminal.until(status(BankStatus.LOST))

    run(scenario, null_modem.path_a)
    assert answered == []


def test_files_that_do_not_serve_are_named(tmp_path: Path, authority: Authority, stranger: Authority) -> None:
    empty = tmp_path / "empty.pem"
    empty.write_text("", encoding="utf-8")
    cert, key = authority.issue("gateway")
    _, locked = authority.issue("locked", passphrase=b"secret")
    cases = [
        (TlsSettings(tmp_path / "missing.pem"), "missing.pem: no CA certificate"),
        (TlsSettings(empty), "empty.pem: no CA certificate"),
        (TlsSettings(authority.ca, empty), "empty.pem: no client certificate"),
        (TlsSettings(authority.ca, cert, stranger.issue("other")[1]), "other-key.pem: no client"),
        (TlsSettings(authority.ca, cert, locked), "locked-key.pem: no client certificate"),
    ]
    for settings, text in cases:
        with pytest.raises(TlsUnusable, match=text):
            settings.context()
    TlsSettings(authority.ca, cert, key).context()


def test_the_system_s_authorities_are_not_asked(authority: Authority) -> None:
    context = TlsSettings(authority.ca).context()
    assert len(context.get_ca_certs()) == 1
    assert context.check_hostname
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2


def test_the_connection_is_kept_alive(null_modem: NullModem) -> None:
    async def scenario(terminal: Terminal) -> None:
        async with serving(null_modem.path_b) as served:
            terminal.send(b"first")
            await terminal.until(host(b"FIRST"))
            writer = served.gateway._bank._writer
            assert writer is not None
            connection = writer.get_extra_info("socket")
            assert connection.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
            assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 30

    run(scenario, null_modem.path_a)
