"""Envelopes of which the parser sees only a part are read as those that it sees whole."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.wef import FIXTURES

import kernel
from kernel import Engine
from pipeline.errors import MessageError
from wire.wef.envelope import Envelope, parse_document

EVENTS = (FIXTURES / "events.xml").read_bytes().removesuffix(b"\n")
START, FIRST = EVENTS.index(b"<w:Event "), EVENTS.index(b"</w:Event>") + len(b"</w:Event>")
ONE = EVENTS[START:FIRST]
END = EVENTS.index(b"</w:Events>")

PIECE = st.sampled_from(
    [
        *(
            ONE,
            ONE,
            ONE,
            ONE.replace(b"Action", b"action"),
            ONE.replace(b"w:", b"v:"),
            ONE.replace(b"<![CDATA[", b"&lt;<![CDATA["),
            ONE.replace(b"]]>", b"]]> "),
        ),
        *(
            b"<w:Event><![CDATA[a]]></w:Event>",
            b"<w:Event><![CDATA[a]]>\n</w:Event>",
            b"<w:Event> <![CDATA[a]]></w:Event>",
            b"<w:Event><![CDATA[a]]b]]></w:Event>",
        ),
        *(
            b"<w:Event>&lt;b/></w:Event>",
            b"<w:Event><Event>c</Event></w:Event>",
            b"<w:Event><c><![CDATA[d]]></c></w:Event>",
            b"<w:Event/>",
            b"<w:Event ><![CDATA[]]></w:Event>",
        ),
        *(
            b"<x:y xmlns:x='z'><![CDATA[1]]></x:y>",
            b"<y><![CDATA[1]]></y>",
            b"</w:Events>",
            b"<w:Events>",
            b"<w:Events><w:Event><![CDATA[a]]></w:Event></w:Events>",
        ),
        *(
            b"\n",
            b"text",
            b"<!-- c -->",
            b"<?p i?>",
            b"<![CDATA[e]]>",
            b"<![CDATA[",
            b"]]>",
            b"\x01",
            b"\xff",
            b"&#0;",
            b"&",
            b"<",
            b">",
            b"\n<z>\n</z>\n",
            b"<!DOCTYPE d>",
        ),
    ]
)


def read(octets: bytes, engine: Engine) -> Envelope | tuple[str, int, str]:
    try:
        return parse_document(octets, engine)
    except MessageError as error:
        return error.rule, error.offset, error.detail


def same(octets: bytes) -> None:
    assert read(octets, Engine.NATIVE) == read(octets, Engine.REFERENCE)


@given(st.lists(PIECE, max_size=8).map(b"".join), st.lists(PIECE, max_size=2).map(b"".join), st.sampled_from([START, FIRST, END, len(EVENTS), 0]))
def test_events_of_any_wrapping(among: bytes, anywhere: bytes, place: int) -> None:
    octets = EVENTS[:START] + among + EVENTS[END:]
    same(octets)
    same(octets[:place] + anywhere + octets[place:])


@given(st.lists(PIECE | st.binary(max_size=8), max_size=10).map(b"".join))
def test_no_octets_are_too_odd(octets: bytes) -> None:
    same(octets)
    same(b"<w>" + octets + b"</w>")


@pytest.mark.parametrize("many", [2, 3, 300])
def test_events_wrapped_alike_are_passed_over(many: int) -> None:
    octets = EVENTS[:START] + ONE * many + EVENTS[END:]
    spans, first, last = kernel.scan_wrapped_events(octets)
    assert (len(spans), first, last) == (8 * many, FIRST, FIRST + (many - 1) * len(ONE))
    same(octets)
    found = parse_document(octets)
    assert [found.octets[start:end] for start, end in zip(found.spans[::2], found.spans[1::2], strict=True)] == [ONE[ONE.index(b"A[") + 2 : -13]] * many
