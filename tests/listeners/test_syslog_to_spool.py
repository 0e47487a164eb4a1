"""From the socket to the disk with everything real in between: nothing is lost, and the accounting reconciles."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from io import StringIO
from itertools import islice
from pathlib import Path
from random import Random

import pytest
import trio
from support.syslog_listening import NOW_NS, PATIENCE, settings

from gateway.simulate.events import generate_events
from gateway.simulate.messages import Header, encode_messages
from kernel import Engine
from listeners.ready import Ready
from listeners.syslog.serve import serve_syslog
from normalizers.normalizer import Normalizer
from pipeline.intake import Intake
from pipeline.log import LogSettings
from pipeline.log_lines import open_log
from pipeline.metrics import Metrics
from pipeline.model import Transport
from pipeline.rejects import Rejects
from pipeline.spool.settings import SpoolSettings
from pipeline.spool.sqlite import open_spool
from wire import event_xml
from wire.syslog_framing import Framing

LISTENER = "listeners.syslog"


@dataclass
class House:
    """What was counted and kept."""

    ready: list[Ready]
    metrics: Metrics
    rejects: Rejects
    log: StringIO

    def total(self, counter: str) -> int:
        """A counter's sum over its labels."""
        name = f"tidegate_{counter}"
        return int(sum(s.value for metric in self.metrics.registry.collect() for s in metric.samples if metric.name == name and s.name == f"{name}_total"))

    def address(self, transport: Transport) -> tuple[str, int]:
        return next((one.address.host, one.address.port) for one in self.ready if one.transport is transport)

    async def received(self, messages: int) -> None:
        with trio.fail_after(PATIENCE):
            while self.total("received") < messages:
                await trio.lowlevel.checkpoint()


@asynccontextmanager
async def house(state: Path) -> AsyncIterator[House]:
    """Listener, normalizer, intake and spool; drained at the end, and held to the accounting."""
    metrics, rejects, stop, text = Metrics(), Rejects(), trio.Event(), StringIO()
    spool = open_spool(state, SpoolSettings(), (), metrics)
    intake = Intake(spool, metrics, rejects)
    serve = partial(
        serve_syslog,
        settings({"tcp": ["127.0.0.1:0"], "udp": ["127.0.0.1:0"]}),
        normalize=Normalizer().normalize,
        intake=intake,
        metrics=metrics,
        engine=Engine.NATIVE,
        clock=lambda: NOW_NS,
        log=open_log(text, LogSettings()),
        stop=stop,
    )
    try:
        async with trio.open_nursery() as commits:
            commits.start_soon(intake.run)
            async with trio.open_nursery() as nursery:
                found = House(await nursery.start(serve), metrics, rejects, text)
                yield found
                stop.set()
            commits.cancel_scope.cancel()
    finally:
        await spool.close()
    assert found.total("received") == sum(found.total(name) for name in ("normalized", "duplicate", "filtered", "rejected", "control"))
    assert "Traceback" not in text.getvalue()


def stream(count: int, noise: float) -> list[bytes]:
    events = islice(generate_events(Random(7), lambda: NOW_NS, noise=noise), count)
    return [message.encode_numbered(message.record_id) for message in encode_messages(events, event_xml.LAYOUT, Header.RFC5424, Framing.OCTET_COUNTING)]


async def send(address: tuple[str, int], octets: bytes) -> None:
    async with await trio.open_tcp_stream(*address) as sender:
        await sender.send_all(octets)


async def test_what_is_sent_is_kept_once(tmp_path: Path) -> None:
    messages = stream(2000, 0.5)
    async with house(tmp_path) as found:
        await send(found.address(Transport.TCP), b"".join(messages))
        await found.received(2000)
        kept = found.total("normalized")
        await send(found.address(Transport.TCP), b"".join(messages))
        await found.received(4000)
    assert found.total("rejected") == 0
    assert found.total("normalized") == found.total("duplicate") == kept
    assert found.total("committed") == kept
    assert 900 < kept < 1100


GOOD = stream(1, 0.0)[0].partition(b" ")[2]
PAYLOAD = GOOD[GOOD.index(b"<Event") :]

# headers and payloads as broken or hostile senders write them; where a header can't be followed to its end, what stands behind it is no event:
# whoever can put text into a log line could forge one
#   message      counted as      why
BAD_MESSAGES = [
    (b"<999>" + PAYLOAD, "event", "PRI above 191"),
    (b"<>" + PAYLOAD, "event", "empty PRI"),
    (b"<-1>" + PAYLOAD, "event", "negative PRI"),
    (b"<13>1 - - - - - -", "control", "a header of nothing but NILVALUEs"),
    (b"<1", "control", "half a PRI"),
    (b"", "control", "empty"),
    (b" " * 400, "control", "only spaces"),
    (b"<13>" + b"\xff\xfe\xfd" * 20, "rejected", "no text"),
    (b"x" * 60_000, "rejected", "60 kB of nothing"),
    (b"<13>1 2026-02-30T00:00:00Z h a - - - " + PAYLOAD, "event", "30 February"),
    (b"<13>1 2016-12-31T23:59:60Z h a - - - " + PAYLOAD, "event", "leap second"),
    (b"<13>1 0000-01-01T00:00:00Z h a - - - " + PAYLOAD, "event", "year 0"),
    (b"<13>1 2026-01-01T00:00:00+99:99 h a - - - " + PAYLOAD, "event", "an offset of 99 hours"),
    (b"<13>1 2026 h a - - - " + PAYLOAD, "rejected", "short timestamp"),
    (b"<13>1 2026-01-01T00:00:00Z h a - - [unterminated " + PAYLOAD, "rejected", "structured data that doesn't end"),
    (b"<13>1 2026-01-01T00:00:00Z h a - - " + b'[x a="b"]' * 1000 + b" " + PAYLOAD, "event", "a thousand SD-ELEMENTs"),
]


@pytest.mark.parametrize("transport", [Transport.TCP, Transport.UDP])
async def test_bad_messages_are_accounted_for_and_harm_nobody(tmp_path: Path, transport: Transport) -> None:
    async with house(tmp_path) as found:
        sent = 0
        for message, _, _ in BAD_MESSAGES:
            if transport is Transport.TCP and not message:
                continue  # no frame of octet counting is empty
            if transport is Transport.TCP:
                await send(found.address(transport), b"%d %b%d %b" % (len(message), message, len(GOOD), GOOD))
            else:
                with trio.socket.socket(type=trio.socket.SOCK_DGRAM) as sock:
                    for datagram in (message, GOOD):
                        await sock.sendto(datagram, found.address(transport))
            sent += 2
            await found.received(sent)
    assert found.total("received") == sent
    assert (found.total("normalized"), found.total("filtered")) == (1, 0)
    expected = Counter(outcome for message, outcome, _ in BAD_MESSAGES if message or transport is Transport.UDP)
    assert found.total("duplicate") == sent // 2 - 1 + expected["event"]
    assert {name: found.total(name) for name in ("rejected", "control")} == {name: expected[name] for name in ("rejected", "control")}
    assert [kept.origin.transport for kept in found.rejects.last(100)] == [transport] * expected["rejected"]
