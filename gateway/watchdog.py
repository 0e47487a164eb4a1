"""systemd's watchdog: pings while the gateway gets on with its work, and silence where it doesn't (sd_watchdog_enabled(3), WatchdogSec=).

Two things have to go on: the event loop, which is why a task of it pings, and the intake, behind which every listener waits. An intake that has nothing to
do, or whose spool says why it takes nothing in (a full disk, which a restart doesn't empty), is well. One that has ended no commit since the last look, though
batches wait, may hang; after WatchdogSec= of that systemd ends the process and starts another. Senders that wait for an acknowledgement send again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, Protocol

import trio

ALIVE: Final = "WATCHDOG=1"

LOOKS: Final = 4
"""Within the time systemd waits: one that finds a commit under way isn't the last."""


class Working(Protocol):
    """Whose progress is watched (`pipeline.intake`)."""

    @property
    def commits_ended(self) -> int: ...

    @property
    def has_work(self) -> bool: ...


def watchdog_interval(environ: Mapping[str, str], process: int) -> float | None:
    """Seconds within which systemd wants to hear from a process; None where it doesn't.

    Args:
        environ: WATCHDOG_USEC, and WATCHDOG_PID where it is meant for one process alone.
        process: our process ID.
    """
    microseconds, meant = environ.get("WATCHDOG_USEC", ""), environ.get("WATCHDOG_PID", str(process))
    if meant != str(process) or not (microseconds.isascii() and microseconds.isdigit()):
        return None
    return int(microseconds) / 1e6 or None


async def feed_watchdog(interval: float, working: Working, ping: Callable[[str], object]) -> None:
    """Ping until cancelled.

    Args:
        interval: what `watchdog_interval` said.
        working: what has to get on.
        ping: tells systemd.
    """
    ended = None
    while True:
        if not working.has_work or working.commits_ended != ended:
            ping(ALIVE)
        ended = working.commits_ended
        await trio.sleep(interval / LOOKS)
