"""`tidegate subscription wecutil`: the same subscription for a collector of Windows' own, to be created with `wecutil cs`.

For whoever keeps a Windows collector beside Tidegate, or wants to compare the two. One document is one subscription: of all channels, or of one.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from listeners.wef.settings import Format, SubscriptionSettings
from pipeline.errors import ConfigError
from wire.event import EventKey
from wire.wef.collector_subscription import DOMAIN_CONTROLLERS, CollectorSubscription, encode_collector_subscription
from wire.wef.query import build_queries

DEFAULT_MAX_ITEMS: Final = 500
CONTENT: Final = {Format.RAW: "Events", Format.RENDERED_TEXT: "RenderedText"}


def write_collector_subscription(keys: Iterable[EventKey], settings: SubscriptionSettings, channel: str | None = None) -> str:
    """The document.

    Args:
        keys: events to select, as a profile has them.
        settings: its name, times and options.
        channel: one channel alone; None for all.

    Raises:
        ConfigError: the profile has no event of that channel.
    """
    queries = build_queries(key for key in keys if channel is None or key.channel.lower() == channel.lower())
    if not queries:
        raise ConfigError(f"channel {channel}", "the profile has no event of it", f"use one of {', '.join(sorted({key.channel for key in keys}))}")
    name = settings.name if channel is None else f"{settings.name}/{queries[0].selectors[0].channel}"
    subscription = CollectorSubscription(
        id=name.replace("/", "-"),  # it becomes the name of a registry key
        description=f"Events of profile {settings.profile}, as Tidegate asks for them.",
        mode="Custom",
        max_items=settings.max_items or DEFAULT_MAX_ITEMS,
        max_latency_ms=round(settings.max_time * 1000),
        heartbeat_ms=round(settings.heartbeat * 1000),
        queries=queries,
        read_existing=settings.read_existing,
        content_format=CONTENT[settings.format],
        allowed_computers=DOMAIN_CONTROLLERS,
    )
    return encode_collector_subscription(subscription).decode()
