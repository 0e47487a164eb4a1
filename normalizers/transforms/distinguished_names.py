"""Distinguished names (RFC 4514): the member of a group, as Active Directory writes it.

Departures: white space around an attribute type (RFC 2253 let it be); a `+` that starts no further attribute is part of the value.
"""

from __future__ import annotations

import re
from typing import Final

from normalizers.plan import Options, Values, Written

_RDN: Final = re.compile(r"[ \t]*([A-Za-z][A-Za-z0-9-]*|[0-9]+(?:\.[0-9]+)*)[ \t]*=((?:\\.|[^,+\\]|\+(?![A-Za-z][A-Za-z0-9-]*=))*)", re.DOTALL)
_ESCAPED: Final = re.compile(rb"\\(?:([0-9a-fA-F]{2})|(.))", re.DOTALL)


def parse_dn(text: str) -> list[tuple[str, str]] | None:
    """(attribute type in upper case, unescaped value) of each part, None if this is no distinguished name."""
    parts, at = [], 0
    while True:
        found = _RDN.match(text, at)
        if found is None:
            return None
        value = _ESCAPED.sub(lambda escape: bytes([int(escape[1], 16)]) if escape[1] else escape[2], found[2].encode())
        parts.append((found[1].upper(), value.decode("utf-8", "replace")))
        if found.end() == len(text):
            return parts
        if text[found.end()] not in ",+":
            return None
        at = found.end() + 1


def _names(text: str) -> tuple[str, str] | None:
    parts = parse_dn(text)
    if parts is None:
        return None
    return next((value for kind, value in parts if kind == "CN"), ""), ".".join(value for kind, value in parts if kind == "DC" and value)


def dn(values: Values, _options: Options) -> Written | None:
    """`ldap_person.ldap_dn` as delivered, `ldap_person.ldap_cn` its first CN, `domain` its DCs. A CN is no logon name: `name` stays empty."""
    found = _names(str(values[0]))
    if found is None:
        return None
    written = (("ldap_person.ldap_dn", str(values[0])), ("ldap_person.ldap_cn", found[0]), ("domain", found[1]))
    return {key: value for key, value in written if value}


def dn_group(values: Values, _options: Options) -> Written | None:
    """`name` the first CN, `domain` the DCs: a group has no directory object in OCSF."""
    found = _names(str(values[0]))
    return {key: value for key, value in (("name", found[0]), ("domain", found[1])) if value} or None if found else None
