"""Whether [listeners.wef] is fit to run: its files, its packages, and whether what sources are asked for is what is kept."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from gateway.check_certificates import check_files
from gateway.findings import Finding, Level, Subject
from gateway.windows_subscriptions import expand
from listeners.wef.authenticators import require_kerberos
from listeners.wef.keyring import read_keytab
from listeners.wef.settings import CertificateEndpoint, KerberosEndpoint, SubscriptionSettings
from listeners.wef.tls import load_trust
from normalizers.profiles import load_profile
from pipeline.errors import ConfigError
from wire.event import EventKey

SHOWN: Final = 8
SERVICES: Final = ("HTTP", "HOST")


def check_windows_forwarding(subject: Subject) -> Iterator[Finding]:
    """Every endpoint and subscription."""
    wef = subject.config.listeners.wef
    if wef is None:
        return
    for endpoint in wef.endpoints:
        try:
            yield from _check_certificate(endpoint, subject) if isinstance(endpoint, CertificateEndpoint) else _check_kerberos(endpoint)
        except ConfigError as error:
            yield Finding(Level.ERROR, error.what, error.why, error.fix)
    if not wef.subscriptions:
        yield Finding(
            Level.WARNING, "listeners.wef.subscriptions", "there are none, no source will be asked for anything", "add [[listeners.wef.subscriptions]]"
        )
    for table in wef.subscriptions:
        try:
            yield Finding(Level.OK, f"subscription {table.name}", ", ".join(one.name for one in expand(table)))
        except ConfigError as error:
            yield Finding(Level.ERROR, error.what, error.why, error.fix)
    if subject.config.gateway.keep != "all":
        yield from _compare(subject.config.gateway.profile, wef.subscriptions)


def _check_certificate(endpoint: CertificateEndpoint, subject: Subject) -> Iterator[Finding]:
    load_trust(endpoint)
    yield from check_files((endpoint.certificate, *endpoint.client_ca), endpoint.key, subject.now)


def _check_kerberos(endpoint: KerberosEndpoint) -> Iterator[Finding]:
    require_kerberos()
    held = {"/".join(key.components).lower() for path in endpoint.keytabs for key in read_keytab(path)}
    host = endpoint.url.host.lower()
    for service in SERVICES:
        principal = f"{service}/{host}"
        if principal.lower() in held:
            yield Finding(Level.OK, f"endpoint {endpoint.url.base}", f"a key of {principal} is there")
        else:
            fix = f"setspn -S {principal} ACCOUNT, then make the keytab again: clients up to Windows Server 2022 ask for HTTP/, later ones for HOST/"
            yield Finding(Level.WARNING, f"endpoint {endpoint.url.base}", f"no keytab has a key of {principal}", fix)


def _compare(kept_name: str, tables: Iterable[SubscriptionSettings]) -> Iterator[Finding]:
    """Events kept that nobody is asked for, and the other way round; a query of an operator's own isn't looked into."""
    tables = tuple(tables)
    if not tables or any(table.query for table in tables):
        return
    kept = load_profile(kept_name).keys
    asked = frozenset[EventKey]().union(*(load_profile(table.profile).keys for table in tables))
    if missing := kept - asked:
        why = f"[gateway] profile keeps events that no subscription asks for: {_some(missing)}"
        yield Finding(Level.WARNING, "listeners.wef.subscriptions", why, f"set profile = {kept_name!r} in one")
    if unwanted := asked - kept:
        why = f"subscriptions ask for events that [gateway] profile filters: {_some(unwanted)}"
        yield Finding(Level.WARNING, "gateway.profile", why, "ask for less, or keep more")


def _some(keys: Iterable[EventKey]) -> str:
    ids = sorted({key.event_id for key in keys})
    return ", ".join(ids[:SHOWN]) + (f" and {len(ids) - SHOWN} more" if len(ids) > SHOWN else "")
