"""Settings of what is known of sessions."""

from __future__ import annotations

from pydantic import Field

from pipeline.settings import Duration, Settings

HOUR = 3600.0


class SessionSettings(Settings):
    """`[spool.sessions]`: the table of VPN sessions.

    idle:         silence after which a session has ended.
    keep_closed:  how long one that has ended is still known, since events that belong to it come late.
    max:          how many are known; those that ended first leave first, counted. One takes about 0.4 kB of memory and 0.2 kB on disk.
    """

    idle: Duration = 24 * HOUR
    keep_closed: Duration = HOUR
    max: int = Field(default=200_000, ge=1)
