"""What a check finds: one line each, for a person or a program."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path

from gateway.config import Config


class Level(StrEnum):
    """How bad; `unknown` where it can't be known from here, and somebody has to look."""

    OK = "ok"
    UNKNOWN = "unknown"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at.

    what:   the setting, file or address.
    why:    how it is.
    fix:    what to do about it, or where to look; empty where nothing has to be done.
    check:  which check found it, by its name in the table of all checks.
    """

    level: Level
    what: str
    why: str
    fix: str = ""
    check: str = ""


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
