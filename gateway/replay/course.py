"""Replay: files of events in, OCSF records out, every message accounted for.

    received = normalized + duplicate + filtered + rejected + control

A strong uid that was already written in this run is a duplicate and isn't written again; weak ones are never collapsed. Nothing of
a file is kept beyond the messages being read, but the uids are: 16 octets of each record, up to 24 with their room.
"""

from __future__ import annotations

import errno
import os
import sys
import time
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import BinaryIO, Final, Protocol

from gateway.replay.files import SNIFFED, STDIN, Found, Kind, Unreadable, find_files, say_unknown, sniff
from gateway.replay.readers import Reading, Refused, read_messages
from kernel import Engine, KeySet
from listeners.evtx import Damage
from pipeline.index import Index
from pipeline.model import Batch, Frames, Origin, Transport

MAX_LINES_PER_FILE: Final = 100
NEW: Final = b"\x00"


class Normalize(Protocol):
    """What replay needs of a normalizer."""

    def normalize(self, frames: Frames) -> Batch:
        """Frames to Batch; raises nothing for what stands in the messages."""


@dataclass(slots=True)
class Summary:
    """What a replay did.

    files:       read, of which `damaged` held something that couldn't be read; `skipped` held no events or couldn't be opened.
    damages:     what couldn't be read, by rule.
    closed:      the reader of the output went away before the end.
    normalized, duplicate, filtered:  by event code.
    rejected, warnings:  by rule; warnings are of accepted messages and not part of the sum.
    """

    files: int = 0
    damaged: int = 0
    skipped: int = 0
    received: int = 0
    octets: int = 0
    control: int = 0
    closed: bool = False
    damages: Counter[str] = field(default_factory=Counter)
    normalized: Counter[str] = field(default_factory=Counter)
    duplicate: Counter[str] = field(default_factory=Counter)
    filtered: Counter[str] = field(default_factory=Counter)
    rejected: Counter[str] = field(default_factory=Counter)
    warnings: Counter[str] = field(default_factory=Counter)

    @property
    def reconciled(self) -> bool:
        """Whether every message received is in exactly one of the other numbers."""
        return self.received == sum(tally.total() for tally in (self.normalized, self.duplicate, self.filtered, self.rejected)) + self.control

    @property
    def failed(self) -> bool:
        """Whether nothing could be read: no file at all, or nothing in them that was understood."""
        understood = self.received - self.rejected.total()
        return not self.closed and not understood and (not self.files or bool(self.received or self.damages))


class Course(ABC):
    """One run over any number of files, whatever becomes of the messages in them.

    Args:
        tell: takes one line about a damage or a file passed over.
        advance: takes the octets of input that were read.
        clock: arrival of what is read, nanoseconds since the Unix epoch.
        engine: which one frames lines and renders EVTX.
        salvage: whether to search damaged EVTX chunks for more records.
    """

    def __init__(
        self,
        *,
        tell: Callable[[str], None],
        advance: Callable[[int], None] = lambda _octets: None,
        clock: Callable[[], int] = time.time_ns,
        engine: Engine = Engine.NATIVE,
        salvage: bool = False,
    ) -> None:
        self._tell, self._advance, self._clock, self._engine, self._salvage = tell, advance, clock, engine, salvage
        self.summary: Final = Summary()

    @abstractmethod
    def _take(self, frames: Frames) -> None:
        """Be done with some messages, and count them."""

    def run(self, files: Iterable[Found | Unreadable]) -> Summary:
        """Read all files."""
        for found in files:
            if isinstance(found, Unreadable):
                self._skip(found.path, found.reason)
            else:
                self._read_file(found)
        return self.summary

    def _skip(self, path: Path, reason: str) -> None:
        self.summary.skipped += 1
        self._tell(f"{path}: skipped: {reason}")

    def _read_file(self, found: Found) -> None:
        damages: Counter[str] = Counter()
        for reading in self._readings(found):
            match reading:
                case Frames():
                    self._take(reading)
                case Refused():
                    self.summary.received += reading.rejected.total()
                    self.summary.rejected += reading.rejected
                case Damage():
                    damages[reading.rule] += 1
                    if damages.total() <= MAX_LINES_PER_FILE:
                        self._tell(f"{found.path}: octet {reading.offset}: {reading.rule}: {reading.detail}")
                case Unreadable():
                    self._skip(reading.path, reading.reason)
        self.summary.damages += damages
        self.summary.damaged += bool(damages)
        if damages.total() > MAX_LINES_PER_FILE:
            self._tell(f"{found.path}: and {damages.total() - MAX_LINES_PER_FILE} damages more")

    def _readings(self, found: Found) -> Iterator[Reading | Unreadable]:
        """What a file holds. Its own errors end here; the output's don't pass through a generator."""
        counted = None
        try:
            with _open(found) as file:
                counted = Counted(file, self._advance)
                head = counted.read(SNIFFED)
                kind, encoding = sniff(head, found.path.name, named=found.named)
                if kind is Kind.UNKNOWN:
                    self._advance(max(0, found.size - len(head)))
                    yield Unreadable(found.path, say_unknown(head))
                    return
                self.summary.files += 1
                origin = partial(self._origin, str(found.path))
                yield from read_messages(counted, head, kind, encoding, origin, engine=self._engine, salvage=self._salvage)
        except OSError as error:
            reason = error.strerror or str(error)
            yield Damage("unreadable", counted.octets, reason) if counted and counted.octets else Unreadable(found.path, reason)

    def _origin(self, path: str) -> Origin:
        return Origin("replay", Transport.FILE, path, self._clock())


class Replay(Course):
    """A run that writes records.

    Args:
        normalizer: makes records.
        output: where NDJSON goes.
        tell, advance, clock, engine, salvage: as any Course has them.
    """

    def __init__(
        self,
        normalizer: Normalize,
        output: BinaryIO,
        *,
        tell: Callable[[str], None],
        advance: Callable[[int], None] = lambda _octets: None,
        clock: Callable[[], int] = time.time_ns,
        engine: Engine = Engine.NATIVE,
        salvage: bool = False,
    ) -> None:
        super().__init__(tell=tell, advance=advance, clock=clock, engine=engine, salvage=salvage)
        self._normalizer, self._output = normalizer, output
        self._written: Final = KeySet(os.urandom(16))

    def run(self, files: Iterable[Found | Unreadable]) -> Summary:
        """Read all files; stops early only if nobody reads the output any more.

        Raises:
            OSError: the output can't be written.
        """
        try:
            super().run(files)
            self._output.flush()
        except BrokenPipeError:
            self.summary.closed = True
        return self.summary

    def _take(self, frames: Frames) -> None:
        batch, summary = self._normalizer.normalize(frames), self.summary
        summary.received += batch.received
        summary.octets += sum(frames.spans[1::2]) - sum(frames.spans[::2])
        summary.control += batch.control
        summary.filtered.update(batch.filtered)
        summary.rejected.update(batch.rejected)
        summary.warnings.update(batch.warnings)
        self._write(batch)

    def _write(self, batch: Batch) -> None:
        """Write the records that are new: all at once where all are, else neighbours in one piece."""
        if self._all_new(batch.index):
            self.summary.normalized.update(batch.index.count_event_codes())
            self._output.write(batch.records)
            return
        begin = at = 0
        for entry in batch.index:
            if entry.weak or self._written.known(entry.uid) == NEW:
                self.summary.normalized[entry.event_code] += 1
                if not entry.weak:
                    self._written.add(entry.uid)
            else:
                self.summary.duplicate[entry.event_code] += 1
                self._output.write(batch.records[begin : entry.start])
                begin = entry.end + 1
            at = entry.end + 1
        self._output.write(batch.records[begin:at])

    def _all_new(self, index: Index) -> bool:
        """Whether all uids are strong, new and different; they are known then."""
        return not any(index.weak) and self._written.add_new(index.uids)


class Counted:
    """A file that tells how many octets were read of it."""

    def __init__(self, file: BinaryIO, advance: Callable[[int], None]) -> None:
        self._file, self._advance = file, advance
        self.octets = 0

    def read(self, size: int) -> bytes:
        """`size` octets, fewer only at the end."""
        octets = self._file.read(size)
        self.octets += len(octets)
        self._advance(len(octets))
        return octets


@contextmanager
def _open(found: Found) -> Iterator[BinaryIO]:
    if found.path == STDIN:
        if sys.stdin is None:
            raise OSError(errno.EBADF, "standard input is closed")
        yield sys.stdin.buffer
    else:
        with found.path.open("rb") as file:
            yield file


def gather(paths: Sequence[Path]) -> tuple[list[Found | Unreadable], int]:
    """The files that `paths` mean, and their octets together."""
    files = list(find_files(paths))
    return files, sum(file.size for file in files if isinstance(file, Found))
