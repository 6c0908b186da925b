"""One connection to the bank: bytes in, replies out, with neither sockets nor a clock.

The server runs it on TCP, the simulator on a network in software; so both serve a client in the same way.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from bank.errors import FrameError, StoreError
from bank.replies import Reply
from wire.iso8583 import CodecError, FrameSplitter

IDLE_TIMEOUT_S: Final = 300.0
"""How long the server listens to silence before it hangs up."""

logger = logging.getLogger("posterm.bank")


class Connection:
    """What one client says, cut into requests, and the answers in the order of the requests.

    `handle` decides one request: `Bank.handle` with the time filled in. Holds at most one message.
    """

    def __init__(self, handle: Callable[[bytes], Sequence[Reply]]) -> None:
        self._handle = handle
        self._splitter = FrameSplitter()
        self.is_over = False
        """Hang up: a reply said so, or nothing that comes can be understood any more."""

    def receive(self, data: bytes) -> Iterator[Reply]:
        """Take the next bytes, in pieces of any size, and give the replies one by one.

        Each request is decided when its reply is asked for: what was decided is told, even if the next
        message is nonsense. Look at `is_over` when there are no more.
        """
        try:
            for piece in (data, b""):  # a length that is none is reported by the call after the last message
                for message in self._splitter.feed(piece):
                    for reply in self._handle(message):
                        yield reply
                        if reply.close:
                            self.is_over = True
                            return
        except (CodecError, FrameError, StoreError) as error:
            logger.warning("connection dropped: %s", error)
            self.is_over = True
