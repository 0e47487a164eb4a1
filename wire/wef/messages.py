"""What a source of events sends, as values: Enumerate, Heartbeat, Events, SubscriptionEnd, End ([MS-WSMV] section 3.1.4.1.30, DSP0226 section 10).

    Enumerate         which subscriptions are there for me?        header + n:Enumerate
    Heartbeat         I am alive and have nothing                  header + reference elements + an empty w:Events
    Events            here is a batch, and the place behind it     header + reference elements + w:Bookmark + w:Events/w:Event
    SubscriptionEnd   I give this subscription up, and why         header + reference elements + e:SubscriptionEnd
    End               I am done with that operation                header

`parse_request` reads one from an envelope in UTF-8 (`wire.soap_encoding` makes it so); `encode_request` of `wire.wef.encoding` writes one.
Departures tolerated in silence: white space around values and between elements, unknown header elements whether they must be understood or not,
any order of header elements, a missing body element. `MachineID` is what the source says of itself: nothing authenticates it.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final, TypedDict

from pipeline.errors import MessageError
from wire.wef.envelope import BLANK, DOCUMENT, Element, Envelope, parse_document, parse_envelope
from wire.wef.namespaces import (
    ADDRESSING,
    ANONYMOUS,
    ENUMERATION,
    EVENTING,
    FAULT,
    MACHINE_ID,
    MICROSOFT,
    NONE,
    SOURCE_CANCELLING,
    SUBSCRIPTION_MANAGER,
    WSMAN,
    XML,
    Action,
)
from wire.wef.spelling import parse_duration

MAX_VALUE: Final = 1024
MAX_BOOKMARK: Final = 64 * 1024
MAX_REFERENCES: Final = 16
MAX_TEXT: Final = 1000

GENERATION: Final = "Version"
"""Our second reference element, without a namespace: the subscription's version that the source runs."""


@dataclass(frozen=True, slots=True)
class Reference:
    """A reference element (WS-Addressing): opaque to the source, which returns it as a header element of every delivery."""

    namespace: str
    name: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What every message has.

    message_id:         `uuid:...`, to be answered as it is written.
    to:                 the URL the source believes to speak to.
    machine_id:         its own name, by its own word.
    reply_to:           where the answer goes: the anonymous address.
    max_envelope_size:  octets of the largest answer it takes, None where it doesn't say.
    operation_id, session_id:  bookkeeping of robust connections, empty where missing.
    operation_timeout:  seconds it waits for the answer, None where it doesn't say.
    locale:             language tag, `en-US`.
    """

    message_id: str
    to: str = ""
    machine_id: str = ""
    reply_to: str = ANONYMOUS
    max_envelope_size: int | None = None
    operation_id: str = ""
    session_id: str = ""
    operation_timeout: float | None = None
    locale: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Enumerate(Request):
    """Which subscriptions are there for me?

    max_elements:  how many it takes, None where it doesn't say.
    """

    max_elements: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery(Request):
    """What Heartbeat, Events and SubscriptionEnd have besides.

    references:     the reference elements as they were handed out, in order.
    ack_requested:  whether the source waits for an Ack.
    """

    references: tuple[Reference, ...]
    ack_requested: bool = True

    @property
    def identifier(self) -> str:
        """e:Identifier: which subscription this is for."""
        return next(reference.text for reference in self.references if (reference.namespace, reference.name) == (EVENTING, "Identifier"))

    @property
    def generation(self) -> str:
        """The version of it that the source runs; empty where it doesn't say."""
        return next((reference.text for reference in self.references if (reference.namespace, reference.name) == (NONE, GENERATION)), "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Heartbeat(Delivery):
    """I am alive and have nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Events(Delivery):
    """A batch.

    bookmark:  what w:Bookmark holds, octet for octet: the place behind the last event; empty where there is none.
    buffer:    octets that hold the events, one after the other, with whatever between them.
    spans:     start, end, start, end ... of each event's XML in it.
    repaired:  how many characters of the envelope XML doesn't allow: they became U+FFFD.
    """

    bookmark: bytes = b""
    buffer: bytes = b""
    spans: array[int] = field(default_factory=lambda: array("I"))
    repaired: int = 0

    @property
    def count(self) -> int:
        """How many events."""
        return len(self.spans) // 2

    def events(self) -> Iterator[bytes]:
        """Each event's XML; a copy each."""
        return (self.buffer[start:end] for start, end in zip(self.spans[::2], self.spans[1::2], strict=True))


@dataclass(frozen=True, slots=True, kw_only=True)
class SubscriptionEnd(Delivery):
    """The source gives the subscription up.

    status:   a URI that says how, `.../SourceCancelling`.
    code:     the Windows error, None where there is none.
    machine:  who says so.
    text:     the error in words, shortened.
    """

    status: str = SOURCE_CANCELLING
    code: int | None = None
    machine: str = ""
    text: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class End(Request):
    """The source is done with the operation of `operation_id`."""


def pack_events(events: Iterable[bytes]) -> tuple[bytes, array[int]]:
    """Events' XML to the `buffer` and `spans` of an Events."""
    spans, parts, at = array("I"), [], 0
    for event in events:
        spans.extend((at, at + len(event)))
        parts.append(event)
        at += len(event)
    return b"".join(parts), spans


# Reading

_HEADERS: Final = frozenset(
    {
        *((ADDRESSING, name) for name in ("To", "ReplyTo", "Action", "MessageID", "From", "FaultTo", "RelatesTo")),
        *((WSMAN, name) for name in ("ResourceURI", "MaxEnvelopeSize", "Locale", "OperationTimeout", "Bookmark", "AckRequested", "OptionSet", "SelectorSet")),
        *((MICROSOFT, name) for name in ("DataLocale", "SessionId", "OperationID", "SequenceId", "Bookmarks", "ActivityId")),
        (MACHINE_ID, "MachineID"),
    }
)
"""Header elements with a meaning of their own; what else comes is a reference element."""


def parse_request(octets: bytes) -> Enumerate | Heartbeat | Events | SubscriptionEnd | End:
    """Read one message of a source from its envelope in UTF-8.

    Raises:
        MessageError: not-well-formed, doctype, too-deep, too-many-elements, too-many-attributes, too-many-events, not-an-envelope, unknown-action,
            unknown-resource, missing-header:NAME, duplicate-header:NAME, header-too-long:NAME, too-many-references,
            bad-bookmark, unexpected-events.
    """
    envelope = parse_envelope(octets)
    header = envelope.root.children[0]
    _check_header(header)
    action = header.value(ADDRESSING, "Action")
    if not action:
        raise MessageError("missing-header:Action", document=DOCUMENT)
    read = _READERS.get(action)
    if read is None:
        raise MessageError("unknown-action", document=DOCUMENT, detail=action[:120])
    if envelope.spans and action != Action.EVENTS:
        raise MessageError("unexpected-events", document=DOCUMENT, detail=action[:120])  # to answer would be to lose them
    return read(envelope)


def _check_header(header: Element) -> None:
    seen: set[tuple[str, str]] = set()
    for child in header.children:
        key = (child.namespace, child.name)
        known = key in _HEADERS or key == (EVENTING, "Identifier")
        if known and key in seen:
            raise MessageError(f"duplicate-header:{child.name}", document=DOCUMENT)
        if known and len(child.text) > MAX_VALUE and key != (WSMAN, "Bookmark"):
            raise MessageError(f"header-too-long:{child.name}", document=DOCUMENT, detail=f"{len(child.text)} characters, at most {MAX_VALUE}")
        seen.add(key)


def _required(header: Element, name: str) -> str:
    value = header.value(ADDRESSING, name)
    if not value:
        raise MessageError(f"missing-header:{name}", document=DOCUMENT)
    return value


def _number(text: str) -> int | None:
    return int(text) if re.fullmatch(r"[0-9]{1,10}", text) else None


class _Head(TypedDict):
    """The arguments of a Request."""

    message_id: str
    to: str
    machine_id: str
    reply_to: str
    max_envelope_size: int | None
    operation_id: str
    session_id: str
    operation_timeout: float | None
    locale: str


class _DeliveryHead(_Head):
    """The arguments of a Delivery."""

    references: tuple[Reference, ...]
    ack_requested: bool


def _head(header: Element) -> _Head:
    locale = header.find(WSMAN, "Locale")
    return _Head(
        message_id=_required(header, "MessageID"),
        to=header.value(ADDRESSING, "To"),
        machine_id=header.value(MACHINE_ID, "MachineID"),
        reply_to=header.value(ADDRESSING, "ReplyTo", "Address"),
        max_envelope_size=_number(header.value(WSMAN, "MaxEnvelopeSize")),
        operation_id=header.value(MICROSOFT, "OperationID"),
        session_id=header.value(MICROSOFT, "SessionId"),
        operation_timeout=parse_duration(header.value(WSMAN, "OperationTimeout")),
        locale=locale.attributes.get(f"{XML} lang", "") if locale else "",
    )


def _delivery(header: Element) -> _DeliveryHead:
    references = tuple(
        Reference(child.namespace, child.name, child.text.strip(BLANK)) for child in header.children if (child.namespace, child.name) not in _HEADERS
    )
    if len(references) > MAX_REFERENCES:
        raise MessageError("too-many-references", document=DOCUMENT, detail=f"{len(references)}, at most {MAX_REFERENCES}")
    if any(len(reference.text) > MAX_VALUE for reference in references):
        raise MessageError("header-too-long:reference", document=DOCUMENT, detail=f"at most {MAX_VALUE} characters")
    if not header.value(EVENTING, "Identifier"):
        raise MessageError("missing-header:Identifier", document="[MS-WSMV] section 3.1.4.1.30")
    return _DeliveryHead(**_head(header), references=references, ack_requested=header.find(WSMAN, "AckRequested") is not None)


def _bookmark(envelope: Envelope, header: Element) -> bytes:
    """The fragment, as it came, if it holds together without the envelope around it: it will come to stand in another."""
    element = header.find(WSMAN, "Bookmark")
    fragment = envelope.inner(element) if element else b""
    if len(fragment) > MAX_BOOKMARK:
        raise MessageError("bad-bookmark", document=DOCUMENT, detail=f"{len(fragment)} octets, at most {MAX_BOOKMARK}")
    try:
        parse_document(b"<b>%b</b>" % fragment)
    except MessageError as error:
        raise MessageError("bad-bookmark", document=DOCUMENT, detail=error.rule) from None
    return fragment


def _parse_enumerate(envelope: Envelope) -> Enumerate:
    header, body = envelope.root.children
    resource = header.value(WSMAN, "ResourceURI")
    if resource != SUBSCRIPTION_MANAGER:
        raise MessageError("unknown-resource", document="[MS-WSMV] section 3.1.4.1.30", detail=resource[:120])
    wanted = body.find(ENUMERATION, "Enumerate")
    return Enumerate(**_head(header), max_elements=_number(wanted.value(WSMAN, "MaxElements")) if wanted else None)


def _parse_heartbeat(envelope: Envelope) -> Heartbeat:
    return Heartbeat(**_delivery(envelope.root.children[0]))


def _parse_events(envelope: Envelope) -> Events:
    header = envelope.root.children[0]
    bookmark = _bookmark(envelope, header)
    return Events(**_delivery(header), bookmark=bookmark, buffer=envelope.octets, spans=envelope.spans, repaired=envelope.repaired)


def _parse_subscription_end(envelope: Envelope) -> SubscriptionEnd:
    header, body = envelope.root.children
    end = body.find(EVENTING, "SubscriptionEnd")
    fault = end.find(FAULT, "WSManFault") if end else None
    return SubscriptionEnd(
        **_delivery(header),
        status=end.value(EVENTING, "Status") if end else "",
        code=_number(fault.attributes.get("Code", "")) if fault else None,
        machine=fault.attributes.get("Machine", "")[:MAX_VALUE] if fault else "",
        text=" ".join("".join(_texts(fault)).split())[:MAX_TEXT] if fault else "",
    )


def _texts(element: Element) -> Iterator[str]:
    yield element.text
    for child in element.children:
        yield from _texts(child)


def _parse_end(envelope: Envelope) -> End:
    return End(**_head(envelope.root.children[0]))


_READERS: Final[dict[str, Callable[[Envelope], Enumerate | Heartbeat | Events | SubscriptionEnd | End]]] = {
    Action.ENUMERATE: _parse_enumerate,
    Action.HEARTBEAT: _parse_heartbeat,
    Action.EVENTS: _parse_events,
    Action.SUBSCRIPTION_END: _parse_subscription_end,
    Action.END: _parse_end,
}
