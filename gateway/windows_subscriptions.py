"""From a [[listeners.wef.subscriptions]] table to the Windows subscriptions that sources are told of: one for each channel, `identity/Security`.

One for each, since a channel added to an existing subscription makes its sources send that channel's whole log.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Final

from listeners.wef.conversation import Offered
from listeners.wef.identity import NameList
from listeners.wef.settings import Format, SubscriptionSettings
from normalizers.profiles import load_profile
from pipeline.errors import ConfigError, MessageError
from wire.wef.query import ChannelQuery, build_queries, parse_query_list, split_by_channel
from wire.wef.subscription import ContentFormat, Subscription

FORMATS: Final = {Format.RAW: ContentFormat.RAW, Format.RENDERED_TEXT: ContentFormat.RENDERED_TEXT}


def expand_all(tables: Iterable[SubscriptionSettings]) -> tuple[Offered, ...]:
    """Every Windows subscription of the listener, and who is offered it.

    Raises:
        ConfigError: a profile or a query can't be used.
    """
    return tuple(Offered(table.name, subscription, NameList(table.clients)) for table in tables for subscription in expand(table))


def expand(table: SubscriptionSettings) -> tuple[Subscription, ...]:
    """The Windows subscriptions of one table, by name of their channel.

    Raises:
        ConfigError: the profile or the query can't be used.
    """
    channels = split_by_channel(build_queries(load_profile(table.profile).keys)) if table.query is None else _read_query(table.query)
    return tuple(_subscription(table, channel) for channel in channels)


def _read_query(path: Path) -> tuple[ChannelQuery, ...]:
    try:
        found = split_by_channel(parse_query_list(path.read_bytes()))
    except OSError as error:
        raise ConfigError(f"query {path}", f"cannot be read: {error.strerror}") from error
    except MessageError as error:
        raise ConfigError(f"query {path}", str(error), "give a file that holds one QueryList element, in UTF-8") from error
    if not found:
        raise ConfigError(f"query {path}", "it selects nothing", "give it a Select")
    return found


def _subscription(table: SubscriptionSettings, channel: ChannelQuery) -> Subscription:
    return Subscription(
        name=f"{table.name}/{channel.channel}",
        query=channel.text,
        heartbeat=table.heartbeat,
        max_time=table.max_time,
        max_envelope_size=table.max_envelope,
        max_elements=table.max_items,
        retries=table.connection_retries,
        retry_after=table.connection_retry_interval,
        content_format=FORMATS[table.format],
        locale=table.locale,
        data_locale=table.locale,
        read_existing=table.read_existing,
        compressed=table.compression,
        ignore_channel_error=table.ignore_channel_errors,
    )
