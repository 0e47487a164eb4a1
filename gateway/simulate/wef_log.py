"""The event log of a simulated machine: channels that keep their newest events, as Windows' circular logs do.

A forwarder's buffer is the log itself: it reads on from a record, and what was overwritten before it was read is gone.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from collections.abc import Iterator
from itertools import islice
from typing import Final, NamedTuple

import trio

from gateway.simulate.messages import Message
from wire.event import WindowsEvent
from wire.event_xml import encode_event

CAPACITY: Final = 4096
"""Events that a channel keeps; Windows counts octets."""


class Logged(NamedTuple):
    """One event as the log has it.

    serial:    its place in the channel, from 0, which never jumps; record IDs of events from a file may.
    event_id, provider, level:  what queries look at.
    octets:    the event as XML, UTF-8.
    """

    serial: int
    record_id: int
    event_id: str
    provider: str
    level: int
    octets: bytes


class Channel:
    """One channel's events, oldest first; record IDs rise."""

    def __init__(self, name: str, capacity: int = CAPACITY) -> None:
        self.name: Final = name
        self._events: deque[Logged] = deque(maxlen=capacity)
        self.end = 0
        """The serial that the next event will have."""

    @property
    def start(self) -> int:
        """The serial of the oldest event that is still there."""
        return self.end - len(self._events)

    @property
    def last(self) -> Logged | None:
        """The newest event."""
        return self._events[-1] if self._events else None

    def append(self, event: WindowsEvent, message: Message | None = None) -> Logged:
        """Log an event. Where its own record ID doesn't rise, the log's does all the same: in a log of forwarded events the two differ.

        Args:
            event: what happened.
            message: it is written by this one, under the log's record ID: to a collector another event than the last that looked like it.
        """
        last = self._events[-1].record_id if self._events else 0
        record_id = int(event.record_id) if event.record_id.isdecimal() else 0
        record_id = record_id if record_id > last else last + 1
        octets = message.encode_numbered(record_id) if message else encode_event(event)
        logged = Logged(self.end, record_id, event.event_id, event.provider, int(event.level) if event.level.isdecimal() else 0, octets)
        self._events.append(logged)
        self.end += 1
        return logged

    def read(self, serial: int) -> Iterator[Logged]:
        """The events from `serial` on, or from the oldest one where that is gone."""
        return islice(self._events, max(0, serial - self.start), None)

    def after_record(self, record_id: int) -> int:
        """The serial of the first event behind a record ID: where a bookmark says to go on."""
        return self.start + bisect_right(self._events, record_id, key=lambda logged: logged.record_id)


class EventLog:
    """All channels of a machine."""

    def __init__(self, capacity: int = CAPACITY) -> None:
        self._capacity = capacity
        self._channels: dict[str, Channel] = {}
        self._readers: Final = trio.lowlevel.ParkingLot()

    def __getitem__(self, channel: str) -> Channel:
        """The channel of that name: Windows compares names without case; an empty one where nothing was logged yet."""
        key = channel.lower()
        if key not in self._channels:
            self._channels[key] = Channel(channel, self._capacity)
        return self._channels[key]

    def append(self, event: WindowsEvent, message: Message | None = None) -> Logged:
        """Log an event in its channel, and tell whoever waits."""
        logged = self[event.channel].append(event, message)
        self.stir()
        return logged

    def stir(self) -> None:
        """Wake whoever waits for events."""
        self._readers.unpark_all()

    async def grown(self) -> None:
        """Return once something was logged."""
        await self._readers.park()
