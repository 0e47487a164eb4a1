"""Settings of the spool, and what it has to know about each consumer."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Literal

from pipeline.settings import Duration, Settings, Size
from pipeline.spool.row import Wants
from pipeline.state.settings import SessionSettings

MIB: Final = 1 << 20
DAY: Final = 86400.0


class Start(StrEnum):
    """Where a consumer that the spool has never seen begins."""

    END = "end"
    BEGINNING = "beginning"


class OnFull(StrEnum):
    """What happens when a destination lags behind by more than its quota."""

    BLOCK = "block"
    DROP_OLDEST = "drop-oldest"


class Witness(StrEnum):
    """Whose records can show that an authenticated sender's was kept before."""

    ANYBODY = "anybody"
    AUTHENTICATED = "authenticated"


class DuplicateSettings(Settings):
    """The table of records already kept.

    keep:     how long a key is remembered.
    max:      how many are; the oldest leave first, counted. One key takes 36 to 40 octets of memory and 16 on disk.
    witness:  whose records an authenticated sender's can be the duplicate of: `anybody`'s, or only those of `authenticated` senders, so that nobody
              masks an event by forging its like. One that came first without a proof of its sender and then with one is then kept twice, with one uid.
    """

    keep: Duration = DAY
    max: int = 2_000_000
    witness: Witness = Witness.ANYBODY


class SpoolSettings(Settings):
    """`[spool]`.

    kind:          how it is kept; `sqlite` is the embedded one.
    max_bytes:     compressed octets of rows at which intake stops, until a destination has taken some. One group commit may go over it.
    duplicates:    how long and how many records are known again.
    keep_removed:  how long a destination that left the configuration keeps its place.
    sessions:      how long and how many VPN sessions are known.
    """

    kind: Literal["sqlite"] = "sqlite"
    max_bytes: Size = 4096 * MIB
    duplicates: DuplicateSettings = DuplicateSettings()
    keep_removed: Duration = 7 * DAY
    sessions: SessionSettings = SessionSettings()


@dataclass(frozen=True, slots=True)
class Consumer:
    """Somebody who reads the spool and owns a cursor in it.

    name:          of the forwarder.
    start:         where it begins if the spool has never seen it.
    quota:         compressed octets between its cursor and the head that it may lag behind; None for as many as the spool holds.
    on_full:       what happens beyond that.
    wants:         its filter, so that dropping counts what is lost to it and no more; None takes everything.
    dead_letters:  records that may be parked for it.
    """

    name: str
    start: Start = Start.END
    quota: int | None = None
    on_full: OnFull = OnFull.BLOCK
    wants: Wants | None = None
    dead_letters: int = 10_000
