"""Writes what `wire.wef.messages` reads, as a Windows source does: no white space between elements, its order of header elements ([MS-WSMV] section 3)."""

from __future__ import annotations

from typing import Final

from wire.wef.messages import Delivery, End, Enumerate, Events, Heartbeat, Reference, Request, SubscriptionEnd
from wire.wef.namespaces import (
    ADDRESSING,
    ENUMERATION,
    EVENT_ACTION,
    EVENT_LOG,
    EVENTING,
    FAULT,
    FULL_DUPLEX,
    MACHINE_ID,
    MICROSOFT,
    SOAP,
    SUBSCRIPTION_MANAGER,
    WSMAN,
    Action,
)
from wire.wef.spelling import attribute, cdata, duration, escape

_START: Final = (
    f'<s:Envelope xmlns:s="{SOAP}" xmlns:a="{ADDRESSING}" xmlns:n="{ENUMERATION}" xmlns:e="{EVENTING}" xmlns:w="{WSMAN}" xmlns:p="{MICROSOFT}"><s:Header>'
)


def encode_request(request: Request) -> bytes:
    """Write a message as a Windows source does; the envelope is UTF-8 without declaration or byte order mark.

    Events whose octets aren't UTF-8, or hold characters XML doesn't allow, go as they are: sources do that.
    """
    match request:
        case Enumerate():
            limit = "" if request.max_elements is None else f"<w:MaxElements>{request.max_elements}</w:MaxElements>"
            body = f"<n:Enumerate><w:OptimizeEnumeration/>{limit}</n:Enumerate>".encode()
            return _envelope(_encode_head(request, Action.ENUMERATE, SUBSCRIPTION_MANAGER), body)
        case Heartbeat():
            return _envelope(_encode_head(request, Action.HEARTBEAT) + _encode_references(request), b"<w:Events></w:Events>")
        case Events():
            header = _encode_head(request, Action.EVENTS) + _encode_references(request, request.bookmark)
            events = b"".join(b'<w:Event Action="%b">%b</w:Event>' % (EVENT_ACTION.encode(), cdata(event)) for event in request.events())
            return _envelope(header, b"<w:Events>%b</w:Events>" % events)
        case SubscriptionEnd():
            return _envelope(_encode_head(request, Action.SUBSCRIPTION_END) + _encode_references(request), _encode_end_of(request))
        case End():
            return _envelope(_encode_head(request, Action.END, FULL_DUPLEX), b"")
    raise TypeError(type(request).__name__)


def _envelope(header: bytes, body: bytes) -> bytes:
    return b"%b%b</s:Header><s:Body>%b</s:Body></s:Envelope>" % (_START.encode(), header, body)


def _encode_head(request: Request, action: Action, resource: str = "") -> bytes:
    """The header in the order of Windows' sources."""
    lang, limit, timeout = attribute(request.locale), request.max_envelope_size, request.operation_timeout
    reply_to = f'<a:ReplyTo><a:Address s:mustUnderstand="true">{escape(request.reply_to)}</a:Address></a:ReplyTo>'
    parts = (
        (True, f"<a:To>{escape(request.to)}</a:To>"),
        (resource, f'<w:ResourceURI s:mustUnderstand="true">{resource}</w:ResourceURI>'),
        (request.machine_id, f'<m:MachineID xmlns:m="{MACHINE_ID}" s:mustUnderstand="false">{escape(request.machine_id)}</m:MachineID>'),
        (request.reply_to, reply_to),
        (True, f'<a:Action s:mustUnderstand="true">{action}</a:Action>'),
        (limit is not None, f'<w:MaxEnvelopeSize s:mustUnderstand="true">{limit}</w:MaxEnvelopeSize>'),
        (True, f"<a:MessageID>{escape(request.message_id)}</a:MessageID>"),
        (lang, f'<w:Locale xml:lang="{lang}" s:mustUnderstand="false"/><p:DataLocale xml:lang="{lang}" s:mustUnderstand="false"/>'),
        (request.session_id, f'<p:SessionId s:mustUnderstand="false">{escape(request.session_id)}</p:SessionId>'),
        (request.operation_id, f'<p:OperationID s:mustUnderstand="false">{escape(request.operation_id)}</p:OperationID>'),
        (action is not Action.END, '<p:SequenceId s:mustUnderstand="false">1</p:SequenceId>'),
        (timeout is not None, f"<w:OperationTimeout>{duration(timeout or 0)}</w:OperationTimeout>"),
    )
    return "".join(text for present, text in parts if present).encode()


def _encode_references(request: Delivery, bookmark: bytes = b"") -> bytes:
    references = "".join(encode_reference(reference) for reference in request.references)
    place = b"<w:Bookmark>%b</w:Bookmark>" % bookmark if bookmark else b""
    return references.encode() + place + (b"<w:AckRequested/>" if request.ack_requested else b"")


def encode_reference(reference: Reference) -> str:
    """A reference element that says its own namespace, so that it may stand anywhere."""
    prefix, declaration = ("e:", f' xmlns:e="{attribute(reference.namespace)}"') if reference.namespace else ("", "")
    return f"<{prefix}{reference.name}{declaration}>{escape(reference.text)}</{prefix}{reference.name}>"


def _encode_end_of(end: SubscriptionEnd) -> bytes:
    references = "".join(encode_reference(reference) for reference in end.references)
    address = f"<a:Address>{escape(end.to)}</a:Address><a:ReferenceProperties>{references}</a:ReferenceProperties>"
    code = "" if end.code is None else f' Code="{end.code}"'
    machine = f' Machine="{attribute(end.machine)}"' if end.machine else ""
    said = code or machine or end.text
    fault = f'<f:WSManFault xmlns:f="{FAULT}"{code}{machine}><f:Message>{_encode_error(end.text)}</f:Message></f:WSManFault>' if said else ""
    return (
        f"<e:SubscriptionEnd><e:SubscriptionManager>{address}</e:SubscriptionManager><e:Status>{escape(end.status)}</e:Status>{fault}</e:SubscriptionEnd>"
    ).encode()


def _encode_error(text: str) -> str:
    error = f'<t:ProviderError xmlns:t="{EVENT_LOG}">{escape(text)}</t:ProviderError>'
    return f'<f:ProviderFault provider="Event Forwarding Plugin" path="%systemroot%\\system32\\wevtfwd.dll">{error}</f:ProviderFault>'
