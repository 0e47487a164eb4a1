"""The messages in files of syslog that other projects collected (TIDEGATE_EXTRA_CORPUS)."""

from __future__ import annotations

import json
from array import array
from collections.abc import Iterator
from pathlib import Path

from wire.syslog_multiline import join


def messages(path: Path) -> Iterator[bytes]:
    """A JSON array's objects, a file that is one event, or lines joined as a stream's are."""
    octets = path.read_bytes()
    if octets.startswith(b"[{"):
        yield from (json.dumps(found).encode() for found in json.loads(octets))
        return
    if path.suffix in {".event", ".xml"}:
        yield octets
        return
    lines, at = array("I"), 0
    for line in octets.split(b"\n"):
        if line:
            lines.extend((at, at + len(line)))
        at += len(line) + 1
    joined = join(octets, lines, None, 256 * 1024)
    yield from (octets[start:end] for start, end in zip(joined.spans[::2], joined.spans[1::2], strict=True))
    if joined.held is not None:
        yield octets[joined.held.start : joined.held.end]
