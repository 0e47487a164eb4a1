"""A disk that can lose power: a SQLite VFS that remembers which writes were synced, and what a crash could leave of the others.

Whatever was written before the last sync of a file is there after a crash. Of what was written since, any of it may be there, in any order, and a write
may be torn at any sector. Deleted files are gone at once, and a file once created stays: SQLite syncs the directory where it depends on it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import apsw

SECTOR = 512


@dataclass
class Content:
    """A file: what is durable, and the writes since, as (offset, octets), or (size, None) for a truncation."""

    durable: bytearray = field(default_factory=bytearray)
    pending: list[tuple[int, bytes | None]] = field(default_factory=list)

    def sync(self) -> None:
        for offset, data in self.pending:
            _apply(self.durable, offset, data)
        self.pending.clear()

    def after_crash(self, random: Random) -> bytes:
        left = bytearray(self.durable)
        survivors = (
            [write for write in self.pending if random.random() < 0.5] if random.random() < 0.5 else self.pending[: random.randint(0, len(self.pending))]
        )
        if random.random() < 0.5:
            random.shuffle(survivors)
        for offset, data in survivors:
            torn = data if data is None or random.random() < 0.7 else data[: SECTOR * random.randint(0, len(data) // SECTOR)]
            _apply(left, offset, torn)
        return bytes(left)


def _apply(content: bytearray, offset: int, data: bytes | None) -> None:
    if data is None:
        del content[offset:]
        return
    if len(content) < offset:
        content.extend(bytes(offset - len(content)))
    content[offset : offset + len(data)] = data


Image = dict[str, bytes]


class CrashingDisk(apsw.VFS):
    """The VFS; to be named in `open_spool(vfs=...)`.

    Args:
        name: of the VFS.
    """

    def __init__(self, name: str) -> None:
        self.vfs_name = name
        self.files: dict[str, Content] = {}
        self._steps_left: int | None = None
        self._random = Random()
        self.image: Image | None = None
        super().__init__(name, "")

    def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> CrashingFile:  # noqa: N802 - SQLite's name
        return CrashingFile(self, name, flags)

    def xDelete(self, filename: str, syncdir: bool) -> None:  # noqa: FBT001, N802 - SQLite's signature
        self.step()
        self.files.pop(filename, None)
        super().xDelete(filename, syncdir)

    def crash_after(self, steps: int, random: Random) -> None:
        """Take an image of what a crash would leave when that many writes and syncs have begun."""
        self._steps_left, self._random, self.image = steps, random, None

    def step(self) -> None:
        if self._steps_left is None:
            return
        self._steps_left -= 1
        if self._steps_left < 0:
            self._steps_left = None
            self.image = self.crash(self._random)

    def crash(self, random: Random) -> Image:
        """What a crash at this moment could leave, by file name."""
        return {Path(path).name: content.after_crash(random) for path, content in self.files.items()}

    def take_image(self) -> Image | None:
        """The image asked for by `crash_after`, None if it never came to that."""
        self._steps_left, image = None, self.image
        self.image = None
        return image


class CrashingFile(apsw.VFSFile):
    """A file that tells its disk what is done to it."""

    def __init__(self, disk: CrashingDisk, name: str | apsw.URIFilename | None, flags: list[int]) -> None:
        path = name.filename() if isinstance(name, apsw.URIFilename) else str(name)
        self._disk = disk
        self._content = disk.files.setdefault(path, Content(bytearray(Path(path).read_bytes() if Path(path).exists() else b"")))
        super().__init__("", name, flags)

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802 - SQLite's name
        self._disk.step()
        self._content.pending.append((offset, bytes(data)))
        super().xWrite(data, offset)

    def xTruncate(self, newsize: int) -> None:  # noqa: N802 - SQLite's name
        self._disk.step()
        self._content.pending.append((newsize, None))
        super().xTruncate(newsize)

    def xSync(self, flags: int) -> None:  # noqa: N802 - SQLite's name
        self._disk.step()
        super().xSync(flags)
        self._content.sync()


def restore(image: Image, folder: Path) -> None:
    """Put what a crash left into a new folder."""
    folder.mkdir(parents=True)
    for name, content in image.items():
        (folder / name).write_bytes(content)
