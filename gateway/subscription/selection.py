"""What a [[listeners.wef.subscriptions]] table selects: the events of its profile, or its own query file."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from listeners.wef.settings import SubscriptionSettings
from pipeline.errors import ConfigError, MessageError
from wire.event import EventKey
from wire.soap_encoding import decode_body
from wire.wef.query import Query, build_queries, parse_query_list


def select(settings: SubscriptionSettings, keys: Iterable[EventKey], channel: str | None = None) -> tuple[Query, ...]:
    """The queries, one channel's or all.

    Args:
        settings: the table.
        keys: events of its profile.
        channel: one channel alone; None for all.

    Raises:
        ConfigError: its query file can't be read, or there is nothing of that channel.
    """
    queries = build_queries(keys) if settings.query is None else _read(settings.query)
    if channel is None:
        return queries
    found = (Query(tuple(each for each in query.selectors if each.channel.lower() == channel.lower())) for query in queries)
    chosen = tuple(query for query in found if query.selectors)
    if not chosen:
        names = sorted({each.channel for query in queries for each in query.selectors})
        raise ConfigError(f"channel {channel}", "nothing is selected from it", f"use one of {', '.join(names)}")
    return chosen


def _read(path: Path) -> tuple[Query, ...]:
    try:
        return parse_query_list(decode_body(path.read_bytes()).text)
    except OSError as error:
        raise ConfigError(f"query {path}", f"cannot be read: {error.strerror}") from error
    except MessageError as error:
        raise ConfigError(f"query {path}", str(error), "give a file that holds one QueryList element") from error
