"""The normalizer that a configuration asks for, for whoever needs one: the gateway, `check`, `explain`; and the one in force, which a reload changes."""

from __future__ import annotations

from gateway.config import Config
from kernel import Engine
from normalizers.native import NativeNormalizer
from normalizers.normalizer import Normalizer
from pipeline.metrics import Metrics
from pipeline.model import Batch, Frames
from wire.layouts.layout import Reading


def make_normalizer(config: Config) -> Normalizer:
    """One normalizer of the engine that runs.

    Raises:
        ConfigError: the profile is unknown or can't be read.
    """
    syslog = config.listeners.syslog
    reading = Reading(mode=syslog.mode, zone_offset_minutes=syslog.zone) if syslog else Reading()
    engine = NativeNormalizer if config.gateway.engine is Engine.NATIVE else Normalizer
    return engine(config.gateway.profile, config.normalize, reading=reading, keep_all=config.gateway.keep == "all")


class NormalizerInForce:
    """What listeners call: another normalizer's methods from one call to the next, where it was renewed between.

    Args:
        normalizer: the first.
    """

    def __init__(self, normalizer: Normalizer) -> None:
        self._normalizer = normalizer
        self._judged = self._left = 0

    def renew(self, normalizer: Normalizer) -> None:
        """Call this one from now on."""
        self._judged, self._left = self.judged, self.left
        self._normalizer = normalizer

    @property
    def turn_octets(self) -> int:
        return self._normalizer.turn_octets

    def normalize(self, frames: Frames) -> Batch:
        return self._normalizer.normalize(frames)

    def normalize_events(self, frames: Frames) -> Batch:
        return self._normalizer.normalize_events(frames)

    def normalize_radius(self, frames: Frames, vendor: str = "") -> Batch:
        return self._normalizer.normalize_radius(frames, vendor)

    @property
    def judged(self) -> int:
        """Messages that the native engine was given, since start."""
        return self._judged + (self._normalizer.judged if isinstance(self._normalizer, NativeNormalizer) else 0)

    @property
    def left(self) -> int:
        """Those of them that it left to the reference engine."""
        return self._left + (self._normalizer.left if isinstance(self._normalizer, NativeNormalizer) else 0)

    def show(self, metrics: Metrics) -> None:
        """Have the metrics show how much the native engine left."""
        metrics.judged.set_function(lambda: self.judged)
        metrics.left.set_function(lambda: self.left)
