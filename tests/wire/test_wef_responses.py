"""A collector's answers, written and read; the version of a subscription changes with everything a source sees, and with nothing else."""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import fields, replace
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.wef import BOOKMARK, BOOKMARKS, FIXTURES, OFFER, OFFERS, REQUESTS, ROUTE, SECURITY, TEXTS, conversation, uuids

from pipeline.errors import MessageError
from wire.wef.envelope import Element, parse_envelope
from wire.wef.messages import Request
from wire.wef.namespaces import EARLIEST, SecurityProfile
from wire.wef.responses import Ack, Fault, FaultCode, encode_ack, encode_enumerate_response, encode_fault, parse_ack, parse_enumerate_response, parse_response
from wire.wef.subscribe import make_offer
from wire.wef.subscription import ContentFormat, Offer, Oversize, Route, Subscription, delivery_path, parse_delivery_path, subscription_id

CONVERSATION = dict(conversation())
ANSWERS = {
    "enumerate-response": encode_enumerate_response(CONVERSATION["enumerate"], [OFFER], uuids(), operation_id=CONVERSATION["enumerate"].operation_id),
    "ack": encode_ack(CONVERSATION["events"], uuids(), operation_id=CONVERSATION["events"].operation_id),
    "fault": encode_fault(FaultCode.ENCODING_LIMIT, "The subscriptions need a larger envelope.", uuids(), request=CONVERSATION["enumerate"]),
}


def written(name: str) -> bytes:
    return (FIXTURES / f"{name}.xml").read_bytes().removesuffix(b"\n")


@pytest.mark.parametrize("name", ANSWERS)
def test_written_as_the_fixture(name: str) -> None:
    assert ANSWERS[name] == written(name)


@given(REQUESTS, st.lists(OFFERS, max_size=3), TEXTS)
def test_enumerate_response_round_trip(request_: Request, offers: list[Offer], operation_id: str) -> None:
    answer = parse_enumerate_response(encode_enumerate_response(request_, offers, uuid4, operation_id=operation_id))
    assert answer.relates_to == request_.message_id
    assert answer.offers == tuple(offers)


@given(REQUESTS)
def test_ack_round_trip(request_: Request) -> None:
    assert parse_ack(encode_ack(request_, uuid4, operation_id=request_.operation_id)) == Ack(request_.message_id)


@given(st.sampled_from(FaultCode), TEXTS, st.none() | REQUESTS)
def test_fault_round_trip(code: FaultCode, reason: str, request_: Request | None) -> None:
    octets = encode_fault(code, reason, uuid4, request=request_)
    assert parse_response(octets) == Fault(request_.message_id if request_ else "", code.value[1].partition(":")[2], reason)
    with pytest.raises(MessageError, match="not-an-answer"):
        parse_ack(octets)
    with pytest.raises(MessageError, match="not-an-answer"):
        parse_enumerate_response(octets)


@given(st.data())
def test_broken_answers_raise_nothing_else(data: st.DataObject) -> None:
    octets = bytearray(ANSWERS[data.draw(st.sampled_from(list(ANSWERS)))])
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(octets) - 1))
        octets[at : at + data.draw(st.integers(0, 60))] = data.draw(st.binary(max_size=8))
    with suppress(MessageError):
        parse_response(bytes(octets))


def without(name: str) -> bytes:
    return re.sub(rb"<%b[ >].*?</%b>|<%b/>" % ((name.encode(),) * 3), b"", ANSWERS["enumerate-response"], flags=re.DOTALL)


REFUSED = {
    "no version": (without("m:Version"), "missing-element:Version"),
    "a version that is none": (ANSWERS["enumerate-response"].replace(b"<m:Version>uuid:", b"<m:Version>uuid:x"), "bad-element:Version"),
    "no filter": (without("w:Filter"), "missing-element:Filter"),
    "no heartbeat": (without("w:Heartbeats"), "bad-element:Heartbeats"),
    "a time that is none": (ANSWERS["enumerate-response"].replace(b"PT5.000S", b"5 s"), "bad-element:MaxTime"),
    "a size that is none": (ANSWERS["enumerate-response"].replace(b'"Notify">512000', b'"Notify">512,000'), "bad-element:MaxEnvelopeSize"),
    "a format nobody knows": (ANSWERS["enumerate-response"].replace(b">Raw<", b">Cooked<"), "bad-element:ContentFormat"),
    "a way nobody knows": (ANSWERS["enumerate-response"].replace(b"https/mutual", b"https/basic"), "bad-element:Authentication"),
    "something to pull": (
        ANSWERS["enumerate-response"].replace(b"<n:EnumerationContext>", b"<n:EnumerationContext>uuid:1"),
        "unfinished-enumeration",
    ),
    "no end of it": (without("w:EndOfSequence"), "unfinished-enumeration"),
    "no answer at all": (ANSWERS["ack"].replace(b"wsman/Ack<", b"wsman/Nack<"), "unknown-action"),
}


@pytest.mark.parametrize(("octets", "rule"), REFUSED.values(), ids=REFUSED.keys())
def test_refused(octets: bytes, rule: str) -> None:
    with pytest.raises(MessageError) as raised:
        parse_response(octets)
    assert raised.value.rule == rule


def test_the_answer_to_an_enumerate_leaves_nothing_to_pull() -> None:
    body = parse_envelope(ANSWERS["enumerate-response"]).root.children[1].children[0]
    assert [(child.name, child.text, len(child.children)) for child in body.children] == [
        ("EnumerationContext", "", 0),
        ("Items", "", 1),
        ("EndOfSequence", "", 0),
    ]


def test_nothing_to_subscribe_is_an_empty_list() -> None:
    assert parse_enumerate_response(encode_enumerate_response(CONVERSATION["enumerate"], [], uuid4)).offers == ()


def test_the_operation_is_given_back_only_where_asked() -> None:
    assert b"OperationID" not in encode_ack(CONVERSATION["events"], uuid4)
    assert CONVERSATION["events"].operation_id.encode() in ANSWERS["ack"]


def test_every_message_and_operation_has_its_own_id() -> None:
    answer = encode_enumerate_response(CONVERSATION["enumerate"], [OFFER, OFFER], uuid4)
    ids = re.findall(rb"<(?:a:MessageID|p:OperationID[^>]*)>uuid:([^<]+)", answer)
    assert len(ids) == len(set(ids)) == 5


# Offers

OTHERS = Subscription(
    name="identity/System",
    query="<QueryList><!-- another --></QueryList>",
    heartbeat=61.0,
    max_time=6.0,
    max_envelope_size=100_000,
    max_elements=20,
    retries=6,
    retry_after=61.0,
    content_format=ContentFormat.RENDERED_TEXT,
    locale="he-IL",
    data_locale="he-IL",
    read_existing=False,
    compressed=False,
    ignore_channel_error=False,
    oversize=Oversize.SKIP,
)


@pytest.mark.parametrize("name", [field.name for field in fields(Subscription)])
def test_whatever_a_source_sees_changes_the_version(name: str) -> None:
    changed = replace(SECURITY, **{name: getattr(OTHERS, name)})
    assert changed != SECURITY
    assert make_offer(changed, ROUTE).version != make_offer(SECURITY, ROUTE).version


@pytest.mark.parametrize(
    "route",
    [
        replace(ROUTE, url="https://gateway2.contoso.example:5986"),
        replace(ROUTE, url="https://gateway.contoso.example:15986"),
        replace(ROUTE, thumbprint="0" * 40),
        replace(ROUTE, profile=SecurityProfile.KERBEROS),
    ],
    ids=["host", "port", "issuer", "authentication"],
)
def test_whatever_a_source_sees_of_the_route_changes_the_version(route: Route) -> None:
    assert make_offer(SECURITY, route).version != make_offer(SECURITY, ROUTE).version


@given(st.none() | BOOKMARKS)
def test_the_bookmark_does_not(bookmark: bytes | None) -> None:
    assert make_offer(SECURITY, ROUTE, bookmark).version == OFFER.version
    assert make_offer(SECURITY, ROUTE, bookmark).references == OFFER.references


def test_ids_stay_what_they_are() -> None:
    """Sources' places are kept by them: whoever changes these has every source start anew."""
    assert str(subscription_id("identity/Security")) == "1707633e-1960-5b4a-9069-b04031ae8db2"
    assert [reference.text for reference in OFFER.references] == ["1707633E-1960-5B4A-9069-B04031AE8DB2", str(OFFER.version).upper()]


PLACES = {
    "its own": (BOOKMARK, True, BOOKMARK),
    "none, and old events are wanted": (None, True, EARLIEST.encode()),
    "none, and only new ones are": (None, False, b""),
    "none to be sent": (b"", True, b""),
}


@pytest.mark.parametrize(("bookmark", "read_existing", "sent"), PLACES.values(), ids=PLACES.keys())
def test_where_a_source_goes_on(bookmark: bytes | None, read_existing: bool, sent: bytes) -> None:  # noqa: FBT001 - a table's column
    offer = make_offer(replace(SECURITY, read_existing=read_existing), ROUTE, bookmark)
    octets = encode_enumerate_response(CONVERSATION["enumerate"], [offer], uuid4)
    assert (b"<w:Bookmark>%b</w:Bookmark>" % sent in octets) if sent else (b"w:Bookmark>" not in octets)
    assert parse_enumerate_response(octets).offers[0].bookmark == sent


def test_a_bookmark_goes_back_octet_for_octet() -> None:
    odd = b"<BookmarkList  Direction='backward'>\r\n<!-- x --><Bookmark\tChannel=\"S&#x65;curity\"  RecordId='1'/></BookmarkList>"
    octets = encode_enumerate_response(CONVERSATION["enumerate"], [make_offer(SECURITY, ROUTE, odd)], uuid4)
    assert b"<w:Bookmark>" + odd + b"</w:Bookmark>" in octets
    assert parse_enumerate_response(octets).offers[0].bookmark == odd


ORDER = """To ResourceURI ReplyTo Action MaxEnvelopeSize MessageID Locale DataLocale OperationID SequenceId OptionSet
EndTo Delivery Filter Bookmark SendBookmarks
Heartbeats NotifyTo ConnectionRetry MaxElements MaxTime MaxEnvelopeSize Locale DataLocale ContentEncoding"""


def test_elements_stand_in_the_documented_order() -> None:
    offer = make_offer(replace(SECURITY, max_elements=20), ROUTE, BOOKMARK)
    root = parse_envelope(encode_enumerate_response(CONVERSATION["enumerate"], [offer], uuid4)).root

    def every(element: Element) -> list[Element]:
        return [element, *(found for child in element.children for found in every(child))]

    lists = [" ".join(child.name for child in element.children) for element in every(root)]
    assert all(line in lists for line in ORDER.splitlines())
    options = next(element for element in every(root) if element.name == "OptionSet")
    names = ["SubscriptionName", "Compression", "CDATA", "ContentFormat", "IgnoreChannelError", "ReadExistingEvents"]
    assert [child.attributes["Name"] for child in options.children] == names


PATHS = {
    "as we write it": (delivery_path(SECURITY.id), SECURITY.id),
    "in lower case": (delivery_path(SECURITY.id).lower(), SECURITY.id),
    "with more behind it": (delivery_path(SECURITY.id) + "/1", SECURITY.id),
    "another": ("/wsman/SubscriptionManager/WEC", None),
    "no ID": ("/wsman/subscriptions/", None),
    "something else": ("/wsman/subscriptions/../../etc/passwd", None),
    "an ID in braces": (f"/wsman/subscriptions/{{{SECURITY.id}}}", None),
    "an ID without dashes": (f"/wsman/subscriptions/{SECURITY.id.hex}", None),
    "more than an ID": (f"{delivery_path(SECURITY.id)}0", None),
}


@pytest.mark.parametrize(("path", "found"), PATHS.values(), ids=PATHS.keys())
def test_delivery_paths(path: str, found: UUID | None) -> None:
    assert parse_delivery_path(path) == found


@given(st.text(max_size=60))
def test_arbitrary_delivery_paths(text: str) -> None:
    parse_delivery_path("/wsman/subscriptions/" + text)
