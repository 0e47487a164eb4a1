from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import MessageError
from wire.multipart_encrypted import BOUNDARY, Protocol, Sealed, encode_content_type, encode_sealed, is_sealed, parse_content_type, parse_sealed

KERBEROS = encode_content_type(Protocol.KERBEROS)
BODY = encode_sealed(Sealed(Protocol.KERBEROS, b"H" * 60, b"D" * 8, 8))

sealed_messages = st.builds(
    lambda protocol, header, data: Sealed(protocol, header, data, len(data)),
    st.sampled_from(Protocol),
    st.binary(min_size=1, max_size=80),
    st.one_of(st.binary(max_size=200), st.just(f"--{BOUNDARY}--\r\n--{BOUNDARY}\r\n".encode())),
)


@given(sealed_messages)
def test_every_message_comes_back(sealed: Sealed) -> None:
    assert parse_sealed(encode_sealed(sealed), encode_content_type(sealed.protocol)) == sealed


def test_the_frame_is_as_long_as_windows_makes_it() -> None:
    """302 octets around a clear text of four digits, sealed by AES with SHA-1 (docs/protocol/wef.md)."""
    assert len(encode_sealed(Sealed(Protocol.KERBEROS, bytes(60), bytes(1000), 1000))) == 1302


@pytest.mark.parametrize(
    ("value", "boundary"),
    [
        pytest.param(KERBEROS, BOUNDARY, id="as Windows writes it"),
        pytest.param('Multipart/Encrypted; Boundary="x y" ; Protocol="application/http-kerberos-session-encrypted"', "x y", id="other case, other order"),
        pytest.param("multipart/encrypted;protocol=application/HTTP-Kerberos-session-encrypted;boundary=b", "b", id="bare words"),
    ],
)
def test_a_content_type_says(value: str, boundary: str) -> None:
    assert parse_content_type(value) == (Protocol.KERBEROS, boundary)


@pytest.mark.parametrize(
    "value",
    [
        pytest.param("application/soap+xml;charset=UTF-16", id="something else"),
        pytest.param("multipart/encrypted", id="no parameters"),
        pytest.param('multipart/encrypted;protocol="application/HTTP-Kerberos-session-encrypted"', id="no boundary"),
        pytest.param('multipart/encrypted;boundary="b"', id="no protocol"),
        pytest.param('multipart/encrypted;protocol="application/HTTP-CredSSP-session-encrypted";boundary="b"', id="another protocol"),
        pytest.param('multipart/encrypted;protocol="application/HTTP-Kerberos-session-encrypted";boundary="b', id="an open quote"),
        pytest.param('multipart/encrypted;protocol="application/HTTP-Kerberos-session-encrypted";boundary=""', id="an empty boundary"),
        pytest.param(f'multipart/encrypted;protocol="application/HTTP-Kerberos-session-encrypted";boundary="{"b" * 71}"', id="a boundary over 70"),
        pytest.param('multipart/encrypted;protocol="application/HTTP-Kerberos-session-encrypted";boundary="b\x00"', id="a boundary of controls"),
        pytest.param(KERBEROS + ";a=b" * 400, id="parameters without end"),
        pytest.param(KERBEROS + ", " + KERBEROS, id="two at once"),
    ],
)
def test_a_content_type_breaks(value: str) -> None:
    with pytest.raises(MessageError, match="multipart-type"):
        parse_content_type(value)


@pytest.mark.parametrize(
    ("body", "rule"),
    [
        pytest.param(b"", "multipart-part", id="nothing"),
        pytest.param("<s:Envelope/>".encode("utf-16"), "multipart-part", id="plain text where sealed is required"),
        pytest.param(b"\r\n" + BODY, "multipart-part", id="something in front"),
        pytest.param(BODY.replace(b"\r\n", b"\n"), "multipart-part", id="bare LF"),
        pytest.param(BODY.replace(b"Kerberos", b"SPNEGO"), "multipart-protocol", id="another protocol inside"),
        pytest.param(BODY.replace(b"OriginalContent", b"Content-Length"), "multipart-part", id="no OriginalContent"),
        pytest.param(BODY.replace(b"Length=8", b"Length=x"), "multipart-original", id="a length that is none"),
        pytest.param(BODY.replace(b";Length=8", b""), "multipart-original", id="no length"),
        pytest.param(BODY.replace(b"Length=8", b"Length=" + b"9" * 11), "multipart-original", id="a length without end"),
        pytest.param(BODY.replace(b"Length=8", b"Length=9"), "multipart-length", id="clear text longer than cipher text"),
        pytest.param(BODY.replace(b"Length=8", b"Length=7"), "multipart-length", id="clear text shorter than cipher text"),
        pytest.param(BODY.replace(b"octet-stream", b"octet-steam"), "multipart-part", id="another kind of part"),
        pytest.param(BODY.replace(b"octet-stream", b"octet-stream" + b" " * 600), "multipart-part", id="a line without end"),
        pytest.param(BODY[:-2], "multipart-end", id="the end cut off"),
        pytest.param(BODY + b"\r\n", "multipart-end", id="something behind"),
        pytest.param(BODY.replace(b"DDDDDDDD", b""), "multipart-length", id="no cipher text"),
        pytest.param(BODY.replace(b"\x3c\x00\x00\x00", b"\x00\x00\x00\x00"), "multipart-token", id="an empty header"),
        pytest.param(BODY.replace(b"\x3c\x00\x00\x00", b"\xff\xff\xff\xff"), "multipart-token", id="a header beyond the body"),
        pytest.param(BODY[: BODY.index(b"\x3c\x00") + 2] + BODY[-24:], "multipart-token", id="half a length"),
        pytest.param(BODY.replace(b"DDDDDDDD", BODY), "multipart-length", id="one inside another"),
    ],
)
def test_a_body_breaks(body: bytes, rule: str) -> None:
    with pytest.raises(MessageError) as broken:
        parse_sealed(body, KERBEROS)
    assert broken.value.rule == rule


def test_tabs_before_fields_are_taken() -> None:
    tabbed = BODY.replace(b"\r\nContent-Type", b"\r\n\tContent-Type").replace(b"OriginalContent", b"\tOriginalContent")
    sealed = parse_sealed(tabbed, KERBEROS)
    assert sealed == dataclasses.replace(parse_sealed(BODY, KERBEROS), tab=True)
    assert encode_sealed(sealed) == tabbed


def test_a_padded_cipher_text_is_taken_where_it_may_be() -> None:
    sealed = Sealed(Protocol.SPNEGO, b"H" * 32, b"D" * 9, 8)
    body, kind = encode_sealed(sealed), encode_content_type(Protocol.SPNEGO)
    assert parse_sealed(body, kind, padded=True) == sealed
    with pytest.raises(MessageError, match="multipart-length"):
        parse_sealed(encode_sealed(dataclasses.replace(sealed, length=10)), kind, padded=True)


@given(st.one_of(st.binary(), st.builds(lambda at, junk: BODY[:at] + junk + BODY[at + 1 :], st.integers(0, len(BODY)), st.binary(max_size=4))), st.text())
def test_anything_is_a_message_or_a_broken_rule(body: bytes, content_type: str) -> None:
    for value in (KERBEROS, content_type, KERBEROS + content_type):
        try:
            sealed = parse_sealed(body, value)
        except MessageError:
            continue
        assert len(sealed.data) == sealed.length


@pytest.mark.parametrize(("value", "expected"), [(None, False), ("", False), (KERBEROS, True), ("multipart/encrypted", True), ("multipart/encryptedx", False)])
def test_a_sealed_body_is_told_by_its_type(value: str | None, expected: bool) -> None:  # noqa: FBT001 - of the table
    assert is_sealed(value) is expected
