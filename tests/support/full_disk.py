"""A disk that fills up under a running process: a small tmpfs where one may be mounted, else a limit to the size of the process' files (setrlimit(2)).

with small_disk(folder) as disk:
    ...  # start a process that writes below the folder
    disk.fill(process.pid)
    disk.free(process.pid)
"""

from __future__ import annotations

import errno
import os
import resource
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Protocol

OCTETS = 8 << 20
BALLAST = "ballast"
BLOCK = bytes(4096)


class Disk(Protocol):
    """A disk that can be filled. What is full for one process may not be for another."""

    def fill(self, pid: int) -> None:
        """Leave no room."""

    def free(self, pid: int) -> None:
        """Give it back."""


class Tmpfs:
    """A file system of its own, full to the last block: ENOSPC."""

    def __init__(self, folder: Path) -> None:
        self._ballast = folder / BALLAST

    def fill(self, pid: int) -> None:  # noqa: ARG002 - full for everybody
        with self._ballast.open("ab", buffering=0) as file:
            while True:
                try:
                    file.write(BLOCK)
                except OSError as error:
                    assert error.errno == errno.ENOSPC  # noqa: PT017 - what else it raises is nobody's to expect
                    return

    def free(self, pid: int) -> None:  # noqa: ARG002 - likewise
        self._ballast.unlink()


class Limit:
    """Files of the process may not grow: EFBIG."""

    def fill(self, pid: int) -> None:
        _, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (len(BLOCK), hard))

    def free(self, pid: int) -> None:
        _, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (hard, hard))


@contextmanager
def small_disk(folder: Path) -> Iterator[Disk]:
    """A disk below a new folder; what is on it is gone afterwards."""
    folder.mkdir()
    if os.geteuid() or not _run("mount", "-t", "tmpfs", "-o", f"size={OCTETS},mode=700", "tidegate-test", str(folder)):
        yield Limit()
        return
    try:
        yield Tmpfs(folder)
    finally:
        _run("umount", "--lazy", str(folder))


@contextmanager
def limited(folder: Path) -> Iterator[Disk]:
    """The same by the limit alone, which any user may set."""
    folder.mkdir()
    yield Limit()


def _run(*command: str) -> bool:
    with suppress(FileNotFoundError):
        return subprocess.run(command, capture_output=True, check=False).returncode == 0
    return False
