"""Windows Event Forwarding messages for tests: one conversation with invented names, and strategies for any other."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator
from dataclasses import fields
from itertools import count
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from hypothesis import strategies as st

from wire.event import EventKey
from wire.wef.messages import (
    GENERATION,
    Delivery,
    End,
    Enumerate,
    Events,
    Heartbeat,
    Reference,
    Request,
    SubscriptionEnd,
    pack_events,
)
from wire.wef.namespaces import ANONYMOUS, EVENTING, NONE, SecurityProfile
from wire.wef.query import build_queries, encode_query_list
from wire.wef.subscribe import make_offer
from wire.wef.subscription import ContentFormat, Offer, Oversize, Route, Subscription

FIXTURES: Final = Path(__file__).parents[2] / "fixtures" / "wef"
EVENT: Final = FIXTURES.parent / "events" / "4726.xml"

SOURCE: Final = "dc01.contoso.example"
MANAGER: Final = "https://gateway.contoso.example:5986/wsman/SubscriptionManager/WEC"
BOOKMARK: Final = b'<BookmarkList><Bookmark Channel="Security" RecordId="88101" IsCurrent="true"/></BookmarkList>'

SECURITY: Final = Subscription(
    name="identity/Security",
    query=encode_query_list(build_queries([EventKey("Security", "Microsoft-Windows-Security-Auditing", event_id) for event_id in ("4726", "4776")])),
    heartbeat=60.0,
    locale="en-US",
    data_locale="en-US",
    read_existing=True,
)
ROUTE: Final = Route(url="https://gateway.contoso.example:5986", profile=SecurityProfile.CERTIFICATE, thumbprint="8F5B4E2C9D0A17365E4B3C2D1F0E9A8B7C6D5E4F")
OFFER: Final = make_offer(SECURITY, ROUTE, BOOKMARK)


def uuids() -> Callable[[], UUID]:
    """IDs as random ones look, the same in every run."""
    numbers = count(1)
    return lambda: UUID(f"{next(numbers):08x}-0b5e-4c5d-8f6a-77697265fade")


def conversation() -> Iterator[tuple[str, Request]]:
    """One source's messages, by the names of their fixtures."""
    new_uuid = uuids()

    def uri() -> str:
        return f"uuid:{new_uuid()!s}".upper().replace("UUID:", "uuid:")

    head: dict[str, Any] = {"machine_id": SOURCE, "max_envelope_size": 512_000, "session_id": uri(), "operation_timeout": 60.0, "locale": "en-US"}
    delivery: dict[str, Any] = {**head, "to": OFFER.address, "references": OFFER.references}
    events, spans = pack_events([EVENT.read_bytes().strip(), b"<Event>two, with ]]> in it</Event>"])
    enumerate_ = Enumerate(**head, message_id=uri(), operation_id=uri(), to=MANAGER, max_elements=32_000)
    yield "enumerate", enumerate_
    yield "end", End(message_id=uri(), operation_id=enumerate_.operation_id, to=ANONYMOUS, reply_to="")
    yield "heartbeat", Heartbeat(**delivery, message_id=uri(), operation_id=uri())
    yield "events", Events(**delivery, message_id=uri(), operation_id=uri(), bookmark=BOOKMARK, buffer=events, spans=spans)
    yield (
        "subscription-end",
        SubscriptionEnd(
            **{**delivery, "operation_timeout": 0.5},
            message_id=uri(),
            operation_id=uri(),
            code=1717,
            machine=SOURCE,
            text="The event forwarding plugin failed to read events.",
        ),
    )


def same(one: Request, other: Request) -> bool:
    """Whether two messages say the same, wherever their events lie."""
    if isinstance(one, Events) and isinstance(other, Events) and list(one.events()) != list(other.events()):
        return False
    names = {field.name for field in fields(one)} - {"buffer", "spans", "repaired"}
    return type(one) is type(other) and all(getattr(one, name) == getattr(other, name) for name in names)


# Any message

_BLANK = " \t\r\n"
_CHARACTERS = st.characters(exclude_categories=["Cs"], exclude_characters=[*map(chr, range(32)), "\ufffe", "\uffff"])
TEXTS: Final = st.text(_CHARACTERS | st.sampled_from("<>&\"']]>"), max_size=30).map(lambda text: text.strip(_BLANK))
WORDS: Final = TEXTS.filter(bool)
NUMBERS: Final = st.integers(0, 10**9)
SECONDS: Final = st.integers(0, 10**8).map(lambda milliseconds: milliseconds / 1000)

HEAD: Final = {
    "message_id": WORDS,
    "to": TEXTS,
    "machine_id": TEXTS,
    "reply_to": TEXTS,
    "max_envelope_size": st.none() | NUMBERS,
    "operation_id": TEXTS,
    "session_id": TEXTS,
    "operation_timeout": st.none() | SECONDS,
    "locale": TEXTS,
}
REFERENCES: Final = st.tuples(WORDS, TEXTS).map(lambda texts: (Reference(EVENTING, "Identifier", texts[0]), Reference(NONE, GENERATION, texts[1])))
DELIVERY: Final = {**HEAD, "references": REFERENCES, "ack_requested": st.booleans()}
EVENTS: Final = st.lists(TEXTS.map(str.encode), max_size=5)
BOOKMARKS: Final = st.just(b"") | st.builds(lambda text: f"<BookmarkList><!-- {text.replace('-', '')} --> </BookmarkList>".encode(), TEXTS)


def _events(events: tuple[bytes, array[int]], **others: Any) -> Events:
    return Events(buffer=events[0], spans=events[1], **others)


DELIVERIES: Final[st.SearchStrategy[Delivery]] = st.one_of(
    st.builds(Heartbeat, **DELIVERY),
    st.builds(_events, EVENTS.map(pack_events), bookmark=BOOKMARKS, **DELIVERY),
    st.builds(SubscriptionEnd, **DELIVERY, status=TEXTS, code=st.none() | NUMBERS, machine=WORDS, text=TEXTS.map(lambda text: " ".join(text.split()))),
)
REQUESTS: Final[st.SearchStrategy[Request]] = st.one_of(DELIVERIES, st.builds(Enumerate, **HEAD, max_elements=st.none() | NUMBERS), st.builds(End, **HEAD))

SUBSCRIPTIONS: Final = st.builds(
    Subscription,
    name=TEXTS,
    query=st.sampled_from(["<QueryList/>", SECURITY.query, "<QueryList><!-- none --></QueryList>"]),
    heartbeat=SECONDS,
    max_time=SECONDS,
    max_envelope_size=NUMBERS,
    max_elements=st.none() | NUMBERS,
    retries=NUMBERS,
    retry_after=SECONDS,
    content_format=st.sampled_from(ContentFormat),
    locale=TEXTS,
    data_locale=TEXTS,
    read_existing=st.booleans(),
    compressed=st.booleans(),
    ignore_channel_error=st.booleans(),
    oversize=st.sampled_from(Oversize),
)
ROUTES: Final = st.builds(Route, url=TEXTS, profile=st.sampled_from(SecurityProfile), thumbprint=st.text("0123456789ABCDEF", max_size=40))
OFFERS: Final[st.SearchStrategy[Offer]] = st.builds(make_offer, SUBSCRIPTIONS, ROUTES, st.none() | BOOKMARKS)
