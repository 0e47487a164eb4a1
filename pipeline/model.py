"""The nouns that travel: Origin, Frames, Batch (docs/architecture.md).

Zero-copy is a property of the batch, not of the message: one buffer plus spans. Nothing here awaits, and nothing here knows a format.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, NamedTuple

from kernel import Octets
from pipeline.index import Index

ALIAS_OCTETS: Final = 16


class Transport(StrEnum):
    """How bytes arrived; the words of the `ready` line (design section 6)."""

    UDP = "udp"
    TCP = "tcp"
    TLS = "tls"
    HTTP = "http"
    HTTPS = "https"
    RADSEC = "radsec"
    FILE = "file"


@dataclass(frozen=True, slots=True)
class Origin:
    """Who sent a buffer, and how.

    listener:        the listener's name, `listeners.syslog`; `replay` for files.
    transport:       how it came.
    peer:            address of the sender as text, without port; a path for files.
    received_at_ns:  arrival, nanoseconds since the Unix epoch.
    identity:        authenticated name of the sender, None where nothing authenticated it.
    """

    listener: str
    transport: Transport
    peer: str
    received_at_ns: int
    identity: str | None = None

    @property
    def received_at_ms(self) -> int:
        """Arrival in milliseconds, the unit of OCSF times."""
        return self.received_at_ns // 1_000_000


@dataclass(frozen=True, slots=True)
class Trust:
    """How far an authenticated sender is believed.

    labels:      metadata.labels of everything it sends.
    speaks_for:  whether it may send events of the computer of this name; None for any.
    refuse:      whether the event of another computer is rejected, as `identity-mismatch`; its record gets the label `identity:mismatch` otherwise.
    """

    labels: tuple[str, ...] = ()
    speaks_for: Callable[[str], bool] | None = None
    refuse: bool = False


@dataclass(frozen=True, slots=True)
class Frames:
    """One contiguous buffer and the messages in it: one read, POST or datagram burst.

    buffer:  the octets, in a room only as long as it isn't used again; under 4 GiB.
    spans:   start, end, start, end ... of whole messages, in octets from the buffer's start.
    origin:  who sent all of them.
    trust:   how far who sent them is believed.
    aliases: a second duplicate key of each message, 16 octets each: what tells that a peer sends a message again; none if empty.
    keep:    whether the messages themselves are kept beside their records, for a forwarder that passes them on.
    """

    buffer: Octets
    spans: array[int]
    origin: Origin
    trust: Trust = Trust()
    aliases: bytes = b""
    keep: bool = False

    def __len__(self) -> int:
        return len(self.spans) // 2

    def pairs(self) -> Iterator[tuple[int, int]]:
        """(start, end) of each message."""
        return zip(self.spans[::2], self.spans[1::2], strict=True)


@dataclass(frozen=True, slots=True)
class Reject:
    """A message that wasn't understood.

    raw:     its octets, whole (bounded by the listener's message limit).
    rule:    the broken rule, also the counter's label.
    offset:  octet of `raw` at which it shows.
    detail:  facts for a person, shortened.
    """

    raw: bytes
    rule: str
    offset: int = 0
    detail: str = ""


class SessionEvent(StrEnum):
    """What a record says of a session: it began, goes on, ended; or its server began anew, which ends all of that server's."""

    START = "start"
    UPDATE = "update"
    STOP = "stop"
    RESTART = "restart"


class SessionChange(NamedTuple):
    """One record's word on a VPN session (RFC 2866), for the table of sessions.

    nas:            the server that tells: its address, else its name, as metadata.uid has it.
    session_id:     Acct-Session-Id; empty for RESTART.
    user, domain:   the account, case preserved; empty where not told.
    address:        the tunnel address given to the client; empty where not told.
    client:         the client's own address; empty where not told or no address.
    at_ms:          event time, ms since the Unix epoch.
    started_at_ms:  when the session began, None where not told.
    """

    event: SessionEvent
    nas: str
    session_id: str
    user: str
    domain: str
    address: str
    client: str
    at_ms: int
    started_at_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Batch:
    """What a normalizer made of one Frames.

    records:   OCSF records as newline-delimited JSON, each ended by LF; nothing before, between or behind them.
    index:     what is to be known of them without reading them, in order.
    origin:    of the Frames.
    received:  messages in the Frames; received == len(index) + filtered + rejected + control, always.
    filtered:  understood and unwanted, by event code; bounded, the rest under `other`.
    rejected:  not understood, by rule; bounded, the rest under `other`.
    control:   messages about the conversation itself (keep-alives, marks), that carry no event.
    warnings:  oddities of accepted messages, by rule; not part of the sum.
    rejects:   the first rejected messages themselves, for `explain --last`; bounded in number.
    aliases:   a second duplicate key of each record, 16 octets each, in the index's order; none if empty.
    originals: the message of each record, in the index's order, where the Frames asked to keep them; none if empty.
    sessions:  what each record says of a session, in the index's order, None where it says nothing of one; none if empty.
    """

    records: bytes
    index: Index
    origin: Origin
    received: int
    filtered: Mapping[str, int] = field(default_factory=dict)
    rejected: Mapping[str, int] = field(default_factory=dict)
    control: int = 0
    warnings: Mapping[str, int] = field(default_factory=dict)
    rejects: tuple[Reject, ...] = ()
    aliases: bytes = b""
    originals: tuple[bytes, ...] = ()
    sessions: Sequence[SessionChange | None] = ()

    def __post_init__(self) -> None:
        """What is said of each record is said of every record, or a commit would give it to another one."""
        count = len(self.index)
        for beside in (len(self.aliases) / ALIAS_OCTETS, len(self.originals), len(self.sessions)):
            if beside not in (0, count):
                raise ValueError(f"a batch of {count} records with {beside:g} of what goes beside them")
