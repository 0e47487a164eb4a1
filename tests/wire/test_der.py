"""DER: elements read back, and whatever claims more than there is is a MessageError."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import MessageError
from wire.der import OCTET_STRING, encode_element, encode_integer, parse_element, parse_elements, parse_integer


@given(st.integers(0, 255).filter(lambda tag: tag & 0x1F != 0x1F), st.binary(max_size=70_000), st.binary(max_size=3))
def test_an_element_reads_back(tag: int, content: bytes, behind: bytes) -> None:
    octets = encode_element(tag, content)
    element = parse_element(octets + behind, 0, len(octets) + len(behind))
    assert (element.tag, octets[element.start : element.end], element.end) == (tag, content, len(octets))


@given(st.integers(0, 100_000).map(bytes), st.integers(1, 6))
def test_an_element_cut_short_is_truncated(content: bytes, missing: int) -> None:
    octets = encode_element(OCTET_STRING, content)
    with pytest.raises(MessageError, match="der-truncated"):
        parse_element(octets, 0, max(0, len(octets) - missing))


@given(st.binary(max_size=100))
def test_members_lie_in_what_holds_them(octets: bytes) -> None:
    with contextlib.suppress(MessageError):
        assert all(0 < member.start <= member.end <= len(octets) for member in parse_elements(octets, 0, len(octets)).values())


@given(st.integers(-(2**63), 2**63 - 1))
def test_an_integer_reads_back(value: int) -> None:
    octets = encode_integer(value)
    assert parse_integer(octets, parse_element(octets, 0, len(octets))) == value


@pytest.mark.parametrize("octets", [b"\x02\x00", b"\x02\x09" + bytes(9), b"\x04\x01\x00"], ids=["empty", "nine octets", "another type"])
def test_no_integer(octets: bytes) -> None:
    with pytest.raises(MessageError):
        parse_integer(octets, parse_element(octets, 0, len(octets)))
