"""What an engine reads: the envelope by name and the payload in order, made of an event or an accounting packet, and its origin."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from wire.event import EventTime, WindowsEvent

MS: Final = 1_000_000
SECOND: Final = 1_000_000_000

_SURROGATE: Final = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Source:
    """One event, ready to be mapped.

    envelope:    what mapping rows read as `@Name`.
    payload:     (name, text) in document order, names may repeat.
    arrival_ms:  arrival at the gateway, ms since the Unix epoch.
    labels:      what metadata.labels says of it.
    """

    envelope: Mapping[str, str | int | None]
    payload: tuple[tuple[str, str], ...]
    arrival_ms: int
    labels: tuple[str, ...] = ()


def windows_source(event: WindowsEvent, *, log_format: str, arrival_ms: int, labels: tuple[str, ...] = ()) -> Source:
    """A Windows event as a source. Lone surrogates, which some JSON carries, become U+FFFD: UTF-8 can't write them.

    TimeMs is cut, not rounded; TimeExact is the time at the precision delivered, in seconds.
    """
    time = event.time
    envelope: dict[str, str | int | None] = {
        "TimeMs": time.unix_ns // MS if time else None,
        "TimeText": time.text if time else event.time_text,
        "TimeOffset": time.offset_minutes if time else None,
        "TimeExact": _exact(time) if time else None,
        "EventID": event.event_id,
        "Channel": event.channel,
        "Provider": event.provider,
        "Computer": event.computer,
        "RecordID": event.record_id,
        "Version": event.version,
        "Level": event.level,
        "Keywords": event.keywords,
        "ActivityID": event.activity_id,
        "UserID": event.user_sid,
        "UserName": event.user_name,
        "UserDomain": event.user_domain,
        "LogFormat": log_format,
    }
    for name, value in envelope.items():
        if isinstance(value, str) and not value.isascii():
            envelope[name] = _encodable(value)
    return Source(envelope, tuple((_encodable(name), _encodable(text)) for name, text in event.data), arrival_ms, labels)


def radius_source(
    attributes: Sequence[tuple[str, str]], *, status_type: int, peer: str, arrival_ms: int, vendor: str = "", labels: tuple[str, ...] = ()
) -> Source:
    """An accounting packet as a source.

    Args:
        attributes: (name, text) in the packet's order, secrets left out.
        status_type: the number of its Acct-Status-Type.
        peer: address it came from.
        arrival_ms: arrival at the gateway, ms since the Unix epoch.
        vendor: who made the server, as configured.
        labels: what metadata.labels says of it.
    """
    envelope: dict[str, str | int | None] = {"StatusType": status_type, "Peer": peer, "ArrivalMs": arrival_ms, "Vendor": vendor}
    return Source(envelope, tuple(attributes), arrival_ms, labels)


def _encodable(text: str) -> str:
    return text if text.isascii() else _SURROGATE.sub("\ufffd", text)


def _exact(time: EventTime) -> str:
    seconds, fraction = divmod(time.unix_ns, SECOND)
    return f"{seconds}.{f'{fraction:09}'[: time.digits]}" if time.digits else str(seconds)
