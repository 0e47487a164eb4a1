"""Putting other records in the place of some: what enriches a record makes it longer, and its index has to know."""

from __future__ import annotations

from collections.abc import Mapping

from pipeline.index import Index


def rewrite(records: bytes, index: Index, changed: Mapping[int, bytes]) -> tuple[bytes, Index]:
    """Records with some of them replaced, and their index; uids, times and texts stay as they are.

    Args:
        records: newline-delimited JSON, each record ended by LF.
        index: of all of them.
        changed: the new ones by their place, ascending, each one line without its LF.
    """
    if not changed:
        return records, index
    offsets, parts, done = index.offsets, list[bytes](), 0
    for place, record in changed.items():
        parts += (records[done : offsets[place]], record)
        done = offsets[place + 1] - 1
    parts.append(records[done:])
    return b"".join(parts), index.resized({place: len(record) for place, record in changed.items()})
