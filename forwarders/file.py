"""The file destination: newline-delimited JSON in one live file, rotated by size, without torn lines or duplicates across a crash.

    out/events.ndjson           live
    out/events-000001.ndjson    rotated, oldest first

Its state is the live file's identity and the offset behind the last whole row, stored with the cursor behind that row, and before the first
one. At start the live file is cut back to that offset: what lies behind was written, but its cursor never became durable, so it comes again. If a
rotation fell into that gap, it is taken back.

Others may move, delete or truncate the live file (logrotate with or without `copytruncate`): it is opened anew, and the next row goes to its end. What
they took is theirs; what was there before Tidegate stays.
"""

from __future__ import annotations

import errno
import fcntl
import os
import re
import stat
import struct
from pathlib import Path
from typing import Final

import trio

from forwarders.destination import BATCH_OCTETS, Delivered, Limits
from forwarders.file_settings import FileSettings
from pipeline.errors import DeliveryError, Fault
from pipeline.spool.row import Row

STATE: Final = struct.Struct("<QQQ")  # device, inode, offset
LIVE_FLAGS: Final = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
LIVE_MODE: Final = 0o640
FOLDER_MODE: Final = 0o750
REASONS: Final = {errno.ENOSPC: "disk-full", errno.EDQUOT: "disk-full", errno.EACCES: "permission", errno.EPERM: "permission", errno.EROFS: "read-only"}


class FileDestination:
    """The async shell: every call is one hop to a thread.

    Args:
        settings: path, rotation.
    """

    limits: Final = Limits(octets=BATCH_OCTETS)

    def __init__(self, settings: FileSettings) -> None:
        self._file = RotatingFile(settings.path, settings.rotate_bytes, settings.keep)

    async def open(self, state: bytes) -> bytes:
        return await trio.to_thread.run_sync(self._file.open, state)

    async def deliver(self, row: Row) -> Delivered:
        return Delivered(await trio.to_thread.run_sync(self._file.append, row.ndjson()))

    async def close(self) -> None:
        self._file.close()


class RotatingFile:
    """The file itself, blocking.

    Args:
        path: of the live file.
        rotate_octets: size that it doesn't outgrow, unless by a single row.
        keep: rotated files to keep; None for all.
    """

    def __init__(self, path: Path, rotate_octets: int, keep: int | None) -> None:
        self._path, self._rotate_octets, self._keep = path, rotate_octets, keep
        self._rotated_name: Final = re.compile(rf"{re.escape(path.stem)}-([0-9]{{6,}}){re.escape(path.suffix)}", re.ASCII)
        self._descriptor: int | None = None
        self._offset = 0

    def open(self, state: bytes) -> bytes:
        """Open the live file where `state` left it; the state to go on from.

        Raises:
            DeliveryError: the system refuses; always worth another try, once the operator has looked.
        """
        try:
            self._path.parent.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
            *known, offset = STATE.unpack(state) if len(state) == STATE.size else (0, 0, 0)
            self._take_rotation_back((known[0], known[1]))
            descriptor = self._open_live()
            status = os.fstat(descriptor)
            if _identity(status) == (known[0], known[1]) and status.st_size > offset:
                os.ftruncate(descriptor, offset)
            else:
                _end_line(descriptor)
            os.fsync(descriptor)
            return self._state(descriptor)
        except OSError as error:
            self.close()
            raise _translated(error) from error

    def append(self, lines: bytes) -> bytes:
        """Write whole lines to stable storage; the state behind them.

        Raises:
            DeliveryError: they aren't all there; what is will be cut off by the next `open`.
        """
        try:
            descriptor = self._unchanged()
            if self._offset and self._offset + len(lines) > self._rotate_octets:
                descriptor = self._rotate()
            left = memoryview(lines)
            while left:
                left = left[os.pwrite(descriptor, left, self._offset + len(lines) - len(left)) :]
            os.fsync(descriptor)
            return self._state(descriptor)
        except OSError as error:
            raise _translated(error) from error

    def _state(self, descriptor: int) -> bytes:
        """What to go by from the file's end on."""
        status = os.fstat(descriptor)
        self._offset = status.st_size
        return STATE.pack(*_identity(status), self._offset)

    def close(self) -> None:
        """Let go of the live file."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _open_live(self) -> int:
        """Open the live file, and hold it against a second writer."""
        self.close()
        descriptor = os.open(self._path, LIVE_FLAGS, LIVE_MODE)
        self._descriptor = descriptor
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise DeliveryError("not-a-file", Fault.RETRY, detail=str(self._path))
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        self._sync_folder()
        return descriptor

    def _unchanged(self) -> int:
        """The live file, if it is where and as long as it was left; else it has to be opened anew, and its state made durable, before it is written to."""
        assert self._descriptor is not None, "open comes first"  # noqa: S101 - our own invariant
        mine = os.fstat(self._descriptor)
        try:
            live = self._path.lstat()
        except FileNotFoundError:
            live = None
        if live is None or _identity(live) != _identity(mine):
            raise DeliveryError("file-moved", Fault.RETRY, detail=f"{self._path} was moved or deleted; a new one is begun")
        if mine.st_size != self._offset:
            raise DeliveryError("file-changed", Fault.RETRY, detail=f"{self._path} was written to or truncated; going on at its end")
        return self._descriptor

    def _rotate(self) -> int:
        numbers = self._rotated()
        self._path.rename(self._rotated_path(max(numbers, default=0) + 1))
        descriptor = self._open_live()
        self._offset = 0
        if self._keep is not None:
            for number in sorted(self._rotated())[: -self._keep]:
                self._rotated_path(number).unlink(missing_ok=True)
        return descriptor

    def _take_rotation_back(self, known: tuple[int, int]) -> None:
        """If the file that the cursor knows has been rotated since, undo it: what is newer comes again."""
        rotated = self._rotated()
        number = next((number for number, identity in rotated.items() if identity == known), None)
        if number is None:
            return
        for newer in sorted(rotated, reverse=True):
            if newer > number:
                self._rotated_path(newer).unlink()
        self._rotated_path(number).replace(self._path)
        self._sync_folder()

    def _rotated(self) -> dict[int, tuple[int, int]]:
        """The rotated files there are, by number, with their identities."""
        found = {}
        with os.scandir(self._path.parent) as entries:
            for entry in entries:
                match = self._rotated_name.fullmatch(entry.name)
                if match is not None:
                    found[int(match[1])] = _identity(entry.stat(follow_symlinks=False))
        return found

    def _rotated_path(self, number: int) -> Path:
        return self._path.with_name(f"{self._path.stem}-{number:06d}{self._path.suffix}")

    def _sync_folder(self) -> None:
        folder = os.open(self._path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _identity(status: os.stat_result) -> tuple[int, int]:
    return status.st_dev, status.st_ino


def _end_line(descriptor: int) -> None:
    """See that what follows begins a line, whoever wrote what is there."""
    size = os.fstat(descriptor).st_size
    if size and os.pread(descriptor, 1, size - 1) != b"\n":
        os.pwrite(descriptor, b"\n", size)


def _translated(error: OSError) -> DeliveryError:
    reason = "locked" if isinstance(error, BlockingIOError) else REASONS.get(error.errno or 0, "write")
    return DeliveryError(reason, Fault.RETRY, detail=f"{error.filename or ''}: {error.strerror or error}".removeprefix(": "))
