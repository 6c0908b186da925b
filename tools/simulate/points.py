"""The points of a run at which the crash matrix strikes: line and gateway of a till that tell of each.

What passes a point is handed on by a `Deliver`; a strike may call it once, twice, later, or not at all.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from typing import Final

from host_link.line import DuplexLine, Line
from host_link.relay import Action, SendToBank, SendToTerminal
from host_link.session import LinkEvent, MessageReceived
from tools.drive_virtual import VirtualDrive
from tools.simulate.till import Till

RULE: Final = "rule"  # the terminal takes a rule
COMMIT: Final = "commit"  # its storage commits
TERMINAL_SENDS: Final = "terminal sends"  # a burst of bytes, put on the serial line
GATEWAY_RECEIVES: Final = "gateway receives"
GATEWAY_SENDS: Final = "gateway sends"
TERMINAL_RECEIVES: Final = "terminal receives"
LINK_REQUEST: Final = "link request"  # a whole message of the terminal, as the link hands it to the gateway
LINK_ANSWER: Final = "link answer"  # a whole message of the gateway, as it hands it to the link
BANK_REQUEST: Final = "bank request"  # an ISO 8583 message on its way to the bank
BANK_ANSWER: Final = "bank answer"  # the bank has it, and answers
BANK_COMMIT: Final = "bank commit"  # the bank makes something durable

Deliver = Callable[[], object]
Strike = Callable[[Deliver], object]


class Points:
    """Counts the points that are passed, from `begin` on, and strikes where that was armed.

    `tell` is told which point is struck.
    """

    def __init__(self, tell: Callable[[str, int], object]) -> None:
        self._tell = tell
        self.counts: Counter[str] = Counter()
        self.is_counting = False
        self._strikes: dict[tuple[str, int], Strike] = {}

    def begin(self) -> None:
        """From now on points count."""
        self.counts.clear()
        self.is_counting = True

    def end(self) -> None:
        """Nothing is counted or struck any more."""
        self.is_counting = False
        self._strikes.clear()

    def arm(self, point: str, number: int, strike: Strike) -> None:
        """Strike when that point is passed for the `number`th time."""
        self._strikes[point, number] = strike

    def pass_on(self, point: str, deliver: Deliver) -> None:
        """Something passes a point: it is delivered, or whatever the strike makes of it."""
        strike = self._reached(point)
        if strike is None:
            deliver()
        else:
            self._tell(point, self.counts[point])
            strike(deliver)

    def _reached(self, point: str) -> Strike | None:
        if not self.is_counting:
            return None
        self.counts[point] += 1
        return self._strikes.pop((point, self.counts[point]), None)


class GatewayStopped(Exception):
    """The gateway has no power any more, in the middle of what it is doing."""


class PointedLine(Line):
    """One direction of the serial line. `now_ms` tells the time of what is put on the line late."""

    def __init__(
        self, points: Points, sends: str, receives: str, now_ms: Callable[[], int], bits_per_s: int
    ) -> None:
        super().__init__(random.Random(0), bits_per_s=bits_per_s)  # nothing here is left to chance
        self._points = points
        self._point_names = sends, receives
        self._now_ms = now_ms

    def write(self, data: bytes, now_ms: int) -> None:
        """A burst of bytes is sent."""
        del now_ms  # it may be another one when a strike has kept the bytes back
        put = super().write
        self._points.pass_on(self._point_names[0], lambda: put(data, self._now_ms()))

    def read(self, now_ms: int) -> bytes:
        """The bytes that have arrived by now, as the receiver gets them; what it gets late comes again."""
        data = super().read(now_ms)
        received: list[bytes] = []
        come_again = super().write
        is_now = True

        def deliver() -> None:
            if is_now:
                received.append(data)
            else:
                come_again(data, self._now_ms())

        if data:
            self._points.pass_on(self._point_names[1], deliver)
        is_now = False
        return b"".join(received)


class PointedDrive(VirtualDrive):
    """Line, gateway and way to the bank. Without `points` everything passes."""

    points: Points | None = None

    def tell(self, points: Points) -> None:
        """Let these points be passed from now on. Before anything has crossed the line."""
        self.points = points
        rate = self._port.bits_per_s
        self.line = DuplexLine(
            PointedLine(points, TERMINAL_SENDS, GATEWAY_RECEIVES, self.now_ms, rate),
            PointedLine(points, GATEWAY_SENDS, TERMINAL_RECEIVES, self.now_ms, rate),
        )

    def _turn_gateway(self, heard: bytes, now_ms: int) -> bool:
        try:
            return super()._turn_gateway(heard, now_ms)
        except GatewayStopped:
            return False

    def _on_link_event(self, event: LinkEvent) -> None:
        hand_on = super()._on_link_event
        if isinstance(event, MessageReceived):
            self._pass(LINK_REQUEST, lambda: hand_on(event))
        else:
            hand_on(event)

    def _carry_out(self, action: Action) -> None:
        carry_out = super()._carry_out
        if isinstance(action, SendToBank):
            self._pass(BANK_REQUEST, lambda: carry_out(action))
        elif isinstance(action, SendToTerminal):
            self._pass(LINK_ANSWER, lambda: carry_out(action))
        else:
            carry_out(action)

    def _pass(self, point: str, deliver: Deliver) -> None:
        if self.points is None:
            deliver()
        else:
            self.points.pass_on(point, deliver)


class PointedTill(Till):
    """A till on such a line."""

    drive_type = PointedDrive
    drive: PointedDrive
