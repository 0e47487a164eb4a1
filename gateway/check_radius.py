"""Whether [listeners.radius] is fit to run: its secrets and its files."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from gateway.findings import Finding, Level, Subject

COMFORTABLE: Final = 24
"""Octets of a secret that nobody tries out: one packet heard is enough to try it offline, at billions a second."""


def check_radius(subject: Subject) -> Iterator[Finding]:
    """Every client."""
    radius = subject.config.listeners.radius
    if radius is None:
        return
    owners: dict[bytes, str] = {}
    for client in radius.clients:
        what = f"RADIUS client {client.name}"
        ways = ", ".join((*map(str, client.cidr), *client.certificate))
        if client.secret is None:
            yield Finding(Level.OK, what, ways)
            continue
        secret = client.secret.get_secret_value()
        if secret in owners:
            yield Finding(Level.WARNING, what, f"has the secret of {owners[secret]}: who learns it of one can forge the other", "give each its own")
        elif len(secret) < COMFORTABLE:
            why = f"its secret has {len(secret)} octets, and whoever hears one packet can try secrets in peace"
            yield Finding(Level.WARNING, what, why, f"make one of {COMFORTABLE} random characters or more: openssl rand -hex 16")
        else:
            yield Finding(Level.OK, what, ways)
        owners.setdefault(secret, client.name)
