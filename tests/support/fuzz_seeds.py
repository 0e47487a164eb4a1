"""What the kernel's fuzz targets (kernel/fuzz) start from: `make fuzz` runs this. Normalizers' documents, and for each target a folder of fixtures.

documents/   of the profile mdi-current, of the same with everything kept, and an event
seeds/NAME/  inputs of a target, each a file; a target without a folder needs none, its input is structured
"""

from __future__ import annotations

import struct
import sys
from collections.abc import Iterable
from itertools import chain
from pathlib import Path
from typing import Final

from support.accounting import parse_hex
from support.events import SAMPLES
from support.evtx_bombs import BOMBS, HARMLESS, OVERLAPPING
from support.evtx_writer import CHUNK, FIRST_CHUNK, records_of, write_evtx
from support.replays import EVENTS

import kernel
from normalizers.native_plan import encode_profile
from normalizers.profiles import load_profile
from normalizers.settings import NormalizeSettings
from pipeline.model import SessionChange, SessionEvent
from pipeline.state.changes import encode_changes
from wire.event_xml import Rendering, encode_event
from wire.layouts.detect import BY_NAME
from wire.layouts.layout import Reading

FIXTURES: Final = Path(__file__).parents[2] / "fixtures"
HEADERS: Final = (b"<13>Mar 15 12:00:00 dc01 evt[719]: ", b"<13>1 2024-03-15T12:00:00.123456Z dc01.contoso.example evt 719 - - ", b"")
RADIUS_HEADER: Final = 20
RECORD_HEADER, RECORD_END = 24, 4
BEGUN_AT_MS: Final = 1_795_000_000_000


def write_documents(folder: Path) -> None:
    """What the targets normalize with."""
    folder.mkdir(parents=True, exist_ok=True)
    profile = load_profile("mdi-current")
    for name, keep_all in (("profile", False), ("everything", True)):
        (folder / name).write_bytes(encode_profile(profile, NormalizeSettings(), Reading(), keep_all=keep_all))
    (folder / "event.xml").write_bytes(encode_event(SAMPLES["4728"]))


def write_seeds(folder: Path) -> None:
    """Of each target."""
    for name, seeds in seeds_of(folder.parent / "documents").items():
        (folder / name).mkdir(parents=True, exist_ok=True)
        for number, seed in enumerate(seeds):
            (folder / name / f"{number:03}").write_bytes(seed)


def seeds_of(documents: Path) -> dict[str, list[bytes]]:
    """Inputs by target."""
    events = [path.read_bytes() for path in sorted((FIXTURES / "events").rglob("*.xml"))]
    events += [encode_event(event, rendering) for event in SAMPLES.values() for rendering in Rendering]
    messages = [path.read_bytes() for name in ("siem", "syslog") for path in sorted((FIXTURES / name).glob("*.txt"))]
    written = [layout.encode_event(SAMPLES["4776"]) for layout in BY_NAME.values()]
    streams = [b"".join(b"%d %s\n" % (len(message), message) for message in group) for group in ((b"<1>a", b"<2>bc"), messages[:2], (b"x" * 65, b"<3>d"))]
    files = [path.read_bytes() for path in sorted((FIXTURES / "wef").glob("*.xml"))]
    packets = [parse_hex(path.read_text("utf-8")) for path in sorted((FIXTURES / "radius").glob("*.hex"))]
    file = write_evtx(EVENTS[:60], per_chunk=20)
    return {
        "changes": [encode_changes([None, SessionChange(event, "192.0.2.1", "1", "u", "d", "10.8.0.1", "c", BEGUN_AT_MS, None)]) for event in SessionEvent],
        "document": [path.read_bytes() for path in sorted(documents.iterdir())],
        "event_xml": events,
        "evtx_chunks": [
            file[FIRST_CHUNK:][:CHUNK],
            file[FIRST_CHUNK:][: 2 * CHUNK],
            *(make()[:CHUNK] for make in (*BOMBS.values(), *HARMLESS.values(), OVERLAPPING)),
        ],
        "evtx_record": list(
            chain(binary_xml_of(file[:FIRST_CHUNK] + file[FIRST_CHUNK:][:CHUNK]), *(first_of(make()) for make in (*BOMBS.values(), *HARMLESS.values())))
        ),
        "json_layouts": [text[1:] for text in (*messages, *written) if text.startswith(b"{")],
        "legal_xml": events[:6],
        "lines": [b"\n".join(messages), b"<1>a\n b\n<23>c\n<>\n<1234>d\n<1\n"],
        "pair_layouts": [b"\x07" + text for text in (*messages, *written)],
        "radius": [packet[RADIUS_HEADER:] for packet in packets] + packets,
        "record_ids": events,
        "sldc": [b"", b"\xff\x80\xff\x9f", *(kernel.sldc_encode(text) for text in (b"a" * 3000, *files[:3], events[0].decode().encode("utf-16-le")))],
        "syslog_counted": [*streams, b"0 ", b"12345678 ", b"\n\r\x005 <1>ab"],
        "syslog_headers": [header + payload for header in HEADERS for payload in (*messages, *written, events[0])],
        "syslog_trailed": [b"\r\n".join(messages), b"<1>a\n\n<2>b\x00<3>c\r\n" + b"x" * 70 + b"\n"],
        "utf_16": [
            text.decode("utf-8", "replace").encode(form) for text in (events[0], "\U0001f511\ufffeé\x01".encode()) for form in ("utf-16-le", "utf-16-be")
        ],
        "wrapped_events": files,
        "zstd": [kernel.compress(text) for text in (b"", b"a" * 5000, *events[:4])],
    }


def binary_xml_of(file: bytes) -> Iterable[bytes]:
    """A file's first record, whose templates stand in it, and the next ones, whose templates don't."""
    for at in records_of(file)[:4]:
        (size,) = struct.unpack_from("<I", file, at + 4)
        yield file[at + RECORD_HEADER : at + size - RECORD_END]


def first_of(chunk: bytes) -> Iterable[bytes]:
    """A chunk's first record."""
    return list(binary_xml_of(bytes(FIRST_CHUNK) + chunk))[:1]


if __name__ == "__main__":
    root = Path(sys.argv[1])
    write_documents(root / "documents")
    write_seeds(root / "seeds")
