"""Room that is kept for starting on a full disk.

Reading a write-ahead log takes an index beside it (`spool.sqlite-shm`, https://sqlite.org/walformat.html section 2), and a disk without room for that keeps
the whole spool from being opened: destinations would stand still that could take records and so make room. The file `reserve` is that room. It is given up
when opening fails for want of it, and made again where there is room at the next start or stop.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import Final

NAME: Final = "reserve"
OCTETS: Final = 256 << 10  # the index of 32,768 pages of log is 256 KiB; its first 32 KiB is what opening asks for


def keep_reserve(state_dir: Path) -> None:
    """Make the file unless it is there; goes without where the disk refuses. Random, since a file system that compresses would keep no room for zeros."""
    path = state_dir / NAME
    with suppress(OSError):
        if path.exists() and path.stat().st_size == OCTETS:
            return
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            whole = os.write(descriptor, os.urandom(OCTETS)) == OCTETS
            os.fsync(descriptor)
        except OSError:
            whole = False
        finally:
            os.close(descriptor)
        if not whole:  # a part of it would be room that is missing elsewhere
            path.unlink()


def spend_reserve(state_dir: Path) -> bool:
    """Give the room up; whether there was any."""
    try:
        (state_dir / NAME).unlink()
    except OSError:
        return False
    return True
