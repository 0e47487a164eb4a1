r"""Sealed SOAP messages in HTTP: `multipart/encrypted` as WinRM writes it (MS-WSMV section 2.2.9.1), which isn't quite MIME.

    --Encrypted Boundary\r\n
    Content-Type: application/HTTP-Kerberos-session-encrypted\r\n
    OriginalContent: type=application/soap+xml;charset=UTF-16;Length=<octets of the clear text>\r\n
    --Encrypted Boundary\r\n
    Content-Type: application/octet-stream\r\n
    <4 octets, little-endian: length of the token's header><header><cipher text>--Encrypted Boundary--\r\n

No empty line stands between a part's fields and what follows, and no line end before the closing boundary. The boundary is never searched for in the cipher
text: it ends where what has to close the body begins. The clear text may be compressed; `Length` counts it as it was sealed.

    rule                     the body
    multipart-type           isn't multipart/encrypted, or states no boundary or protocol that is known
    multipart-part           has a part that doesn't begin with its boundary and fields
    multipart-protocol       names another protocol in its part than in its head
    multipart-original       has no OriginalContent of that form
    multipart-end            doesn't end with the closing boundary
    multipart-token          has a token whose header is longer than all of it, or empty
    multipart-length         has another amount of cipher text than clear text stated

Departures: MS-WSMV has a tab before each field, Windows' forwarder and collector write none: white space there is taken, and a tab written to who wrote one.
A body of several messages (for those over 16 KiB under CredSSP) is refused: Kerberos and SPNEGO have one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from typing import Final

from pipeline.errors import MessageError

DOCUMENT: Final = "MS-WSMV section 2.2.9.1"

BOUNDARY: Final = "Encrypted Boundary"
OCTET_STREAM: Final = "application/octet-stream"
SOAP_UTF_16: Final = "application/soap+xml;charset=UTF-16"

MAX_LINE: Final = 512
MAX_DIGITS: Final = 10
LENGTH_OCTETS: Final = 4
MAX_CONTENT_TYPE: Final = 1024

PARAMETER: Final = re.compile(r";[ \t]*([A-Za-z0-9!#$&^_.+-]{1,40})=(?:\"([^\"\\\r\n]*)\"|([^\s\";,]+))[ \t]*")
BOUNDARY_TEXT: Final = re.compile(r"[0-9A-Za-z'()+_,./:=? -]{0,69}[0-9A-Za-z'()+_,./:=?-]")  # RFC 2046 section 5.1.1
FIELD: Final = re.compile(rb"[ \t]*([A-Za-z-]{1,40}):[ \t]*([\x20-\x7e]*)")
ORIGINAL: Final = re.compile(r"type=([^\r\n]{1,200}?);[ \t]*length=([0-9]{1,10})[ \t]*;?[ \t]*", re.ASCII | re.IGNORECASE)


class Protocol(Enum):
    """Who sealed: the word in the part's Content-Type."""

    KERBEROS = "application/HTTP-Kerberos-session-encrypted"
    SPNEGO = "application/HTTP-SPNEGO-session-encrypted"


PROTOCOLS: Final = {protocol.value.lower(): protocol for protocol in Protocol}


@dataclass(frozen=True, slots=True)
class Sealed:
    """A sealed message.

    protocol:  who sealed it.
    header:    what stands before the cipher text in the token: 60 octets under Kerberos with AES and SHA-1.
    data:      the cipher text, as long as the clear text unless an algorithm pads.
    length:    octets of the clear text, as stated.
    original:  Content-Type of the clear text.
    tab:       whether a tab stands before each field. Windows' forwarder and collector write none; WinRM's remote shells do, as MS-WSMV has it, and their
               clients take no answer without: answer as you were asked.
    """

    protocol: Protocol
    header: bytes
    data: bytes
    length: int
    original: str = SOAP_UTF_16
    tab: bool = False


def is_sealed(content_type: str | None) -> bool:
    """Whether a Content-Type says multipart/encrypted."""
    return content_type is not None and content_type.partition(";")[0].strip(" \t").lower() == "multipart/encrypted"


def parse_content_type(value: str) -> tuple[Protocol, str]:
    """(protocol, boundary) of the head's Content-Type.

    Raises:
        MessageError: multipart-type.
    """
    given = dict[str, str]()
    at = value.find(";")
    while is_sealed(value) and 0 <= at < len(value) <= MAX_CONTENT_TYPE and (found := PARAMETER.match(value, at)):
        given.setdefault(found[1].lower(), found[2] if found[2] is not None else found[3])
        at = found.end()
    protocol, boundary = PROTOCOLS.get(given.get("protocol", "").lower()), given.get("boundary", "")
    if protocol is None or at != len(value) or not BOUNDARY_TEXT.fullmatch(boundary):
        raise MessageError("multipart-type", document=DOCUMENT, detail=value[:200])
    return protocol, boundary


def encode_content_type(protocol: Protocol) -> str:
    """The head's Content-Type for `encode_sealed`'s body."""
    return f'multipart/encrypted;protocol="{protocol.value}";boundary="{BOUNDARY}"'


def parse_sealed(body: bytes, content_type: str, *, padded: bool = False) -> Sealed:
    """The one sealed message of a body.

    Args:
        body: the content of the request, whole.
        content_type: of the head.
        padded: whether the cipher text may be longer than the clear text was; AES never makes it so.

    Raises:
        MessageError: one of the rules above.
    """
    protocol, boundary = parse_content_type(content_type)
    delimiter, closing = f"--{boundary}\r\n".encode("ascii"), f"--{boundary}--\r\n".encode("ascii")
    about, at = _part(body, 0, delimiter, ("content-type", "originalcontent"))
    if about["content-type"].lower() != protocol.value.lower():
        raise MessageError("multipart-protocol", offset=len(delimiter), document=DOCUMENT, detail=about["content-type"][:100])
    original = ORIGINAL.fullmatch(about["originalcontent"])
    if original is None:
        raise MessageError("multipart-original", offset=len(delimiter), document=DOCUMENT, detail=about["originalcontent"][:100])
    kind, start = _part(body, at, delimiter, ("content-type",))
    if kind["content-type"].lower() != OCTET_STREAM:
        raise MessageError("multipart-part", offset=at, document=DOCUMENT, detail=kind["content-type"][:100])
    end = len(body) - len(closing)
    if end < start or not body.endswith(closing):
        raise MessageError("multipart-end", offset=max(end, 0), document=DOCUMENT)
    size = int.from_bytes(body[start : start + LENGTH_OCTETS], "little")
    data_at = start + LENGTH_OCTETS + size
    if not size or data_at > end:
        raise MessageError("multipart-token", offset=start, document=DOCUMENT, detail=str(size))
    tab = body.startswith(b"\t", len(delimiter))
    sealed = Sealed(protocol, body[start + LENGTH_OCTETS : data_at], body[data_at:end], int(original[2]), original[1], tab)
    if len(sealed.data) != sealed.length and not (padded and len(sealed.data) > sealed.length):
        raise MessageError("multipart-length", offset=data_at, document=DOCUMENT, detail=f"{len(sealed.data)} octets for {sealed.length}")
    return sealed


def _part(body: bytes, at: int, delimiter: bytes, names: tuple[str, ...]) -> tuple[dict[str, str], int]:
    """The fields of the part that begins at `at`, which are called `names` in this order, and the octet behind them."""
    if not body.startswith(delimiter, at):
        raise MessageError("multipart-part", offset=at, document=DOCUMENT, detail=repr(body[at : at + 40])[1:])
    fields, at = dict[str, str](), at + len(delimiter)
    for name in names:
        end = body.find(b"\r\n", at, at + MAX_LINE)
        found = FIELD.fullmatch(body, at, end) if end >= 0 else None
        if found is None or found[1].decode("ascii").lower() != name:
            raise MessageError("multipart-part", offset=at, document=DOCUMENT, detail=repr(body[at : at + 40])[1:])
        fields[name] = found[2].decode("ascii").rstrip(" ")
        at = end + 2
    return fields, at


def encode_sealed(sealed: Sealed) -> bytes:
    """A body as Windows writes it; its head's Content-Type is `encode_content_type`'s."""
    tab = "\t" if sealed.tab else ""
    return b"".join(
        (
            f"--{BOUNDARY}\r\n{tab}Content-Type: {sealed.protocol.value}\r\n".encode("ascii"),
            f"{tab}OriginalContent: type={sealed.original};Length={sealed.length}\r\n".encode("ascii"),
            f"--{BOUNDARY}\r\n{tab}Content-Type: {OCTET_STREAM}\r\n".encode("ascii"),
            len(sealed.header).to_bytes(LENGTH_OCTETS, "little"),
            sealed.header,
            sealed.data,
            f"--{BOUNDARY}--\r\n".encode("ascii"),
        )
    )
