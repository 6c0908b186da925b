"""The gateway's TCP connection to the bank, plain or over TLS."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from host_link.errors import TlsUnusable
from host_link.relay import KEEP_ALIVE_IDLE_S, KEEP_ALIVE_INTERVAL_S, KEEP_ALIVE_PROBES, UNANSWERED_MS

_READ_BYTES = 65536


@dataclass(frozen=True, slots=True)
class TlsSettings:
    """How to know the bank, and how to prove oneself to it. Files are PEM.

    `ca`: the only authority that is believed (pinned; the system's are not asked). `cert` and `key`: the
    client certificate, if the bank wants one. `server_name`: the name in the bank's certificate; None: the
    host's.
    """

    ca: Path
    cert: Path | None = None
    key: Path | None = None
    server_name: str | None = None

    def context(self) -> ssl.SSLContext:
        """Read the files. Raises TlsUnusable saying which file does not serve."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # checks the certificate and the name in it
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        try:
            context.load_verify_locations(self.ca)
        except OSError as error:  # ssl.SSLError is one
            raise TlsUnusable(
                f"{self.ca}: no CA certificate can be read from it ({_reason(error)})"
            ) from None
        if self.cert is not None:
            self._load_own(context, self.cert)
        return context

    def _load_own(self, context: ssl.SSLContext, cert: Path) -> None:
        try:
            # With a password, or it would be asked for on the terminal.
            context.load_cert_chain(cert, self.key, password="")
        except OSError as error:
            files = f"{cert} and {self.key}" if self.key else f"{cert}"
            hint = "PEM, the key without a passphrase and belonging to the certificate"
            raise TlsUnusable(f"{files}: no client certificate ({_reason(error)}); wanted: {hint}") from None


@dataclass(frozen=True, slots=True)
class BankAddress:
    """Where the bank listens."""

    host: str
    port: int
    tls: TlsSettings | None = None

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class BankCalls:
    """What a connection tells its owner. After `hang_up` it tells nothing."""

    connected: Callable[[], None]
    refused: Callable[[str], None]  # why, in one line
    received: Callable[[bytes], None]
    closed: Callable[[], None]


class BankConnection:
    """At most one connection at a time. Raises TlsUnusable when made with TLS settings that do not serve."""

    def __init__(self, address: BankAddress, calls: BankCalls) -> None:
        self.address = address
        self._calls = calls
        self._tls = address.tls.context() if address.tls else None
        self._writer: asyncio.StreamWriter | None = None
        self._task: asyncio.Task[None] | None = None

    def connect(self) -> None:
        """Begin to connect; `connected` or `refused` will follow."""
        self._task = asyncio.get_running_loop().create_task(self._talk())

    def send(self, data: bytes) -> None:
        """Send bytes; if they cannot be sent, `closed` will follow."""
        if self._writer is not None:
            self._writer.write(data)

    def hang_up(self) -> asyncio.Task[None] | None:
        """End the connection, or the attempt. The task returned ends when everything is given back."""
        task, self._task, self._writer = self._task, None, None
        if task is not None:
            task.cancel()
        return task

    async def _talk(self) -> None:
        name = self.address.tls.server_name if self.address.tls else None
        try:
            reader, writer = await asyncio.open_connection(
                self.address.host, self.address.port, ssl=self._tls, server_hostname=name
            )
        except OSError as error:
            self._calls.refused(self._why_not(error))
            return
        self._writer = writer
        try:
            _keep_alive(writer)
            self._calls.connected()
            while data := await reader.read(_READ_BYTES):
                self._calls.received(data)
        except OSError:
            pass  # a reset connection is a closed one
        finally:
            writer.close()
        self._writer = None
        self._calls.closed()

    def _why_not(self, error: OSError) -> str:
        if isinstance(error, ssl.SSLCertVerificationError):
            return f"the bank at {self.address} does not prove who it is: {error.verify_message}"
        if isinstance(error, ssl.SSLError):
            return f"the bank at {self.address} cannot be talked to over TLS: {_reason(error)}"
        return f"the bank at {self.address} cannot be reached"


def _keep_alive(writer: asyncio.StreamWriter) -> None:
    """Let the system find out when the bank is gone without a word (a firewall, a power cut)."""
    connection: socket.socket = writer.get_extra_info("socket")
    with contextlib.suppress(OSError):  # not every system has every option
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, KEEP_ALIVE_IDLE_S)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, KEEP_ALIVE_INTERVAL_S)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, KEEP_ALIVE_PROBES)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNANSWERED_MS)


def _reason(error: OSError) -> str:
    """What the system says, in few words."""
    text = error.reason if isinstance(error, ssl.SSLError) else error.strerror
    return (text or type(error).__name__).replace("_", " ").lower()
