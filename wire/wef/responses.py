"""What a collector answers: EnumerateResponse, Ack and faults ([MS-WSMV] section 3.1.4.1.30, DSP0226 sections 8.2.3, 10.7 and 14).

    Enumerate                              EnumerateResponse: all subscriptions at once, EnumerationContext empty, EndOfSequence: nothing to pull
    Events, Heartbeat, SubscriptionEnd     Ack
    End                                    nothing: HTTP 204
    what can't be done                     Fault

`RelatesTo` is the request's MessageID as it was written. A request's OperationID may be given back, as Windows does: it says that a repeated operation is
answered again, which holds where answering twice does no harm. Answers are UTF-8 here (`wire.soap_encoding` makes them UTF-16) and never compressed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum
from typing import Final
from uuid import UUID

from pipeline.errors import MessageError
from wire.wef.envelope import Element, Envelope, parse_envelope
from wire.wef.messages import Request
from wire.wef.namespaces import ADDRESSING, ANONYMOUS, ENUMERATION, MICROSOFT, SOAP, SUBSCRIPTION, WSMAN, Action
from wire.wef.spelling import escape
from wire.wef.subscribe import encode_subscribe, parse_subscription, uuid_uri
from wire.wef.subscription import Offer

DOCUMENT: Final = "DSP0226 section 8.2.3"


@dataclass(frozen=True, slots=True)
class EnumerateResponse:
    """What a source learns from its Enumerate.

    relates_to:  the MessageID it answers.
    offers:      every subscription there is for it.
    """

    relates_to: str
    offers: tuple[Offer, ...]


@dataclass(frozen=True, slots=True)
class Ack:
    """A delivery is kept.

    relates_to:  its MessageID.
    """

    relates_to: str


class FaultCode(Enum):
    """Why not: SOAP code and subcode, with the prefixes our envelope declares (DSP0226 section 14.6)."""

    INVALID_HEADER = ("s:Sender", "a:InvalidMessageInformationHeader")
    ACTION_NOT_SUPPORTED = ("s:Sender", "a:ActionNotSupported")
    DESTINATION_UNREACHABLE = ("s:Sender", "a:DestinationUnreachable")
    ACCESS_DENIED = ("s:Sender", "w:AccessDenied")
    ENCODING_LIMIT = ("s:Sender", "w:EncodingLimit")
    SCHEMA_VALIDATION = ("s:Sender", "w:SchemaValidationError")
    INTERNAL_ERROR = ("s:Receiver", "w:InternalError")
    QUOTA_LIMIT = ("s:Receiver", "w:QuotaLimit")


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault that was answered.

    relates_to:  the MessageID it answers; empty where that couldn't be read.
    subcode:     its local name, `EncodingLimit`.
    reason:      a sentence.
    """

    relates_to: str
    subcode: str
    reason: str


def encode_enumerate_response(request: Request, offers: Iterable[Offer], new_uuid: Callable[[], UUID], *, operation_id: str = "") -> bytes:
    """Tell a source its subscriptions; with none it gives up those it had.

    Args:
        request: its Enumerate.
        offers: `wire.wef.subscribe.make_offer` makes them.
        new_uuid: makes the IDs of this message and of those in it.
        operation_id: the request's, to give it back; empty leaves it out.
    """
    items = b"".join(
        b'<m:Subscription xmlns:m="%b"><m:Version>%b</m:Version>%b</m:Subscription>'
        % (SUBSCRIPTION.encode(), uuid_uri(offer.version).encode(), encode_subscribe(offer, new_uuid))
        for offer in offers
    )
    body = b"<n:EnumerateResponse><n:EnumerationContext></n:EnumerationContext><w:Items>%b</w:Items><w:EndOfSequence/></n:EnumerateResponse>" % items
    return _answer(Action.ENUMERATE_RESPONSE, request, body, new_uuid, operation_id)


def encode_ack(request: Request, new_uuid: Callable[[], UUID], *, operation_id: str = "") -> bytes:
    """Tell a source that what it sent is kept. Arguments as above."""
    return _answer(Action.ACK, request, b"", new_uuid, operation_id)


def encode_fault(code: FaultCode, reason: str, new_uuid: Callable[[], UUID], *, request: Request | None = None) -> bytes:
    """Tell a source why not; HTTP 500, or 400 where the sender is at fault.

    Args:
        code: which fault.
        reason: a sentence in English.
        new_uuid: makes the message's ID.
        request: what it answers, None where that couldn't be read.
    """
    name, subcode = code.value
    subcodes = f"<s:Code><s:Value>{name}</s:Value><s:Subcode><s:Value>{subcode}</s:Value></s:Subcode></s:Code>"
    body = f'<s:Fault>{subcodes}<s:Reason><s:Text xml:lang="en-US">{escape(reason)}</s:Text></s:Reason></s:Fault>'
    return _answer(Action.FAULT, request, body.encode(), new_uuid, "")


def _answer(action: Action, request: Request | None, body: bytes, new_uuid: Callable[[], UUID], operation_id: str) -> bytes:
    operation = f'<p:OperationID s:mustUnderstand="false">{escape(operation_id)}</p:OperationID>' if operation_id else ""
    operation += "<p:SequenceId>1</p:SequenceId>"
    to = f"<a:To>{escape((request.reply_to if request is not None else '') or ANONYMOUS)}</a:To>"
    parts = (
        f'<s:Envelope xml:lang="en-US" xmlns:s="{SOAP}" xmlns:a="{ADDRESSING}" xmlns:n="{ENUMERATION}" xmlns:w="{WSMAN}" xmlns:p="{MICROSOFT}">',
        f"<s:Header><a:Action>{action}</a:Action><a:MessageID>{uuid_uri(new_uuid())}</a:MessageID>",
        operation + to if action is Action.ACK else to + operation,  # as Windows orders each
        f"<a:RelatesTo>{escape(request.message_id)}</a:RelatesTo>" if request is not None else "",
        "</s:Header>",
    )
    return b"%b<s:Body>%b</s:Body></s:Envelope>" % ("".join(parts).encode(), body)


def parse_response(octets: bytes) -> EnumerateResponse | Ack | Fault:
    """Read an answer, as a source does: the subscriptions, an Ack, or a fault.

    Raises:
        MessageError: as `wire.wef.envelope.parse_envelope`, unknown-action, missing-element:NAME, bad-element:NAME, unfinished-enumeration.
    """
    envelope = parse_envelope(octets)
    header, body = envelope.root.children
    action, relates_to = header.value(ADDRESSING, "Action"), header.value(ADDRESSING, "RelatesTo")
    if action == Action.ENUMERATE_RESPONSE:
        return EnumerateResponse(relates_to, _offers(envelope, body))
    if action == Action.ACK:
        return Ack(relates_to)
    fault = body.find(SOAP, "Fault")
    if fault is None:
        raise MessageError("unknown-action", document=DOCUMENT, detail=action[:120])
    subcode = fault.value(SOAP, "Code", "Subcode", "Value").rpartition(":")[2]
    return Fault(relates_to, subcode, fault.value(SOAP, "Reason", "Text"))


def parse_enumerate_response(octets: bytes) -> EnumerateResponse:
    """Read the answer to an Enumerate.

    Raises:
        MessageError: as `parse_response`, and not-an-answer where it is another one, a fault included.
    """
    answer = parse_response(octets)
    if not isinstance(answer, EnumerateResponse):
        raise MessageError("not-an-answer", document=DOCUMENT, detail=repr(answer)[:200])
    return answer


def parse_ack(octets: bytes) -> Ack:
    """Read the answer to a delivery.

    Raises:
        MessageError: as above.
    """
    answer = parse_response(octets)
    if not isinstance(answer, Ack):
        raise MessageError("not-an-answer", document=DOCUMENT, detail=repr(answer)[:200])
    return answer


def _offers(envelope: Envelope, body: Element) -> tuple[Offer, ...]:
    response = body.find(ENUMERATION, "EnumerateResponse")
    if response is None or response.value(ENUMERATION, "EnumerationContext") or response.find(WSMAN, "EndOfSequence") is None:
        raise MessageError("unfinished-enumeration", document=DOCUMENT)
    items = response.find(WSMAN, "Items")
    found = items.children if items else ()
    return tuple(parse_subscription(envelope, item) for item in found if (item.namespace, item.name) == (SUBSCRIPTION, "Subscription"))
