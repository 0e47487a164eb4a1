"""What the kernel remembers of messages makes none of the next ones other than it is: one that deviates anywhere from those before it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import chain, pairwise
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.engines import Engines
from support.events import SAMPLES
from support.windows_events import mutated

from wire.event import WindowsEvent
from wire.event_xml import Rendering, encode_event

HEADER: Final = b"<134>1 2024-03-15T12:00:00.123456Z dc01.contoso.example evt 644 4776 - "
KNOWN: Final = HEADER + encode_event(SAMPLES["4776"])
NOISE: Final = KNOWN.replace(b">4776<", b">4624<")
OCTETS: Final = (b"<", b">", b"&", b"'", b" ", b"0", b"x", b"\n", b"\xc3", b"")
MANY: Final = 20

ENGINES: Final = Engines("mdi-current")


@pytest.mark.parametrize("known", [KNOWN, NOISE], ids=["kept", "filtered"])
@pytest.mark.parametrize("octet", OCTETS, ids=repr)
def test_one_octet_deviates(known: bytes, octet: bytes) -> None:
    Engines("mdi-current").agree(list(chain.from_iterable((known, known[:at] + octet + known[at + 1 :]) for at in range(len(known)))))


def replaced(old: bytes, new: bytes) -> Callable[[bytes], bytes]:
    return lambda message: message.replace(old, new, 1)


DEVIATIONS: Final = {
    "a value is empty": replaced(b">WKS-042<", b"><"),
    "a field of System is empty": replaced(b"<Level>0<", b"<Level><"),
    "a value is blank": replaced(b">0xc000006a<", b">  <"),
    "a value begins with a space": replaced(b"'Status'>", b"'Status'> "),
    "a value ends in a space": replaced(b"</Channel>", b" </Channel>"),
    "a value is a reference": replaced(b"'Status'>", b"'Status'>&#48;"),
    "a value is wide": replaced(b"'TargetUserName'>", "'TargetUserName'>Ünal".encode()),
    "a value is no UTF-8": replaced(b"'TargetUserName'>", b"'TargetUserName'>\xff"),
    "a value holds a control character": replaced(b"'TargetUserName'>", b"'TargetUserName'>\x01"),
    "a value ends a CDATA section": replaced(b"'TargetUserName'>", b"'TargetUserName'>]]>"),
    "a value is a CDATA section": replaced(b"'TargetUserName'>", b"'TargetUserName'><![CDATA[a]]>"),
    "a value holds an element": replaced(b"'TargetUserName'>", b"'TargetUserName'><b/>"),
    "a value is longer than an event may be": replaced(b"'TargetUserName'>", b"'TargetUserName'>" + b"a" * 262_144),
    "a name is another": replaced(b"'TargetUserName'", b"'SubjectUserName'"),
    "a name stands twice": replaced(b"'TargetUserName'", b"'PackageName'"),
    "a pair is more": replaced(b"</EventData>", b"<Data Name='More'>a</Data></EventData>"),
    "a pair is missing": replaced(b"<Data Name='Status'>0xc000006a</Data>", b""),
    "a pair has no content": replaced(b">0xc000006a</Data>", b"/>"),
    "the channel is another": replaced(b">Security<", b">System<"),
    "the provider is another": replaced(b"'Microsoft-Windows-Security-Auditing'", b"'Microsoft-Windows-Security-Audit'"),
    "the event ID has zeros": replaced(b">4776<", b">04776<"),
    "the event ID has high bits": replaced(b">4776<", b">70312<"),
    "the time is none": replaced(b"SystemTime='2024", b"SystemTime='soon"),
    "System ends early": replaced(b"</Task>", b"</Task></System>"),
    "there are two channels": replaced(b"</Task>", b"</Task><Channel>Other</Channel>"),
    "System holds a comment": replaced(b"</Task>", b"</Task><!-- -->"),
    "an activity is more": replaced(b"<Correlation/>", b"<Correlation ActivityID='{54849625-5478-4994-A5BA-3E3B0328C30D}'/>"),
    "an activity is quoted twice": replaced(b"<Correlation/>", b'<Correlation ActivityID="{54849625-5478-4994-A5BA-3E3B0328C30D}"/>'),
    "a quote is left out": replaced(b"' ThreadID=", b" ThreadID="),
    "the document ends in white space": lambda message: message + b" \n",
    "something follows": lambda message: message + b"<a/>",
    "it is cut": lambda message: message[:-9],
    "two spaces stand in the header": replaced(b" evt ", b"  evt "),
    "a TAB stands in the header": replaced(b" evt ", b"\tevt "),
    "the header's time is none": replaced(b"1 2024-", b"1 soon-"),
    "the header has structured data": replaced(b" - <Event", b' [a b="c"] <Event'),
    "a name of the header is long": replaced(b" evt ", b" " + b"e" * 256 + b" "),
    "a name of the header is too long": replaced(b" evt ", b" " + b"e" * 257 + b" "),
    "the priority is high": replaced(b"<134>", b"<999>"),
    "the payload is a mark": lambda _: HEADER + b"-- MARK -- ",
    "there is no payload": lambda _: HEADER,
}


@pytest.mark.parametrize("deviate", DEVIATIONS.values(), ids=DEVIATIONS.keys())
def test_after_many_that_are_equal(deviate: Callable[[bytes], bytes]) -> None:
    assert deviate(KNOWN) != KNOWN
    Engines("mdi-current").agree([KNOWN] * MANY + [NOISE, deviate(KNOWN), deviate(NOISE)] * 2 + [KNOWN, NOISE])


@given(st.lists(st.sampled_from(sorted(SAMPLES)), min_size=1, max_size=4), st.data())
def test_mutated_between_known_ones(ids: list[str], data: st.DataObject) -> None:
    known = [HEADER + encode_event(SAMPLES[event_id], rendering) for event_id in ids for rendering in Rendering]
    odd = data.draw(st.lists(mutated(st.sampled_from(known)), min_size=1, max_size=4))
    ENGINES.agree(list(chain.from_iterable((*known, message) for message in odd)))


def one_by_one(event: WindowsEvent, text: str) -> Iterator[WindowsEvent]:
    """The event, and then with one value more each time that is this text."""
    yield event
    for place, (name, _) in enumerate(event.data):
        event = replace(event, data=(*event.data[:place], (name, text), *event.data[place + 1 :]))
        yield event
    yield replace(event, computer=text)
    yield replace(event, computer=text, level=text, channel=text)


TEXTS: Final = {"other": "amir", "escaped": 'a "b" \\ \x7f', "long": "a" * 257, "wide": "Ünal", "empty": "", "number": "0x0"}


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS.keys())
def test_a_value_is_the_same_until_it_differs(text: str) -> None:
    engines = Engines(ENGINES.reference.profile)
    for event_id in ("4728", "7045", "4776"):
        forth = [encode_event(event) for event in one_by_one(SAMPLES[event_id], text)]
        engines.agree([message for pair in pairwise(forth) for message in (*pair, forth[0])])
    for event_id in ("4729", "4726", "8004"):
        back = [encode_event(event) for event in one_by_one(SAMPLES[event_id], text)][::-1]
        engines.agree([message for pair in pairwise(back) for message in (*pair, back[0])])
