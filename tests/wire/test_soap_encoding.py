from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel import Engine
from wire.soap_encoding import NO_CHARACTER, decode_body, encode_body

characters = st.characters(exclude_categories=["Cs"]).filter(lambda c: not NO_CHARACTER.match(c))
texts = st.text(characters).map(lambda text: f"<s:Envelope>{text}</s:Envelope>")

SMALL = "<a>Grüße 😀</a>"


@pytest.mark.parametrize(
    ("octets", "charset", "text", "replaced"),
    [
        pytest.param(encode_body(SMALL), None, SMALL, 0, id="UTF-16LE with its mark, as Windows writes it"),
        pytest.param(b"\xfe\xff" + SMALL.encode("utf-16-be"), None, SMALL, 0, id="UTF-16BE with its mark"),
        pytest.param(b"\xef\xbb\xbf" + SMALL.encode(), None, SMALL, 0, id="UTF-8 with its mark"),
        pytest.param(SMALL.encode("utf-16-le"), "utf-8", SMALL, 0, id="UTF-16LE without mark, whatever is stated"),
        pytest.param(SMALL.encode("utf-16-be"), None, SMALL, 0, id="UTF-16BE without mark"),
        pytest.param(SMALL.encode(), "UTF-16", SMALL, 0, id="UTF-8 without mark"),
        pytest.param((" " + SMALL).encode("utf-16-le"), '"UTF-16"', " " + SMALL, 0, id="what is stated where the octets don't tell"),
        pytest.param((" " + SMALL).encode(), "koi8-r", " " + SMALL, 0, id="an unknown name"),
        pytest.param(b"", None, "", 0, id="nothing"),
        pytest.param(b"\xff\xfe", None, "", 0, id="a mark alone"),
        pytest.param(encode_body("<a/>") + b"\x41", None, "<a/>\ufffd", 1, id="an odd octet"),
        pytest.param(b"\xff\xfe<\x00\x00\xd8>\x00", None, "<\ufffd>", 1, id="half a pair, high"),
        pytest.param(b"\xff\xfe<\x00\x00\xdc>\x00", None, "<\ufffd>", 1, id="half a pair, low"),
        pytest.param(b"\xff\xfe<\x00\x00\xdc\x00\xd8>\x00", None, "<\ufffd\ufffd>", 2, id="a pair the wrong way round"),
        pytest.param(b"\xff\xfe<\x00\x00\xd8", None, "<\ufffd", 1, id="half a pair at the end"),
        pytest.param(
            encode_body("<a>\x00\x01\x0b\x1f\ufffe\uffff\t\r\n</a>"), None, "<a>\ufffd\ufffd\ufffd\ufffd\ufffd\ufffd\t\r\n</a>", 6, id="characters XML has not"
        ),
        pytest.param(b"<a>\xff\xc3</a>", None, "<a>\ufffd\ufffd</a>", 2, id="octets UTF-8 has not"),
        pytest.param(b"<a>\xed\xa0\x80</a>", None, "<a>\ufffd\ufffd\ufffd</a>", 3, id="a surrogate in UTF-8"),
        pytest.param(b"<a>\xef\xbf\xbd</a>", None, "<a>\ufffd</a>", 0, id="one that was there before"),
        pytest.param(encode_body('<?xml version="1.0" encoding="UTF-16"?><a/>'), None, "<a/>", 0, id="a declaration that isn't true any more"),
        pytest.param(b"\xff\xfe\xff\xfe<\x00", None, "\ufeff<", 0, id="a second mark is text"),
    ],
)
def test_octets_say(octets: bytes, charset: str | None, text: str, replaced: int) -> None:
    decoded = decode_body(octets, charset)
    assert (decoded.text.decode(), decoded.replaced) == (text, replaced)


@given(texts, st.sampled_from(["utf-16-le", "utf-16-be", "utf-8"]), st.booleans())
def test_every_text_comes_back(text: str, encoding: str, marked: bool) -> None:  # noqa: FBT001 - drawn
    mark = "\ufeff".encode(encoding) if marked else b""
    decoded = decode_body(mark + text.encode(encoding))
    assert (decoded.text.decode(), decoded.replaced) == (text, 0)
    assert decode_body(encode_body(text)) == decoded


UNITS = st.lists(
    st.sampled_from([b"\x00\xd8", b"\x00\xdc", b"a\x00", b"\x00a", b"\x01\x00", b"\xfe\xff", b"\xff\xff", b"\n\x00"]) | st.binary(max_size=20)
).map(b"".join)


@given(st.sampled_from([b"\xff\xfe", b"\xfe\xff", b"<\x00", b"\x00<"]), st.sampled_from(["", "<?xml version='1.0'?>", "<?xml \U0001f511?>"]), UNITS)
def test_the_kernel_reads_utf_16_alike(mark: bytes, declaration: str, units: bytes) -> None:
    octets = mark + declaration.encode("utf-16-le" if mark[0] in b"\xff<" else "utf-16-be") + units
    assert decode_body(octets) == decode_body(octets, engine=Engine.REFERENCE)


@given(
    st.one_of(st.binary(), st.binary().map(lambda data: b"\xff\xfe" + data), st.binary().map(lambda data: b"<" + data)),
    st.sampled_from([None, "utf-16", "utf-8"]),
)
def test_anything_becomes_characters_of_xml(octets: bytes, charset: str | None) -> None:
    decoded = decode_body(octets, charset)
    assert not NO_CHARACTER.search(decoded.text.decode())
    assert decoded.replaced <= decoded.text.decode().count("\ufffd") <= len(octets)
