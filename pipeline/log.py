"""What everything that logs is handed, how the log is set, and a bounded voice for complaints about peers.

A hostile peer can't fill a disk with lines about itself: `PeerLog` gives every peer a token bucket, and all of them together another
(CVE-2008-5618 was one line per refused datagram). How lines are written: `pipeline.log_lines`, which whoever only mentions a log never loads.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Literal, Protocol, Self

from pipeline.settings import Settings

Level = Literal["debug", "info", "warning", "error"]

PEER_BURST: Final = 5
PEER_SECONDS_PER_LINE: Final = 10.0
ALL_BURST: Final = 50
ALL_SECONDS_PER_LINE: Final = 0.5
MAX_PEERS: Final = 1024


class Log(Protocol):
    """`log.info("event", fact=value)`, as structlog's loggers have it."""

    def bind(self, **facts: object) -> Self:
        """A log whose lines have these facts too."""

    def debug(self, event: str, **facts: object) -> object:
        """Write a line."""

    def info(self, event: str, **facts: object) -> object:
        """Write a line."""

    def warning(self, event: str, **facts: object) -> object:
        """Write a line."""

    def error(self, event: str, **facts: object) -> object:
        """Write a line."""

    def exception(self, event: str, **facts: object) -> object:
        """Write a line, and the traceback of the exception at hand."""

    def log(self, level: int, event: str, **facts: object) -> object:
        """Write a line of a level, by its number in `logging`."""


class LogFormat(StrEnum):
    """How a line is written; `auto` is console on a terminal and JSON elsewhere."""

    AUTO = "auto"
    JSON = "json"
    CONSOLE = "console"


class LogSettings(Settings):
    """[log]: how the gateway's own log is written to stderr.

    format:  `console` for people, `json` for programs, `auto` for whichever reads it: a terminal, or anything else.
    level:   lines below it aren't written.
    """

    format: LogFormat = LogFormat.AUTO
    level: Level = "info"


@dataclass(slots=True)
class Bucket:
    """Lines that may be written: a burst of them, then one in so many seconds."""

    tokens: float
    at: float
    suppressed: int = 0

    def take(self, now: float, burst: int, seconds_per_line: float) -> bool:
        self.tokens = min(burst, self.tokens + max(0.0, now - self.at) / seconds_per_line)
        self.at = now
        if self.tokens < 1:
            return False
        self.tokens -= 1
        return True


class PeerLog:
    """Warnings about what peers do: five lines at once, then one in ten seconds per peer, two a second in all.

    A line says how many of its peer's went unsaid before it (`suppressed`); the counters have them all. The table of peers is bounded,
    the one that was quiet longest is forgotten first: forged source addresses can't grow it, and the common bucket holds them.

    Args:
        log: where lines go.
        clock: monotonic seconds.
    """

    def __init__(self, log: Log, clock: Callable[[], float]) -> None:
        self._log: Final = log
        self._clock: Final = clock
        self._peers: Final[OrderedDict[str, Bucket]] = OrderedDict()
        self._all: Final = Bucket(ALL_BURST, clock())

    def warning(self, event: str, *, peer: str, **facts: object) -> None:
        """Log a warning about `peer`, or count it as suppressed."""
        now = self._clock()
        bucket = self._peers.pop(peer, None) or Bucket(PEER_BURST, now)
        self._peers[peer] = bucket
        if len(self._peers) > MAX_PEERS:
            self._peers.popitem(last=False)
        if not bucket.take(now, PEER_BURST, PEER_SECONDS_PER_LINE) or not self._all.take(now, ALL_BURST, ALL_SECONDS_PER_LINE):
            bucket.suppressed += 1
            return
        if bucket.suppressed:
            facts["suppressed"], bucket.suppressed = bucket.suppressed, 0
        self._log.warning(event, peer=peer, **facts)
