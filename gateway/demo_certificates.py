"""The demo's certificates: an authority of its own, and what its gateway shows to domain controllers; made at the first start, kept in its folder."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from gateway.authority import Authority, make_authority, read_authority
from pipeline.errors import ConfigError

RENEW_BEFORE: Final = timedelta(days=1)


def make_certificates(folder: Path) -> Authority:
    """The demo's authority, and its certificate for the gateway; new ones where there are none or they end soon."""
    root, key = folder / "ca.pem", folder / "ca.key"
    try:
        authority = read_authority(root, key)
    except ConfigError:
        authority = make_authority("Tidegate demo")
    else:
        if authority.certificate.not_valid_after_utc - RENEW_BEFORE > datetime.now(UTC) and (folder / "server.key").exists():
            return authority
        authority = make_authority("Tidegate demo")
    server = authority.issue("localhost", "127.0.0.1", "::1")
    for path, octets in (
        (root, authority.pem),
        (key, authority.encode_key()),
        (folder / "server.pem", server.certificate),
        (folder / "server.key", server.key),
    ):
        path.touch(0o600)
        path.write_bytes(octets)
    return authority
