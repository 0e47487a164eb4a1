"""The captured heads of sealed requests and answers: our own frame has exactly the length each of them states."""

from __future__ import annotations

from pathlib import Path

import pytest

from wire import sldc
from wire.http_rules import HeadLimits, parse_head
from wire.multipart_encrypted import Protocol, Sealed, encode_content_type, encode_sealed, parse_sealed
from wire.soap_encoding import decode_body, encode_body

TOKEN_HEADER = bytes(60)  # Kerberos, AES with SHA-1


@pytest.fixture
def vectors(extra_corpus: Path) -> Path:
    return extra_corpus / "vectors" / "wef"


def frame(clear: int) -> bytes:
    return encode_sealed(Sealed(Protocol.KERBEROS, TOKEN_HEADER, bytes(clear), clear))


@pytest.mark.parametrize(("name", "clear"), [("01-enumerate-request.http", 3240), ("04-heartbeat-request.http", 1006), ("06-events-request.http", 19555)])
def test_a_captured_request_is_as_long_as_ours(vectors: Path, name: str, clear: int) -> None:
    octets = (vectors / name).read_bytes().rstrip(b"\r\n").replace(b"\r\n", b"\n").replace(b"\n", b"\r\n") + b"\r\n\r\n"
    head = parse_head(octets, HeadLimits())
    body = frame(clear)
    assert head.length == len(body)
    assert head.field("content-type") == encode_content_type(Protocol.KERBEROS)
    assert parse_sealed(body, head.field("content-type") or "").length == clear


def test_every_captured_length_of_a_sealed_message_can_be_ours(vectors: Path) -> None:
    for path in sorted(vectors.glob("0*.http")):
        fields = dict(line.lower().split(": ", 1) for line in path.read_text().splitlines()[1:] if ": " in line)
        if "multipart/encrypted" in fields.get("content-type", ""):
            length = int(fields["content-length"])
            assert any(len(frame(clear)) == length for clear in (length - 301, length - 302, length - 303)), path.name


def test_the_captured_enumerate_is_text_and_comes_back(vectors: Path) -> None:
    octets = bytes.fromhex((vectors / "01-enumerate-request.utf16le.hex").read_text())
    decoded = decode_body(octets)
    assert decoded.replaced == 0
    assert decoded.text.startswith(b"<s:Envelope ")
    assert encode_body(decoded.text.decode()) == octets


def test_the_captured_heartbeat_is_text(vectors: Path) -> None:
    octets = sldc.decode_body(bytes.fromhex((vectors / "04-heartbeat-request.sldc.hex").read_text()), 1 << 20)
    assert decode_body(octets).text.endswith(b"</s:Envelope>")
