"""What `tidegate size` knows of sensors and plans gateways with: `capacity.toml`, typed."""

from __future__ import annotations

import tomllib
from importlib import resources
from typing import Final

from pipeline.errors import ConfigError
from pipeline.settings import Settings

FILE: Final = "capacity.toml"


class Step(Settings):
    """What a sensor needs of cores and memory (GB) for busy packets/s up to `up_to`."""

    up_to: float
    cores: float
    memory_gb: float


class Profile(Settings):
    """The product at one time: its table, and how many sensors an instance takes."""

    name: str
    sensors: int
    steps: tuple[Step, ...]


class Busy(Settings):
    """Busy packets/s: the mean of the busiest `window_s` of `whole_s`."""

    window_s: float
    whole_s: float


class Maybe(Settings):
    """From where on the product isn't sure: this many packets/s, or a busy time so many times above the mean."""

    peak_factor: float
    packets: float


class Machine(Settings):
    """What a machine under a sensor has at least, and the share of its CPU and memory that the sensor leaves free."""

    cores: int
    memory_gb: float
    disk_gb: float
    free_share: float


class Standalone(Settings):
    """A whole machine that sees several domain controllers' traffic."""

    steps: tuple[Step, ...]


class GatewayPlan(Settings):
    """What a gateway is planned with; what each is for stands in the file."""

    core_share: float
    commits_cores: float
    destination_us: float
    cores: int
    memory_mb: int
    system_mb: int
    stored_share: float
    slack: float
    beside_mb: int


class Capacity(Settings):
    """All of it."""

    busy: Busy
    maybe: Maybe
    machine: Machine
    profiles: tuple[Profile, ...]
    standalone: Standalone
    gateway: GatewayPlan

    def profile(self, name: str) -> Profile:
        """The product by its profile's name.

        Raises:
            ConfigError: there is none such.
        """
        found = next((profile for profile in self.profiles if profile.name == name), None)
        if found is None:
            raise ConfigError(f"profile {name!r}", "has no table of capacities", f"choose of {', '.join(profile.name for profile in self.profiles)}")
        return found


def load_capacity() -> Capacity:
    """The package's own file."""
    return Capacity.model_validate(tomllib.loads((resources.files("gateway.size") / FILE).read_text(encoding="utf-8")))


def find_step(steps: tuple[Step, ...], packets: float) -> Step | None:
    """The first step that reaches so far; None beyond the last."""
    return next((step for step in steps if packets <= step.up_to), None)
