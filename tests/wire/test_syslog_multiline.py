"""Lines joined into messages: a table of senders, and the property that cutting a stream changes nothing."""

from __future__ import annotations

import re
from array import array

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel import Engine
from wire.syslog_multiline import TWINS, Held, Line, join

LIMIT = 4096

RSA = b"RsaSA\n2021-May-19 09:07:09\n4776\nMicrosoft-Windows-Security-Auditing\nSecurity\ndc01.contoso.example\nalice\nWS042\n0x0"
RSA_ISO = RSA.replace(b"2021-May-19", b"2021-05-19")
SPLUNK = (
    b"EventCode=4776\r\nLogfile=Security\r\nSourceName=Microsoft-Windows-Security-Auditing\r\nTimeGenerated=20210310132717.784882-000\r\n"
    b"ComputerName=dc01\r\nRecordNumber=5\r\nMessage=\r\nThe computer attempted.\r\n\r\nLogon Account: alice\r\n\tStatus: 0x0"
)
SPLUNK_REORDERED = b"TimeGenerated=20210310132717.784882-000\nEventCode=4776\nLogfile=Security\nMessage=one line"
CLASSIC = (
    b"03/12/2021 10:48:14 AM\nLogName=Security\nEventCode=4726\nRecordNumber=12\nMessage=A user account was deleted.\n\nSubject:\n\tSecurity ID:\t\tS-1-5-18"
)
WMI = b"20210312104814.000000\nCategory=13824\nComputerName=dc01\nEventCode=4726\nLogfile=Security\nMessage=A user account was deleted.\n\nSubject:"
XML = b"<Event xmlns='x'>\n  <System>\n    <EventID>4726</EventID>\n  </System>\n  <EventData>\n<Data Name='a'>x</Data></EventData>\n</Event>"
JSON = b'{\n  "EventID": 4726,\n  "data": {\n    "a": "b"\n  }\n}'
HEADER = b"<13>Feb 11 00:00:00 dc01 "

STREAMS = {
    "RSA's nine fields": [RSA, RSA],
    "RSA behind a header": [HEADER + RSA, HEADER + RSA],
    "RSA whose date is ISO 8601": [RSA_ISO, HEADER + RSA_ISO],
    "a Splunk block": [SPLUNK, SPLUNK],
    "a Splunk block below its header": [HEADER + b"\r\n" + SPLUNK, HEADER + b"\r\n" + SPLUNK],
    "a Splunk block beside its header": [HEADER + SPLUNK, HEADER + SPLUNK],
    "keys in any order": [SPLUNK_REORDERED, SPLUNK, SPLUNK_REORDERED],
    "classic Splunk": [CLASSIC, CLASSIC],
    "classic Splunk behind a header": [HEADER + CLASSIC, HEADER + CLASSIC],
    "classic Splunk without its date": [CLASSIC[23:], CLASSIC[23:]],
    "classic Splunk on one line each": [CLASSIC.replace(b"\n", b" "), CLASSIC.replace(b"\n", b" ")],
    "WMI's blocks": [WMI, WMI],
    "Snare without a header": [b"dc01\tMSWinEventLog\t1\tSecurity", b"dc02\tMSWinEventLog\t1\tSystem"],
    "printed event XML": [XML, XML],
    "event XML below its declaration": [b'<?xml version="1.0"?>\n' + XML, XML],
    "printed JSON": [JSON, JSON],
    "one line of JSON each": [b'{"a": {"b": 1}}', b'{"a": 2}'],
    "dated lines without PRI": [b"Feb 11 00:00:00 dc01 CEF:0|a", b"2021-02-11T00:00:00Z dc01 x", b"Feb  1 00:00:00 dc01 y"],
    "continuations that begin with anything": [HEADER + b"app: one\n2 two\n\tthree\n  four\nFive: 5\n}", HEADER + b"six"],
    "payloads without header": [b"CEF:0|a|b", b"LEEF:1.0|a|b", b"AgentDevice=WindowsLog\tx", b"MSWinEventLog\t1\tSecurity"],
    "every layout in turn": [RSA, SPLUNK, HEADER + CLASSIC, XML, JSON, b"CEF:0|a\nb", HEADER + b"app: x", RSA_ISO],
}


def lines_of(buffer: bytes, start: int = 0) -> array[int]:
    spans = array("I")
    for found in re.compile(rb"([^\n]+)\n").finditer(buffer, start):
        spans.extend(found.span(1))
    return spans


def messages_of(buffer: bytes, spans: array[int]) -> list[bytes]:
    return [buffer[start:end] for start, end in zip(spans[::2], spans[1::2], strict=True)]


def read(stream: bytes, cuts: list[int], limit: int = LIMIT) -> tuple[list[bytes], int]:
    """All messages of a stream that arrives in pieces, as a listener would read them; and how many were oversize."""
    messages, oversize, held, buffer = list[bytes](), 0, None, b""
    for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        buffer += stream[start:end]
        joined = join(buffer, lines_of(buffer, held.end if held else 0), held, limit)
        messages += messages_of(buffer, joined.spans)
        oversize += joined.oversize
        held = joined.held
        # whatever lies before the last line end is a message, held, or passed over
        kept = held.start if held is not None and not held.oversize else buffer.rfind(b"\n") + 1
        held = held and (held.moved(kept) if not held.oversize else Held(0, 0, held.last, oversize=True))
        buffer = buffer[kept:]
    if held is not None and not held.oversize:
        messages.append(buffer[held.start : held.end])
    return messages, oversize


@pytest.mark.parametrize("messages", STREAMS.values(), ids=STREAMS.keys())
def test_lines_of_one_message_are_joined(messages: list[bytes]) -> None:
    stream = b"\n".join(messages) + b"\n"
    expected = [message.rstrip(b"\r\n") for message in messages]
    assert [message.rstrip(b"\r") for message in read(stream, [])[0]] == expected
    assert [message.rstrip(b"\r") for message in read(stream, list(range(1, len(stream))))[0]] == expected


@pytest.mark.parametrize("message", [XML, JSON, b'{"a": 1}', HEADER + b'app: {"a": 1}', b"<Event/>\n</Event>"], ids=["xml", "json", "line", "headed", "tail"])
def test_what_is_complete_is_not_held(message: bytes) -> None:
    buffer = message + b"\n"
    joined = join(buffer, lines_of(buffer), None, LIMIT)
    assert joined.held is None
    assert messages_of(buffer, joined.spans) == [message]


def test_blank_lines_are_no_messages() -> None:
    assert read(b"\r\n\r\n \n\n" + SPLUNK + b"\n\r\n\r\n" + XML + b"\n\r\n", [])[0] == [SPLUNK, XML]


def test_what_outgrows_the_limit_is_counted_once_and_passed_over() -> None:
    stream = HEADER + b"x\n" + b"more text\n" * 100 + HEADER + b"y\n"
    assert read(stream, [], 100) == ([HEADER + b"y"], 1)
    assert read(stream, list(range(1, len(stream))), 100) == ([HEADER + b"y"], 1)


BREAKS = (b"\n", b"\r\n", b"\n\n", b" ", b"\x00")
HEADERS = (b"<13>", b"Feb 11 00:00:00 ", b"03/12/2021 10:48:14 AM", b"<?xml ?>")
BODIES = (b"RsaSA", b"EventCode=1", b"Message=", b"LogName=x", b"<Event>", b"</Event>", b"{", b'{"a"', b"}", b"CEF:0|", b"text")
PIECES = st.sampled_from([*BREAKS, *HEADERS, *BODIES])


@given(st.one_of(st.binary(max_size=200), st.lists(PIECES, max_size=40).map(b"".join)), st.data())
def test_however_a_stream_is_cut_its_messages_are_the_same(stream: bytes, data: st.DataObject) -> None:
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=6)))
    assert read(stream, cuts, 60) == read(stream, [], 60)


@given(st.lists(PIECES, max_size=60).map(b"".join))
def test_no_line_is_lost(stream: bytes) -> None:
    messages, oversize = read(stream, [])
    assert oversize == 0
    lines = [line.strip(b" \t\r\x00") for line in stream[: stream.rfind(b"\n") + 1].split(b"\n")]
    assert [line for line in lines if line] == [line for message in messages for line in (part.strip(b" \t\r\x00") for part in message.split(b"\n")) if line]


@given(
    st.lists(st.sampled_from([b"<1>a", b"<13>", b"<999>b</Event>", b"<1000>c", b"<1x", b"d", b" e", b"RsaSA", b"EventCode=1", b"x" * 90]), max_size=40),
    st.sampled_from(Engine),
    st.sampled_from([None, Held(0, 3, Line.TEXT), Held(0, 3, Line.OPENING), Held(0, 0, Line.PRI, oversize=True)]),
)
def test_messages_that_need_no_look_are_those_that_a_look_finds(lines: list[bytes], engine: Engine, held: Held | None) -> None:
    buffer = b"abc\n" + b"\n".join(lines) + b"\n"
    spans = lines_of(buffer, 4)
    assert join(buffer, spans, held, 100, TWINS[engine]) == join(buffer, spans, held, 100, lambda _, lines: range(len(lines) // 2))


@given(st.lists(st.binary(max_size=8) | st.from_regex(rb"<[0-9]{0,5}>?.{0,3}", fullmatch=True)))
def test_both_engines_know_a_pri(lines: list[bytes]) -> None:
    buffer, spans = b"".join(lines), array("I")
    for line in lines:
        start = spans[-1] if spans else 0
        spans.extend((start, start + len(line)))
    assert list(TWINS[Engine.NATIVE](buffer, spans)) == list(TWINS[Engine.REFERENCE](buffer, spans))
