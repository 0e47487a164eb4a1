"""Event XML: one event in every rendering, the departures tolerated and refused, hostile documents, and round trips."""

from __future__ import annotations

import contextlib
import time
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.events import HOSTILE, SAMPLES, hostile_events, required_events

from pipeline.errors import MessageError
from wire.event import EventKey, WindowsEvent
from wire.event_xml import LAYOUT, MAX_EVENT, Rendering, encode_event, parse_event
from wire.event_xml_scan import looks_like_event, scan_event_key
from wire.layouts.layout import Mode, Reading

STRICT = Reading(mode=Mode.STRICT)

SYSTEM = (
    "<System><Provider Name='Service Control Manager' Guid='{555908d1-a6d7-4695-8e1e-26931d2012f4}' EventSourceName='Service Control Manager'/>"
    "<EventID Qualifiers='16384'>7045</EventID><Version>0</Version><Level>4</Level><Task>0</Task><Opcode>0</Opcode>"
    "<Keywords>0x8080000000000000</Keywords><TimeCreated SystemTime='2024-03-15T12:00:00.1234567Z'/><EventRecordID>5012</EventRecordID>"
    "<Correlation ActivityID='{F59BB999-EC5B-0008-F6B9-9BF55BECD901}'/><Execution ProcessID='620' ThreadID='712'/><Channel>System</Channel>"
    "<Computer>dc01.contoso.example</Computer><Security UserID='S-1-5-18'/></System>"
)
DATA = "<EventData><Data Name='ServiceName'>Agent</Data><Data Name='ImagePath'>C:\\a.exe &amp; b</Data></EventData>"
EVENT = f"<Event xmlns='http://schemas.microsoft.com/win/2004/08/events/event'>{SYSTEM}{DATA}</Event>"

PLAIN = parse_event(EVENT.encode())


def test_every_field_of_system() -> None:
    assert PLAIN.key == EventKey("System", "Service Control Manager", "7045")
    assert (PLAIN.provider_guid, PLAIN.event_source_name, PLAIN.qualifiers) == ("{555908d1-a6d7-4695-8e1e-26931d2012f4}", "Service Control Manager", "16384")
    assert (PLAIN.version, PLAIN.level, PLAIN.task, PLAIN.opcode, PLAIN.keywords) == ("0", "4", "0", "0", "0x8080000000000000")
    assert (PLAIN.record_id, PLAIN.computer, PLAIN.user_sid) == ("5012", "dc01.contoso.example", "S-1-5-18")
    assert (PLAIN.process_id, PLAIN.thread_id, PLAIN.activity_id) == ("620", "712", "{F59BB999-EC5B-0008-F6B9-9BF55BECD901}")
    assert PLAIN.time is not None
    assert (PLAIN.time.unix_ns, PLAIN.time.digits, PLAIN.time_text) == (1_710_504_000_123_456_700, 7, "2024-03-15T12:00:00.1234567Z")
    assert PLAIN.data == (("ServiceName", "Agent"), ("ImagePath", "C:\\a.exe & b"))
    assert PLAIN.warnings == ()


PREFIXED = EVENT.replace("xmlns=", "xmlns:e=").replace("</", "</e:").replace("<", "<e:").replace("<e:/e:", "</e:")

SAME = [
    (EVENT.replace("'", '"').encode(), "double quotes"),
    (EVENT.replace(" xmlns='http://schemas.microsoft.com/win/2004/08/events/event'", "").encode(), "no namespace"),
    (EVENT.replace("http://schemas.microsoft.com/win/2004/08/events/event", "urn:other").encode(), "another namespace"),
    (PREFIXED.encode(), "a prefix on everything"),
    (("<?xml version='1.0' encoding='utf-8'?>\r\n" + EVENT).encode(), "a declaration"),
    (("<?xml version='1.0' encoding='utf-16'?>" + EVENT).encode(), "UTF-8 that still says it were UTF-16"),
    (b"\xef\xbb\xbf" + EVENT.encode(), "a byte order mark"),
    (EVENT.encode("utf-16"), "UTF-16 with byte order mark"),
    (EVENT.encode("utf-16-le"), "UTF-16 little endian without"),
    (EVENT.encode("utf-16-be"), "UTF-16 big endian without"),
    (EVENT.encode() + b"\x00\r\n", "NUL and line end behind it"),
    (EVENT.replace("><", ">\r\n  <").encode(), "indented, with CRLF"),
    (EVENT.replace("<Security UserID='S-1-5-18'/>", "<Security UserID='S-1-5-18'>\n    </Security>").encode(), "an empty element over two lines"),
    (EVENT.replace("C:\\a.exe &amp; b", "<![CDATA[C:\\a.exe & b]]>").encode(), "CDATA"),
    (EVENT.replace("7045<", "1073748869<").encode(), "Qualifiers and EventID in one number"),
    (EVENT.replace("<Task>0</Task>", "<!-- a comment --><Task>0</Task>").encode(), "a comment"),
]  # fmt: skip


@pytest.mark.parametrize("payload", [case[0] for case in SAME], ids=[case[1] for case in SAME])
def test_same_event_in_every_rendering(payload: bytes) -> None:
    assert parse_event(payload) == PLAIN
    assert parse_event(payload, STRICT) == PLAIN
    assert looks_like_event(payload)
    assert scan_event_key(payload) in (None, PLAIN.key)


@pytest.mark.parametrize(
    ("text", "unix_ns", "digits"),
    [
        ("2024-03-15T12:00:00.123456Z", 1_710_504_000_123_456_000, 6),
        ("2024-03-15T12:00:00.123456700Z", 1_710_504_000_123_456_700, 9),
        ("2024-03-15T12:00:00Z", 1_710_504_000_000_000_000, 0),
        ("2024-03-15 12:00:00.123456", 1_710_504_000_123_456_000, 6),
    ],
)
def test_fraction_digits(text: str, unix_ns: int, digits: int) -> None:
    event = parse_event(EVENT.replace("2024-03-15T12:00:00.1234567Z", text).encode())
    assert event.time is not None
    assert (event.time.unix_ns, event.time.digits, event.time.text) == (unix_ns, digits, text)


def of(body: str) -> WindowsEvent:
    return parse_event(EVENT.replace(DATA, body).encode())


SECTIONS = [
    ("<EventData/>", (), "no data"),
    ("", (), "no section at all"),
    ("<EventData><Data>a</Data><Data>b</Data></EventData>", (("Data1", "a"), ("Data2", "b")), "unnamed, by position"),
    ("<EventData><Data Name='x'>a</Data><Data>b</Data></EventData>", (("x", "a"), ("Data2", "b")), "named and unnamed"),
    ("<EventData><Data Name='x'>1</Data><Data Name='x'>2</Data></EventData>", (("x", "1"), ("x", "2")), "a name that repeats"),
    ("<EventData><Data>a</Data><Binary>00FF</Binary></EventData>", (("Data1", "a"), ("Binary", "00FF")), "Binary"),
    ("<EventData><Data Name='x'/><Data Name='y'>\n    </Data></EventData>", (("x", ""), ("y", "")), "both ways of being empty"),
    ("<EventData><Data Name='x'>  a\n b </Data></EventData>", (("x", "  a\n b "),), "white space belongs to a value"),
    ("<EventData Name='T'><Data Name='x'>1</Data></EventData>", (("x", "1"),), "the template's name"),
    ("<UserData><L xmlns='urn:x'><A>1</A><B><C>2</C></B></L></UserData>", (("L.A", "1"), ("L.B.C", "2")), "UserData by dotted path"),
    ("<UserData><p:L xmlns:p='urn:x'><p:A k='v'>1</p:A></p:L></UserData>", (("L.A.k", "v"), ("L.A", "1")), "UserData with prefixes and an attribute"),
    ("<UserData><L><A>1</A><A>2</A></L></UserData>", (("L.A", "1"), ("L.A", "2")), "UserData that repeats"),
    ("<ProcessingErrorData><ErrorCode>15005</ErrorCode></ProcessingErrorData>", (("ProcessingErrorData.ErrorCode", "15005"),), "ProcessingErrorData"),
]


@pytest.mark.parametrize(("body", "data"), [case[:2] for case in SECTIONS], ids=[case[2] for case in SECTIONS])
def test_sections(body: str, data: tuple[tuple[str, str], ...]) -> None:
    event = of(body)
    assert event.data == data
    assert event.warnings == ()


RENDERING = "<RenderingInfo Culture='en-US'><Message>A service was installed.\r\n\r\nService Name:\tAgent</Message><Level>Information</Level></RenderingInfo>"


def test_rendering_info_is_the_message() -> None:
    event = of(DATA + RENDERING)
    assert event.message == "A service was installed.\n\nService Name:\tAgent"
    assert replace(event, message="") == PLAIN


WHOLE = EVENT.replace("</Event>", RENDERING + "</Event>").encode()


@pytest.mark.parametrize("cut", range(WHOLE.index(b"<RenderingInfo"), len(WHOLE)))
def test_rendering_info_cut_anywhere(cut: int) -> None:
    event = parse_event(WHOLE[:cut])
    assert replace(event, message="", warnings=()) == PLAIN
    assert event.warnings == ("truncated-rendering",)
    with pytest.raises(MessageError, match="truncated-rendering"):
        parse_event(WHOLE[:cut], STRICT)


#   what replaces `Agent`       what is read        warning               why
BENT = [
    (b"a\x01b",                 "a\ufffdb",         "illegal-character",  "a raw control character"),
    (b"a&#x1;b",                "a\ufffdb",         "illegal-character",  "a reference to one"),
    (b"a&#0;b",                 "a\ufffdb",         "illegal-character",  "a reference to NUL"),
    (b"a&#xD800;b",             "a\ufffdb",         "illegal-character",  "a reference to a surrogate"),
    (b"a&#99999999;b",          "a\ufffdb",         "illegal-character",  "a reference beyond Unicode"),
    (b"a\xef\xbf\xbfb",         "a\ufffdb",         "illegal-character",  "U+FFFF"),
    (b"a\xffb",                 "a\ufffdb",         "invalid-utf8",       "an octet that isn't UTF-8"),
]  # fmt: skip


@pytest.mark.parametrize(("octets", "text", "warning"), [case[:3] for case in BENT], ids=[case[3] for case in BENT])
def test_repaired_and_said(octets: bytes, text: str, warning: str) -> None:
    payload = EVENT.encode().replace(b"Agent", octets)
    event = parse_event(payload)
    assert event.data[0] == ("ServiceName", text)
    assert event.warnings == (warning,)
    with pytest.raises(MessageError, match=warning):
        parse_event(payload, STRICT)


def test_declared_windows_1252_is_read_as_that() -> None:
    payload = b"<?xml version='1.0' encoding='windows-1252'?>" + EVENT.encode().replace(b"Agent", b"Br\xfccke")
    assert parse_event(payload).data[0] == ("ServiceName", "Brücke")


@pytest.mark.parametrize(("text", "warning"), [("yesterday", "bad-time"), ("", "no-time")])
def test_a_time_that_says_nothing(text: str, warning: str) -> None:
    event = parse_event(EVENT.replace("2024-03-15T12:00:00.1234567Z", text).encode())
    assert (event.time, event.time_text, event.warnings) == (None, text, (warning,))


def test_the_first_128_names_are_kept() -> None:
    event = of("<EventData>" + "<Data/>" * 200 + "</EventData>")
    assert [name for name, _ in event.data] == [f"Data{n}" for n in range(1, 129)]
    assert event.warnings == ("too-many-names",)


LAUGHS = "<!DOCTYPE x [<!ENTITY a 'ha'>" + "".join(f"<!ENTITY a{n} '{'&a;' * 10}'>" for n in range(20)) + "]>"

REFUSED = [
    (b"", "not-well-formed", "nothing"),
    (b"   ", "not-well-formed", "white space"),
    (b"no markup", "not-well-formed", "no markup"),
    (EVENT[:300].encode(), "not-well-formed", "cut in System"),
    (EVENT.encode() + EVENT.encode(), "not-well-formed", "two events"),
    (EVENT.replace("Agent", "&undefined;").encode(), "not-well-formed", "an entity nobody defined"),
    ((LAUGHS + EVENT).encode(), "doctype", "a billion laughs"),
    (b"<!DOCTYPE x SYSTEM 'file:///etc/passwd'>" + EVENT.encode(), "doctype", "an external entity"),
    (EVENT.replace("<System>", LAUGHS + "<System>").encode(), "not-well-formed", "DOCTYPE inside"),
    (b"<Events>" + EVENT.encode() + b"</Events>", "not-an-event", "a list of events"),
    (b"<Event/>", "not-an-event", "an empty event"),
    (b"<Event><EventData/></Event>", "missing-key:System", "no System"),
    (EVENT.replace("<EventID Qualifiers='16384'>7045</EventID>", "").encode(), "missing-key:EventID", "no EventID"),
    (EVENT.replace("7045<", "many<").encode(), "bad-event-id", "EventID is no number"),
    (EVENT.replace("7045<", "\u0667\u0660\u0664\u0665<").encode(), "bad-event-id", "digits that aren't ASCII"),
    (b"<Event>" + b"<a>" * 40 + b"</a>" * 40 + b"</Event>", "too-deep", "40 levels"),
    (b"<Event><" + b"a" * 300 + b"/></Event>", "name-too-long", "a name of 300 characters"),
    (EVENT.encode() + b" " * MAX_EVENT, "event-too-large", "over 256 KiB"),
]


@pytest.mark.parametrize(("payload", "rule"), [case[:2] for case in REFUSED], ids=[case[2] for case in REFUSED])
def test_refused_by_rule(payload: bytes, rule: str) -> None:
    with pytest.raises(MessageError) as refused:
        parse_event(payload)
    assert refused.value.rule == rule


def test_where_a_document_breaks_is_told() -> None:
    payload = EVENT.replace("<Level>", "<Level").encode()
    with pytest.raises(MessageError) as refused:
        parse_event(payload)
    assert abs(refused.value.offset - payload.index(b"<Level")) < 20


EXPENSIVE = [
    (b"<Event>" + b"<a>" * 87_000, "nested"),
    (b"<Event><System><Provider " + b"x='' " * 40_000, "attributes"),
    (b"<Event " * 37_000, "beginnings"),
    (b"<Event>" + b"\n" * 200_000 + b"<", "lines"),
    (b"<Event><System><EventID>1</EventID></System><UserData>" + b"<%s>" % (b"a" * 250) * 28 + b"<b/>" * 40_000, "long paths"),
    (b"<Event><System><EventID>1</EventID></System><EventData>" + b"<Data>&#1;</Data>" * 15_000 + b"</EventData></Event>", "references"),
    (b"<RenderingInfo" * 18_000, "tails"),
]


@pytest.mark.parametrize("payload", [case[0] for case in EXPENSIVE], ids=[case[1] for case in EXPENSIVE])
def test_no_document_is_expensive(payload: bytes) -> None:
    started = time.process_time()
    scan_event_key(payload)
    looks_like_event(payload)
    with contextlib.suppress(MessageError):
        parse_event(payload)
    assert time.process_time() - started < 5, "quadratic work takes minutes here, linear work tenths of a second"


# ---- the scan rule ----

SCANNED = [
    (EVENT.encode(), PLAIN.key, "Windows' own"),
    (b"<13>Mar 15 12:00:00 dc01 evt: " + EVENT.encode(), PLAIN.key, "behind a header"),
    (EVENT.encode()[:800], PLAIN.key, "whatever follows Channel"),
    (EVENT.replace("'", '"').encode(), PLAIN.key, "double quotes"),
    (EVENT.replace("7045<", "1073748869<").encode(), PLAIN.key, "the low 16 bits"),
    (EVENT.replace("<Provider Name=", "<Provider x=\"Name='no'\" Name=").encode(), PLAIN.key, "a name within another attribute"),
    (EVENT.replace("Service Control Manager' Guid", "a &amp; b' Guid").encode(), None, "a reference in the provider"),
    (EVENT.replace("<System>", "<!-- <System> --><System>").encode(), None, "a comment"),
    (EVENT.replace("<EventID", "<!-- --><EventID").encode(), None, "a comment within System"),
    (EVENT.replace("<System>", "<System x=''>").encode(), None, "attributes on System"),
    (EVENT.replace("<Channel>System", "<Channel>Syst\u00e8me").encode(), None, "a channel that isn't ASCII"),
    (EVENT.replace("<Channel>System</Channel>", "").encode(), None, "no channel"),
    (EVENT.replace("<System>", "<System>" + " " * 4096).encode(), None, "beyond the window"),
    (PREFIXED.encode(), None, "prefixes"),
    (EVENT.encode("utf-16"), None, "UTF-16"),
    (b"", None, "nothing"),
]


@pytest.mark.parametrize(("message", "key"), [case[:2] for case in SCANNED], ids=[case[2] for case in SCANNED])
def test_scan(message: bytes, key: EventKey | None) -> None:
    assert scan_event_key(message) == key


@given(required_events() | hostile_events(), st.sampled_from(Rendering))
def test_scan_finds_the_key_that_parsing_finds(event: WindowsEvent, rendering: Rendering) -> None:
    payload = encode_event(event, rendering)
    assert scan_event_key(payload) == parse_event(payload).key == event.key


# ---- round trips, arbitrary octets ----


@given(required_events(), st.sampled_from(Rendering))
def test_round_trip(event: WindowsEvent, rendering: Rendering) -> None:
    back = parse_event(encode_event(event, rendering))
    assert replace(back, time=None, time_text="", provider_guid="") == replace(event, time=None, time_text="", provider_guid="")
    assert back.time is not None
    assert event.time is not None
    assert back.time.unix_ns == event.time.unix_ns


TEXTS = HOSTILE.map(lambda text: "".join("\ufffd" if not char.isprintable() and char not in "\t\n" else char for char in text))


@given(st.lists(st.tuples(TEXTS, TEXTS)), st.sampled_from(Rendering))
def test_data_survives_any_text(data: list[tuple[str, str]], rendering: Rendering) -> None:
    blank = " \t\r\n"
    expected = tuple((name if name.strip(blank) else f"Data{n}", text if text.strip(blank) else "") for n, (name, text) in enumerate(data, 1))
    event = replace(SAMPLES["7045"], data=expected)
    assert parse_event(encode_event(event, rendering)).data == expected


def test_rendered_text_travels_only_where_asked_for() -> None:
    event = replace(SAMPLES["7045"], message="A service was installed in the system.")
    assert parse_event(encode_event(event, Rendering.RENDERED)).message == event.message
    assert parse_event(LAYOUT.encode_event(event)).message == ""


@given(st.binary(max_size=200) | st.binary(max_size=80).map(lambda tail: b"<Event><System>" + tail))
def test_any_octets_raise_nothing_but_message_errors(payload: bytes) -> None:
    looks_like_event(payload)
    scan_event_key(payload)
    with contextlib.suppress(MessageError):
        parse_event(payload)


@given(st.integers(0, len(EVENT) - 1), st.binary(max_size=3), st.integers(0, 3))
def test_mutated_events_raise_nothing_but_message_errors(at: int, inserted: bytes, removed: int) -> None:
    payload = EVENT.encode()
    mutated = payload[:at] + inserted + payload[at + removed :]
    scan_event_key(mutated)
    with contextlib.suppress(MessageError):
        parse_event(mutated)
