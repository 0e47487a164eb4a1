"""The workloads: files of messages as they go over the wire, generated once from fixed seeds and kept below .cache/bench.

    name          what is in it
    xml           event XML under RFC 5424 headers, octet-counted, a tenth of it wanted
    xml-all       the same, every event wanted
    cef           ArcSight's CEF under RFC 5424 headers, lines, a tenth of it wanted
    datagrams     `xml` without framing; lengths stand in front of each as four octets, little-endian
    radius        signed Accounting-Requests, lengths in front as above
    evtx          an EVTX file, every event wanted
    wef           empty: `tidegate simulate wef` draws the events itself

Beside each lies NAME.json: how many messages, how many wanted, octets. Events are drawn from 20,000 templates and numbered, so that
none is a duplicate of another.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from hashlib import md5
from itertools import cycle, islice
from pathlib import Path
from random import Random
from typing import Final

from support.evtx_writer import write_evtx

from gateway.simulate.events import REQUIRED_IDS, generate_events
from gateway.simulate.messages import Header, Message, encode_message
from wire.layouts.detect import BY_NAME
from wire.syslog_framing import Framing

FOLDER: Final = Path(__file__).parents[2] / ".cache" / "bench"
SEED: Final = 20_260_501
TEMPLATES: Final = 20_000
START_NS: Final = 1_777_000_000_000_000_000
STEP_NS: Final = 1_000_000
LENGTH: Final = struct.Struct("<I")
SECRET: Final = b"benchmark-shared-secret"
GENERATION: Final = 1  # rises whenever this file changes what it writes


@dataclass(frozen=True, slots=True)
class Workload:
    """A file and what is in it.

    messages, wanted:  how many, and how many of them a receiver has to write.
    octets:            of the messages, without framing.
    """

    path: Path
    messages: int
    wanted: int
    octets: int


def prepare(name: str, messages: int) -> Workload:
    """The workload of this name with so many messages, generated unless it lies there."""
    path = FOLDER / f"{name}-{messages}-{GENERATION}"
    facts = path.with_suffix(".json")
    if not facts.exists():
        FOLDER.mkdir(parents=True, exist_ok=True)
        print(f"generating {path.name}", flush=True)
        with path.open("wb", buffering=1 << 20) as file:
            wanted, octets = WRITERS[name](file.write, messages)
        facts.write_text(json.dumps({"messages": messages, "wanted": wanted, "octets": octets}))
    return Workload(path, **json.loads(facts.read_text()))


Write = Callable[[bytes], object]


def _templates(layout: str, noise: float, framing: Framing) -> Iterator[Message]:
    times = iter(range(START_NS, START_NS + TEMPLATES * STEP_NS * 4, STEP_NS))
    events = generate_events(Random(SEED), lambda: next(times), noise=noise)  # noqa: S311 - a workload
    messages = (encode_message(event, BY_NAME[layout], Header.RFC5424, framing) for event in events)
    return islice((message for message in messages if message is not None), TEMPLATES)


def _numbered(layout: str, noise: float, framing: Framing, count: int) -> Iterator[tuple[bytes, bool]]:
    """Framed messages, and whether each is wanted."""
    templates = list(_templates(layout, noise, framing))
    for number, message in enumerate(islice(cycle(templates), count)):
        yield message.encode_numbered(100_000_000 + number), message.event_id in REQUIRED_IDS


def _stream(layout: str, noise: float, framing: Framing, write: Write, count: int) -> tuple[int, int]:
    wanted = octets = 0
    for framed, is_wanted in _numbered(layout, noise, framing, count):
        write(framed)
        wanted += is_wanted
        octets += len(framed)
    return wanted, octets


def _datagrams(write: Write, count: int) -> tuple[int, int]:
    wanted = octets = 0
    for message, is_wanted in _numbered("event-xml", 0.9, Framing.UNDECIDED, count):
        write(LENGTH.pack(len(message)) + message)
        wanted += is_wanted
        octets += len(message)
    return wanted, octets


def _radius(write: Write, count: int) -> tuple[int, int]:
    """Interim-Updates and the like of many sessions, 22 attributes each, signed (RFC 2866 section 3)."""
    octets = 0
    for number in range(count):
        body = b"".join(bytes((kind, len(value) + 2)) + value for kind, value in _attributes(number))
        head = struct.pack("!BBH", 4, number % 256, 20 + len(body))
        authenticator = md5(head + bytes(16) + body + SECRET, usedforsecurity=False).digest()
        packet = head + authenticator + body
        write(LENGTH.pack(len(packet)) + packet)
        octets += len(packet)
    return count, octets


def _attributes(number: int) -> Iterator[tuple[int, bytes]]:
    session, status = divmod(number, 3)
    word = struct.Struct("!I").pack
    yield 1, b"CONTOSO\\user%05d" % (session % 6000)
    yield 4, bytes((192, 0, 2, 1 + session % 200))
    yield 5, word(session % 4096)
    yield 6, word(2)
    yield 7, word(1)
    yield 8, bytes((10, 8, session >> 8 & 255, session & 255))
    yield 25, b"class-%08x" % session
    yield 30, b"vpn.contoso.example"
    yield 31, b"203.0.113.%d" % (session % 250)
    yield 32, b"vpn-gw%d" % (1 + session % 200)
    yield 40, word((1, 3, 2)[status])
    yield 41, word(0)
    yield 42, word(1_000_000 + number)
    yield 43, word(5_000_000 + number)
    yield 44, b"%08X" % session
    yield 45, word(1)
    yield 46, word(60 * status)
    yield 47, word(2999)
    yield 48, word(4021)
    yield 50, b"%08X" % (session >> 4)
    yield 55, word(1_777_000_000 + number // 100)
    yield 61, word(5)


def _evtx(write: Write, count: int) -> tuple[int, int]:
    times = iter(range(START_NS, START_NS + (count + 1) * STEP_NS, STEP_NS))
    data = write_evtx(islice(generate_events(Random(SEED), lambda: next(times)), count))  # noqa: S311 - a workload
    write(data)
    return count, len(data)


WRITERS: Final[dict[str, Callable[[Write, int], tuple[int, int]]]] = {
    "xml": partial(_stream, "event-xml", 0.9, Framing.OCTET_COUNTING),
    "xml-all": partial(_stream, "event-xml", 0.0, Framing.OCTET_COUNTING),
    "cef": partial(_stream, "cef", 0.9, Framing.NON_TRANSPARENT),
    "datagrams": _datagrams,
    "radius": _radius,
    "evtx": _evtx,
    "wef": lambda _write, count: (count, 0),
}
