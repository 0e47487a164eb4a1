"""Keytabs: every key is read back, holes are skipped, damage is a MessageError."""

from __future__ import annotations

import contextlib
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import MessageError
from wire.keytab import Key, encode_keytab, parse_keytab

names = st.text(st.characters(blacklist_categories=["Cs"]), max_size=30)
keys = st.builds(
    Key,
    st.lists(names, min_size=1, max_size=16).map(tuple),
    names,
    st.integers(0, 2**32 - 1),
    st.integers(0, 2**32 - 1),
    st.integers(0, 2**32 - 1),
    st.integers(0, 2**16 - 1),
    st.binary(max_size=64),
)
KEY = Key(("HTTP", "gateway.contoso.example"), "CONTOSO.EXAMPLE", 1, 1_700_000_000, 3, 18, b"k" * 32)


@given(st.lists(keys, max_size=5))
def test_a_keytab_reads_back(written: list[Key]) -> None:
    assert list(parse_keytab(encode_keytab(written))) == written


def test_a_hole_is_skipped_and_an_end_ends() -> None:
    one = encode_keytab([KEY])
    hole = struct.pack(">i", -5) + b"holed"
    assert parse_keytab(one[:2] + hole + one[2:] + hole + one[2:]) == (KEY, KEY)
    assert parse_keytab(one + bytes(4) + one[2:]) == (KEY,)


def test_a_record_without_the_long_version_has_the_short_one() -> None:
    record = encode_keytab([KEY])[6:-4]
    assert parse_keytab(b"\x05\x02" + struct.pack(">i", len(record)) + record) == (KEY,)


def test_a_key_is_not_shown() -> None:
    assert "kkk" not in repr(KEY)
    assert KEY.service == "HTTP/gateway.contoso.example"


REFUSED = {
    "empty": (b"", "keytab-version"),
    "version 1": (b"\x05\x01" + bytes(40), "keytab-version"),
    "PEM": (b"-----BEGIN", "keytab-version"),
    "record longer than the file": (b"\x05\x02\x00\x00\x00\x09\x00\x01", "keytab-truncated"),
    "hole longer than the file": (b"\x05\x02\xff\xff\xff\x00", "keytab-truncated"),
    "record shorter than its names": (b"\x05\x02\x00\x00\x00\x04\x00\x01\x00\x09", "keytab-truncated"),
    "no components": (b"\x05\x02\x00\x00\x00\x02\x00\x00", "keytab-name"),
    "a thousand components": (b"\x05\x02\x00\x00\x00\x02\x03\xe8", "keytab-name"),
    "a name that isn't UTF-8": (encode_keytab([KEY]).replace(b"HTTP", b"\xff\xfe\xfd\xfc"), "keytab-name"),
}


@pytest.mark.parametrize(("octets", "rule"), REFUSED.values(), ids=REFUSED)
def test_refused(octets: bytes, rule: str) -> None:
    with pytest.raises(MessageError) as raised:
        parse_keytab(octets)
    assert raised.value.rule == rule


@given(st.binary(max_size=200))
def test_any_octets(octets: bytes) -> None:
    for keytab in (octets, b"\x05\x02" + octets):
        with contextlib.suppress(MessageError):
            parse_keytab(keytab)
