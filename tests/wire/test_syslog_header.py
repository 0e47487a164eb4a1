"""Headers as they come: a table of messages, where their payload begins and what stands before it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wire.syslog_header import HeaderFormat, parse_header

BSD, IETF, NONE = HeaderFormat.RFC3164, HeaderFormat.RFC5424, HeaderFormat.NONE
CEF = "CEF:0|Microsoft|"

PAYLOAD_STARTS = {
    "RFC 3164 with host": ("<13>Feb 11 00:00:00 192.0.2.10 ", CEF, BSD, 13),
    "RFC 3164 with tag and pid": ("<13>Feb 11 00:00:00 dc01 app[12]: ", CEF, BSD, 13),
    "RFC 3164 with tag": ("<13>Feb 11 00:00:00 dc01 app: ", CEF, BSD, 13),
    "RFC 3164 with a tag that has no colon": ("<13>Feb 11 00:00:00 dc01 app ", CEF, BSD, 13),
    "RFC 3164 with a tag of several words": ("<13>Feb 11 00:00:00 dc01 Service Control Manager[500]: ", '{"EventID":7045}', BSD, 13),
    "RFC 3164 without host": ("<13>Feb 11 00:00:00 ", "AgentDevice=WindowsLog\tx", BSD, 13),
    "RFC 3164 with an IPv6 host": ("<13>Feb 11 00:00:00 2001:db8::1 ", CEF, BSD, 13),
    "day of one digit": ("<13>Mar  7 09:00:00 dc01 ", CEF, BSD, 13),
    "day of one digit, unpadded": ("<13>Mar 7 09:00:00 dc01 ", CEF, BSD, 13),
    "year before the clock": ("<13>Mar 7 2021 09:00:00 dc01 ", CEF, BSD, 13),
    "year behind the clock": ("<13>MAR  7 09:00:00 2021 dc01 ", CEF, BSD, 13),
    "year first": ("<13>2021 Mar  7 09:00:00 dc01 ", CEF, BSD, 13),
    "fraction and Cisco's colon": ("<13>*Mar  7 09:00:00.123: ", CEF, BSD, 13),
    "ISO 8601 in RFC 3164": ("<13>2021-02-11T00:00:00.123+02:00 dc01 ", CEF, BSD, 13),
    "ISO 8601 with a blank": ("<13>2021-02-11 00:00:00 dc01 ", CEF, BSD, 13),
    "no PRI": ("Feb 11 00:00:00 dc01 ", CEF, BSD, None),
    "no PRI, ISO 8601": ("2021-02-11T00:00:00Z dc01 ", CEF, BSD, None),
    "PRI alone": ("<0>", "<Event xmlns='x'>", BSD, 0),
    "PRI and host": ("<13>dc01 ", "MSWinEventLog\t1\tSecurity", BSD, 13),
    "PRI above 191": ("<192>Feb 11 00:00:00 dc01 ", CEF, BSD, None),
    "PRI <999>": ("<999>", CEF, BSD, None),
    "PRI <>": ("<>", CEF, BSD, None),
    "PRI <-1>": ("<-1>Feb 11 00:00:00 dc01 ", CEF, BSD, None),
    "RFC 5424": ("<165>1 2021-02-11T00:00:00.1234567Z dc01 app 12 ID47 - ", CEF, IETF, 165),
    "RFC 5424, all NILVALUE": ("<13>1 - - - - - - ", CEF, IETF, 13),
    "RFC 5424 with structured data": ('<13>1 - dc01 app - - [a@1 b="c\\"]" d="e"][f@2] ', CEF, IETF, 13),
    "RFC 5424 with a BOM": ("<13>1 - dc01 app - - - \ufeff", CEF, IETF, 13),
    "RFC 5424 without structured data": ("<13>1 2021-02-11T00:00:00Z dc01 app 12 ID47 ", CEF, IETF, 13),
    "RFC 5424 that breaks off": ("<13>1 2021-02-11T00:00:00Z dc01 ", CEF, IETF, 13),
    "RFC 5424 with RFC 3164's date": ("<13>1 Feb 11 00:00:00 dc01 app 12 ID47 - ", CEF, IETF, 13),
    "RFC 5424 with a date of a country": ("<13>1 11/02/2021 00:00:00.123 PM dc01 app 12 ID47 - ", CEF, IETF, 13),
    "RFC 5424 with an RFC 2822 date": ("<13>1 Thu, 11 Feb 2021 00:00:00 +0000 dc01 app - - - ", CEF, IETF, 13),
    "seconds since the epoch": ("<13>1613001600.123 dc01 app: ", CEF, BSD, 13),
    "UTC behind the clock": ("<13>2021 Feb 11 00:00:00 UTC dc01 app[1]: ", CEF, BSD, 13),
    "Snare's host and TAB": ("dc01.contoso.example\t", "MSWinEventLog\t1\tSecurity", BSD, None),
    "Snare with printed TABs": ("<13>Feb 11 00:00:00 dc01 ", "MSWinEventLog\\t1\\tSecurity", BSD, 13),
    "RFC 5424 with 1000 SD-IDs": ("<13>1 - dc01 app - - " + "".join(f'[a{i} b="c"]' for i in range(1000)) + " ", CEF, IETF, 13),
    "RFC 5424 with a long APP-NAME": (f"<13>1 - dc01 {'a' * 200} - - - ", CEF, IETF, 13),
    "a relay's header before the sender's": ("<13>Feb 11 00:00:00 relay <14>Feb 11 00:00:01 dc01 ", CEF, BSD, 14),
    "a relay's address and a second timestamp": ("<13>Feb 11 00:00:00 192.0.2.1 Feb 11 00:00:01 dc01 ", CEF, BSD, 13),
    "RFC 5424 within RFC 3164": ("<13>Feb 11 00:00:00 relay <14>1 2021-02-11T00:00:00Z dc01 a - - - ", CEF, IETF, 14),
    "CRLF behind the header": ("<13>Mar 10 13:27:18 siem01 \r\n", "EventCode=4776\r\nLogfile=Security", BSD, 13),
    "CRLF without header": ("\r\n", "EventCode=4776\r\nLogfile=Security", NONE, None),
    "BOM without header": ("\ufeff", "<Event>", NONE, None),
    "no header": ("", CEF, NONE, None),
    "RSA behind a header": ("<13>May 19 09:07:10 siem01 ", "RsaSA\n2021-May-19 09:07:09", BSD, 13),
    "RSA, separators as printed": ("", "RsaSA\\n2021-May-19 09:07:09", NONE, None),
    "classic Splunk's date is no header": ("", "03/12/2021 10:48:14 AM\nLogName=Security", NONE, None),
    "CEE cookie": ("<01> @cee: ", '{"EventID":1}', BSD, 1),
    "XML declaration": ("<13>Feb 11 00:00:00 dc01 ", "<?xml version='1.0'?><Event>", BSD, 13),
}

TEXT_STARTS = {
    "free text": ("<34>Oct 11 22:14:15 mymachine su: ", "'su root' failed for lonvick"),
    "text in brackets": ("<6>Aug 10 22:18:24 host1 ", "[audit] user=x src=192.0.2.1"),
    "no timestamp": ("<27>xapi: ", "[error|xen3] Connection died"),
    "unterminated structured data": ("<13>1 - dc01 app - - ", '[x@1 a="b CEF:0|x'),
    "an event behind unterminated structured data": ("<13>1 2021-02-11T00:00:00Z dc01 app - - ", '[x@1 user="b" <Event xmlns="x">'),
    "text that begins with a number": ("<13>", "3 logins at 10:11:12 by <Event xmlns='x'>"),
    "text that begins with a one": ("<13>", "1 login by <Event xmlns='x'>"),
    "another's host and TAB": ("", "dc01\t<Event xmlns='x'>"),
    "unterminated PRI": ("<1", ""),
    "unknown structured data": ("<13>1 2021-02-11T19:48:34+00:00 h root 8449 - ", "{} qwerty"),
    "header only": ("<13>1 - - - - - -", ""),
    "nothing": ("", ""),
    "blanks only": ("   \t ", ""),
    "a payload that names another one": ("<13>Feb 11 00:00:00 dc01 sshd[1]: ", "Invalid user CEF:0|Microsoft|x from 192.0.2.1"),
    "a payload in text behind words": ("<13>Feb 11 00:00:00 dc01 ", "login by CEF:0|Microsoft|x"),
    "a payload in text behind a time": ("<13>Feb 11 00:00:00 dc01 app: ", "2021-02-11 00:00:00 x CEF:0|Microsoft|x"),
    "XML that is no event": ("", "<alert>x</alert>"),
}


@pytest.mark.parametrize(("header", "payload", "form", "pri"), PAYLOAD_STARTS.values(), ids=PAYLOAD_STARTS.keys())
def test_a_known_payload_is_left_whole(header: str, payload: str, form: HeaderFormat, pri: int | None) -> None:
    found = parse_header((header + payload).encode())
    assert found.payload_start == len(header.encode())
    assert (found.format, found.pri) == (form, pri)
    assert found.headed == bool(header.strip("\r\n\ufeff"))


@pytest.mark.parametrize(("header", "payload"), TEXT_STARTS.values(), ids=TEXT_STARTS.keys())
def test_any_other_text_begins_behind_what_is_recognized(header: str, payload: str) -> None:
    assert parse_header((header + payload).encode()).payload_start == len(header.encode())


def test_fields_of_rfc5424_have_their_octets() -> None:
    message = b'<165>1 2021-10-11T22:14:15.003Z dc01.contoso.example app 12 ID47 [a@1 b="c"] text'
    header = parse_header(message)
    assert [(field.name, field.text) for field in header.fields] == [
        ("pri", "165"),
        ("version", "1"),
        ("timestamp", "2021-10-11T22:14:15.003Z"),
        ("hostname", "dc01.contoso.example"),
        ("app_name", "app"),
        ("procid", "12"),
        ("msgid", "ID47"),
        ("structured_data", '[a@1 b="c"]'),
    ]
    assert all(message[field.start : field.end].decode() == field.text for field in header.fields)
    assert (header.facility, header.severity, header.version) == (20, 5, "1")
    assert (header.timestamp, header.hostname, header.app_name) == ("2021-10-11T22:14:15.003Z", "dc01.contoso.example", "app")
    assert (header.procid, header.msgid, header.structured_data) == ("12", "ID47", '[a@1 b="c"]')


def test_fields_of_rfc3164() -> None:
    header = parse_header(b"<34>Oct 11 22:14:15 mymachine su[7]: 'su root' failed")
    assert (header.pri, header.facility, header.severity) == (34, 4, 2)
    assert (header.timestamp, header.hostname, header.app_name, header.procid) == ("Oct 11 22:14:15", "mymachine", "su", "7")
    assert (header.version, header.msgid, header.structured_data) == ("", "", "")


def test_nil_values_are_missing() -> None:
    header = parse_header(b"<13>1 - - - - - -")
    assert (header.timestamp, header.hostname, header.app_name, header.procid, header.msgid, header.structured_data) == ("",) * 6
    assert (parse_header(b"no header").facility, parse_header(b"no header").severity) == (None, None)


@pytest.mark.parametrize("message", ["<999>x", "<>x", "<1", "<-1>x", "<192>x"])
def test_a_bad_pri_is_told(message: str) -> None:
    assert parse_header(message.encode()).defects == ("bad-pri",)


def test_unterminated_structured_data_is_told() -> None:
    assert parse_header(b'<13>1 - h a - - [x@1 a="b').defects == ("bad-structured-data",)


PIECES = st.sampled_from(
    [
        "<13>",
        "<999>",
        "1 ",
        "- ",
        "Feb 11 00:00:00 ",
        "2021-02-11T00:00:00Z ",
        "dc01 ",
        "app[1]: ",
        '[a b="c"]',
        '[a b="',
        "\\",
        '"',
        "@cee:",
        "CEF:0|",
        "\ufeff",
        "\r\n",
        " ",
        "{",
    ]
)


@given(st.one_of(st.binary(max_size=300), st.lists(PIECES, max_size=30).map(lambda pieces: "".join(pieces).encode())))
def test_never_raises_and_stays_inside(message: bytes) -> None:
    header = parse_header(message)
    assert 0 <= header.payload_start <= len(message)
    assert header.headed or not message[: header.payload_start].strip(b" \t\r\n\x00\xef\xbb\xbf")
    ends = 0
    for field in header.fields:
        assert ends <= field.start <= field.end <= header.payload_start
        ends = field.end


HOSTILE = {
    "one word": b"<13>" + b"a" * 262_144,
    "open brackets": b"<13>1 - - - - - " + b"[a" * 131_072,
    "backslashes": b'<13>1 - - - - - [a b="' + b"\\" * 262_144,
    "blanks": b" " * 262_144,
    "words": b"<13>Feb 11 00:00:00 " + b"a " * 131_072,
    "names": b"<13>1 - - - - - [" + b"a b" * 80_000,
    "elements": b"<13>1 - - - - - " + b'[a b="c"]' * 30_000,
}


@pytest.mark.parametrize("message", HOSTILE.values(), ids=HOSTILE.keys())
def test_large_messages_are_read_in_linear_time(message: bytes) -> None:
    for _ in range(20):  # quadratic work would take minutes
        parse_header(message)
