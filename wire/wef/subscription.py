"""A subscription, and what one source is told of it ([MS-WSMV] section 3.1.4.1.30.1, DSP0226 section 10.2).

    Subscription    what is wanted, and how: query, options, times             one per channel, the same for every source
    Route           where to deliver and how to authenticate there            the same for every source of one endpoint and client CA
    Offer           both, with the version, and the place to go on from       per source

`wire.wef.subscribe` makes the message of an Offer.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final
from uuid import UUID, uuid5

from wire.wef.messages import Reference
from wire.wef.namespaces import DELIVERY_PATH, EARLIEST, SecurityProfile

NAMESPACE: Final = UUID("6c1c9a0e-4b52-5d0f-9e3a-6a1f6f1b7d25")
"""Of the UUIDs made here. It must never change: every source's place is kept by a subscription's ID."""

MAX_ENVELOPE: Final = 512_000
"""Octets of a delivery in UTF-16 before compression; what Windows' sources and collectors use."""

FROM_EARLIEST: Final = EARLIEST.encode()
"""The bookmark that asks for everything there is."""


class ContentFormat(StrEnum):
    """Whether events bring their text: `Raw` is System and EventData, `RenderedText` adds RenderingInfo, at two to three times the size."""

    RAW = "Raw"
    RENDERED_TEXT = "RenderedText"


class Oversize(StrEnum):
    """What a source does with an event that is larger than an envelope."""

    NOTIFY = "Notify"
    SKIP = "Skip"
    CANCEL = "CancelSubscription"


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription:
    """What is wanted, and how.

    name:                  `identity/Security`: what the source's own log calls it, and what its ID is made of.
    query:                 a QueryList element.
    heartbeat:             seconds of silence after which the source says that it is alive.
    max_time:              seconds an event waits for others before it is sent.
    max_envelope_size:     octets of the largest delivery.
    max_elements:          events of the largest delivery, None where only its size counts.
    retries, retry_after:  how often, and after how many seconds, a source tries to connect before it waits for its next refresh.
    content_format:        with rendered text or without.
    locale, data_locale:   language of rendered text, and of numbers in it, `en-US`; empty leaves it to the source.
    read_existing:         whether a source that has no place to go on from starts at the beginning of its log.
    compressed:            whether it may send SLDC.
    ignore_channel_error:  whether it goes on where a channel of the query can't be read.
    oversize:              what it does with an event that doesn't fit.
    """

    name: str
    query: str
    heartbeat: float = 900.0
    max_time: float = 5.0
    max_envelope_size: int = MAX_ENVELOPE
    max_elements: int | None = None
    retries: int = 5
    retry_after: float = 60.0
    content_format: ContentFormat = ContentFormat.RAW
    locale: str = ""
    data_locale: str = ""
    read_existing: bool = False
    compressed: bool = True
    ignore_channel_error: bool = True
    oversize: Oversize = Oversize.NOTIFY

    @property
    def id(self) -> UUID:
        """Stable for as long as the name is."""
        return subscription_id(self.name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """Where to deliver.

    url:         scheme, host and port as sources know them, `https://gateway.contoso.example:5986`, without a path.
    profile:     how to authenticate there.
    thumbprint:  SHA-1 in hexadecimal of the CA that issued this source's certificate: how it finds which one to use; empty for Kerberos.
    """

    url: str
    profile: SecurityProfile
    thumbprint: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """One subscription for one source.

    version:     what the source compares with what it runs.
    address:     the URL it delivers to.
    references:  what it returns with every delivery.
    bookmark:    the place to go on from, octet for octet as the source once sent it; FROM_EARLIEST; or empty: the next new event.
    """

    subscription: Subscription
    profile: SecurityProfile
    thumbprint: str = ""
    address: str
    references: tuple[Reference, ...]
    version: UUID
    bookmark: bytes = b""


def subscription_id(name: str) -> UUID:
    """The ID of the Windows subscription of that name: of its delivery URL, its e:Identifier and its sources' places."""
    return uuid5(NAMESPACE, f"subscription {name}")


def delivery_path(subscription: UUID) -> str:
    """Where its deliveries go on every endpoint; compare without regard to case."""
    return DELIVERY_PATH + str(subscription).upper()


def parse_delivery_path(path: str) -> UUID | None:
    """Which subscription a path is for; what follows its ID after a slash doesn't matter. None where it is no delivery's path."""
    if path[: len(DELIVERY_PATH)].lower() != DELIVERY_PATH.lower():
        return None
    text = path[len(DELIVERY_PATH) :].partition("/")[0]
    try:
        found = UUID(text)
    except ValueError:
        return None
    return found if str(found) == text.lower() else None
