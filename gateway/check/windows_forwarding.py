"""Whether [listeners.wef] is fit to run: its files, its packages, its keys, and whether what sources are asked for is what is kept."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from gateway.check.certificates import check_files
from gateway.check.chain import check_authorities, check_chain
from gateway.check.findings import Finding, Level, Subject
from gateway.check.places import check_private
from gateway.windows_subscriptions import expand
from listeners.wef.authenticators import require_kerberos
from listeners.wef.keyring import read_keytab
from listeners.wef.settings import CertificateEndpoint, Encryption, KerberosEndpoint, SubscriptionSettings
from listeners.wef.tls import load_trust
from normalizers.profiles import load_profile
from pipeline.errors import ConfigError
from wire.ap_req import AES, ENCRYPTION_NAMES, RC4
from wire.event import EventKey
from wire.keytab import Key

SHOWN: Final = 8
SERVICES: Final = ("HTTP", "HOST")
ENCRYPTIONS: Final = {Encryption.AES: AES, Encryption.RC4: frozenset({RC4})}


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
    yield from check_chain(endpoint.certificate, endpoint.url.host, endpoint.client_ca)
    yield from check_authorities(endpoint.client_ca)


def _check_kerberos(endpoint: KerberosEndpoint) -> Iterator[Finding]:
    require_kerberos()
    held: dict[str, list[Key]] = {}
    for path in endpoint.keytabs:
        for key in read_keytab(path):
            held.setdefault(key.service.lower(), []).append(key)
        yield check_private(path, "keytab")
    what, host = f"endpoint {endpoint.url.base}", endpoint.url.host.lower()
    taken = frozenset[int]().union(*(ENCRYPTIONS[kind] for kind in endpoint.encryption))
    for service in SERVICES:
        principal = f"{service}/{host}"
        keys = held.get(principal.lower(), [])
        if not keys:
            fix = f"setspn -S {principal} ACCOUNT, then make the keytab again: clients up to Windows Server 2022 ask for HTTP/, later ones for HOST/"
            yield Finding(Level.WARNING, what, f"no keytab has a key of {principal}", fix)
        elif not any(key.encryption in taken for key in keys):
            why = f"keys of {principal} are there, but only for {_names(keys)}, and tickets are taken with {', '.join(endpoint.encryption)} alone"
            yield Finding(Level.ERROR, what, why, "let the account have AES (msDS-SupportedEncryptionTypes = 24), set its password anew, ktpass /crypto all")
        else:
            yield Finding(Level.OK, what, f"a key of {principal} is there: {_names(keys)}")


def _names(keys: Iterable[Key]) -> str:
    """Encryption types, versions and realms of some keys."""
    keys = tuple(keys)
    types = ", ".join(ENCRYPTION_NAMES.get(number, f"type {number}") for number in sorted({key.encryption for key in keys}, reverse=True)[:SHOWN])
    versions = ", ".join(str(version) for version in sorted({key.version for key in keys}, reverse=True)[:SHOWN])
    return f"{types}; version {versions}; realm {', '.join(sorted({key.realm for key in keys})[:SHOWN])}"


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
