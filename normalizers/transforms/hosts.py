"""Hosts: names and addresses, as delivered."""

from __future__ import annotations

import ipaddress
import re
from typing import Final

from normalizers.plan import Options, Values, Written

MAX_ADDRESS: Final = 64

_ZONE: Final = re.compile(r"%[0-9A-Za-z_.~-]{1,16}")


def is_address(text: str) -> bool:
    """Whether a text is an IPv4 or IPv6 address, the latter with or without zone (RFC 4007 section 11)."""
    if len(text) > MAX_ADDRESS:
        return False
    bare, percent, zone = text.partition("%")
    try:
        version = ipaddress.ip_address(bare).version
    except ValueError:
        return False
    return not percent or (version == 6 and _ZONE.fullmatch(percent + zone) is not None)  # noqa: PLR2004 - IPv6


def host(values: Values, _options: Options) -> Written | None:
    r"""`ip` if it is an address, else `hostname`, without the leading `\\`."""
    bare = str(values[0]).lstrip("\\")
    return {"ip" if is_address(bare) else "hostname": bare} if bare else None


def unc(values: Values, _options: Options) -> Written | None:
    r"""Without the leading `\\`."""
    bare = str(values[0]).lstrip("\\")
    return {"": bare} if bare else None
