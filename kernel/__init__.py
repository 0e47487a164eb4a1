"""The native kernel's typed face: functions over buffers, and datagrams in bursts, with the GIL released, no Python object per message.

What each function means is written in its readable twin (`wire.syslog_framing`, `wire.sldc`, `wire.radius`); tests hold the two equal. Compression has
no twin: its documents are RFC 8878 and `_native.pyi`, its oracle in tests another binding of zstd.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TypeAlias

from kernel._native import (
    Burst,
    KeySet,
    NativeAccounting,
    NativeBatch,
    Normalizer,
    Receiver,
    Retransmissions,
    Room,
    SessionPlan,
    SessionTable,
    compress,
    decode_utf_16,
    decompress,
    encode_responses,
    find_expanding,
    highest_record_ids,
    is_legal_xml,
    loose_lines,
    parse_changes,
    render_chunks,
    scan_counted,
    scan_trailed,
    scan_wrapped_events,
    sldc_decode,
    sldc_encode,
    verify_requests,
)

__all__ = [
    "Burst",
    "Engine",
    "KeySet",
    "NativeAccounting",
    "NativeBatch",
    "Normalizer",
    "Octets",
    "Receiver",
    "Retransmissions",
    "Room",
    "SessionPlan",
    "SessionTable",
    "compress",
    "decode_utf_16",
    "decompress",
    "encode_responses",
    "find_expanding",
    "highest_record_ids",
    "is_legal_xml",
    "loose_lines",
    "parse_changes",
    "render_chunks",
    "scan_counted",
    "scan_trailed",
    "scan_wrapped_events",
    "sldc_decode",
    "sldc_encode",
    "verify_requests",
]

Octets: TypeAlias = bytes | Room
"""What messages are cut out of. A slice is a copy, `octets[:]` the octets themselves as bytes. A room's are there until it is used again."""


class Engine(StrEnum):
    """Which implementation runs where there are two: TIDEGATE_ENGINE, `replay --engine`."""

    NATIVE = "native"
    REFERENCE = "reference"
