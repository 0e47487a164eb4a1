"""What another configuration changes, and whether a running gateway can take it over.

LIVE names what can change while it runs, a table standing for everything in it; whatever isn't named there is read at start alone. A change is named by its
key, never by its value. Tables of a list that have names are known by them: `forwarders.archive`, wherever it stands.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from gateway.config import Config
from gateway.config_errors import UnusableConfig
from pipeline.errors import ConfigError
from pipeline.settings import Settings

LIVE: Final[Mapping[str, str]] = {
    "gateway.profile": "messages that come next",
    "gateway.keep": "messages that come next",
    "gateway.drain": "the stop to come",
    "normalize": "messages that come next",
    "log.level": "lines that come next",
    "check": "nobody: only `tidegate check` reads it",
    "forwarders": "a new one begins where `start` says; a changed one goes on where it stood; a removed one's place stays (`[spool] keep_removed`)",
    "listeners.syslog.mode": "messages that come next",
    "listeners.syslog.zone": "messages that come next",
    "listeners.syslog.allow": "datagrams, and connections to come",
    "listeners.syslog.connections": "connections to come",
    "listeners.syslog.connections_per_peer": "connections to come",
    "listeners.syslog.tls.certificate": "handshakes to come",
    "listeners.syslog.tls.key": "handshakes to come",
    "listeners.syslog.tls.client_ca": "handshakes to come",
    "listeners.syslog.tls.client_crl": "handshakes to come",
    "listeners.syslog.tls.client_certificate": "handshakes to come",
    "listeners.wef.allow": "connections to come",
    "listeners.wef.connections": "connections to come",
    "listeners.wef.connections_per_peer": "connections to come",
    "listeners.wef.mismatch": "messages that come next",
    "listeners.wef.forwarders": "messages that come next",
    "listeners.wef.subscriptions": "a source's next refresh; what it delivers for a subscription that is gone is refused",
    "listeners.wef.endpoints.url": "a source's next refresh",
    "listeners.wef.endpoints.subscriptions": "messages that come next",
    "listeners.wef.endpoints.clients": "messages that come next",
    "listeners.wef.endpoints.certificate": "handshakes to come",
    "listeners.wef.endpoints.key": "handshakes to come",
    "listeners.wef.endpoints.client_ca": "handshakes to come",
    "listeners.wef.endpoints.client_crl": "handshakes to come",
    "listeners.radius.clients": "datagrams, and connections to come",
    "listeners.radius.answer": "answers that leave next",
    "listeners.radius.relay": "answers that leave next",
    "listeners.radius.tls.certificate": "handshakes to come",
    "listeners.radius.tls.key": "handshakes to come",
    "listeners.radius.tls.client_ca": "handshakes to come",
    "listeners.radius.tls.client_crl": "handshakes to come",
    "listeners.radius.tls.connections": "connections to come",
    "listeners.radius.tls.connections_per_peer": "connections to come",
}
"""What can change, and for whom it holds then."""


@dataclass(frozen=True, slots=True)
class Change:
    """One difference between two configurations.

    key:    of the setting, without numbers and names: `listeners.wef.endpoints.url`.
    place:  as an operator knows it: `listeners.wef.endpoints[0].url`, `forwarders.archive`.
    """

    key: str
    place: str

    @property
    def is_live(self) -> bool:
        """Whether it can be taken over without a restart."""
        parts = self.key.split(".")
        return any(".".join(parts[:length]) in LIVE for length in range(1, len(parts) + 1))


def changes(old: Config, new: Config) -> tuple[Change, ...]:
    """Every difference, in the order of the tables."""
    return tuple(_compare(old, new, "", ""))


def refuse_fixed(found: Sequence[Change]) -> None:
    """See that all changes can be taken over.

    Args:
        found: what `changes` found.

    Raises:
        UnusableConfig: naming each that can't.
    """
    fixed = [ConfigError(change.place, "can't change while the gateway runs", "restart it, or put this back") for change in found if not change.is_live]
    if fixed:
        raise UnusableConfig(fixed)


def _compare(old: object, new: object, key: str, place: str) -> Iterator[Change]:
    if isinstance(old, Settings) and type(old) is type(new):
        for name in type(old).model_fields:
            yield from _compare(getattr(old, name), getattr(new, name), f"{key}.{name}" if key else name, f"{place}.{name}" if place else name)
    elif isinstance(old, tuple) and isinstance(new, tuple) and _is_tables(old + new):
        if all(hasattr(table, "name") for table in old + new):
            yield from _compare_named({table.name: table for table in old}, {table.name: table for table in new}, key, place)
        elif len(old) == len(new):
            for number, (before, after) in enumerate(zip(old, new, strict=True)):
                yield from _compare(before, after, key, f"{place}[{number}]")
        else:
            yield Change(key, place)
    elif old != new:
        yield Change(key, place)


def _compare_named(old: Mapping[str, Settings], new: Mapping[str, Settings], key: str, place: str) -> Iterator[Change]:
    for name in dict.fromkeys((*old, *new)):
        if name in old and name in new:
            yield from _compare(old[name], new[name], key, f"{place}.{name}")
        else:
            yield Change(key, f"{place}.{name}")


def _is_tables(items: Sequence[object]) -> bool:
    return bool(items) and all(isinstance(item, Settings) for item in items)
