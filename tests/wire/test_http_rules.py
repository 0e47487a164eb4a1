"""The head of a request: what is refused and how it is answered, and that h11 reads what is taken the same way."""

from __future__ import annotations

from http import HTTPStatus

import h11
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.feeds import Feed, feeds, octet_by_octet, whole

from pipeline.errors import FramingError
from wire.http_rules import STATUS, Head, HeadLimits, parse_head, scan_head, status_of

LIMITS = HeadLimits(head=64 << 10, body=1 << 20)


def read(stream: bytes, feed: Feed = whole) -> tuple[Head | None, bytes]:
    """The head a stream begins with, read as a connection is, and what was taken and not used; None while it isn't whole."""
    buffer, searched = bytearray(), 0
    for piece in feed(stream):
        buffer += piece
        end, searched = scan_head(buffer, searched, LIMITS)
        if end:
            return parse_head(bytes(buffer[:end]), LIMITS), bytes(buffer[end:])
    return None, bytes(buffer)


def request(line: bytes = b"POST /wsman HTTP/1.1", *fields: bytes, host: bytes = b"Host: gw.contoso.example:5985") -> bytes:
    return b"\r\n".join((line, *([host] if host else []), *fields, b"", b""))


POST = b"POST / HTTP/1.1"
GET = b"GET / HTTP/1.1"


@pytest.mark.parametrize(
    ("stream", "rule", "status"),
    [
        pytest.param(request(POST, b"Content-Length: 3", b"Transfer-Encoding: chunked"), "length-and-coding", 400, id="length and coding"),
        pytest.param(request(POST, b"Transfer-Encoding: chunked", b"Content-Length: 3"), "length-and-coding", 400, id="coding and length"),
        pytest.param(request(POST, b"Content-Length: 3", b"Content-Length: 4"), "length-repeated", 400, id="two lengths"),
        pytest.param(request(POST, b"Content-Length: 3", b"content-length: 3"), "length-repeated", 400, id="two lengths that are equal"),
        pytest.param(request(POST, b"Content-Length: 3, 3"), "length-repeated", 400, id="two lengths in one field"),
        pytest.param(request(POST, b"Content-Length: 99999999999999999999"), "length-digits", 400, id="a length of 20 digits"),
        pytest.param(request(POST, b"Content-Length: " + b"0" * 30 + b"1"), "length-digits", 400, id="a length of zeros"),
        pytest.param(request(POST, b"Content-Length: -1"), "length-syntax", 400, id="a negative length"),
        pytest.param(request(POST, b"Content-Length: +1"), "length-syntax", 400, id="a signed length"),
        pytest.param(request(POST, b"Content-Length: 0x10"), "length-syntax", 400, id="a hexadecimal length"),
        pytest.param(request(POST, b"Content-Length: 1 0"), "length-syntax", 400, id="a length with a gap"),
        pytest.param(request(POST, b"Content-Length:"), "length-syntax", 400, id="an empty length"),
        pytest.param(request(POST, "Content-Length: ١".encode()), "length-syntax", 400, id="a length in other digits"),
        pytest.param(request(POST, b"Content-Length: 1048577"), "body-too-large", 413, id="a body over the limit"),
        pytest.param(request(POST), "length-required", 411, id="no length"),
        pytest.param(request(POST, b"Transfer-Encoding: chunked"), "length-required", 411, id="chunked"),
        pytest.param(request(POST, b"Transfer-Encoding: Chunked, chunked"), "coding-repeated", 400, id="chunked twice"),
        pytest.param(request(POST, b"Transfer-Encoding: xchunked"), "coding-unknown", 501, id="xchunked"),
        pytest.param(request(POST, b"Transfer-Encoding: gzip, chunked"), "coding-unknown", 501, id="compressed by transfer"),
        pytest.param(request(POST, b"Transfer-Encoding:"), "coding-unknown", 501, id="an empty coding"),
        pytest.param(request(POST, b"Transfer-Encoding: \x0bchunked"), "bad-field-value", 400, id="a coding behind a vertical tab"),
        pytest.param(b"GET / HTTP/1.1\nHost: a\n\n", "bare-lf", 400, id="bare LF"),
        pytest.param(b"GET / HTTP/1.1\r\nHost: a\n\r\n", "bare-lf", 400, id="bare LF behind a field"),
        pytest.param(b"\n" + request(), "bad-request-line", 400, id="bare LF in front"),
        pytest.param(request(GET, b"A : b"), "space-before-colon", 400, id="a space before a colon"),
        pytest.param(request(GET, b"A\t: b"), "space-before-colon", 400, id="a tab before a colon"),
        pytest.param(request(GET, b" A: b"), "folded-field", 400, id="a folded field"),
        pytest.param(request(GET, b"Ab"), "bad-field", 400, id="a field without colon"),
        pytest.param(request(GET, b": b"), "bad-field", 400, id="a field without name"),
        pytest.param(request(GET, b"A\xff: b"), "bad-field", 400, id="a name that is no token"),
        pytest.param(request(GET, b"A: b\x00c"), "bad-field-value", 400, id="NUL in a field"),
        pytest.param(request(GET, b"A: b\rc"), "bad-field-value", 400, id="CR in a field"),
        pytest.param(request(GET, b"A: \x7f"), "bad-field-value", 400, id="DEL in a field"),
        pytest.param(request(GET, b"A: " + b"b" * 200_000), "head-too-large", 431, id="a head of 200 kB"),
        pytest.param(b"GET / HTTP/1.1\r\nA: " + b"b" * 70_000, "head-too-large", 431, id="a head without end"),
        pytest.param(request(GET, *[b"A: b"] * 128), "fields-too-many", 431, id="129 fields"),
        pytest.param(request(b"GET /" + b"a" * 9000 + b" HTTP/1.1"), "target-too-long", 414, id="a target of 9 kB"),
        pytest.param(request(GET, host=b""), "host-missing", 400, id="no Host"),
        pytest.param(request(GET, b"host: b"), "host-repeated", 400, id="two Hosts"),
        pytest.param(request(GET, host=b"Host: a b"), "host-syntax", 400, id="a Host with a gap"),
        pytest.param(request(GET, host=b"Host: a/b"), "host-syntax", 400, id="a Host with a path"),
        pytest.param(request(GET, host=b"Host: a, b"), "host-syntax", 400, id="two Hosts in one field"),
        pytest.param(request(b"GET / HTTP/1.0"), "version", 505, id="HTTP/1.0"),
        pytest.param(request(b"GET / HTTP/1.2"), "version", 505, id="HTTP/1.2"),
        pytest.param(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "version", 505, id="HTTP/2 at once"),
        pytest.param(request(b"GET / http/1.1"), "bad-request-line", 400, id="a version in lower case"),
        pytest.param(request(b"GET / HTTP/1.10"), "bad-request-line", 400, id="a version of two digits"),
        pytest.param(request(b"GET  / HTTP/1.1"), "bad-request-line", 400, id="two spaces"),
        pytest.param(request(b"GET /a b HTTP/1.1"), "bad-request-line", 400, id="a space in the target"),
        pytest.param(request(b"GET /\xc3\xa4 HTTP/1.1"), "bad-request-line", 400, id="a target that isn't ASCII"),
        pytest.param(b"GET /\r\n\r\n", "bad-request-line", 400, id="HTTP/0.9"),
        pytest.param(b"\r\n\r\n" + request(), "bad-request-line", 400, id="two empty lines in front"),
        pytest.param(b" GET / HTTP/1.1\r\n", "bad-request-line", 400, id="a space in front"),
        pytest.param(b"\x00", "bad-request-line", 400, id="NUL"),
        pytest.param(b"\x16\x03\x01\x02\x00\x01\x00", "tls-record", 400, id="TLS to a plain port"),
        pytest.param(request(b"CONNECT a:1 HTTP/1.1"), "method", 501, id="CONNECT"),
        pytest.param(request(b"post / HTTP/1.1"), "method", 501, id="a method in lower case"),
        pytest.param(request(b"PROPFIND / HTTP/1.1"), "method", 501, id="a method of others"),
        pytest.param(request(GET, b"Connection: upgrade", b"Upgrade: h2c"), "upgrade", 501, id="an upgrade"),
        pytest.param(request(POST, b"Content-Length: 1", b"Expect: 200-ok"), "expectation", 417, id="another expectation"),
    ],
)
@pytest.mark.parametrize("feed", [whole, octet_by_octet], ids=["whole", "octet by octet"])
def test_a_request_is_refused(stream: bytes, rule: str, status: int, feed: Feed) -> None:
    with pytest.raises(FramingError) as refused:
        read(stream, feed)
    assert (refused.value.rule, status_of(refused.value)) == (rule, status)
    assert len(str(refused.value)) < 300


def test_every_status_is_one() -> None:
    assert all(HTTPStatus(status) >= HTTPStatus.BAD_REQUEST for status in STATUS.values())


WINDOWS = request(
    b"POST /wsman/SubscriptionManager/WEC HTTP/1.1",
    b"Connection: Keep-Alive",
    b"Content-Type: application/soap+xml;charset=UTF-16",
    b"User-Agent: Microsoft WinRM Client",
    b"Content-Length: 3240",
)


@pytest.mark.parametrize(
    ("stream", "method", "target", "length"),
    [
        pytest.param(WINDOWS, "POST", "/wsman/SubscriptionManager/WEC", 3240, id="as Windows sends it"),
        pytest.param(request(GET), "GET", "/", 0, id="no content"),
        pytest.param(b"\r\n" + request(GET), "GET", "/", 0, id="an empty line in front"),
        pytest.param(request(POST, b"Content-Length: 0"), "POST", "/", 0, id="an empty body"),
        pytest.param(request(POST, b"Content-Length: 007"), "POST", "/", 7, id="leading zeros"),
        pytest.param(request(POST, b"Content-Length:\t1048576 "), "POST", "/", 1 << 20, id="the largest body"),
        pytest.param(request(POST, b"Content-Length: 1", b"Expect: 100-Continue"), "POST", "/", 1, id="100-continue"),
        pytest.param(request(b"POST http://gw:5985/wsman HTTP/1.1", b"Content-Length: 1"), "POST", "http://gw:5985/wsman", 1, id="an absolute target"),
        pytest.param(request(b"OPTIONS * HTTP/1.1"), "OPTIONS", "*", 0, id="asterisk"),
        pytest.param(request(GET, host=b"Host: [2001:db8::1]:5985"), "GET", "/", 0, id="an IPv6 host"),
        pytest.param(request(GET, host=b"Host:"), "GET", "/", 0, id="an empty host"),
        pytest.param(request(GET, *[b"A:b"] * 127), "GET", "/", 0, id="128 fields"),
        pytest.param(request(GET, b"A: " + b"b" * 60_000), "GET", "/", 0, id="a field of 60 kB"),
    ],
)
@pytest.mark.parametrize("feed", [whole, octet_by_octet], ids=["whole", "octet by octet"])
def test_a_request_is_taken(stream: bytes, method: str, target: str, length: int, feed: Feed) -> None:
    head, _ = read(stream, feed)
    assert head is not None
    assert (head.method, head.target, head.length) == (method, target, length)


def test_a_field_is_found_by_its_name() -> None:
    head, rest = read(request(GET, b"X: 1", b"x:\t2 ", "Y: é".encode("latin-1")) + b"next")
    assert head is not None
    assert [head.field(name) for name in ("x", "y", "z")] == ["1, 2", "é", None]
    assert rest == b"next"


def by_h11(head: bytes) -> tuple[str, str, tuple[tuple[str, str], ...]]:
    """The same head by another reader."""
    connection = h11.Connection(h11.SERVER, max_incomplete_event_size=1 << 20)
    connection.receive_data(head.removeprefix(b"\r\n"))
    event = connection.next_event()
    assert isinstance(event, h11.Request)
    return event.method.decode(), event.target.decode(), tuple((name.decode(), value.decode("latin-1")) for name, value in event.headers)


def outcome(stream: bytes, feed: Feed) -> Head | int | None:
    """A head, the status that refuses it, or None while it isn't whole."""
    try:
        return read(stream, feed)[0]
    except FramingError as error:
        return status_of(error)


heads = st.builds(
    lambda line, fields, tail: b"\r\n".join((line, *fields, b"", b"")) + tail,
    st.one_of(st.sampled_from([GET, POST, b"POST /wsman HTTP/1.1", b"GET / HTTP/1.0", b"HEAD /x?y HTTP/1.1"]), st.binary(max_size=20)),
    st.lists(
        st.one_of(
            st.sampled_from(
                [b"Host: a", b"Content-Length: 3", b"Content-Length: 5", b"Transfer-Encoding: chunked", b"Expect: 100-continue", b"A:", b"B:  c \t", b" d"]
            ),
            st.builds(lambda name, value: name + b":" + value, st.text("aB-_ ", max_size=4).map(str.encode), st.binary(max_size=6)),
        ),
        max_size=5,
    ).map(lambda fields: [b"Host: gw", *fields]),
    st.binary(max_size=5),
)


@given(
    st.one_of(heads, st.binary(), st.builds(lambda at, junk: WINDOWS[:at] + junk + WINDOWS[at + 1 :], st.integers(0, len(WINDOWS)), st.binary(max_size=3))),
    feeds(),
)
def test_anything_is_read_as_h11_reads_it_or_refused_however_it_is_cut(stream: bytes, feed: Feed) -> None:
    found, again = outcome(stream, whole), outcome(stream, feed)
    if isinstance(found, int):
        assert again in (found, None), "what is refused by what follows it may be unfinished instead"
        return
    assert again == found
    if found is not None:
        _, rest = read(stream)
        assert by_h11(stream[: len(stream) - len(rest)]) == (found.method, found.target, found.fields)
