"""What checks of folders and files share: the nearest folder that is there, who may look into a file, octets for people."""

from __future__ import annotations

import stat
from pathlib import Path

from gateway.check.findings import Finding, Level


def nearest(path: Path) -> Path:
    """`path`, or the nearest folder above it that exists."""
    return next(found for found in (path, *path.absolute().parents) if found.exists())


def mib(octets: int) -> str:
    """`4,096 MiB`."""
    return f"{octets / (1 << 20):,.0f} MiB"


def check_private(path: Path, what: str) -> Finding:
    """Whether a file with a secret is its owner's, and at most its group's."""
    if path.stat().st_mode & stat.S_IRWXO:
        return Finding(Level.WARNING, str(path), f"every user of this machine may read this {what}", f"chmod o= {path}")
    return Finding(Level.OK, str(path), f"a {what}, not for everybody")
