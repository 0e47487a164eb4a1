"""Accounting packets for the normalizer: the fixtures, packets of named attributes, and the Frames that carry them."""

from __future__ import annotations

import json
from array import array
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from normalizers.normalizer import Normalizer
from pipeline.model import Batch, Frames, Origin, Transport, Trust
from wire.radius.authenticators import ZEROS
from wire.radius.named import encode_named
from wire.radius.packet import Code, Packet, encode_packet

FIXTURES: Final = Path(__file__).parents[2] / "fixtures" / "radius"
ARRIVAL_MS: Final = 1_710_504_001_000
PEER: Final = "192.0.2.99"
NORMALIZER: Final = Normalizer()

Pairs = Sequence[tuple[str, str]]


def parse_hex(text: str) -> bytes:
    """A packet of hex, comments behind `#`."""
    return bytes.fromhex("".join(line.partition("#")[0] for line in text.splitlines()))


def fixture(name: str) -> bytes:
    """One of fixtures/radius/*.hex."""
    return parse_hex((FIXTURES / f"{name}.hex").read_text("utf-8"))


def packet_of(*pairs: tuple[str, str]) -> bytes:
    """An accounting packet of these attributes; nobody who gets it verifies it."""
    return encode_packet(Packet(Code.ACCOUNTING_REQUEST, 7, ZEROS, encode_named(pairs)))


def frames_of(*packets: bytes, peer: str = PEER, arrival_ms: int = ARRIVAL_MS, aliases: bytes = b"", keep: bool = False, trust: Trust | None = None) -> Frames:
    """Packets as one burst."""
    buffer, spans = bytearray(), array("I")
    for packet in packets:
        spans.extend((len(buffer), len(buffer) + len(packet)))
        buffer += packet
    origin = Origin("listeners.radius", Transport.UDP, peer, arrival_ms * 1_000_000, "vpn1")
    return Frames(bytes(buffer), spans, origin, trust or Trust(), aliases, keep)


def normalized(*packets: bytes, normalizer: Normalizer = NORMALIZER, vendor: str = "", peer: str = PEER, arrival_ms: int = ARRIVAL_MS) -> Batch:
    """A burst's batch."""
    return normalizer.normalize_radius(frames_of(*packets, peer=peer, arrival_ms=arrival_ms), vendor)


def record_of(packet: bytes, normalizer: Normalizer = NORMALIZER, vendor: str = "", peer: str = PEER, arrival_ms: int = ARRIVAL_MS) -> dict[str, Any]:
    """The record of a packet that has to be kept."""
    batch = normalized(packet, normalizer=normalizer, vendor=vendor, peer=peer, arrival_ms=arrival_ms)
    assert not batch.rejected, batch.rejects
    record: dict[str, Any] = json.loads(batch.records)
    return record
