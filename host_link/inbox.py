"""Events that wait for the session's owner, and how much memory the messages among them take.

The owner may leave a channel's messages where they are (`pause`); all other events go on. What waits counts:
the session tells the peer to stop a channel of which too much does.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable

from host_link.events import LinkEvent, MessageReceived

MESSAGE_COST_BYTES = 64
"""What a message takes besides its content: many empty ones are not free."""


class Inbox:
    """A queue of events that gives those of paused channels last: when they are resumed."""

    def __init__(self) -> None:
        self._events: deque[LinkEvent] = deque()
        self._paused: dict[int, deque[MessageReceived]] = {}
        self._resumed: deque[MessageReceived] = deque()
        self.waiting_bytes: Counter[int] = Counter()
        """How much the messages take that were not taken yet, of each channel that has any."""

    def put(self, event: LinkEvent) -> None:
        """Queue an event."""
        if isinstance(event, MessageReceived):
            self.waiting_bytes[event.channel] += _cost(event)
        self._events.append(event)

    def extend(self, events: Iterable[LinkEvent]) -> None:
        """Queue several."""
        for event in events:
            self.put(event)

    def take(self) -> LinkEvent | None:
        """The oldest event that is not a message of a paused channel; None when there is none."""
        if self._resumed:
            return self._taken(self._resumed.popleft())
        while self._events:
            event = self._events.popleft()
            if not isinstance(event, MessageReceived):
                return event
            if event.channel not in self._paused:
                return self._taken(event)
            self._paused[event.channel].append(event)
        return None

    def pause(self, channel: int) -> None:
        """Keep the channel's messages back from now on."""
        resumed = [event for event in self._resumed if event.channel == channel]
        self._resumed = deque(event for event in self._resumed if event.channel != channel)
        self._paused.setdefault(channel, deque(resumed))

    def resume(self, channel: int) -> None:
        """Give the channel's messages again, those that were kept back first."""
        self._resumed.extend(self._paused.pop(channel, ()))

    def _taken(self, event: MessageReceived) -> MessageReceived:
        self.waiting_bytes[event.channel] -= _cost(event)
        if not self.waiting_bytes[event.channel]:
            del self.waiting_bytes[event.channel]
        return event


def _cost(event: MessageReceived) -> int:
    return len(event.payload) + MESSAGE_COST_BYTES
