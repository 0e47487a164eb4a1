"""What receiving costs: each stage of the syslog listener over the same messages, in turn; one receiver, one sender beside it.

    python bench/syslog_listener.py [--messages 100000] [--wanted 0.1] [--rounds 3] [--transports tcp tls udp]

    stage       what the receiver does
    floor       takes the octets and forgets them
    frames      the listener: native framing, octet-counted (UDP: bursts), and a normalizer that looks at nothing
    lines       the same over LF framing, with multi-line joining
    normalized  the listener and the real normalizer, octet-counted
    whole       the same, every buffer normalized in one go

Prints CPU-microseconds of the receiver per message received (system time included; the sender is another process), the ratio to the
floor, and by how much the event loop was late for a tick every 2 ms, at worst. Figures are the best of the rounds.
"""

from __future__ import annotations

import argparse
import multiprocessing
import socket
import ssl
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from io import StringIO
from itertools import cycle, islice
from pathlib import Path
from random import Random
from typing import Final

import trio
import trustme

from gateway.simulate.events import generate_events
from gateway.simulate.messages import Header, encode_messages
from kernel import Engine
from listeners.normalizing import SLICE_OCTETS
from listeners.ready import Ready
from listeners.syslog import handover
from listeners.syslog.serve import serve_syslog
from listeners.syslog.settings import SyslogSettings
from normalizers.normalizer import Normalizer
from pipeline.index import EMPTY
from pipeline.log import LogSettings
from pipeline.log_lines import open_log
from pipeline.metrics import Metrics
from pipeline.model import Batch, Frames, Transport
from pipeline.receipt import Receipt
from wire import event_xml
from wire.syslog_framing import Framing

TICK_S: Final = 0.002
NOW_NS: Final = 1_770_000_000_000_000_000
DISTINCT: Final = 1000
READ: Final = 512 << 10
UDP_RATE: Final = 40_000

STAGES: Final = {
    Transport.TCP: ("floor", "frames", "lines", "normalized", "whole"),
    Transport.TLS: ("frames", "lines", "normalized"),
    Transport.UDP: ("floor", "frames", "normalized"),
}
NORMALIZED: Final = {"normalized": SLICE_OCTETS, "whole": 1 << 30}
"""Stages with the real normalizer, and how many octets they normalize in one go."""


class Count:
    """An intake that counts; done when the expected number has come."""

    def __init__(self, expected: int) -> None:
        self.received, self.expected, self.done = 0, expected, trio.Event()

    async def submit(self, batch: Batch) -> Receipt:
        await trio.lowlevel.checkpoint()
        self.received += batch.received
        if self.received >= self.expected:
            self.done.set()
        receipt = Receipt()
        receipt.settle()
        return receipt

    def give_up(self, listener: str, messages: int) -> None:
        raise AssertionError(f"{messages} messages of {listener} weren't taken")


def glance(frames: Frames) -> Batch:
    """A normalizer that looks at nothing."""
    return Batch(b"", EMPTY, frames.origin, len(frames), {"0": len(frames)})


def make_messages(wanted: float, framing: Framing) -> list[bytes]:
    """A thousand framed messages, `wanted` of them of the required events."""
    events = islice(generate_events(Random(1), lambda: NOW_NS, noise=1 - wanted), DISTINCT)  # noqa: S311 - the same every time
    return [message.encode_numbered(message.record_id) for message in encode_messages(events, event_xml.LAYOUT, Header.RFC5424, framing)]


def send(transport: Transport, address: tuple[str, int], messages: list[bytes], count: int, authority: str | None) -> None:
    """The sender: flat out over a stream, at a rate that a small machine's receiver keeps up with over UDP."""
    if transport is Transport.UDP:
        with socket.socket(type=socket.SOCK_DGRAM) as sock:
            began = time.perf_counter()
            for number, message in enumerate(islice(cycle(messages), count)):
                if number % 100 == 0:
                    time.sleep(max(0.0, began + number / UDP_RATE - time.perf_counter()))
                sock.sendto(message, address)
        return
    block, sock = b"".join(messages), socket.create_connection(address)
    if authority is not None:
        sock = ssl.create_default_context(cadata=authority).wrap_socket(sock, server_hostname="localhost")
    with sock:
        for _ in range(count // DISTINCT):
            sock.sendall(block)


async def floor(transport: Transport, octets: int, task_status: trio.TaskStatus[tuple[str, int]]) -> None:
    """Take so many octets and forget them."""
    buffer = bytearray(READ)
    with socket.socket(type=socket.SOCK_DGRAM if transport is Transport.UDP else socket.SOCK_STREAM) as listener:
        listener.bind(("127.0.0.1", 0))
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16 << 20) if transport is Transport.UDP else listener.listen()
        listener.setblocking(False)
        task_status.started(listener.getsockname())
        await trio.lowlevel.wait_readable(listener)
        sock = listener if transport is Transport.UDP else listener.accept()[0]
        with sock:
            sock.setblocking(False)
            while octets > 0:
                try:
                    octets -= sock.recv_into(buffer)
                except BlockingIOError:
                    with trio.move_on_after(1) as silence:
                        await trio.lowlevel.wait_readable(sock)
                    if silence.cancelled_caught:
                        return


async def measure(transport: Transport, stage: str, messages: list[bytes], count: int, folder: Path) -> tuple[float, float, int]:
    """(CPU-microseconds per message, worst lateness in ms, messages received) of one stage."""
    intake, late = Count(count), 0.0
    given: dict[str, object] = {transport.value: ["127.0.0.1:0"]}
    if transport is Transport.TLS:
        given = {"tls": {"addresses": ["127.0.0.1:0"], "certificate": "server.pem", "key": "server.pem"}}
    serve = partial(
        serve_syslog,
        SyslogSettings.model_validate(given, context={"folder": folder}),
        normalize=Normalizer().normalize if stage in NORMALIZED else glance,
        intake=intake,
        metrics=Metrics(),
        engine=Engine.NATIVE,
        clock=time.time_ns,
        log=open_log(StringIO(), LogSettings()),
    )
    authority = (folder / "ca.pem").read_text() if transport is Transport.TLS else None

    async def tick() -> None:
        nonlocal late
        while True:
            due = trio.current_time() + TICK_S
            await trio.sleep_until(due)
            late = max(late, trio.current_time() - due)

    async with trio.open_nursery() as nursery:
        if stage == "floor":
            done = trio.Event()

            async def run(task_status: trio.TaskStatus[tuple[str, int]]) -> None:
                await floor(transport, sum(map(len, messages)) * count // DISTINCT, task_status)
                done.set()

            address: tuple[str, int] = await nursery.start(run)
        else:
            ready: list[Ready] = await nursery.start(serve)
            address, done = (ready[0].address.host, ready[0].address.port), intake.done
        sender = multiprocessing.get_context("fork").Process(target=send, args=(transport, address, messages, count, authority))
        nursery.start_soon(tick)
        began = time.process_time()
        sender.start()
        await trio.to_thread.run_sync(sender.join)
        with trio.move_on_after(0.5 if transport is Transport.UDP else 600):
            await done.wait()
        spent = time.process_time() - began
        nursery.cancel_scope.cancel()
    received = intake.received or count
    return spent / received * 1e6, late * 1e3, received


@contextmanager
def slicing(stage: str) -> Iterator[None]:
    """Normalize in slices of the stage's size."""
    vars(handover)["SLICE_OCTETS"] = NORMALIZED.get(stage, SLICE_OCTETS)
    try:
        yield
    finally:
        vars(handover)["SLICE_OCTETS"] = SLICE_OCTETS


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--messages", type=int, default=100_000, help="messages of one run")
    arguments.add_argument("--wanted", type=float, default=0.1, help="share of required events")
    arguments.add_argument("--rounds", type=int, default=3, help="rounds of all stages")
    arguments.add_argument("--transports", type=Transport, nargs="+", default=list(STAGES), help="tcp, tls, udp")
    given = arguments.parse_args()
    count = given.messages // DISTINCT * DISTINCT
    corpus = {framing: make_messages(given.wanted, framing) for framing in Framing}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        authority = trustme.CA()
        authority.issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(folder / "server.pem")
        authority.cert_pem.write_to_path(folder / "ca.pem")
        for transport in given.transports:
            best: dict[str, tuple[float, float, int]] = {}
            for _ in range(given.rounds):
                for stage in STAGES[transport]:
                    framing = Framing.UNDECIDED if transport is Transport.UDP else Framing.NON_TRANSPARENT if stage == "lines" else Framing.OCTET_COUNTING
                    with slicing(stage):
                        found = trio.run(measure, transport, stage, corpus[framing], count, folder)
                    best[stage] = min(found, best.get(stage, found))
            first = best[STAGES[transport][0]][0]
            for stage, (microseconds, late, received) in best.items():
                print(
                    f"{transport} {stage:10} {microseconds:8.2f} us/message {microseconds / first:6.1f}x   late {late:6.1f} ms   received {received} of {count}"
                )


if __name__ == "__main__":
    main()
