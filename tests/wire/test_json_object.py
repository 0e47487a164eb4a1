"""JSON as events need it: spelling of numbers, repetition and order kept, everything hostile refused."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import MessageError
from wire.json_object import encode_object, leaves, merge, parse_object

LEAVES = {
    "numbers keep their spelling": (
        b'{"a":1.0,"b":-9214364837600034816,"c":18446744073709551617,"d":1E5}',
        [("a", "1.0"), ("b", "-9214364837600034816"), ("c", "18446744073709551617"), ("d", "1E5")],
    ),
    "repeated names": (b'{"a":1,"b":2,"a":3}', [("a", "1"), ("b", "2"), ("a", "3")]),
    "arrays repeat their path": (b'{"a":["x",["y"],{"b":"z"}]}', [("a", "x"), ("a", "y"), ("a.b", "z")]),
    "literals": (b'{"a":true,"b":false,"c":null}', [("a", "true"), ("b", "false"), ("c", "")]),
    "raw control characters": (b'{"a":"x\ty\nz"}', [("a", "x\ty\nz")]),
    "BOM, NUL and blanks around": (b'\xef\xbb\xbf {"a":"b"}\r\n\x00', [("a", "b")]),
    "a lone surrogate": (b'{"a":"\\ud800 \\ude00\\ud83d\\ude00 \\\\ud800"}', [("a", "\ufffd \ufffd\U0001f600 \\ud800")]),
    "not UTF-8": (b'{"a":"\xe4"}', [("a", "\ufffd")]),
    "nothing in it": (b'{"a":{},"b":[]}', []),
}  # fmt: skip

REFUSED = {
    "not JSON": (b"hello", "json-not-well-formed"),
    "cut": (b'{"a":"b', "json-not-well-formed"),
    "trailing text": (b'{"a":1} x', "json-not-well-formed"),
    "two objects": (b'{"a":1}{"a":2}', "json-not-well-formed"),
    "NaN": (b'{"a":NaN}', "json-not-well-formed"),
    "an array": (b"[1]", "json-not-an-object"),
    "a text": (b'"x"', "json-not-an-object"),
    "too large": (b'{"a":"' + b"x" * 300_000 + b'"}', "event-too-large"),
    "deep arrays": (b'{"a":' + b"[" * 100 + b"1" + b"]" * 100 + b"}", "json-too-deep"),
    "very deep arrays": (b'{"a":' + b"[" * 100_000, "json-too-deep"),
    "deep objects": (b'{"a":' * 60 + b"1" + b"}" * 60, "json-too-deep"),
}


@pytest.mark.parametrize(("payload", "expected"), LEAVES.values(), ids=LEAVES.keys())
def test_leaves(payload: bytes, expected: list[tuple[str, str]]) -> None:
    assert list(leaves(parse_object(payload)[0])) == expected


@pytest.mark.parametrize(("payload", "rule"), REFUSED.values(), ids=REFUSED.keys())
def test_refused(payload: bytes, rule: str) -> None:
    with pytest.raises(MessageError) as error:
        list(leaves(parse_object(payload)[0]))
    assert error.value.rule == rule


def test_what_isnt_utf_8_is_told() -> None:
    assert parse_object(b'{"a":"\xe4"}')[1] == ("not-utf-8",)
    assert parse_object(b'{"a":"b"}')[1] == ()


PAIRS = st.lists(
    st.tuples(
        st.text(st.characters(codec="utf-8"), max_size=8).filter(lambda name: "." not in name and name), st.text(st.characters(codec="utf-8"), max_size=12)
    ),
    max_size=8,
)


@given(PAIRS)
def test_round_trip(pairs: list[tuple[str, str]]) -> None:
    payload = encode_object(merge(pairs))
    assert b"\n" not in payload
    assert sorted(leaves(parse_object(payload)[0])) == sorted(pairs)


@given(st.one_of(st.binary(max_size=60), st.text('{}[]":,\\ud8019ae-+.ntf ', max_size=40).map(lambda text: f"{{{text}}}".encode())))
def test_arbitrary_bytes_raise_message_errors_only(payload: bytes) -> None:
    with suppress(MessageError):
        list(leaves(parse_object(payload)[0]))
