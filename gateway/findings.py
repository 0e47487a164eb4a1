"""What a check finds: one line each, for a person or a program."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path

from gateway.config import Config


class Level(StrEnum):
    """How bad."""

    OK = "ok"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at.

    what:  the setting, file or address.
    why:   how it is.
    fix:   what to do about it; empty where nothing has to be done.
    """

    level: Level
    what: str
    why: str
    fix: str = ""


@dataclass(frozen=True, slots=True)
class Subject:
    """What is checked.

    running:  whether a gateway holds the state directory now: the addresses are then its own.
    """

    config: Config
    source: Path | None
    now: datetime
    running: bool


Check = Callable[[Subject], Iterator[Finding]]
