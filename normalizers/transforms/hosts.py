"""Hosts: names and addresses, as delivered."""

from __future__ import annotations

import ipaddress
import re
from typing import Final

from normalizers.plan import Options, Values, Written

MAX_ADDRESS: Final = 64
MAX_OCSF_ADDRESS: Final = 40
BLANK: Final = " \t\r\n"

_ZONE: Final = re.compile(r"%[0-9A-Za-z_.~-]{1,16}")
_MAC: Final = re.compile(r"[0-9A-Fa-f]{2}(?:(?::[0-9A-Fa-f]{2}){5}|(?:-[0-9A-Fa-f]{2}){5})|[0-9A-Fa-f]{4}(?:\.[0-9A-Fa-f]{4}){2}|[0-9A-Fa-f]{12}")
_MAC_SEPARATOR: Final = re.compile(r"[:.-]")
_PREFIXED: Final = re.compile(r"[iI][pP]=")
_WITH_PORT: Final = re.compile(r"\[([^\[\]]*)\](?::[0-9]{1,5})?|([0-9.]*):[0-9]{1,5}")


def is_address(text: str) -> bool:
    """Whether a text is an IPv4 or IPv6 address, the latter with or without zone (RFC 4007 section 11)."""
    return _parse_address(text) is not None


def _parse_address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """An address, its zone checked and left out."""
    if len(text) > MAX_ADDRESS:
        return None
    bare, percent, zone = text.partition("%")
    try:
        address = ipaddress.ip_address(bare)
    except ValueError:
        return None
    return address if not percent or (address.version == 6 and _ZONE.fullmatch(percent + zone)) else None  # noqa: PLR2004 - IPv6


def host(values: Values, _options: Options) -> Written | None:
    r"""`ip` if it is an address, else `hostname`, without the leading `\\`."""
    bare = str(values[0]).lstrip("\\")
    return {"ip" if is_address(bare) else "hostname": bare} if bare else None


def unc(values: Values, _options: Options) -> Written | None:
    r"""Without the leading `\\`."""
    bare = str(values[0]).lstrip("\\")
    return {"": bare} if bare else None


def plain_address(text: str) -> Written | None:
    """An address as OCSF takes one, up to 40 characters; the unspecified address (RFC 4291 section 2.5.2) is nobody's."""
    address = _parse_address(text) if len(text) <= MAX_OCSF_ADDRESS else None
    return None if address is None or not int(address) else {"": text}


def ip(values: Values, _options: Options) -> Written | None:
    """An address, as delivered."""
    return plain_address(str(values[0]))


def station(values: Values, _options: Options) -> Written:
    """Calling-Station-Id (RFC 2865 section 5.31): `ip`, also out of `ip=ADDRESS` and `ADDRESS:PORT`; `mac` with `name`; else `name`, as delivered.

    An endpoint of a MAC alone is none to OCSF.
    """
    text = str(values[0])
    bare = text.strip(BLANK)
    bare = bare[3:] if _PREFIXED.match(bare) else bare
    if _MAC.fullmatch(bare):
        digits = _MAC_SEPARATOR.sub("", bare).upper()
        return {"mac": "-".join(digits[at : at + 2] for at in range(0, 12, 2)), "name": text}
    with_port = _WITH_PORT.fullmatch(bare)
    for candidate in (bare, *(with_port.groups("") if with_port else ())):
        if plain_address(candidate):
            return {"ip": candidate}
    return {"name": text}
