"""Both engines on the same messages: whatever comes, their batches are equal, octet for octet."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from normalizers.native import NativeNormalizer
from normalizers.normalizer import Normalizer
from normalizers.profiles import Profile, load_profile
from normalizers.settings import NormalizeSettings
from pipeline.model import Batch, Frames, Origin, Transport, Trust
from wire.layouts.layout import Reading

ORIGIN = Origin("listeners.syslog", Transport.TCP, "192.0.2.10", 1_710_504_001_000_999_999)


def frames_of(messages: Sequence[bytes], trust: Trust | None = None) -> Frames:
    """The messages one behind the other, with an octet between them that belongs to none."""
    buffer, spans = bytearray(), array("I")
    for message in messages:
        spans.extend((len(buffer), len(buffer) + len(message)))
        buffer += message + b"\n"
    return Frames(bytes(buffer), spans, ORIGIN, trust or Trust())


shipped = cache(load_profile)


class Engines:
    """A profile on both engines."""

    def __init__(
        self,
        profile: Profile | str | Path = "aatp-2020",
        settings: NormalizeSettings | None = None,
        *,
        reading: Reading | None = None,
        keep_all: bool = False,
    ) -> None:
        self.reference = Normalizer(profile if isinstance(profile, Profile) else shipped(profile), settings, reading=reading, keep_all=keep_all)
        self.native = NativeNormalizer(self.reference.profile, settings, reading=reading, keep_all=keep_all)

    def agree(self, messages: Sequence[bytes]) -> Batch:
        """The batch that both make of messages of any layout."""
        frames = frames_of(messages)
        return equal(self.native.normalize(frames), self.reference.normalize(frames))

    def agree_on_events(self, messages: Sequence[bytes], trust: Trust | None = None) -> Batch:
        """The batch that both make of messages that are events."""
        frames = frames_of(messages, trust)
        return equal(self.native.normalize_events(frames), self.reference.normalize_events(frames))

    def share_left(self) -> float:
        """Which part of all messages so far the kernel left to the reference engine."""
        return self.native.left / max(1, self.native.judged)


def equal(native: Batch, reference: Batch) -> Batch:
    """The one batch that both are."""
    assert native.records.splitlines() == reference.records.splitlines()
    assert native.index.columns == reference.index.columns
    assert native == reference
    return native
