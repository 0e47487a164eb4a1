"""What the kernel takes for a header, for an event and for its key, against the reference engine: a message is judged alike however it is put together."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.engines import Engines
from support.events import SAMPLES

from wire.event_xml import Rendering, encode_event

ENGINES = Engines("mdi-current")
WANTED = encode_event(SAMPLES["4728"])
UNWANTED = WANTED.replace(b">4728<", b">4624<")

HEADER = st.sampled_from(
    [
        *("<13>", "<191>", "<999>", "<1", "<-1>", "<>", "1 ", "12 ", "- ", "-", " ", "\t", "\r\n", "\x00", "\ufeff", ":", "@cee:", "[", "]", '"', "=", "\\"),
        *("Mar 15 10:11:12 ", "mar  5 1:11:12.345 ", "*Mar 15 2024 10:11:12 CEST: ", "2024 Mar 15 10:11:12 UTC ", "Mar 15 10:11:12 2024: "),
        *("2024-03-15T10:11:12.123Z ", "2024-03-15 10:11:12 ", "2024-03-15T10:11:12+0200:", "1710497472 ", "1710497472.5 ", "1 Mar 15 10:11:12 "),
        *("dc01 ", "dc01.contoso.example ", "fe80::1 ", "dc01\tMSWinEventLog\t", "app[12]: ", "app: ", "Microsoft Windows security[4]: ", "a" * 70, "é" * 9),
        *('[a b="c"]', '[a b="c" d="\\"]"][e]', '[a b="c', "[a]", '[a b= "c"] ', "- - - - ", "1 2024-03-15T10:11:12Z dc01 evt 12 id - "),
        *(
            "CEF:0|",
            "RsaSA\n",
            "AgentDevice=x",
            "EventCode=1",
            '{"',
            "03/15/2024 10:11:12 AM\n",
            "20240315101112.345678-060\n",
            "<?xml ",
            "<Events>",
            "<e:Event ",
            "?",
        ),
    ]
)
MARK = st.sampled_from([b"", b"-- MARK --", b"--MARK-- \x00", b"-- MARK", b"text"])

PIECE = st.sampled_from(
    [
        *(
            b"<Data Name='a'>b</Data>",
            b"<Data>c</Data>",
            b"<Data/>",
            b"<Data Name=''>d</Data>",
            b"<Data Name=' \t'>e</Data>",
            b'<Data Name="f\r\ng&amp;">h</Data>',
        ),
        *(
            b"<Binary>00FF</Binary>",
            b"<ComplexData Name='i'>j</ComplexData>",
            b"<Data><k>l</k></Data>",
            b"<m n='o'/>",
            b"<p> \n</p>",
            b"<Data Name='q' Name='r'/>",
        ),
        *(b"&amp;", b"&#13;&#10;", b"&#x1F600;", b"&#0;", b"&#xFFFE;", b"&#000000000065;", b"&nbsp;", b"&", b"\r\n", b"\r", b"\t", b" ", b"\x00", b"\x01"),
        *(b"\xef\xbb\xbf", b"\xff", b"\xc3\xa9", b"\xef\xbf\xbe", b"\xed\xa0\x80", b"<!-- s -->", b"<![CDATA[t]]>", b"]]>", b"<?u v?>", b"<!DOCTYPE w>"),
        *(b"<UserData><x xmlns='y'><z>1</z><z>2</z></x></UserData>", b"<UserData><x a=' '>b<c/></x></UserData>", b"<UserData>text</UserData>", b"<UserData/>"),
        *(b"<RenderingInfo Culture='en-US'><Message>a\r\nb</Message><Keywords><Keyword/></Keywords></RenderingInfo>", b"<RenderingInfo", b"<Message>cut"),
        *(
            b"<ProcessingErrorData><ErrorCode>5</ErrorCode></ProcessingErrorData>",
            b"<System>",
            b"</System>",
            b"<EventData>",
            b"</EventData>",
            b"<Event>",
            b"</Event>",
        ),
        *(b"<Channel>Security</Channel>", b"<Channel/>", b"<EventID>4726</EventID>", b"<EventID>070000</EventID>", b"<EventID Qualifiers='1'> 7045 </EventID>"),
        *(
            b"<Provider Name='P'/>",
            b"<Provider/>",
            b"<Security UserID=' S-1-5-18 '/>",
            b" xmlns:a='b'",
            b" xmlns='c' xmlns='c'",
            b" a:b='c'",
            b"a:",
            b"'",
            b'"',
            b"/",
        ),
        *(b"<TimeCreated SystemTime='2024-03-15 10:11:12+01:00'/>", b"<TimeCreated SystemTime='soon'/>", b"<TimeCreated/>", b"<a><b><c><d><e><f><g><h><i><j/>"),
    ]
)


@st.composite
def headed(draw: st.DrawFn) -> bytes:
    """A payload behind anything that looks like parts of headers."""
    header = "".join(draw(st.lists(HEADER, max_size=8))).encode()
    return header + draw(st.sampled_from([WANTED, UNWANTED]) | MARK)


@st.composite
def pieced(draw: st.DrawFn) -> bytes:
    """An event with pieces of others put in, mostly where a tag begins or ends."""
    message = encode_event(draw(st.sampled_from(list(SAMPLES.values()))), draw(st.sampled_from(Rendering)))
    for _ in range(draw(st.integers(1, 3))):
        places = [at for at, octet in enumerate(message) if octet in b"<>"]
        at = draw(st.sampled_from(places) | st.integers(0, len(message))) + draw(st.integers(0, 1))
        message = message[:at] + draw(PIECE) + message[at:]
    return message


@given(st.lists(headed(), max_size=6))
def test_messages_behind_any_header(messages: list[bytes]) -> None:
    ENGINES.agree(messages)


@given(st.lists(pieced(), max_size=6))
def test_events_of_any_pieces(messages: list[bytes]) -> None:
    ENGINES.agree(messages)
    ENGINES.agree_on_events(messages)


@given(st.lists(st.sampled_from([WANTED, UNWANTED]) | pieced(), min_size=2, max_size=6))
def test_no_key_depends_on_the_event_before(messages: list[bytes]) -> None:
    together = ENGINES.agree(messages)
    alone = [ENGINES.agree([message]) for message in messages]
    assert together.records == b"".join(batch.records for batch in alone)


OURS = {
    "octet counted, RFC 5424": b"<13>1 2024-03-15T12:00:00.123456Z dc01.contoso.example evt 719 - - %b",
    "structured data": b'<13>1 2024-03-15T12:00:00Z dc01 evt - - [a@32473 b="c" d="\\"]"] \xef\xbb\xbf%b',
    "RFC 3164": b"<13>Mar 15 12:00:00 dc01 evt[719]: %b",
    "a relay's header before": b"<13>Mar 15 12:00:00 relay <14>1 2024-03-15T12:00:00Z dc01 evt - - - %b",
    "no tag": b"<13>Mar  5 12:00:00 dc01 %b",
    "a declaration": b'<13>Mar 15 12:00:00 dc01 evt: <?xml version="1.0" encoding="UTF-8"?>\r\n%b\r\n',
    "no header": b"%b\x00",
    "a priority that is none": b"<999>%b",
}


@pytest.mark.parametrize("form", OURS.values(), ids=OURS.keys())
def test_ordinary_messages_are_the_kernels_own(form: bytes) -> None:
    engines = Engines("mdi-current")
    batch = engines.agree([form % payload for payload in (WANTED, UNWANTED, *(encode_event(event, Rendering.RENDERED) for event in SAMPLES.values()))])
    assert len(batch.index) == 1 + len(SAMPLES)
    assert engines.share_left() == 0


ORDINARY = {
    "carriage returns as references": ("<Data Name='Text'>a&#13;&#10;b&#xD;</Data>", "a\\r\\nb\\r"),
    "line ends of either kind": ("<Data Name='Text'>a\r\nb\rc</Data>", "a\\nb\\nc"),
    "entities": ("<Data Name='Text'>&lt;&quot;R&amp;D&apos;&gt;</Data>", "<\\\"R&D'>"),
    "a letter beyond the first plane": ("<Data Name='Text'>&#x1F511;\U0001f511</Data>", "\U0001f511\U0001f511"),
    "white space around": ("<Data Name='Text'> a </Data>", " a "),
    "square brackets": ("<Data Name='Text'>[[a]]</Data>", "[[a]]"),
}


@pytest.mark.parametrize(("data", "value"), ORDINARY.values(), ids=ORDINARY.keys())
def test_ordinary_data_is_the_kernels_own(data: str, value: str) -> None:
    engines = Engines("mdi-current")
    batch = engines.agree([WANTED.replace(b"<EventData>", f"<EventData>{data}".encode())])
    assert f'"unmapped":{{"Text":"{value}"'.encode() in batch.records
    assert engines.share_left() == 0


REPORT = (
    b"<Event xmlns='http://schemas.microsoft.com/win/2004/08/events/event'><System><Provider Name='Microsoft-Windows-EventForwarder'/>"
    b"<EventID>111</EventID><TimeCreated SystemTime='2024-03-15T12:00:00.0Z'/><Computer>dc01</Computer>%b</System><SubscriptionBookmarkEvent/></Event>"
)


@pytest.mark.parametrize("rest", [b"<Channel/>", b"<Channel></Channel>", b"<Channel>Security</Channel>", b""])
def test_position_reports_are_control(rest: bytes) -> None:
    engines = Engines("mdi-current")
    assert engines.agree_on_events([REPORT % rest]).control == 1
    assert engines.share_left() == 0
    assert engines.agree([REPORT % rest]).control == 0
