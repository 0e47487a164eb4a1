"""Events for the simulator from files: EVTX, read and parsed as replay reads them."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path

from listeners.evtx import Damage, read_evtx
from pipeline.errors import ConfigError, MessageError
from pipeline.model import Origin, Transport
from wire.event import WindowsEvent
from wire.event_xml import parse_event


def read_events(paths: Iterable[Path]) -> Iterator[WindowsEvent]:
    """Every event of EVTX files that can be read, in their order; damages are passed over (`tidegate replay` names them).

    Raises:
        ConfigError: a file can't be opened.
    """
    for path in paths:
        origin = partial(Origin, "simulate", Transport.FILE, str(path), time.time_ns())
        try:
            with path.open("rb") as file:
                for reading in read_evtx(file, origin):
                    if not isinstance(reading, Damage):
                        yield from _parse(reading.buffer[start:end] for start, end in reading.pairs())
        except OSError as error:
            raise ConfigError(f"--from {path}", error.strerror or str(error), "name EVTX files") from error


def _parse(messages: Iterable[bytes]) -> Iterator[WindowsEvent]:
    for message in messages:
        try:
            yield parse_event(message)
        except MessageError:
            continue
