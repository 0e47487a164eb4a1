"""A source's messages: a conversation octet by octet, the round trip of any, every refusal, every departure, and what peers may not do."""

from __future__ import annotations

import gc
import re
import tracemalloc
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.wef import BOOKMARK, FIXTURES, REQUESTS, conversation, same

from pipeline.errors import MessageError
from wire.wef.encoding import encode_request
from wire.wef.messages import Delivery, Events, Reference, Request, parse_request
from wire.wef.namespaces import WSMAN

CONVERSATION = dict(conversation())


def written(name: str) -> bytes:
    return (FIXTURES / f"{name}.xml").read_bytes().removesuffix(b"\n")


def events_of(name: str) -> list[bytes]:
    found = CONVERSATION[name]
    assert isinstance(found, Events)
    return list(found.events())


def delivery(octets: bytes) -> Delivery:
    found = parse_request(octets)
    assert isinstance(found, Delivery)
    return found


def indented(octets: bytes) -> bytes:
    """As documents print it: a line and tabs around every element and every text."""
    parts = re.split(rb"(<!\[CDATA\[.*?\]\]>)", octets, flags=re.DOTALL)
    return b"".join(part if at % 2 else re.sub(rb"(?<=>)(?=[^<])|(?<=[^>])(?=<)", b"\n\t", part.replace(b"><", b">\r\n\t<")) for at, part in enumerate(parts))


@pytest.mark.parametrize("name", CONVERSATION)
def test_written_and_read_as_the_fixture(name: str) -> None:
    assert encode_request(CONVERSATION[name]) == written(name)
    assert same(parse_request(written(name)), CONVERSATION[name])


@pytest.mark.parametrize("name", [name for name in CONVERSATION if name != "events"])
def test_white_space_around_elements_and_values_says_nothing(name: str) -> None:
    assert same(parse_request(indented(written(name))), CONVERSATION[name])


def test_white_space_between_events_is_no_event_and_none_of_a_bookmark() -> None:
    octets = re.sub(rb"(?=</?w:Event[ >s]|<w:Bookmark>|<Bookmark|</)|(?<=<w:Bookmark>)", b"\r\n\t ", written("events").split(b"<![CDATA[", 1)[0])
    whole = octets + b"<![CDATA[" + written("events").split(b"<![CDATA[", 1)[1].replace(b"</w:", b" \n </w:")
    found = parse_request(whole)
    assert isinstance(found, Events)
    assert list(found.events()) == events_of("events")
    assert re.sub(rb"\s+<", b"<", found.bookmark) == BOOKMARK


@given(REQUESTS)
def test_round_trip(request_: Request) -> None:
    assert same(parse_request(encode_request(request_)), request_)


@pytest.mark.parametrize("name", CONVERSATION)
def test_prefixes_mean_nothing(name: str) -> None:
    octets = re.sub(rb"(</?|xmlns:|[ ])([saenwpf])(:|=\"http)", rb"\1other-\2\3", written(name))
    assert b"<s:" not in octets
    assert same(parse_request(octets), CONVERSATION[name])


@given(st.binary(max_size=300) | st.text(max_size=300).map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_arbitrary_octets_raise_nothing_else(octets: bytes) -> None:
    with suppress(MessageError):
        parse_request(octets)


@given(st.data())
def test_broken_messages_raise_nothing_else(data: st.DataObject) -> None:
    octets = bytearray(written(data.draw(st.sampled_from(list(CONVERSATION)))))
    for _ in range(data.draw(st.integers(1, 5))):
        at = data.draw(st.integers(0, len(octets) - 1))
        octets[at : at + data.draw(st.integers(0, 40))] = data.draw(
            st.binary(max_size=8) | st.sampled_from([b"]]>", b"<![CDATA[", b"&#0;", b"<!DOCTYPE a>", b"<a>", b"</s:Body>"])
        )
    with suppress(MessageError):
        parse_request(bytes(octets))


HEARTBEAT = written("heartbeat")
DEEP = b"<x>" * 40 + b"</x>" * 40

REFUSED = {
    "no XML": (b"hello", "not-well-formed"),
    "nothing": (b"", "not-well-formed"),
    "cut": (HEARTBEAT[:900], "not-well-formed"),
    "an entity nobody declared": (HEARTBEAT.replace(b"dc01", b"&dc;"), "not-well-formed"),
    "a document type": (b"<!DOCTYPE s:Envelope>" + HEARTBEAT, "doctype"),
    "entities": (b'<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><x>&b;</x>', "doctype"),
    "another document": (b"<html><body/></html>", "not-an-envelope"),
    "SOAP 1.1": (HEARTBEAT.replace(b"http://www.w3.org/2003/05/soap-envelope", b"http://schemas.xmlsoap.org/soap/envelope/"), "not-an-envelope"),
    "no body": (re.sub(rb"<s:Body>.*</s:Body>", b"", HEARTBEAT), "not-an-envelope"),
    "something besides": (HEARTBEAT.replace(b"<s:Body>", b"<s:Other/><s:Body>"), "not-an-envelope"),
    "something foreign besides": (HEARTBEAT.replace(b"<s:Header>", b"<x/><s:Header>"), "not-an-envelope"),
    "two bodies": (HEARTBEAT.replace(b"</s:Envelope>", b"<s:Body/></s:Envelope>"), "not-an-envelope"),
    "deep": (HEARTBEAT.replace(b"<s:Body>", b"<s:Body>" + DEEP), "too-deep"),
    "a deep event": (HEARTBEAT.replace(b"<w:Events>", b"<w:Events><w:Event>" + DEEP + b"</w:Event>"), "too-deep"),
    "200,000 nested elements": (b"<a>" * 200_000, "too-deep"),
    "many elements": (HEARTBEAT.replace(b"<s:Body>", b"<s:Body>" + b"<x/>" * 5000), "too-many-elements"),
    "200,000 attributes": (b"<a %b/>" % b" ".join(b'a%d=""' % number for number in range(200_000)), "too-many-attributes"),
    "many events": (HEARTBEAT.replace(b"<w:Events>", b"<w:Events>" + b"<w:Event/>" * 32_769), "too-many-events"),
    "no action": (re.sub(rb"<a:Action.*?</a:Action>", b"", HEARTBEAT), "missing-header:Action"),
    "another action": (HEARTBEAT.replace(b"wsman/Heartbeat", b"wsman/Heartbeats"), "unknown-action"),
    "an answer": (HEARTBEAT.replace(b"wsman/Heartbeat", b"wsman/Ack"), "unknown-action"),
    "no MessageID": (re.sub(rb"<a:MessageID>.*?</a:MessageID>", b"", HEARTBEAT), "missing-header:MessageID"),
    "a blank MessageID": (re.sub(rb"<a:MessageID>.*?</a:MessageID>", b"<a:MessageID> </a:MessageID>", HEARTBEAT), "missing-header:MessageID"),
    "two MessageIDs": (HEARTBEAT.replace(b"<a:To>", b"<a:MessageID>uuid:2</a:MessageID><a:To>"), "duplicate-header:MessageID"),
    "two identifiers": (HEARTBEAT.replace(b"<w:AckRequested/>", b"<e:Identifier>2</e:Identifier><w:AckRequested/>"), "duplicate-header:Identifier"),
    "no identifier": (re.sub(rb"<e:Identifier.*?</e:Identifier>", b"", HEARTBEAT), "missing-header:Identifier"),
    "an identifier of no namespace": (re.sub(rb"<e:Identifier.*?</e:Identifier>", b"<Identifier>1</Identifier>", HEARTBEAT), "missing-header:Identifier"),
    "a long MachineID": (HEARTBEAT.replace(b"dc01", b"d" * 2000), "header-too-long:MachineID"),
    "a long reference": (HEARTBEAT.replace(b"<Version>", b"<Version>" + b"1" * 2000), "header-too-long:reference"),
    "many references": (HEARTBEAT.replace(b"<Version>", b"<x/>" * 20 + b"<Version>"), "too-many-references"),
    "Enumerate of something else": (written("enumerate").replace(b"SubscriptionManager/Subscription", b"SubscriptionManager/Other"), "unknown-resource"),
    "a long bookmark": (written("events").replace(b"88101", b"8" * 70_000), "bad-bookmark"),
    "a bookmark that needs its envelope": (written("events").replace(b"<BookmarkList>", b"<BookmarkList><w:x/>"), "bad-bookmark"),
    "events in a heartbeat": (written("events").replace(b"wsman/Events<", b"wsman/Heartbeat<"), "unexpected-events"),
}


@pytest.mark.parametrize(("octets", "rule"), REFUSED.values(), ids=REFUSED.keys())
def test_refused(octets: bytes, rule: str) -> None:
    with pytest.raises(MessageError) as raised:
        parse_request(octets)
    assert raised.value.rule == rule
    assert 0 <= raised.value.offset <= len(octets)
    assert len(str(raised.value)) < 400


def batch(inside: bytes) -> Events:
    octets = re.sub(rb"<w:Event .*</w:Event>", lambda _: inside, written("events"), flags=re.DOTALL)
    found = parse_request(octets)
    assert isinstance(found, Events)
    return found


EVENT_FORMS = {
    "one section": (b"<w:Event><![CDATA[<Event>a</Event>]]></w:Event>", [b"<Event>a</Event>"], 0),
    "white space around it": (b"<w:Event>\r\n <![CDATA[<Event>a</Event>]]>\t</w:Event>", [b"<Event>a</Event>"], 0),
    "two sections": (b"<w:Event><![CDATA[<Event>]]]]><![CDATA[></Event>]]></w:Event>", [b"<Event>]]></Event>"], 0),
    "sections and text": (b"<w:Event> <![CDATA[<Event>]]>a&lt;<![CDATA[</Event>]]></w:Event>", [b"<Event>a<</Event>"], 0),
    "escaped text": (b"<w:Event>&lt;Event&gt;&amp;amp;\xc3\xa9&lt;/Event&gt; </w:Event>", [b"<Event>&amp;\xc3\xa9</Event>"], 0),
    "an element": (b"<w:Event>\n<Event xmlns='x'><a><![CDATA[<]]></a>&#65;</Event></w:Event>", [b"<Event xmlns='x'><a><![CDATA[<]]></a>&#65;</Event>"], 0),
    "an element without content": (b"<w:Event><Event/></w:Event>", [b"<Event/>"], 0),
    "nothing": (b"<w:Event/><w:Event></w:Event><w:Event><![CDATA[]]></w:Event>", [b"", b"", b""], 0),
    "elements of no event": (b"<w:Other><w:Event>x</w:Event></w:Other><Event/>", [], 0),
    "a control character in a section": (b"<w:Event><![CDATA[a\x01\x00b]]></w:Event>", ["a\ufffd\ufffdb".encode()], 2),
    "a control character in an element": (b"<w:Event><Event>a\x0bb</Event></w:Event>", ["<Event>a\ufffdb</Event>".encode()], 1),
    "references to characters there can't be": (b"<w:Event>a&#0;&#x1F;&#xFFFF;&#xD800;&#99999999999;&#x9;</w:Event>", [("a" + 5 * "\ufffd").encode()], 5),
    "U+FFFE and surrogates": (b"<w:Event><![CDATA[\xef\xbf\xbe\xed\xa0\x80]]></w:Event>", ["\ufffd\ufffd".encode()], 2),
    "octets that aren't UTF-8": (b"<w:Event><![CDATA[\xff\xc3]]></w:Event>", ["\ufffd\ufffd".encode()], 1),
    "several of several forms": (
        b"<w:Event><![CDATA[one]]></w:Event><w:Event>two</w:Event>\n<w:Event><![CDATA[th]]><![CDATA[ree]]></w:Event><w:Event><four/></w:Event>",
        [b"one", b"two", b"three", b"<four/>"],
        0,
    ),
}  # fmt: skip


@pytest.mark.parametrize(("inside", "events", "repaired"), EVENT_FORMS.values(), ids=EVENT_FORMS.keys())
def test_events_in_every_form(inside: bytes, events: list[bytes], repaired: int) -> None:
    found = batch(inside)
    assert [event.strip() for event in found.events()] == events
    assert found.repaired == repaired
    assert found.count == len(events)


def test_an_event_in_one_section_lies_where_it_came() -> None:
    octets = (
        written("heartbeat")
        .replace(b"wsman/Heartbeat<", b"wsman/Events<")
        .replace(b"<w:Events>", b"<w:Events><w:Event><![CDATA[%b]]></w:Event>" % (b"x" * 1000))
    )
    found = parse_request(octets)
    assert isinstance(found, Events)
    assert found.buffer == octets
    assert found.buffer[slice(*found.spans)] == b"x" * 1000


DEPARTURES = {
    "an encoding that isn't so any more": b'<?xml version="1.0" encoding="utf-16"?>' + HEARTBEAT,
    "a byte order mark": b"\xef\xbb\xbf" + HEARTBEAT,
    "a header nobody knows, to be understood": HEARTBEAT.replace(b"<a:To>", b'<x:New xmlns:x="urn:x" s:mustUnderstand="true"/><a:To>'),
    "no body element": re.sub(rb"<w:Events></w:Events>", b"", HEARTBEAT),
    "a comment and an instruction": HEARTBEAT.replace(b"<a:To>", b"<!-- -- --><?x y?><a:To>".replace(b" -- ", b" ")),
}


@pytest.mark.parametrize("octets", DEPARTURES.values(), ids=DEPARTURES.keys())
def test_departures_tolerated(octets: bytes) -> None:
    found = parse_request(octets)
    assert (found.message_id, found.machine_id) == (CONVERSATION["heartbeat"].message_id, "dc01.contoso.example")


def test_reference_elements_come_back_in_order() -> None:
    octets = HEARTBEAT.replace(b"<w:AckRequested/>", b'<x:Mine xmlns:x="urn:x"> 7 </x:Mine>')
    found = delivery(octets)
    assert found.references[-1] == Reference("urn:x", "Mine", "7")
    assert not found.ack_requested


def test_numbers_and_times_that_cannot_be_read_are_none() -> None:
    octets = HEARTBEAT.replace(b">512000<", b">a lot<").replace(b">PT60.000S<", b">soon<")
    found = parse_request(octets)
    assert (found.max_envelope_size, found.operation_timeout) == (None, None)


def test_a_message_leaves_no_ring_behind() -> None:
    gc.collect()
    gc.disable()
    try:
        parse_request(written("events"))
        with suppress(MessageError):
            parse_request(HEARTBEAT[:900])
        assert gc.collect() == 0
    finally:
        gc.enable()


def test_memory_is_a_small_multiple_of_the_message() -> None:
    octets = HEARTBEAT.replace(b"<w:Events>", b"<w:Events>" + b"<w:Event><![CDATA[%b]]></w:Event>" % (b"x" * 1500) * 500)
    tracemalloc.start()
    try:
        parse_request(octets.replace(b"wsman/Heartbeat<", b"wsman/Events<"))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 4 * len(octets)


def test_the_namespace_decides_between_two_that_look_alike() -> None:
    octets = HEARTBEAT.replace(b"<w:AckRequested/>", b"<p:AckRequested/>")
    assert WSMAN.encode() in octets
    assert not delivery(octets).ack_requested
