"""A syslog listener under test: on free ports of the loopback, with an intake that collects and a normalizer that keeps every message."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from io import StringIO
from pathlib import Path

import trio

from kernel import Engine
from listeners.ready import Ready
from listeners.syslog.serve import serve_syslog
from listeners.syslog.settings import SyslogSettings
from pipeline.index import Entry, Index
from pipeline.log import LogSettings
from pipeline.log_lines import open_log
from pipeline.metrics import Metrics
from pipeline.model import Batch, Frames, Reject, Transport
from pipeline.receipt import Receipt

PATIENCE = 60
"""Seconds after which a test that waits for something is wrong, however busy the machine is."""

NOW_NS = 1_700_000_000_000_000_000


def keep_all(frames: Frames) -> Batch:
    """A normalizer to which every message is a record."""
    records, index = bytearray(), list[Entry]()
    for start, end in frames.pairs():
        at = len(records)
        records += frames.buffer[start:end] + b"\n"
        index.append(Entry(at, len(records) - 1, b"\x00" * 16, True, 0, "1", 0, 0, ""))
    return Batch(bytes(records), Index.of(index), frames.origin, len(frames))


@dataclass
class Collector:
    """An intake that takes everything while it is open, and settles receipts at once."""

    batches: list[Batch] = field(default_factory=list)
    open: trio.Event = field(default_factory=trio.Event)
    submitted: int = 0
    given_up: int = 0
    _changed: trio.Event = field(default_factory=trio.Event)

    def __post_init__(self) -> None:
        self.open.set()

    def close(self) -> None:
        """Make `submit` wait until `open` is set again."""
        self.open = trio.Event()

    async def submit(self, batch: Batch) -> Receipt:
        self.submitted += 1
        await self.open.wait()
        self.batches.append(batch)
        self._changed.set()
        self._changed = trio.Event()
        receipt = Receipt()
        receipt.settle()
        return receipt

    def give_up(self, listener: str, messages: int) -> None:
        assert listener
        self.given_up += messages

    @property
    def messages(self) -> list[bytes]:
        return [batch.records[entry.start : entry.end] for batch in self.batches for entry in batch.index]

    @property
    def rejects(self) -> list[Reject]:
        return [reject for batch in self.batches for reject in batch.rejects]

    @property
    def rejected(self) -> dict[str, int]:
        found: dict[str, int] = {}
        for batch in self.batches:
            for rule, count in batch.rejected.items():
                found[rule] = found.get(rule, 0) + count
        return found

    @property
    def received(self) -> int:
        return sum(batch.received for batch in self.batches)

    async def until(self, holds: Callable[[], bool]) -> None:
        """Return once `holds()`, which is asked after every batch."""
        with trio.fail_after(PATIENCE):
            while not holds():
                await self._changed.wait()

    async def arrived(self, messages: int) -> list[bytes]:
        """The messages, once there are so many."""
        await self.until(lambda: len(self.messages) >= messages)
        return self.messages


@dataclass
class Listening:
    """A listener that runs, and what it was given."""

    ready: list[Ready]
    intake: Collector
    metrics: Metrics
    stop: trio.Event
    done: trio.Event
    log: StringIO

    def address(self, transport: Transport, number: int = 0) -> tuple[str, int]:
        return [(one.address.host, one.address.port) for one in self.ready if one.transport is transport][number]

    async def drained(self) -> None:
        """Ask for a drain and await its end."""
        self.stop.set()
        with trio.fail_after(PATIENCE):
            await self.done.wait()


def settings(given: Mapping[str, object], folder: Path = Path()) -> SyslogSettings:
    """As if read from a configuration file in `folder`."""
    return SyslogSettings.model_validate(given, context={"folder": folder})


@asynccontextmanager
async def listening(
    given: SyslogSettings, *, normalize: Callable[[Frames], Batch] = keep_all, engine: Engine = Engine.REFERENCE, patience: float = PATIENCE
) -> AsyncIterator[Listening]:
    """Run a listener; it is drained at the end unless the block did so."""
    intake, metrics, stop, done, text = Collector(), Metrics(), trio.Event(), trio.Event(), StringIO()
    serve = partial(
        serve_syslog,
        given,
        normalize=normalize,
        intake=intake,
        metrics=metrics,
        engine=engine,
        clock=lambda: NOW_NS,
        log=open_log(text, LogSettings()),
        stop=stop,
        patience=lambda: patience,
    )

    async def run(task_status: trio.TaskStatus[list[Ready]]) -> None:
        await serve(task_status=task_status)
        done.set()

    async with trio.open_nursery() as nursery:
        ready = await nursery.start(run)
        found = Listening(ready, intake, metrics, stop, done, text)
        yield found
        intake.open.set()
        await found.drained()
