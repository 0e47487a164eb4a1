"""FreeRADIUS' dictionary, as Debian ships it, as oracle of ours: what its files say of an attribute, and where we say otherwise on purpose."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from support import peers

from wire.radius.attributes import VENDOR_SPECIFIC
from wire.radius.dictionary import Kind

TYPES: Final = {
    "integer": {Kind.INTEGER, Kind.ENUM},
    "string": {Kind.TEXT},
    "octets": {Kind.OCTETS},
    "ipaddr": {Kind.IPV4ADDR},
    "ipv6addr": {Kind.IPV6ADDR},
    "ipv6prefix": {Kind.IPV6PREFIX},
    "ifid": {Kind.IFID},
    "date": {Kind.TIME},
    "ether": {Kind.ETHER},
}

OTHERS: Final = frozenset(
    {
        "dictionary.ascend.illegal",
        "dictionary.compat",
        "dictionary.dhcp",
        "dictionary.freeradius.internal",
        "dictionary.usr.illegal",
        "dictionary.vqp",
    }
)
"""Files of other protocols, of FreeRADIUS' own attributes, and of vendors that took numbers which weren't theirs."""


@dataclass(frozen=True, slots=True)
class Said:
    """What FreeRADIUS says of an attribute.

    names:   its names; some have two.
    kinds:   those of ours that its type may be.
    tagged:  whether it has a tag.
    hidden:  whether its value is encrypted on the wire.
    """

    names: set[str]
    kinds: set[Kind]
    tagged: bool
    hidden: bool


@dataclass(slots=True)
class FreeRadius:
    """All of it.

    attributes:  by number, as `wire.radius.dictionary.Entry.path`.
    values:      names of enumerated values, by name of the attribute and number; some have two.
    """

    attributes: dict[tuple[int, ...], Said] = field(default_factory=dict)
    values: dict[str, dict[int, set[str]]] = field(default_factory=dict)


def read_freeradius() -> FreeRadius:
    """The dictionary of the FreeRADIUS that the tests start."""
    found = FreeRadius()
    vendors = dict[str, int]()
    vendor: tuple[int, ...] = ()
    for words in _lines(peers.radius_dictionary() / "dictionary"):
        match words:
            case ["VENDOR", name, number, *_]:
                vendors[name] = int(number)
            case ["BEGIN-VENDOR", name, *_]:
                vendor = (VENDOR_SPECIFIC, vendors[name])
            case ["END-VENDOR", *_]:
                vendor = ()
            case ["ATTRIBUTE", name, number, kind, *flags]:
                path = (*vendor, *(int(part, 0) for part in number.split(".")))
                said = found.attributes.setdefault(path, Said(set(), set(), "has_tag" in "".join(flags), "encrypt" in "".join(flags)))
                said.names.add(name)
                said.kinds.update(TYPES.get(kind.partition("[")[0].lower(), set()))
            case ["VALUE", name, text, number, *_]:
                found.values.setdefault(name, {}).setdefault(int(number, 0), set()).add(text)
            case _:
                pass
    return found


def _lines(path: Path) -> Iterator[list[str]]:
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        words = line.partition("#")[0].split()
        if words[:1] == ["$INCLUDE"]:
            if words[1] not in OTHERS:
                yield from _lines(path.with_name(words[1]))
        elif words:
            yield words


OTHER_VALUES: Final[dict[str, dict[int, str]]] = {
    "Service-Type": {1: "Login", 2: "Framed", 3: "Callback-Login", 4: "Callback-Framed", 5: "Outbound", 6: "Administrative", 7: "NAS-Prompt"},
    "NAS-Port-Type": {2: "ISDN Sync"},
    "Tunnel-Type": {7: "IP-IP"},
    "Acct-Terminate-Cause": {21: "Port Reinitialized", 22: "Port Administratively Disabled"},
}
"""Values with another name than FreeRADIUS has: as RFC 2865 sections 5.6 and 5.41, RFC 2868 section 3.1 and IANA call them (docstring of the dictionary)."""

NEWER: Final = frozenset(
    {
        "Cisco-DHCPv4-Option-To-AAA",
        "Juniper-Acct-Request-Reason",
        "Juniper-DHCPv4-Options",
        "Juniper-DHCPv4-Packet-Header",
        "Juniper-DHCPv6-Options",
        "Juniper-DHCPv6-Packet-Header",
    }
)
"""Attributes that came to FreeRADIUS after the oldest version the tests meet, 3.2.1; compared where the version at hand has them."""

SPACED: Final = frozenset({"Acct-Terminate-Cause"})
"""Attributes whose values IANA writes with spaces where FreeRADIUS has hyphens."""
