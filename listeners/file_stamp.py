"""What tells that files have changed: identity, time and size of each, a missing one included."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

Stamp = tuple[tuple[int, int, int], ...]


def stamp(files: Iterable[Path]) -> Stamp:
    """Equal to an earlier one's as long as no file was replaced, written to, removed or made: one stat(2) each."""

    def of(path: Path) -> tuple[int, int, int]:
        try:
            found = path.stat()
        except OSError:
            return (0, 0, 0)
        return (found.st_ino, found.st_mtime_ns, found.st_size)

    return tuple(of(path) for path in files)
