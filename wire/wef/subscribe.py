"""The Subscribe message: the envelope inside an EnumerateResponse that makes a subscription ([MS-WSMV] section 3.1.4.1.30.1, DSP0226 section 10.2).

Elements stand in Windows' order. The **version** is the only sign by which a source learns that something changed. It is a name-based UUID (RFC 4122
version 5) of the message itself, without what differs from answer to answer: so it depends on every parameter a source can see, and none can be
forgotten. The bookmark doesn't change it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from enum import StrEnum
from typing import Final, TypeVar
from uuid import UUID, uuid5

from pipeline.errors import MessageError
from wire.wef.encoding import encode_reference
from wire.wef.envelope import BLANK, Element, Envelope
from wire.wef.messages import GENERATION, Reference
from wire.wef.namespaces import (
    ADDRESSING,
    ANONYMOUS,
    AUTHENTICATION,
    ENUMERATION,
    EVENT_LOG,
    EVENT_QUERY,
    EVENTING,
    MICROSOFT,
    NONE,
    POLICY,
    SOAP,
    SUBSCRIPTION,
    WSMAN,
    XML,
    XSI,
    Action,
    SecurityProfile,
)
from wire.wef.spelling import attribute, duration, escape, parse_duration
from wire.wef.subscription import FROM_EARLIEST, ContentFormat, Offer, Oversize, Route, Subscription, delivery_path

DOCUMENT: Final = "[MS-WSMV] section 3.1.4.1.30.1"
NOTHING: Final = UUID(int=0)


def make_offer(subscription: Subscription, route: Route, bookmark: bytes | None = None) -> Offer:
    """What one source is told.

    Args:
        subscription: what is wanted.
        route: where to deliver it, and how to authenticate there.
        bookmark: the source's place as it last sent it; None where it never did, which is where `read_existing` decides.
    """
    identity = Reference(EVENTING, "Identifier", str(subscription.id).upper())
    offer = Offer(
        subscription=subscription,
        profile=route.profile,
        thumbprint=route.thumbprint,
        address=route.url.rstrip("/") + delivery_path(subscription.id),
        references=(identity,),
        version=NOTHING,
    )
    version = uuid5(subscription.id, encode_subscribe(offer, lambda: NOTHING).decode())
    if bookmark is None:
        bookmark = FROM_EARLIEST if subscription.read_existing else b""
    return replace(offer, version=version, references=(identity, Reference(NONE, GENERATION, str(version).upper())), bookmark=bookmark)


def encode_subscribe(offer: Offer, new_uuid: Callable[[], UUID]) -> bytes:
    """The inner envelope, in UTF-8.

    Args:
        offer: what to say.
        new_uuid: makes the message's and the operation's ID.
    """
    return b"".join((_encode_header(offer.subscription, new_uuid), _encode_body(offer), b"</s:Envelope>"))


def _languages(wanted: Subscription) -> str:
    languages = (("w:Locale", wanted.locale), ("p:DataLocale", wanted.data_locale))
    return "".join(f'<{name} xml:lang="{attribute(language)}" s:mustUnderstand="false"/>' for name, language in languages if language)


def _encode_header(wanted: Subscription, new_uuid: Callable[[], UUID]) -> bytes:
    flags = (("IgnoreChannelError", wanted.ignore_channel_error), ("ReadExistingEvents", wanted.read_existing))
    parts = (
        f'<s:Envelope xmlns:s="{SOAP}" xmlns:a="{ADDRESSING}" xmlns:e="{EVENTING}" xmlns:n="{ENUMERATION}" xmlns:w="{WSMAN}" xmlns:p="{MICROSOFT}">',
        "<s:Header>",
        f"<a:To>{ANONYMOUS}</a:To>",
        f'<w:ResourceURI s:mustUnderstand="true">{EVENT_LOG}</w:ResourceURI>',
        f'<a:ReplyTo><a:Address s:mustUnderstand="true">{ANONYMOUS}</a:Address></a:ReplyTo>',
        f'<a:Action s:mustUnderstand="true">{Action.SUBSCRIBE}</a:Action>',
        f'<w:MaxEnvelopeSize s:mustUnderstand="true">{wanted.max_envelope_size}</w:MaxEnvelopeSize>',
        f"<a:MessageID>{uuid_uri(new_uuid())}</a:MessageID>",
        _languages(wanted),
        f'<p:OperationID s:mustUnderstand="false">{uuid_uri(new_uuid())}</p:OperationID>',
        '<p:SequenceId s:mustUnderstand="false">1</p:SequenceId>',
        f'<w:OptionSet xmlns:xsi="{XSI}">',
        f'<w:Option Name="SubscriptionName">{escape(wanted.name)}</w:Option>',
        '<w:Option Name="Compression">SLDC</w:Option>' if wanted.compressed else "",
        '<w:Option Name="CDATA" xsi:nil="true"/>',
        f'<w:Option Name="ContentFormat">{wanted.content_format}</w:Option>',
        *(f'<w:Option Name="{name}" xsi:nil="true"/>' for name, asked in flags if asked),
        "</w:OptionSet>",
        "</s:Header>",
    )
    return "".join(parts).encode()


def _encode_body(offer: Offer) -> bytes:
    wanted = offer.subscription
    references = "".join(map(encode_reference, offer.references))
    endpoint = f"<a:Address>{escape(offer.address)}</a:Address><a:ReferenceProperties>{references}</a:ReferenceProperties>"
    issuer = f'<auth:ClientCertificate><auth:Thumbprint Role="issuer">{escape(offer.thumbprint)}</auth:Thumbprint></auth:ClientCertificate>'
    delivery = (
        "<s:Body><e:Subscribe>",
        f"<e:EndTo>{endpoint}</e:EndTo>",
        f'<e:Delivery Mode="{Action.EVENTS}">',
        f"<w:Heartbeats>{duration(wanted.heartbeat)}</w:Heartbeats>",
        f"<e:NotifyTo>{endpoint}",
        f'<c:Policy xmlns:c="{POLICY}" xmlns:auth="{AUTHENTICATION}"><c:ExactlyOne><c:All>',
        f'<auth:Authentication Profile="{offer.profile}">{issuer if offer.thumbprint else ""}</auth:Authentication>',
        "</c:All></c:ExactlyOne></c:Policy></e:NotifyTo>",
        f'<w:ConnectionRetry Total="{wanted.retries}">{duration(wanted.retry_after)}</w:ConnectionRetry>',
        "" if wanted.max_elements is None else f"<w:MaxElements>{wanted.max_elements}</w:MaxElements>",
        f"<w:MaxTime>{duration(wanted.max_time)}</w:MaxTime>",
        f'<w:MaxEnvelopeSize Policy="{wanted.oversize}">{wanted.max_envelope_size}</w:MaxEnvelopeSize>',
        _languages(wanted),
        "<w:ContentEncoding>UTF-16</w:ContentEncoding>",
        "</e:Delivery>",
        f'<w:Filter Dialect="{EVENT_QUERY}">{wanted.query}</w:Filter>',
    )
    place = b"<w:Bookmark>%b</w:Bookmark>" % offer.bookmark if offer.bookmark else b""
    return "".join(delivery).encode() + place + b"<w:SendBookmarks/></e:Subscribe></s:Body>"


def uuid_uri(uuid: UUID) -> str:
    """`uuid:` and upper case, as Windows writes them."""
    return f"uuid:{str(uuid).upper()}"


def parse_subscription(envelope: Envelope, item: Element) -> Offer:
    """Read an m:Subscription of an EnumerateResponse, as a source does.

    Raises:
        MessageError: missing-element:NAME, bad-element:NAME.
    """
    header, subscribe = _find(item, SOAP, "Envelope", "Header"), _find(_find(item, SOAP, "Envelope", "Body"), EVENTING, "Subscribe")
    delivery = _find(subscribe, EVENTING, "Delivery")
    notify = _find(delivery, EVENTING, "NotifyTo")
    query = _find(subscribe, WSMAN, "Filter")
    authentication = _find(_find(notify, POLICY, "Policy", "ExactlyOne", "All"), AUTHENTICATION, "Authentication")
    place = subscribe.find(WSMAN, "Bookmark")
    limit, retry = _find(delivery, WSMAN, "MaxEnvelopeSize"), _find(delivery, WSMAN, "ConnectionRetry")
    most = delivery.find(WSMAN, "MaxElements")
    options = {child.attributes.get("Name", ""): child.text.strip(BLANK) for child in _find(header, WSMAN, "OptionSet").children}
    subscription = Subscription(
        name=options.get("SubscriptionName", ""),
        query=(envelope.inner(query).decode() if query.children else query.text).strip(BLANK),
        heartbeat=_seconds(delivery, "Heartbeats"),
        max_time=_seconds(delivery, "MaxTime"),
        max_envelope_size=_whole(limit),
        max_elements=_whole(most) if most else None,
        retries=_number("ConnectionRetry", retry.attributes.get("Total", "")),
        retry_after=_seconds(delivery, "ConnectionRetry"),
        content_format=_one_of(ContentFormat, "ContentFormat", options.get("ContentFormat", ContentFormat.RAW)),
        locale=_language(delivery.find(WSMAN, "Locale")),
        data_locale=_language(delivery.find(MICROSOFT, "DataLocale")),
        read_existing="ReadExistingEvents" in options,
        compressed=options.get("Compression") == "SLDC",
        ignore_channel_error="IgnoreChannelError" in options,
        oversize=_one_of(Oversize, "MaxEnvelopeSize", limit.attributes.get("Policy", Oversize.NOTIFY)),
    )
    return Offer(
        subscription=subscription,
        profile=_one_of(SecurityProfile, "Authentication", authentication.attributes.get("Profile", "")),
        thumbprint=authentication.value(AUTHENTICATION, "ClientCertificate", "Thumbprint"),
        address=_find(notify, ADDRESSING, "Address").text.strip(BLANK),
        references=_references(notify),
        version=_version(item),
        bookmark=(envelope.inner(place) or place.text.strip(BLANK).encode()) if place else b"",
    )


def _language(element: Element | None) -> str:
    return element.attributes.get(f"{XML} lang", "") if element else ""


def _references(notify: Element) -> tuple[Reference, ...]:
    """Windows writes ReferenceProperties; WS-Addressing has ReferenceParameters too."""
    container = notify.find(ADDRESSING, "ReferenceProperties") or notify.find(ADDRESSING, "ReferenceParameters")
    return tuple(Reference(child.namespace, child.name, child.text.strip(BLANK)) for child in container.children) if container else ()


def _version(item: Element) -> UUID:
    text = _find(item, SUBSCRIPTION, "Version").text.strip(BLANK)
    try:
        return UUID(text.lower().removeprefix("uuid:"))
    except ValueError:
        raise _bad("Version", text) from None


def _bad(name: str, text: str) -> MessageError:
    return MessageError(f"bad-element:{name}", document=DOCUMENT, detail=text[:80])


def _find(element: Element, namespace: str, *names: str) -> Element:
    found = element.find(namespace, *names)
    if found is None:
        raise MessageError(f"missing-element:{names[-1]}", document=DOCUMENT)
    return found


def _seconds(element: Element, name: str) -> float:
    text = element.value(WSMAN, name)
    seconds = parse_duration(text)
    if seconds is None:
        raise _bad(name, text)
    return seconds


def _whole(element: Element) -> int:
    return _number(element.name, element.text.strip(BLANK))


def _number(name: str, text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 10:  # noqa: PLR2004 - far more than an xsd:unsignedInt has
        raise _bad(name, text)
    return int(text)


_Choice = TypeVar("_Choice", bound=StrEnum)


def _one_of(choices: type[_Choice], name: str, text: str) -> _Choice:
    try:
        return choices(text)
    except ValueError:
        raise _bad(name, text) from None
