"""A record as one JSON object of one level: `{"actor.user.name":"anna","metadata.event_code":"4728", ...}`.

For receivers that take fields by name and don't look into objects. A path's words are joined by `.`; objects in arrays are numbered from 0, and
arrays of anything else stay arrays. No OCSF name has a `.` in it, but `unmapped` may hold any; the first of two equal names stays.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import orjson


def encode_flat_json(record: Mapping[str, Any]) -> bytes:
    """One line of UTF-8, without a line end, in the record's order."""
    flat: dict[str, object] = {}
    for name, value in _leaves("", record):
        flat.setdefault(name, value)
    return orjson.dumps(flat)


def _leaves(path: str, value: Mapping[str, Any]) -> Iterator[tuple[str, object]]:
    for name, inner in value.items():
        yield from _leaf(f"{path}{name}", inner)


def _leaf(name: str, value: object) -> Iterator[tuple[str, object]]:
    if isinstance(value, dict):
        yield from _leaves(f"{name}.", value)
    elif isinstance(value, list) and any(isinstance(item, (dict, list)) for item in value):
        for number, item in enumerate(value):
            yield from _leaf(f"{name}.{number}", item)
    else:
        yield name, value
