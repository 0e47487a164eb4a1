"""A record as one line of JSON: keys sorted at every level, no spaces, UTF-8 unescaped."""

from __future__ import annotations

from collections.abc import Mapping

import orjson

from normalizers.plan import Json


def encode_record(record: Mapping[str, Json]) -> bytes:
    """The record without line end. Control characters are escaped, so the line is one line."""
    return orjson.dumps(record, option=orjson.OPT_SORT_KEYS)
