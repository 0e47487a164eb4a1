"""A Windows event as its sender wrote it: the value that every layout parses to and encodes from.

Nothing is judged here: texts are as delivered, order and repetition of the data survive, an empty text means "not delivered".
Names are those of the event XML's System element ([MS-EVEN6] section 2.2.14, the event schema of winevt).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple


class EventKey(NamedTuple):
    """What decides how an event is mapped. An ID alone is no identity: many providers own an 8004."""

    channel: str
    provider: str
    event_id: str


@dataclass(frozen=True, slots=True)
class EventTime:
    """When the event happened.

    unix_ns:         nanoseconds since the Unix epoch, UTC.
    text:            the time exactly as delivered.
    digits:          fraction digits delivered, 0 to 9: two times are the same only at this precision.
    offset_minutes:  the offset that was delivered with it; None for UTC or where none was.
    """

    unix_ns: int
    text: str
    digits: int
    offset_minutes: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowsEvent:
    """Envelope and payload of one event.

    event_id:     decimal text, the low 16 bits.
    time:         None where it was missing or unreadable; `time_text` then still has what was delivered.
    data:         EventData / UserData leaves as (name, text), in document order, names may repeat; unnamed `<Data>` are Data1, Data2 ...
    user_sid:     System/Security/@UserID.
    user_name, user_domain:  who the layout says logged it (QRadar `User=`/`Domain=`); XML has only the SID.
    message:      rendered text, where the layout carried it.
    warnings:     rules the sender bent without losing meaning (`no-milliseconds`), for the counters and `explain`.
    """

    event_id: str
    channel: str = ""
    provider: str = ""
    computer: str = ""
    time: EventTime | None = None
    time_text: str = ""
    record_id: str = ""
    version: str = ""
    level: str = ""
    task: str = ""
    opcode: str = ""
    keywords: str = ""
    provider_guid: str = ""
    event_source_name: str = ""
    qualifiers: str = ""
    activity_id: str = ""
    process_id: str = ""
    thread_id: str = ""
    user_sid: str = ""
    user_name: str = ""
    user_domain: str = ""
    data: tuple[tuple[str, str], ...] = ()
    message: str = ""
    warnings: tuple[str, ...] = ()

    @property
    def key(self) -> EventKey:
        return EventKey(self.channel, self.provider, self.event_id)
