"""Whether [listeners.radius] is fit to run: its secrets and its files."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.check.findings import Finding, Level, Subject
from gateway.check.secrets import MAKE_ONE, weakness


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
        elif why := weakness(secret):
            yield Finding(Level.WARNING, what, why, MAKE_ONE)
        else:
            yield Finding(Level.OK, what, ways)
        owners.setdefault(secret, client.name)
