"""`tidegate subscription wecutil`: the same subscription for a collector of Windows' own, to be created with `wecutil cs`.

For whoever keeps a Windows collector beside Tidegate, or wants to compare the two. One document is one subscription: of all channels, or of one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from listeners.wef.settings import Format, SubscriptionSettings
from wire.wef.collector_subscription import DOMAIN_CONTROLLERS, CollectorSubscription, encode_collector_subscription
from wire.wef.query import Query

DEFAULT_MAX_ITEMS: Final = 500
CONTENT: Final = {Format.RAW: "Events", Format.RENDERED_TEXT: "RenderedText"}


def write_collector_subscription(queries: Sequence[Query], settings: SubscriptionSettings, channel: str | None = None) -> str:
    """The document.

    Args:
        queries: what to select; `gateway.subscription.selection` says.
        settings: its name, times and options.
        channel: the one channel it is for; None for all.
    """
    name = settings.name if channel is None else f"{settings.name}/{queries[0].selectors[0].channel}"
    subscription = CollectorSubscription(
        id=name.replace("/", "-"),  # it becomes the name of a registry key
        description="What Tidegate asks for.",
        mode="Custom",
        max_items=settings.max_items or DEFAULT_MAX_ITEMS,
        max_latency_ms=round(settings.max_time * 1000),
        heartbeat_ms=round(settings.heartbeat * 1000),
        queries=tuple(queries),
        read_existing=settings.read_existing,
        content_format=CONTENT[settings.format],
        allowed_computers=DOMAIN_CONTROLLERS,
    )
    return encode_collector_subscription(subscription).decode()
