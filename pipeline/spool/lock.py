"""The lock on a state directory: one process owns it for as long as it lives, however it dies (flock(2))."""

from __future__ import annotations

import fcntl
import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pipeline.errors import SpoolError

LOCK_NAME: Final = "lock"
MAX_PID_DIGITS: Final = 20


@dataclass(frozen=True, slots=True)
class StateLock:
    """A held lock; the file names the process that holds it."""

    descriptor: int

    def release(self) -> None:
        """Let another process have the directory."""
        os.close(self.descriptor)


def lock_state(state_dir: Path) -> StateLock:
    """Make the state directory if need be, and take its lock.

    Raises:
        SpoolError: it can't be written, or another process holds it.
    """
    path = state_dir / LOCK_NAME
    try:
        state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise SpoolError(f"state directory {state_dir}", error.strerror or str(error), "give Tidegate's user a directory it can write to") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        with suppress(OSError):  # whose it is, is said for people; a full disk needn't keep anybody out
            os.ftruncate(descriptor, os.pwrite(descriptor, b"%d\n" % os.getpid(), 0))
    except BlockingIOError as error:
        holder = os.pread(descriptor, MAX_PID_DIGITS, 0).decode("ascii", "replace").strip()
        os.close(descriptor)
        raise SpoolError(
            f"state directory {state_dir}",
            f"another Tidegate uses it (process {holder or 'unknown'})",
            "stop that one, or set another [gateway] state_dir",
        ) from error
    except OSError as error:
        os.close(descriptor)
        raise SpoolError(f"state directory {state_dir}", error.strerror or str(error), "free space on its file system") from error
    return StateLock(descriptor)
