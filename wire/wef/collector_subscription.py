"""The subscription of Windows' own collector, as `wecutil cs` takes it and `wecutil gs /f:xml` prints it ("Setting up a Source Initiated Subscription").

Only what decides about delivery is read: who, what, how often. An element that isn't there has wecutil's default. Written is a source-initiated
subscription of mode Custom that pushes to Forwarded Events, elements in wecutil's order, for a person to read.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from pipeline.errors import MessageError
from wire.wef.envelope import BLANK, Element, parse_document
from wire.wef.namespaces import EVENT_LOG
from wire.wef.query import MAX_QUERY, Query, encode_query_list, parse_query_list, read_query_list
from wire.wef.spelling import cdata, escape

DOCUMENT: Final = "Windows Event Collector, subscription schema"
NAMESPACE: Final = "http://schemas.microsoft.com/2006/03/windows/events/subscription"

SOURCE_INITIATED: Final = "SourceInitiated"
FORWARDED_EVENTS: Final = "ForwardedEvents"
DOMAIN_CONTROLLERS: Final = "O:NSG:NSD:(A;;GA;;;DD)(A;;GA;;;ED)(A;;GA;;;NS)"
"""Security descriptor that lets in domain controllers (DD), those of the whole forest (ED), and the service itself (NS). DC would be *other* computers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectorSubscription:
    """A subscription of a Windows collector; `lines` has the line of each element read, from 1.

    id:                 its name.
    type:               `SourceInitiated` or `CollectorInitiated`.
    enabled:            whether it delivers at all.
    mode:               ConfigurationMode: `Normal`, `MinLatency`, `MinBandwidth` or `Custom`.
    pull:               whether the collector fetches; a source-initiated one never does.
    max_items:          events of a batch, None where unsaid.
    max_latency_ms:     milliseconds an event waits for others, None where unsaid.
    heartbeat_ms:       milliseconds of silence before a sign of life, None where unsaid.
    expires:            when it ends; empty for never.
    queries:            what is asked for.
    read_existing:      whether old events are too.
    content_format:     `Events` or `RenderedText`.
    log_file:           where the collector writes.
    allowed_computers:  security descriptor of domain members that may deliver; empty where unsaid.
    """

    id: str
    description: str = ""
    type: str = SOURCE_INITIATED
    enabled: bool = True
    mode: str = "Normal"
    pull: bool = False
    max_items: int | None = None
    max_latency_ms: int | None = None
    heartbeat_ms: int | None = None
    expires: str = ""
    queries: tuple[Query, ...]
    read_existing: bool = False
    content_format: str = "RenderedText"
    log_file: str = FORWARDED_EVENTS
    allowed_computers: str = ""
    lines: tuple[tuple[str, int], ...] = ()

    def line(self, name: str) -> int:
        """Where an element stands; the first line for one that isn't there."""
        return dict(self.lines).get(name, 1)


def parse_collector_subscription(octets: bytes) -> CollectorSubscription:
    """Read a subscription, or a QueryList alone, from a document in UTF-8.

    Raises:
        MessageError: as `wire.wef.query.parse_query_list`, not-a-subscription, missing-element:Query.
    """
    if len(octets) > MAX_QUERY:
        raise MessageError("query-too-long", document=DOCUMENT, detail=f"{len(octets)} octets, at most {MAX_QUERY}")
    root = parse_document(octets).root
    if root.name == "QueryList":
        return CollectorSubscription(id="", mode="Custom", read_existing=True, content_format="Events", queries=read_query_list(root))
    if (root.namespace, root.name) != (NAMESPACE, "Subscription"):
        raise MessageError("not-a-subscription", document=DOCUMENT, detail=root.name[:40])
    query = root.find(NAMESPACE, "Query")
    if query is None:
        raise MessageError("missing-element:Query", document=DOCUMENT)
    delivery, heartbeat = root.find(NAMESPACE, "Delivery"), root.find(NAMESPACE, "Delivery", "PushSettings", "Heartbeat")
    return CollectorSubscription(
        id=root.value(NAMESPACE, "SubscriptionId"),
        description=root.value(NAMESPACE, "Description"),
        type=root.value(NAMESPACE, "SubscriptionType") or "CollectorInitiated",
        enabled=_is_true(root, "Enabled", default=True),
        mode=root.value(NAMESPACE, "ConfigurationMode") or "Normal",
        pull=delivery is not None and delivery.attributes.get("Mode", "").lower() == "pull",
        max_items=_number(root.value(NAMESPACE, "Delivery", "Batching", "MaxItems")),
        max_latency_ms=_number(root.value(NAMESPACE, "Delivery", "Batching", "MaxLatencyTime")),
        heartbeat_ms=_number(heartbeat.attributes.get("Interval", "")) if heartbeat else None,
        expires=root.value(NAMESPACE, "Expires"),
        queries=_queries(query),
        read_existing=_is_true(root, "ReadExistingEvents", default=False),
        content_format=root.value(NAMESPACE, "ContentFormat") or "RenderedText",
        log_file=root.value(NAMESPACE, "LogFile") or FORWARDED_EVENTS,
        allowed_computers=root.value(NAMESPACE, "AllowedSourceDomainComputers"),
        lines=tuple((child.name, child.line) for child in root.children),
    )


def _queries(query: Element) -> tuple[Query, ...]:
    """The list stands in a CDATA section, or escaped, or as it is."""
    if query.children:
        return read_query_list(query.children[0])
    if not query.text.strip(BLANK):
        raise MessageError("missing-element:Query", document=DOCUMENT)
    text = query.text.lstrip(BLANK)
    before = query.line - 1 + query.text[: len(query.text) - len(text)].count("\n")
    return parse_query_list(text.encode(), before)


def _is_true(root: Element, name: str, *, default: bool) -> bool:
    text = root.value(NAMESPACE, name).lower()
    return text in ("true", "1") if text else default


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None  # noqa: PLR2004 - far more than wecutil takes


def encode_collector_subscription(subscription: CollectorSubscription) -> bytes:
    """Write it for `wecutil cs`."""
    items = "" if subscription.max_items is None else f"\n      <MaxItems>{subscription.max_items}</MaxItems>"
    latency = "" if subscription.max_latency_ms is None else f"\n      <MaxLatencyTime>{subscription.max_latency_ms}</MaxLatencyTime>"
    heartbeat = "" if subscription.heartbeat_ms is None else f'\n      <Heartbeat Interval="{subscription.heartbeat_ms}"/>'
    query = cdata(("\n" + encode_query_list(subscription.queries, pretty=True) + "\n").encode()).decode()
    return f"""\
<Subscription xmlns="{NAMESPACE}">
  <SubscriptionId>{escape(subscription.id)}</SubscriptionId>
  <SubscriptionType>{escape(subscription.type)}</SubscriptionType>
  <Description>{escape(subscription.description)}</Description>
  <Enabled>{"true" if subscription.enabled else "false"}</Enabled>
  <Uri>{EVENT_LOG}</Uri>
  <ConfigurationMode>{escape(subscription.mode)}</ConfigurationMode>
  <Delivery Mode="{"Pull" if subscription.pull else "Push"}">
    <Batching>{items}{latency}
    </Batching>
    <PushSettings>{heartbeat}
    </PushSettings>
  </Delivery>{f"{chr(10)}  <Expires>{escape(subscription.expires)}</Expires>" if subscription.expires else ""}
  <Query>{query}</Query>
  <ReadExistingEvents>{"true" if subscription.read_existing else "false"}</ReadExistingEvents>
  <TransportName>http</TransportName>
  <ContentFormat>{escape(subscription.content_format)}</ContentFormat>
  <Locale Language="en-US"/>
  <LogFile>{escape(subscription.log_file)}</LogFile>
  <AllowedSourceNonDomainComputers></AllowedSourceNonDomainComputers>
  <AllowedSourceDomainComputers>{escape(subscription.allowed_computers)}</AllowedSourceDomainComputers>
</Subscription>
""".encode()
