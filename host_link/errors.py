"""The errors of the link. Each has a stable `code`; the text is safe to show and to log."""

from __future__ import annotations

from typing import ClassVar


class LinkError(Exception):
    """Base of all errors that the link raises on purpose."""

    code: ClassVar[str] = "L000"


class MessageTooLong(LinkError):
    """A message is longer than the link carries. Nothing was queued."""

    code = "L110"


class SessionClosed(LinkError):
    """The session was not opened, or it was closed. Nothing was queued."""

    code = "L120"


class ProtocolViolation(LinkError):
    """The peer sent an intact frame that the protocol forbids. The session resets itself."""

    code = "L200"


class PortError(LinkError):
    """Base of what can go wrong with a port."""

    code = "L500"


class PortMissing(PortError):
    """There is no such port, or it cannot be opened. Nothing was opened."""

    code = "L510"


class PortBusy(PortError):
    """Another process holds the port. Nothing was opened."""

    code = "L520"


class PortVanished(PortError):
    """The port was open and is gone (cable or adapter pulled). Opening it again may work."""

    code = "L530"


class TlsUnusable(LinkError):
    """A certificate or key file cannot be used. Nothing was connected."""

    code = "L540"


class RecordingUnusable(LinkError):
    """A recording cannot be written, or a file is none that can be read. Nothing was changed."""

    code = "L550"


class PairingKeyUnusable(LinkError):
    """A pairing key file cannot be written or read, or holds none. Nothing was changed."""

    code = "L570"


class ControlUnusable(LinkError):
    """A control socket cannot be made, or nobody answers on it."""

    code = "L560"
