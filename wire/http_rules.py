"""The head of an HTTP/1.1 request (RFC 9112), read strictly: what isn't exactly one thing to everybody is refused.

Two readers who differ about where a request ends make request smuggling, so nothing here is repaired. h11 0.16 takes
Content-Length beside Transfer-Encoding, bare LF, 20 digits and a Content-Length said twice; whoever uses it reads the head here first.

    rule                       status  the request
    bad-request-line           400     doesn't begin with `method SP target SP HTTP/d.d CRLF` (RFC 9112 section 3)
    tls-record                 400     is a TLS handshake, sent to a port that speaks plain HTTP
    bare-lf                    400     ends a line with LF alone (section 2.2 would let us take it)
    bad-field                  400     has a line without colon, or a name that is no token (section 5)
    space-before-colon         400     has white space between a name and its colon (section 5.1)
    folded-field               400     continues a field on a second line (section 5.2)
    bad-field-value            400     has NUL, CR or another control in a value (RFC 9110 section 5.5)
    host-missing               400     has no Host (section 3.2)
    host-repeated              400     has several
    host-syntax                400     has one that is no host and port
    length-and-coding          400     has Content-Length and Transfer-Encoding (section 6.3)
    length-repeated            400     says Content-Length twice, equal or not
    length-syntax              400     has a Content-Length that is no number: sign, space, hexadecimal
    length-digits              400     has one of more than 10 digits
    coding-repeated            400     is chunked twice (section 6.1)
    length-required            411     is chunked, or a POST, PUT or PATCH without Content-Length (sections 6.1, 6.3)
    body-too-large             413     announces a body over the limit
    target-too-long            414     names a target over 8 KiB
    expectation                417     expects something else than 100-continue (RFC 9110 section 10.1.1)
    head-too-large             431     has a head over the limit
    fields-too-many            431     has more than 128 fields
    method                     501     has a method nobody knows, or CONNECT
    coding-unknown             501     has a transfer coding other than chunked (section 6.1)
    upgrade                    501     wants to change protocols
    version                    505     isn't HTTP/1.1

Departures from RFC 9112, all allowed by it but the last two: chunked is understood and refused with 411, since Windows always states a length; one
empty line before a request is skipped (section 2.2); HTTP/1.0 isn't spoken; Upgrade, which a server may ignore, is refused.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from pipeline.errors import FramingError

STATUS: Final = MappingProxyType(
    {
        "length-required": 411,
        "body-too-large": 413,
        "target-too-long": 414,
        "expectation": 417,
        "head-too-large": 431,
        "fields-too-many": 431,
        "method": 501,
        "coding-unknown": 501,
        "upgrade": 501,
        "version": 505,
    }
)
"""What to answer where it isn't 400."""

MAX_TARGET: Final = 8 << 10
MAX_FIELDS: Final = 128
MAX_LENGTH_DIGITS: Final = 10

METHODS: Final = frozenset({b"GET", b"HEAD", b"POST", b"PUT", b"DELETE", b"OPTIONS", b"TRACE", b"PATCH"})
WITH_BODY: Final = frozenset({b"POST", b"PUT", b"PATCH"})

CRLF: Final = b"\r\n"
CR: Final = 0x0D
TLS_HANDSHAKE: Final = 0x16

TCHAR: Final = rb"!#$%&'*+\-.^_`|~0-9A-Za-z"  # RFC 9110 section 5.6.2
TOKEN: Final = re.compile(rb"[" + TCHAR + rb"]+")
REQUEST_LINE: Final = re.compile(rb"([" + TCHAR + rb"]+) ([\x21-\x7e]+) HTTP/([0-9]\.[0-9])")
VALUE: Final = re.compile(rb"[\t\x20-\x7e\x80-\xff]*")
HOST: Final = re.compile(rb"(?:\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9._-]{0,255})(?::[0-9]{0,5})?")  # what is left of RFC 3986 section 3.2.2 without escapes
DIGITS: Final = re.compile(rb"[0-9]+")


@dataclass(frozen=True, slots=True)
class HeadLimits:
    """How much a request may bring.

    head:  octets of request line and fields, their ends included.
    body:  octets of content.
    """

    head: int = 64 << 10
    body: int = 1 << 20


@dataclass(frozen=True, slots=True)
class Head:
    """What a request says before its content.

    method:   "POST", as written.
    target:   as written: "/wsman/SubscriptionManager/WEC".
    fields:   (name in lower case, value without white space around it), in order; octets above 127 as Latin-1 has them.
    length:   octets of content that follow.
    """

    method: str
    target: str
    fields: tuple[tuple[str, str], ...]
    length: int

    def field(self, name: str) -> str | None:
        """The value of the field called `name` (lower case), several joined by comma as RFC 9110 section 5.3 has it; None where there is none."""
        values = [value for found, value in self.fields if found == name]
        return ", ".join(values) if values else None

    @property
    def awaits_continue(self) -> bool:
        """Whether the client waits for 100 (Continue) before it sends its content (RFC 9110 section 10.1.1)."""
        return self.length > 0 and self.field("expect") is not None


def status_of(error: FramingError) -> int:
    """The status that answers a request refused with `error`."""
    return STATUS.get(error.rule, 400)


def scan_head(buffer: bytes | bytearray, searched: int, limits: HeadLimits) -> tuple[int, int]:
    """Find the end of the head that `buffer` begins with: (offset behind its empty line, 0 while that isn't there; octets searched).

    Refuses at once what can't become a head any more, so that its sender needn't be waited for. Linear however the octets arrive.

    Args:
        buffer: unconsumed octets of the connection.
        searched: what the last call for this head returned, 0 at first.
        limits: how long it may be.

    Raises:
        FramingError: tls-record, bad-request-line, bare-lf, head-too-large.
    """
    start = len(CRLF) if buffer[: len(CRLF)] == CRLF else 0
    if searched <= start < len(buffer) and not TOKEN.match(buffer, start) and buffer[start] != CR:
        raise _broken("tls-record" if buffer[start] == TLS_HANDSHAKE else "bad-request-line", start, "3")
    at, end = searched, 0
    while not end and (lf := buffer.find(b"\n", at)) >= 0:
        if lf == 0 or buffer[lf - 1] != CR:
            raise _broken("bare-lf", lf, "2.2")
        at = lf + 1
        if lf - start > len(CRLF) and buffer[lf - 3 : lf + 1] == CRLF + CRLF:
            end = at
    if max(end, len(buffer) if not end else 0) > limits.head:
        raise _broken("head-too-large", limits.head, "3")
    return end, at if end else len(buffer)


def parse_head(octets: bytes, limits: HeadLimits) -> Head:
    """A whole head, its empty line included, as `scan_head` found it.

    Raises:
        FramingError: one of the rules above.
    """
    start = len(CRLF) if octets.startswith(CRLF) else 0
    first, *lines = octets[start:].removesuffix(CRLF + CRLF).split(CRLF)
    found = REQUEST_LINE.fullmatch(first)
    if found is None:
        raise _broken("bad-request-line", start, "3", first)
    method, target, version = found.groups()
    if version != b"1.1":
        raise _broken("version", found.start(3), "2.3", version)
    if method not in METHODS:
        raise _broken("method", start, "3.1", method)
    if len(target) > MAX_TARGET:
        raise _broken("target-too-long", found.start(2), "3")
    if len(lines) > MAX_FIELDS:
        raise _broken("fields-too-many", start, "5")
    fields, at = list[tuple[bytes, bytes]](), start + len(first) + len(CRLF)
    for line in lines:
        fields.append(_field(line, at))
        at += len(line) + len(CRLF)
    _check_host([value for name, value in fields if name == b"host"])
    length = _length(method, fields, limits)
    for name, value in fields:
        if name == b"expect" and value.lower() != b"100-continue":
            raise _broken("expectation", 0, "9.3", value)
        if name == b"upgrade":
            raise _broken("upgrade", 0, "9.9", value)
    return Head(method.decode("ascii"), target.decode("ascii"), tuple((name.decode("ascii"), value.decode("latin-1")) for name, value in fields), length)


def _field(line: bytes, at: int) -> tuple[bytes, bytes]:
    name, colon, value = line.partition(b":")
    if name[:1] in (b" ", b"\t"):
        raise _broken("folded-field", at, "5.2", line)
    if colon and name[-1:] in (b" ", b"\t"):
        raise _broken("space-before-colon", at, "5.1", line)
    if not colon or not TOKEN.fullmatch(name):
        raise _broken("bad-field", at, "5", line)
    if not VALUE.fullmatch(value):
        raise _broken("bad-field-value", at, "5", line)
    return name.lower(), value.strip(b" \t")


def _check_host(hosts: list[bytes]) -> None:
    if not hosts:
        raise _broken("host-missing", 0, "3.2")
    if len(hosts) > 1:
        raise _broken("host-repeated", 0, "3.2", hosts[1])
    if not HOST.fullmatch(hosts[0]):
        raise _broken("host-syntax", 0, "3.2", hosts[0])


def _length(method: bytes, fields: list[tuple[bytes, bytes]], limits: HeadLimits) -> int:
    lengths = [value for name, value in fields if name == b"content-length"]
    codings = [coding.strip(b" \t").lower() for name, value in fields if name == b"transfer-encoding" for coding in value.split(b",")]
    if lengths and codings:
        raise _broken("length-and-coding", 0, "6.3")
    if codings:
        known = all(coding == b"chunked" for coding in codings)
        raise _broken("coding-unknown" if not known else "coding-repeated" if len(codings) > 1 else "length-required", 0, "6.1", b", ".join(codings))
    if not lengths:
        if method in WITH_BODY:
            raise _broken("length-required", 0, "6.3")
        return 0
    if len(lengths) > 1 or b"," in lengths[0]:
        raise _broken("length-repeated", 0, "6.3", b", ".join(lengths))
    if not DIGITS.fullmatch(lengths[0]):
        raise _broken("length-syntax", 0, "6.2", lengths[0])
    if len(lengths[0]) > MAX_LENGTH_DIGITS:
        raise _broken("length-digits", 0, "6.2", lengths[0])
    if (length := int(lengths[0])) > limits.body:
        raise _broken("body-too-large", 0, "6.2", lengths[0])
    return length


def _broken(rule: str, offset: int, section: str, found: bytes = b"") -> FramingError:
    return FramingError(rule, offset=offset, document=f"RFC 9112 section {section}", detail=repr(bytes(found[:60]))[1:] if found else "")
