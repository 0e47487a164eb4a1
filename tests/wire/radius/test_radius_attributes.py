"""What attributes hold: vendors' own, extended and long extended ones; what breaks its form stays whole."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.radius_packets import any_attributes

from wire.radius.attributes import EXTENDED, LONG_EXTENDED, MAX_VALUE, VENDOR_SPECIFIC, Attribute, Numbered, encode_attributes, encode_numbered, scan_numbered


def scanned(*attributes: Attribute) -> list[tuple[tuple[int, ...], bytes]]:
    return [(path, value) for path, value in scan_numbered(attributes)]


def vendor(number: int, inside: bytes) -> Attribute:
    return Attribute(VENDOR_SPECIFIC, number.to_bytes(4) + inside)


SCANNED = {
    "plain": ((Attribute(40, b"\0\0\0\1"),), [((40,), b"\0\0\0\1")]),
    "no value": ((Attribute(11, b""),), [((11,), b"")]),
    "a vendor's": ((vendor(311, b"\x0a\x03X"),), [((26, 311, 10), b"X")]),
    "two of a vendor in one": ((vendor(9, b"\x01\x03a\x02\x03b"),), [((26, 9, 1), b"a"), ((26, 9, 2), b"b")]),
    "a vendor's without value": ((vendor(9, b"\x01\x02"),), [((26, 9, 1), b"")]),
    "a vendor's past the attribute": ((vendor(9, b"\x01\x04a"), Attribute(1, b"x")), [((26, 9), b"\x01\x04a"), ((1,), b"x")]),
    "a vendor's second past the attribute": ((vendor(9, b"\x01\x03a\x02\xff"),), [((26, 9), b"\x01\x03a\x02\xff")]),
    "a vendor's of length 0": ((vendor(9, b"\x01\x00"),), [((26, 9), b"\x01\x00")]),
    "a vendor's type alone": ((vendor(9, b"\x01"),), [((26, 9), b"\x01")]),
    "a form of its own, as USR has it": ((vendor(429, b"\0\0\x98\x2b\0\0\0\1"),), [((26, 429), b"\0\0\x98\x2b\0\0\0\1")]),
    "a vendor alone": ((vendor(9, b""),), [((26, 9), b"")]),
    "less than a vendor": ((Attribute(26, b"\0\0\1"),), [((26,), b"\0\0\1")]),
    "extended": ((Attribute(241, b"\x01abc"),), [((241, 1), b"abc")]),
    "extended without value": ((Attribute(244, b"\x09"),), [((244,), b"\x09")]),
    "extended without its type": ((Attribute(241, b""),), [((241,), b"")]),
    "extended, a vendor's": ((Attribute(241, b"\x1a\0\0\0\x09\x4dabc"),), [((241, 26, 9, 77), b"abc")]),
    "extended, less than a vendor's": ((Attribute(241, b"\x1a\0\0\0\x09"),), [((241, 26), b"\0\0\0\x09")]),
    "long extended": ((Attribute(245, b"\x01\x00abc"),), [((245, 1), b"abc")]),
    "long extended in three": ((Attribute(246, b"\x01\x80a"), Attribute(246, b"\x01\x80b"), Attribute(246, b"\x01\x00c")), [((246, 1), b"abc")]),
    "long extended, a vendor's, cut in its number": (
        (Attribute(245, b"\x1a\x80\0\0"), Attribute(245, b"\x1a\x00\0\x09\x4dabc")),
        [((245, 26, 9, 77), b"abc")],
    ),
    "long extended, others between": ((Attribute(245, b"\x01\x80a"), Attribute(1, b"x"), Attribute(245, b"\x01\x00b")), [((1,), b"x"), ((245, 1), b"ab")]),
    "long extended, two at once": (
        (Attribute(245, b"\x01\x80a"), Attribute(246, b"\x01\x80b"), Attribute(245, b"\x01\x00c"), Attribute(246, b"\x01\x00d")),
        [((245, 1), b"ac"), ((246, 1), b"bd")],
    ),
    "long extended, the end missing": ((Attribute(245, b"\x01\x80a"), Attribute(1, b"x")), [((1,), b"x"), ((245,), b"\x01\x80a")]),
    "long extended, another begun": ((Attribute(245, b"\x01\x80a"), Attribute(245, b"\x02\x00b")), [((245,), b"\x01\x80a"), ((245, 2), b"b")]),
    "long extended, reserved flags": ((Attribute(245, b"\x01\x7fa"),), [((245, 1), b"a")]),
    "extended, a vendor's without value": ((Attribute(241, b"\x1a\0\0\0\x09\x4d"),), [((241, 26), b"\0\0\0\x09\x4d")]),
    "long extended without value": ((Attribute(245, b"\x01\x80"),), [((245,), b"\x01\x80")]),
    "long extended without flags": ((Attribute(245, b"\x01\x80a"), Attribute(245, b"\x01")), [((245,), b"\x01"), ((245,), b"\x01\x80a")]),
    "long extended, two that are whole": ((Attribute(245, b"\x01\x00a"), Attribute(245, b"\x01\x00b")), [((245, 1), b"a"), ((245, 1), b"b")]),
}


@pytest.mark.parametrize(("attributes", "expected"), SCANNED.values(), ids=SCANNED)
def test_what_attributes_hold(attributes: tuple[Attribute, ...], expected: list[tuple[tuple[int, ...], bytes]]) -> None:
    assert scanned(*attributes) == expected


@given(st.lists(any_attributes, max_size=12))
def test_nothing_is_lost_or_made_up(attributes: list[Attribute]) -> None:
    found = list(scan_numbered(attributes))
    assert sum(len(value) for _, value in found) <= sum(len(attribute.value) for attribute in attributes)
    assert len(found) <= sum(1 + len(attribute.value) // 2 for attribute in attributes)
    assert {path[0] for path, _ in found} == {attribute.type for attribute in attributes}
    for path, value in found:
        assert path[0] in LONG_EXTENDED or any(value in attribute.value for attribute in attributes if attribute.type == path[0])


octets = st.integers(0, 255)
vendors = st.integers(0, 2**32 - 1)
paths = (
    st.tuples(st.integers(0, 240).filter(lambda number: number != VENDOR_SPECIFIC))
    | st.tuples(st.just(VENDOR_SPECIFIC), vendors, octets)
    | st.tuples(st.sampled_from([*EXTENDED, *LONG_EXTENDED]), octets.filter(lambda number: number != VENDOR_SPECIFIC))
    | st.tuples(st.sampled_from([*EXTENDED, *LONG_EXTENDED]), st.just(VENDOR_SPECIFIC), vendors, octets)
)


@given(st.lists(st.builds(Numbered, paths, st.binary(min_size=1, max_size=240)), max_size=6))
def test_what_is_encoded_is_scanned(numbered: list[Numbered]) -> None:
    attributes = [attribute for one in numbered for attribute in encode_numbered(one)]
    assert len(encode_attributes(attributes)) == sum(2 + len(attribute.value) for attribute in attributes)
    assert list(scan_numbered(attributes)) == numbered


@given(st.sampled_from([(245, 7), (246, 26, 9, 77)]), st.binary(min_size=240, max_size=2000))
def test_a_long_value_is_cut(path: tuple[int, ...], value: bytes) -> None:
    attributes = encode_numbered(Numbered(path, value))
    assert list(scan_numbered(attributes)) == [(path, value)]
    assert all(len(attribute.value) == MAX_VALUE for attribute in attributes[:-1])


IMPOSSIBLE = {
    "no number": ((), b""),
    "a path too deep": ((241, 1, 2, 3), b""),
    "a part of what has none": ((40, 1), b""),
    "a type over 255": ((256,), b""),
    "a vendor over 32 bits": ((26, 2**32, 1), b""),
    "a value too long": ((1,), bytes(254)),
    "a vendor's value too long": ((26, 9, 1), bytes(248)),
    "an extended value of nothing": ((241, 1), b""),
    "a long extended value of nothing": ((245, 26, 9, 1), b""),
    "an extended value too long": ((241, 1), bytes(253)),
}


@pytest.mark.parametrize(("path", "value"), IMPOSSIBLE.values(), ids=IMPOSSIBLE)
def test_what_no_attribute_holds_is_not_encoded(path: tuple[int, ...], value: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - ours or that of bytes()
        encode_attributes(encode_numbered(Numbered(path, value)))
