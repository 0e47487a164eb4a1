"""A RADIUS listener under test: on free ports of the loopback, a normalizer to which a packet is a record, an intake that settles when told to."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from functools import partial
from io import StringIO
from pathlib import Path
from typing import Final

import trio

from listeners.radius.reception import Normalize, Proof, committed
from listeners.radius.serve import serve_radius
from listeners.radius.settings import RadiusSettings
from listeners.ready import Ready
from pipeline.errors import SpoolError
from pipeline.index import Entry, Index
from pipeline.log import LogSettings
from pipeline.log_lines import open_log
from pipeline.metrics import Metrics
from pipeline.model import Batch, Frames, Reject, Transport
from pipeline.receipt import Receipt
from wire.radius.attributes import Attribute
from wire.radius.authenticators import encode_accounting_request
from wire.radius.packet import parse_packet

PATIENCE: Final = 60
"""Seconds after which a test that waits for something is wrong, however busy the machine is."""

NOW_NS: Final = 1_700_000_000_000_000_000
SECRET: Final = b"a secret that nobody guesses"
LISTENER: Final = "listeners.radius"
STATUS_TYPE: Final = 40
START: Final = Attribute(STATUS_TYPE, (1).to_bytes(4))


def request(number: int, *more: Attribute, secret: bytes = SECRET, session: str = "", message_authenticator: bool = False) -> bytes:
    """A signed Start of a session of its own, or of the one named."""
    attributes = (START, Attribute(44, (session or f"session-{number}").encode()), *more)
    return encode_accounting_request(number % 256, attributes, secret, message_authenticator=message_authenticator)


def keep_packets(frames: Frames, vendor: str) -> Batch:
    """A normalizer to which a packet is a record, in hexadecimal; one without Acct-Status-Type is rejected."""
    records, entries, aliases, rejects, at = list[bytes](), list[Entry](), list[bytes](), list[Reject](), 0
    for number, (start, end) in enumerate(frames.pairs()):
        packet = frames.buffer[start:end]
        if not parse_packet(packet).values(STATUS_TYPE):
            rejects.append(Reject(packet, "missing-key:Acct-Status-Type"))
            continue
        record = packet.hex().encode()
        alias = frames.aliases[number * 16 : number * 16 + 16]
        entries.append(Entry(at, at + len(record), alias, False, 4014, vendor, 1, 0, ""))
        records.append(record + b"\n")
        aliases.append(alias)
        at += len(record) + 1
    rejected = {"missing-key:Acct-Status-Type": len(rejects)} if rejects else {}
    return Batch(b"".join(records), Index.of(entries), frames.origin, len(frames), rejected=rejected, rejects=tuple(rejects), aliases=b"".join(aliases))


@dataclass
class Spooling:
    """An intake that takes what comes while it is open, and settles receipts at once unless it is to hold them."""

    batches: list[Batch] = field(default_factory=list)
    held: list[Receipt] = field(default_factory=list)
    holds: bool = False
    open: trio.Event = field(default_factory=trio.Event)
    waiting: int = 0
    _changed: trio.Event = field(default_factory=trio.Event)

    def __post_init__(self) -> None:
        self.open.set()

    def close(self) -> None:
        """Make `submit` wait until `open` is set again."""
        self.open = trio.Event()

    async def submit(self, batch: Batch, *, keep_rejects: bool) -> Receipt:
        self.waiting += 1
        self._turn()
        await self.open.wait()
        self.waiting -= 1
        assert keep_rejects or not batch.rejects
        receipt = Receipt()
        self.batches.append(batch)
        if self.holds:
            self.held.append(receipt)
        else:
            receipt.settle()
        self._turn()
        return receipt

    def settle(self, error: SpoolError | None = None) -> None:
        """Settle all that is held."""
        for receipt in self.held:
            receipt.settle(error=error)
        self.held.clear()

    def _turn(self) -> None:
        self._changed.set()
        self._changed = trio.Event()

    @property
    def packets(self) -> list[bytes]:
        return [bytes.fromhex(line.decode()) for batch in self.batches for line in batch.records.splitlines()]

    async def until(self, holds: Callable[[], bool]) -> None:
        """Return once `holds()`, which is asked after every change."""
        with trio.fail_after(PATIENCE):
            while not holds():
                await self._changed.wait()

    async def arrived(self, packets: int) -> list[bytes]:
        """The packets, once there are so many."""
        await self.until(lambda: len(self.packets) >= packets)
        return self.packets


@dataclass
class RadiusListening:
    """A listener that runs, and what it was given."""

    ready: list[Ready]
    intake: Spooling
    metrics: Metrics
    stop: trio.Event
    done: trio.Event
    log: StringIO
    alive: bool = True
    remembered: list[Reject] = field(default_factory=list)

    def address(self, transport: Transport = Transport.UDP, number: int = 0) -> tuple[str, int]:
        return [(one.address.host, one.address.port) for one in self.ready if one.transport is transport][number]

    def counted(self, counter: str, label: str) -> dict[str, int]:
        """What a counter of this listener says, by a label; what never moved isn't there."""
        samples = [sample for metric in self.metrics.registry.collect() for sample in metric.samples if sample.name == f"tidegate_{counter}_total"]
        found: dict[str, int] = {}
        for sample in samples:
            if sample.value:
                found[sample.labels[label]] = found.get(sample.labels[label], 0) + int(sample.value)
        return found

    async def counts(self, counter: str, label: str, expected: Mapping[str, int]) -> None:
        """Return once a counter says what is expected."""
        with trio.fail_after(PATIENCE):
            while self.counted(counter, label) != expected:
                await trio.lowlevel.checkpoint()

    async def drained(self) -> None:
        """Ask for a drain and await its end."""
        self.stop.set()
        with trio.fail_after(PATIENCE):
            await self.done.wait()


def radius_settings(given: Mapping[str, object], folder: Path = Path()) -> RadiusSettings:
    """As if read from a configuration file in `folder`; one client of the loopback where none is named."""
    client = {"name": "vpn1", "cidr": ["127.0.0.0/8", "::1/128"], "secret": SECRET}
    return RadiusSettings.model_validate({"addresses": ["127.0.0.1:0"], "clients": [client], **given}, context={"folder": folder})


@asynccontextmanager
async def radius_listening(
    given: RadiusSettings | None = None, *, normalize: Normalize = keep_packets, keep: bool = False, proof: Proof = committed, faults: bool = False
) -> AsyncIterator[RadiusListening]:
    """Run a listener; it is drained at the end unless the block did so. `faults`: the normalizer is to fail."""
    metrics, text = Metrics(), StringIO()
    found = RadiusListening([], Spooling(), metrics, trio.Event(), trio.Event(), text)
    serve = partial(
        serve_radius,
        given or radius_settings({}),
        normalize=normalize,
        intake=found.intake,
        remember=lambda _origin, reject: found.remembered.append(reject),
        metrics=metrics,
        takes_in=lambda: found.alive,
        clock=lambda: NOW_NS,
        log=open_log(text, LogSettings()),
        keep=keep,
        proof=proof,
        stop=found.stop,
    )

    async def run(task_status: trio.TaskStatus[list[Ready]]) -> None:
        await serve(task_status=task_status)
        found.done.set()

    async with trio.open_nursery() as nursery:
        found.ready += await nursery.start(run)
        yield found
        found.intake.open.set()
        found.intake.holds = False
        found.intake.settle()
        await found.drained()
    assert SECRET.decode() not in text.getvalue()
    assert faults or "Traceback" not in text.getvalue()


@contextmanager
def nas(to: tuple[str, int], host: str = "") -> Iterator[trio.socket.SocketType]:
    """A client's socket, which hears the address it asks and nobody else."""
    family = socket.AF_INET6 if ":" in to[0] else socket.AF_INET
    with trio.socket.from_stdlib_socket(_connected(family, host, to)) as sock:
        yield sock


def _connected(family: int, host: str, to: tuple[str, int]) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_DGRAM)
    if host:
        sock.bind((host, 0))
    sock.connect(to)
    return sock


def silent(sock: trio.socket.SocketType) -> bool:
    """Whether no answer is there yet."""
    with socket.socket(fileno=sock.dup().detach()) as now:
        now.setblocking(False)
        try:
            now.recv(4096, socket.MSG_PEEK)
        except BlockingIOError:
            return True
        return False


async def heard(sock: trio.socket.SocketType) -> bytes:
    """The next answer."""
    with trio.fail_after(PATIENCE):
        return await sock.recv(4096)
