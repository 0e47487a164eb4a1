"""What a number means: the attributes that have a name, their types, and their enumerated values.

The tables are data, `dictionaries/*.toml`, one file per RFC or vendor, read once when first asked:

    vendor = 311                                        # absent: attributes of RADIUS itself
    [attributes]
    10 = ["MS-CHAP-Domain", "text"]                     # number (dotted in the extended space): name, type, then "tagged", "secret", "pair"
    [values.MS-Acct-Auth-Type]
    3 = "MS-CHAP-1"

Names are those of the documents, as FreeRADIUS and IANA spell them; so are the names of values, but for those that both call otherwise than their own document:
Service-Type without `-User` (RFC 2865 section 5.6), Acct-Terminate-Cause as IANA registers it, NAS-Port-Type 2 `ISDN Sync`, Tunnel-Type 7 `IP-IP` (RFC 2868
section 3.1), Tunnel-Medium-Type 1 `IPv4`.

An attribute is `secret` that carries a password, a key, or what one could be guessed from: nobody gets to see its value.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from importlib import resources
from types import MappingProxyType
from typing import Final, NotRequired, TypedDict, cast

from wire.radius.attributes import VENDOR_SPECIFIC


class Kind(StrEnum):
    """Data types of RFC 8044 section 3, under its names; `octets` is what it calls string, `ether` a MAC address (IEEE 802)."""

    INTEGER = "integer"
    ENUM = "enum"
    TIME = "time"
    TEXT = "text"
    OCTETS = "octets"
    IPV4ADDR = "ipv4addr"
    IPV6ADDR = "ipv6addr"
    IPV6PREFIX = "ipv6prefix"
    IFID = "ifid"
    ETHER = "ether"


@dataclass(frozen=True, slots=True)
class Entry:
    """An attribute that has a name.

    path:    its number, as `wire.radius.attributes.Numbered` has it.
    name:    as in the field: `Acct-Status-Type`.
    kind:    of its value.
    values:  names of enumerated values by number; empty for other types.
    tagged:  whether a tag may stand before the value (RFC 2868 section 3).
    secret:  whether its value is nobody's business.
    pair:    whether its text is one more name and value, `name=value` or `name*value`, as in Cisco-AVPair.
    """

    path: tuple[int, ...]
    name: str
    kind: Kind
    values: Mapping[int, str]
    tagged: bool = False
    secret: bool = False
    pair: bool = False


class Table(TypedDict):
    """A file of `dictionaries/`, as TOML has it."""

    vendor: NotRequired[int]
    attributes: NotRequired[dict[str, list[str]]]
    values: NotRequired[dict[str, dict[str, str]]]


FLAGS: Final = frozenset({"tagged", "secret", "pair"})


@dataclass(frozen=True, slots=True)
class Dictionary:
    """All attributes that have a name.

    by_path:  by number.
    by_name:  the same ones by name.
    """

    by_path: Mapping[tuple[int, ...], Entry]
    by_name: Mapping[str, Entry]


@cache
def dictionary() -> Dictionary:
    """The dictionary, read at the first call."""
    files = (file for file in resources.files("wire.radius.dictionaries").iterdir() if file.name.endswith(".toml"))
    tables = [cast("Table", tomllib.loads(file.read_text(encoding="utf-8"))) for file in sorted(files, key=lambda file: file.name)]
    return build_dictionary(tables)


def build_dictionary(tables: list[Table]) -> Dictionary:
    """A dictionary of tables; a value may stand in another table than its attribute.

    Raises:
        ValueError: a number, name or value that is defined twice, a value of no attribute of type enum, an unknown type or flag.
        KeyError: an attribute of type enum without a value.
    """
    enumerated: dict[str, dict[int, str]] = {}
    for table in tables:
        for name, values in table.get("values", {}).items():
            known = enumerated.setdefault(name, {})
            for number, text in values.items():
                if int(number) in known:
                    raise ValueError(f"{name} {number} is defined twice")
                known[int(number)] = text
    by_path: dict[tuple[int, ...], Entry] = {}
    by_name: dict[str, Entry] = {}
    for table in tables:
        prefix = (VENDOR_SPECIFIC, table["vendor"]) if "vendor" in table else ()
        for number, (name, kind, *flags) in table.get("attributes", {}).items():
            path = (*prefix, *map(int, number.split(".")))
            if path in by_path or name in by_name or not FLAGS.issuperset(flags):
                raise ValueError(f"{number} {name}: {flags}, or defined twice")
            of_enum = MappingProxyType(enumerated.pop(name) if kind == Kind.ENUM else {})
            entry = Entry(path, name, Kind(kind), of_enum, "tagged" in flags, "secret" in flags, "pair" in flags)
            by_path[path] = by_name[name] = entry
    if enumerated:
        raise ValueError(f"values of no attribute of type enum: {', '.join(enumerated)}")
    return Dictionary(MappingProxyType(by_path), MappingProxyType(by_name))
