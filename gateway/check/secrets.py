"""Whether secrets are worth their name, and files with secrets nobody else's: `file:` references, and the configuration itself."""

from __future__ import annotations

import stat
import tomllib
from collections.abc import Iterator, Mapping
from typing import Final

from forwarders.sensor_settings import RelaySettings
from gateway.check.findings import Finding, Level, Subject
from gateway.check.places import check_private
from gateway.config import resolve_folder

COMFORTABLE: Final = 24
"""Octets of a secret that nobody tries out: one packet heard is enough to try it offline, at billions a second."""

VARIED: Final = 8
"""Different octets that a random secret of such a length always has."""

MAKE_ONE: Final = f"make one of {COMFORTABLE} random characters or more: openssl rand -hex 16"
REFERENCE: Final = "file:"


def weakness(secret: bytes) -> str | None:
    """Why a secret of RADIUS is weak; None where nothing is known against it."""
    if len(secret) < COMFORTABLE:
        return f"its secret has {len(secret)} octets, and whoever hears one packet can try secrets in peace"
    if len(set(secret)) < VARIED:
        return f"its secret has few different octets ({len(set(secret))}), and whoever hears one packet can try secrets in peace"
    return None


def check_relay_secrets(subject: Subject) -> Iterator[Finding]:
    """Of destinations that RADIUS is passed on to; `check_radius` looks at clients."""
    for forwarder in subject.config.forwarders:
        if isinstance(forwarder, RelaySettings) and (why := weakness(forwarder.secret.get_secret_value())):
            yield Finding(Level.WARNING, f"forwarder {forwarder.name}", why, MAKE_ONE)


def check_secret_files(subject: Subject) -> Iterator[Finding]:
    """Those of the configuration's file; what environment and flags name isn't looked at."""
    if subject.source is None:
        return
    if subject.source.stat().st_mode & stat.S_IWOTH:
        why = "every user of this machine may write the configuration, and so decide where records go"
        yield Finding(Level.ERROR, str(subject.source), why, f"chmod o-w {subject.source}")
    folder = resolve_folder(subject.source)
    tree = tomllib.loads(subject.source.read_text(encoding="utf-8-sig"))
    for reference in dict.fromkeys(_references(tree)):
        yield check_private(folder / reference.removeprefix(REFERENCE), "secret")


def _references(value: object) -> Iterator[str]:
    if isinstance(value, str) and value.startswith(REFERENCE):
        yield value
    elif isinstance(value, list):
        for inner in value:
            yield from _references(inner)
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from _references(inner)
