"""Whether certificates are valid now and for a while, and whether their keys are their owner's alone; `check_chain` looks at what they say."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from gateway.check.findings import Finding, Level
from gateway.check.places import check_private
from pipeline.errors import WireError
from wire.x509 import parse_validities

SOON: Final = timedelta(days=30)


def check_files(certificates: Iterable[Path], key: Path | None, now: datetime) -> Iterator[Finding]:
    """Look at PEM files that can be read.

    Args:
        certificates: our own, and those of authorities.
        key: our own, if there is one.
        now: the time they have to be valid at.
    """
    for path in certificates:
        yield from _check_expiry(path, now)
    if key is not None:
        yield check_private(key, "private key")


def _check_expiry(path: Path, now: datetime) -> Iterator[Finding]:
    try:
        validities = parse_validities(path.read_bytes())
    except WireError as error:
        yield Finding(Level.WARNING, str(path), f"when it expires can't be read ({error})")
        return
    if not validities:
        return
    first, last = max(found.not_before for found in validities), min(found.not_after for found in validities)
    if now < first:
        yield Finding(Level.ERROR, str(path), f"isn't valid before {first:%Y-%m-%d %H:%M} UTC", "set the clock, or use another")
    elif now > last:
        yield Finding(Level.ERROR, str(path), f"expired on {last:%Y-%m-%d}", "renew it; a running gateway takes the new one by itself")
    elif last - now < SOON:
        yield Finding(Level.WARNING, str(path), f"expires on {last:%Y-%m-%d}", "renew it; a running gateway takes the new one by itself")
    else:
        yield Finding(Level.OK, str(path), f"valid until {last:%Y-%m-%d}")
