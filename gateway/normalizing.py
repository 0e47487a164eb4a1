"""The normalizer that a configuration asks for, for whoever needs one: the gateway, `check`, `explain`."""

from __future__ import annotations

from gateway.config import Config
from kernel import Engine
from normalizers.native import NativeNormalizer
from normalizers.normalizer import Normalizer
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
