"""RFC 5424 headers as we write them, read back by our own parser; frames by our own scanner."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wire.syslog_encoding import Element, encode_frame, encode_header
from wire.syslog_framing import Framing, Position, scan
from wire.syslog_header import HeaderFormat, parse_header

TOKENS = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=32)
GRAMMAR = re.compile(
    rb"<(?:[0-9]{1,2}|1[0-8][0-9]|19[01])>1 (?:-|[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}\.[0-9]{3}Z) [!-~]{1,255} [!-~]{1,48} [!-~]{1,128} [!-~]{1,32} "
    rb'(?:-|(?:\[[!#-<>-\\^-~]{1,32}(?: [!#-<>-\\^-~]{1,32}="(?:[^"\\\]]|\\["\\\]])*")*\])+) '
)


def test_the_document_itself() -> None:
    data = [Element("exampleSDID@32473", {"iut": "3", "eventSource": 'Appli"cat]ion\\', "eventID": "1011"}), Element("origin")]
    found = encode_header(pri=165, time_ms=1_065_910_455_003, hostname="mymachine.example.com", app_name="evntslog", msgid="ID47", data=data)
    assert found == (
        b"<165>1 2003-10-11T22:14:15.003Z mymachine.example.com evntslog - ID47 "
        rb'[exampleSDID@32473 iut="3" eventSource="Appli\"cat\]ion\\" eventID="1011"][origin] '
    )


@pytest.mark.parametrize(
    ("text", "written"), [("", b"-"), ("dc 1", b"dc?1"), ("dc\n1", b"dc?1"), ("d\u00fc\u2028", b"d??"), ("x" * 300, b"x" * 255), ("\ud800", b"?")]
)
def test_what_may_not_stand_in_a_hostname(text: str, written: bytes) -> None:
    assert encode_header(pri=13, hostname=text) == b"<13>1 - %b - - - - " % written


@pytest.mark.parametrize(
    ("time_ms", "written"), [(0, b"1970-01-01T00:00:00.000Z"), (-1, b"-"), (1 << 62, b"-"), (253_402_300_799_999, b"9999-12-31T23:59:59.999Z")]
)
def test_what_no_timestamp_can_say(time_ms: int, written: bytes) -> None:
    assert encode_header(pri=0, time_ms=time_ms) == b"<0>1 %b - - - - - " % written


@given(pri=st.integers(0, 191), time_ms=st.integers(0, 253_402_300_799_999), hostname=TOKENS, app_name=TOKENS, msgid=TOKENS)
def test_what_was_written_is_read(pri: int, time_ms: int, hostname: str, app_name: str, msgid: str) -> None:
    header = encode_header(pri=pri, time_ms=time_ms, hostname=f"h{hostname}", app_name=f"a{app_name}", msgid=f"m{msgid}"[:32])
    read = parse_header(header + b"text")
    assert (read.format, read.pri, read.payload_start) == (HeaderFormat.RFC5424, pri, len(header))
    assert (read.hostname, read.app_name, read.msgid) == (f"h{hostname}", f"a{app_name}", f"m{msgid}"[:32])


@given(
    texts=st.lists(st.text(max_size=300), min_size=4, max_size=4),
    data=st.lists(st.builds(Element, st.text(max_size=40), st.dictionaries(st.text(max_size=40), st.text(), max_size=3)), max_size=2),
)
def test_no_text_leaves_its_field(texts: list[str], data: list[Element]) -> None:
    header = encode_header(pri=191, hostname=texts[0], app_name=texts[1], procid=texts[2], msgid=texts[3], data=data)
    assert GRAMMAR.fullmatch(header), header
    assert not re.search("[\x00-\x1f\x7f-\x9f\u2028\u2029]", header.decode())


@given(st.lists(st.binary(min_size=1, max_size=200).map(lambda octets: b"<13>" + octets.replace(b"\n", b" ").replace(b"\x00", b" ") + b"."), min_size=1))
def test_frames_are_cut_where_they_were_joined(messages: list[bytes]) -> None:
    for framing in (Framing.OCTET_COUNTING, Framing.NON_TRANSPARENT):
        stream = b"".join(encode_frame(message, framing) for message in messages)
        found = scan(stream, Position(), 1 << 16)
        assert [stream[start:end] for start, end in zip(found.spans[::2], found.spans[1::2], strict=True)] == messages
        assert found.consumed == len(stream)
