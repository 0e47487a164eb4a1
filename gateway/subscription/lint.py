"""What a subscription will never deliver: each of a profile's events held against its query, and its options against what sources do with them.

    error     an event of the profile never comes
    warning   it may not come, comes late, or costs more than it has to
    note      worth knowing

Sources: "Setting up a Source Initiated Subscription" and "Consuming Events" of Windows' documentation; field reports of Selects past 22 event IDs.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Final

from gateway.subscription.finding import Finding, Severity
from pipeline.errors import MessageError
from wire.event import EventKey
from wire.providers import SECURITY_NETLOGON
from wire.soap_encoding import decode_body
from wire.wef.collector_subscription import FORWARDED_EVENTS, SOURCE_INITIATED, CollectorSubscription, parse_collector_subscription
from wire.wef.query import IDS_PER_SELECT, MOST_EXPRESSIONS, MOST_IDS, Selector
from wire.wef.xpath import ANY, Expression, Literal, Truth, comparisons, event_ids, parse_xpath, selects

NTLM: Final = "Microsoft-Windows-NTLM/Operational"
WRITTEN_BY: Final = {(NTLM, "8004"): SECURITY_NETLOGON}
"""Who writes an event that relays print under another provider's name too: only this one counts at its source."""

SLIPS: Final = {"7041": "7045"}
"""Event IDs that articles print for others."""

CONTROLLERS: Final = re.compile(r"\(A;[^;()]*;[^;()]*;[^;()]*;[^;()]*;(?:DD|ED|AU|WD|S-1-5-9|S-1-5-11|S-1-1-0|S-1-5-21-[0-9-]{1,60}-516)\)", re.IGNORECASE)
"""An entry of a security descriptor that lets domain controllers in."""

LATEST_MS: Final = 60_000
LONGEST_SILENCE_MS: Final = 3_600_000
SLOW_MODES: Final = {"Normal": "900 s", "MinBandwidth": "6 h"}


@dataclass(frozen=True, slots=True)
class Read:
    """A selector whose XPath was understood."""

    selector: Selector
    expression: Expression

    @property
    def channel(self) -> str:
        """Channels' names are compared without regard to case."""
        return self.selector.channel.lower()


def lint(octets: bytes, keys: Iterable[EventKey]) -> tuple[Finding, ...]:
    """Say what a subscription won't deliver of the events of these keys, by line.

    Args:
        octets: a subscription as `wecutil gs /f:xml` prints it, or a QueryList; UTF-8 or UTF-16.
        keys: as a profile has them.

    Raises:
        MessageError: it is neither; see `wire.wef.collector_subscription`.
    """
    text = decode_body(octets).text
    subscription = parse_collector_subscription(text)
    reads, unread = _read(subscription)
    wanted = [key for key in sorted(set(keys)) if WRITTEN_BY.get((key.channel, key.event_id), key.provider) == key.provider]
    found = [*unread, *_undelivered(reads, wanted), *_selectors(reads), *(finding for check in OPTIONS for finding in check(subscription))]
    return tuple(sorted(found, key=lambda finding: (finding.line, finding.severity, finding.rule)))


def _read(subscription: CollectorSubscription) -> tuple[list[list[Read]], list[Finding]]:
    """Each query's selectors, and those that can't be judged."""
    reads: list[list[Read]] = []
    unread = []
    for query in subscription.queries:
        mine = []
        for selector in query.selectors:
            try:
                mine.append(Read(selector, parse_xpath(selector.xpath)))
            except MessageError as error:
                unread.append(Finding(selector.line, Severity.ERROR, error.rule, f"this is no XPath that Windows' event log takes: {error.detail}"))
        reads.append(mine)
    return reads, unread


def _undelivered(reads: list[list[Read]], wanted: list[EventKey]) -> Iterator[Finding]:
    channels = {read.channel for query in reads for read in query if not read.selector.suppress}
    for channel, found in groupby(wanted, key=lambda key: key.channel):
        keys = list(found)
        if channel.lower() not in channels:
            yield _missing_channel(channel, keys, reads)
            continue
        at = next(read.selector.line for query in reads for read in query if read.channel == channel.lower() and not read.selector.suppress)
        for rule, mine in groupby(sorted(keys, key=lambda key: _fate(reads, key)), key=lambda key: _fate(reads, key)):
            if rule:
                yield _shortfall(rule, at, channel, list(mine), reads)


def _missing_channel(channel: str, keys: list[EventKey], reads: list[list[Read]]) -> Finding:
    named = {read.selector.channel: read.selector.line for query in reads for read in query}
    close = [name for name in named if name.lower() in channel.lower() or channel.lower().rpartition("/")[0] == name.lower()]
    close = close or difflib.get_close_matches(channel, named, 1, 0.8)
    what = f"nothing is selected from {channel}, so {_ids(keys)} will never come"
    if close:
        return Finding(named[close[0]], Severity.ERROR, "wrong-channel", what, f"{close[0]} isn't its name, write {channel}")
    return Finding(min(named.values(), default=1), Severity.ERROR, "missing-channel", what, f'add a Select with Path="{channel}"')


def _fate(reads: list[list[Read]], key: EventKey) -> str:
    """Why events of a key don't come; empty where they do."""
    best = Truth.NO
    suppressed = False
    for query in reads:
        mine = [read for read in query if read.channel == key.channel.lower()]
        chosen = _most(read for read in mine if not read.selector.suppress)(key)
        excluded = _most(read for read in mine if read.selector.suppress)(key)
        suppressed = suppressed or (chosen is not Truth.NO and excluded is not Truth.NO)
        left = Truth.NO if excluded is Truth.YES else Truth(min(chosen.value, Truth.SOMETIMES.value)) if excluded is Truth.SOMETIMES else chosen
        best = max(best, left, key=lambda truth: truth.value)
    if best is Truth.YES:
        return ""
    if suppressed:
        return "suppressed" if best is Truth.NO else "suppressed-in-part"
    if best is Truth.SOMETIMES:
        return "conditional"
    others = (EventKey(key.channel, other, key.event_id) for other in _providers(reads))
    return "wrong-provider" if any(_selected(reads, other) for other in others) else "missing-id"


def _most(reads: Iterable[Read]) -> Callable[[EventKey], Truth]:
    mine = list(reads)
    return lambda key: max((selects(read.expression, key) for read in mine), key=lambda truth: truth.value, default=Truth.NO)


def _selected(reads: list[list[Read]], key: EventKey) -> bool:
    return any(
        not read.selector.suppress and read.channel == key.channel.lower() and selects(read.expression, key) is not Truth.NO
        for query in reads
        for read in query
    )


def _providers(reads: list[list[Read]]) -> set[str]:
    """Every text that anything is compared with: the names of providers are among them."""
    compared = (comparison.right for query in reads for read in query for comparison in comparisons(read.expression))
    return {right.text for right in compared if isinstance(right, Literal)}


SHORTFALLS: Final = {
    "suppressed": (Severity.ERROR, "{ids} will never come from {channel}: a Suppress excludes what is selected", "remove it"),
    "suppressed-in-part": (Severity.WARNING, "{ids} come from {channel} only where no Suppress excludes them", "remove it"),
    "conditional": (Severity.WARNING, "{ids} come from {channel} only where a further condition holds", "select by EventID alone"),
    "wrong-provider": (Severity.ERROR, "{ids} will never come from {channel}: another provider is asked for", "{provider} writes them"),
    "missing-id": (Severity.ERROR, "{ids} will never come: nothing selects them from {channel}", "add a Select for them"),
}


def _shortfall(rule: str, line: int, channel: str, keys: list[EventKey], reads: list[list[Read]]) -> Finding:
    severity, what, fix = SHORTFALLS[rule]
    if rule.startswith("suppressed"):
        line = next(read.selector.line for query in reads for read in query if read.selector.suppress and read.channel == channel.lower())
    facts = {"ids": _ids(keys), "channel": channel, "provider": " or ".join(sorted({key.provider for key in keys}))}
    return Finding(line, severity, rule, what.format(**facts), fix.format(**facts))


def _ids(keys: Iterable[EventKey]) -> str:
    return ", ".join(sorted({"any event" if key.event_id == ANY else key.event_id for key in keys}, key=lambda text: (len(text), text)))


def _selectors(reads: list[list[Read]]) -> Iterator[Finding]:
    for query in reads:
        for read in query:
            line, channel = read.selector.line, read.selector.channel
            ids, terms = event_ids(read.expression), len(list(comparisons(read.expression)))
            if len(ids) > MOST_IDS or terms > MOST_EXPRESSIONS:
                what = (
                    f"{len(ids)} event IDs, {terms} expressions in one Select: past {MOST_IDS} IDs sources have been found to deliver nothing, without a word"
                )
                yield Finding(line, Severity.ERROR, "too-many-ids", what, f"split it into Selects of {IDS_PER_SELECT}")
            elif len(ids) > IDS_PER_SELECT:
                yield Finding(line, Severity.WARNING, "many-ids", f"{len(ids)} event IDs in one Select are close to the limit", "split it")
            for slip in (event_id for event_id in dict.fromkeys(ids) if event_id in SLIPS):
                yield Finding(line, Severity.WARNING, "slip", f"{slip} is a slip of the pen that articles repeat", f"write {SLIPS[slip]}")
            if channel.lower() == FORWARDED_EVENTS.lower():
                what = "ForwardedEvents is the log a collector writes to: at a domain controller it is empty"
                yield Finding(line, Severity.ERROR, "forwarded-events", what, "select from the channels events are written to")
            if read.selector.xpath == "*" and not read.selector.suppress:
                yield Finding(line, Severity.NOTE, "everything", f"all of {channel} is sent, wanted or not", "select by EventID")


# Options


def _type(subscription: CollectorSubscription) -> Iterator[Finding]:
    if subscription.type != SOURCE_INITIATED:
        what = "the collector asks each listed computer: a controller that isn't listed delivers nothing"
        yield Finding(subscription.line("SubscriptionType"), Severity.WARNING, "collector-initiated", what, f"make it {SOURCE_INITIATED}")
    elif subscription.id and not CONTROLLERS.search(subscription.allowed_computers):
        what = "no domain controller may deliver: in a security descriptor DC stands for Domain Computers, which controllers aren't"
        at = subscription.line("AllowedSourceDomainComputers")
        yield Finding(at, Severity.ERROR, "controllers-not-allowed", what, "add (A;;GA;;;DD)")


def _enabled(subscription: CollectorSubscription) -> Iterator[Finding]:
    if not subscription.enabled:
        yield Finding(subscription.line("Enabled"), Severity.ERROR, "disabled", "it is disabled: nothing will come", "write <Enabled>true</Enabled>")
    if subscription.expires:
        at = subscription.line("Expires")
        yield Finding(at, Severity.WARNING, "expires", f"nothing will come after {subscription.expires[:40]}", "remove Expires")


def _delivery(subscription: CollectorSubscription) -> Iterator[Finding]:
    at = subscription.line("Delivery")
    if subscription.mode in SLOW_MODES:
        what = f"mode {subscription.mode} lets events wait for {SLOW_MODES[subscription.mode]}"
        yield Finding(subscription.line("ConfigurationMode"), Severity.WARNING, "slow-mode", what, "use Custom with a MaxLatencyTime of seconds, or MinLatency")
    if subscription.mode == "Custom" and (subscription.max_latency_ms or 0) > LATEST_MS:
        yield Finding(at, Severity.WARNING, "late", f"events wait for {subscription.max_latency_ms} ms", "set MaxLatencyTime to 5000")
    if (subscription.heartbeat_ms or 0) > LONGEST_SILENCE_MS:
        what = f"a silent controller is missed after {subscription.heartbeat_ms} ms at the earliest"
        yield Finding(at, Severity.WARNING, "rare-heartbeat", what, "set the Heartbeat's Interval to 900000")
    if subscription.pull:
        yield Finding(at, Severity.WARNING, "pull", "the collector fetches instead of being told", 'write Mode="Push"')


def _content(subscription: CollectorSubscription) -> Iterator[Finding]:
    if not subscription.read_existing:
        what = "events from before the subscription reaches a controller, or from while it was lost, are not sent"
        yield Finding(subscription.line("ReadExistingEvents"), Severity.WARNING, "only-new", what, "set ReadExistingEvents to true")
    if subscription.content_format == "RenderedText":
        what = "RenderedText is two to three times larger, sometimes cut off, and in the controller's language"
        yield Finding(subscription.line("ContentFormat"), Severity.WARNING, "rendered-text", what, "set ContentFormat to Events")
    if subscription.log_file != FORWARDED_EVENTS:
        what = f"the collector writes to {subscription.log_file[:80]}; a standalone sensor on it reads {FORWARDED_EVENTS} alone"
        yield Finding(subscription.line("LogFile"), Severity.WARNING, "log-file", what, f"write {FORWARDED_EVENTS}")


OPTIONS: Final = (_type, _enabled, _delivery, _content)
