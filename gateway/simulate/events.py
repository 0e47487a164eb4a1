"""Windows events as a few domain controllers would log them: the required ones, and ordinary noise around them.

Everything drawn comes from one seeded `random.Random` and every time from the clock that is passed in, so that the same seed
and clock give the same events. EventRecordID rises by one per (computer, channel), as Windows counts it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from random import Random
from typing import Final

from gateway.simulate.estate import Estate, build_estate
from gateway.simulate.kinds import FAILURE, NOISE, REQUIRED, Kind
from wire.event import EventTime, WindowsEvent
from wire.event_time import format_iso

REQUIRED_IDS: Final = frozenset(kind.event_id for kind in REQUIRED)

TICK_NS: Final = 100  # the resolution of a Windows FILETIME
FIRST_RECORD: Final = range(1_000_000, 100_000_000)  # logs have a past when the simulation begins


def generate_events(
    random: Random,
    clock: Callable[[], int],
    *,
    noise: float = 0.0,
    only: frozenset[str] | None = None,
    estate: Estate | None = None,
) -> Iterator[WindowsEvent]:
    """Events without end; each carries the clock's time at the moment it is asked for.

    Args:
        random: source of every choice.
        clock: nanoseconds since the Unix epoch.
        noise: share of events that no identity sensor asks for, 0.0 to 1.0.
        only: event IDs to draw, None for all; an ID that is in neither table is never drawn.
        estate: who takes part; built from `random` if None.
    """
    estate = estate or build_estate(random)
    tables = [_weigh(REQUIRED, only), _weigh(NOISE, only)]
    if not any(kinds for kinds, _ in tables):
        return
    records: dict[tuple[str, str], int] = {}
    while True:
        kinds, weights = tables[1] if random.random() < noise else tables[0]
        if not kinds:
            kinds, weights = tables[0] if tables[0][0] else tables[1]
        kind = random.choices(kinds, cum_weights=weights)[0]
        computer = random.choice(estate.controllers)
        log = (computer, kind.source.channel)
        records[log] = records[log] + 1 if log in records else random.choice(FIRST_RECORD)
        yield draw_event(kind, random, estate, computer=computer, record_id=records[log], unix_ns=clock())


def draw_event(kind: Kind, random: Random, estate: Estate, *, computer: str, record_id: int, unix_ns: int) -> WindowsEvent:
    """One event of a kind; its time is cut to the 100 ns that Windows keeps and written with nine digits, as WEF does."""
    values = kind.draw(random, estate)
    unix_ns -= unix_ns % TICK_NS
    text = format_iso(unix_ns, 9)
    return WindowsEvent(
        event_id=kind.event_id,
        channel=kind.source.channel,
        provider=kind.source.provider,
        provider_guid=kind.source.guid,
        event_source_name=kind.source.event_source_name,
        computer=computer,
        time=EventTime(unix_ns, text, 9),
        time_text=text,
        record_id=str(record_id),
        version=kind.version,
        level=kind.level,
        task=kind.task,
        opcode="0",
        keywords=FAILURE if kind.failed(values) else kind.keywords,
        qualifiers=kind.qualifiers,
        process_id=str(random.randrange(500, 900, 4)),
        thread_id=str(random.randrange(900, 9000, 4)),
        user_sid=kind.user_sid,
        data=tuple(zip(kind.names, values, strict=True)),
    )


def _weigh(kinds: tuple[Kind, ...], only: frozenset[str] | None) -> tuple[tuple[Kind, ...], list[int]]:
    """The kinds asked for, and their cumulative weights."""
    chosen = tuple(kind for kind in kinds if only is None or kind.event_id in only)
    total, weights = 0, []
    for kind in chosen:
        total += kind.weight
        weights.append(total)
    return chosen, weights
