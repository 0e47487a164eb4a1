"""Records as JSON of one level."""

from __future__ import annotations

from collections.abc import Iterator

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from forwarders.encoders.flat_json import encode_flat_json

SCALARS = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text()
NAMES = st.text(st.characters(codec="ascii", categories=("L", "N")), min_size=1, max_size=5)
RECORDS = st.dictionaries(
    NAMES, st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3), max_leaves=20), max_size=4
)


@pytest.mark.parametrize(
    ("record", "flat"),
    [
        ({}, {}),
        ({"a": {"b": {"c": 1}}, "d": "x"}, {"a.b.c": 1, "d": "x"}),
        ({"labels": ["x", "y"], "none": []}, {"labels": ["x", "y"], "none": []}),
        ({"observables": [{"name": "a", "type_id": 1}, {"name": "b"}]}, {"observables.0.name": "a", "observables.0.type_id": 1, "observables.1.name": "b"}),
        ({"a": {"b": 1}, "a.b": 2}, {"a.b": 1}),
    ],
)
def test_shapes(record: dict[str, object], flat: dict[str, object]) -> None:
    assert orjson.loads(encode_flat_json(record)) == flat


def leaves(value: object) -> Iterator[object]:
    if isinstance(value, dict):
        for inner in value.values():
            yield from leaves(inner)
    elif isinstance(value, list) and any(isinstance(item, (dict, list)) for item in value):
        for item in value:
            yield from leaves(item)
    else:
        yield value


@given(RECORDS)
def test_every_leaf_is_there_once_in_order(record: dict[str, object]) -> None:
    octets = encode_flat_json(record)
    assert list(orjson.loads(octets).values()) == list(leaves(record))
    assert b"\n" not in octets
