"""Strategies of RADIUS packets, from any octets that have the form of one to what a NAS sends of a session; and signing them.

accounting_requests()      an Accounting-Request of a session or a NAS, every value of its type, unsigned
signed(packet, SECRET)     its octets
packets()                  any packet of any code and attributes
named_pairs()              names and texts that `encode_named` takes
"""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import IPv6Address
from typing import Final

from hypothesis import strategies as st

from wire.radius.attributes import EXTENDED, LONG_EXTENDED, MAX_VALUE, VENDOR_SPECIFIC, Attribute, encode_attributes
from wire.radius.authenticators import ZEROS, encode_accounting_request
from wire.radius.dictionary import Entry, Kind, dictionary
from wire.radius.named import encode_named
from wire.radius.packet import HEADER, MAX_LENGTH, Code, Packet

SECRET: Final = b"a secret that nobody guesses"

identifiers = st.integers(0, 255)
authenticators = st.binary(min_size=16, max_size=16)
names = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=20)
addresses = st.ip_addresses(v=4).map(str)
ipv6_addresses = st.ip_addresses(v=6).map(IPv6Address).filter(lambda address: address.ipv4_mapped is None).map(str)
integers = st.integers(0, 2**32 - 1).map(str)

TEXTS: Final[dict[Kind, st.SearchStrategy[str]]] = {
    Kind.TEXT: names,
    Kind.OCTETS: st.binary(max_size=30).map(bytes.hex),
    Kind.INTEGER: integers,
    Kind.TIME: integers,
    Kind.IPV4ADDR: addresses,
    Kind.IPV6ADDR: ipv6_addresses | addresses.map("::ffff:{}".format),
    Kind.IPV6PREFIX: st.ip_addresses(v=6, network="2001:db8::/32").map("{}/128".format) | st.sampled_from(["2001:db8:1::/48", "8000::/1", "::/0"]),
    Kind.IFID: st.lists(st.integers(0, 65535), min_size=4, max_size=4).map(lambda groups: ":".join(f"{group:x}" for group in groups)),
    Kind.ETHER: st.binary(min_size=6, max_size=6).map(lambda octets: octets.hex(":")),
}
"""Texts of each type, in the one spelling that values have."""


def texts(entry: Entry) -> st.SearchStrategy[str]:
    """Texts that a named attribute may have: values with a name by name, more often than others by number."""
    if entry.kind is Kind.ENUM:
        others = st.integers(0, 2**24 - 1).filter(lambda number: number not in entry.values).map(str)
        return st.sampled_from(sorted(entry.values.values())) | others
    if entry.kind is Kind.OCTETS and entry.path[0] >= EXTENDED.start:  # an extended attribute can't be empty
        return st.binary(min_size=1, max_size=30).map(bytes.hex)
    return st.integers(0, 2**24 - 1).map(str) if entry.tagged and entry.kind is Kind.INTEGER else TEXTS[entry.kind]


def _named(entry: Entry) -> st.SearchStrategy[tuple[str, str]]:
    return st.tuples(st.just(entry.name), texts(entry))


@st.composite
def _unknown(draw: st.DrawFn) -> tuple[str, str]:
    known = dictionary().by_path
    vendor, number = draw(st.sampled_from([9, 311, 3076, 4242, 14179])), draw(st.integers(1, 255))
    plain = draw(st.integers(1, 240).filter(lambda number: number != VENDOR_SPECIFIC and (number,) not in known))
    names = [f"Attr-{plain}", f"Attr-242.{number}", f"Attr-246.{number}"] + [f"Vendor-{vendor}-{number}"] * ((VENDOR_SPECIFIC, vendor, number) not in known)
    inside = draw(st.binary(min_size=1, max_size=60))
    name = draw(st.sampled_from([name for name in names if not name.endswith(".26")]))
    return name, inside.hex()


@st.composite
def named_pairs(draw: st.DrawFn, *, tagged: bool = False) -> tuple[str, str]:
    """A name and a text, of every attribute that may be seen, or of one that has no name.

    Args:
        draw: Hypothesis'.
        tagged: let tunnel attributes have tags; which of them keep them in their names depends on what else a packet has.
    """
    entries = [entry for _, entry in sorted(dictionary().by_name.items()) if not (entry.secret or entry.pair)]
    if draw(st.integers(0, 4)) == 0:
        return draw(_unknown())
    entry = draw(st.sampled_from(entries))
    name, text = draw(_named(entry))
    return (f"{name}:{draw(st.integers(1, 31))}" if tagged and entry.tagged and draw(st.booleans()) else name), text


WHEN: Final = ("Event-Timestamp", "Acct-Delay-Time")
WHOSE: Final = ("NAS-IP-Address", "NAS-IPv6-Address", "NAS-Identifier", "NAS-Port", "NAS-Port-Id", "NAS-Port-Type")
COUNTED: Final = (
    "Acct-Session-Time",
    "Acct-Input-Octets",
    "Acct-Output-Octets",
    "Acct-Input-Gigawords",
    "Acct-Output-Gigawords",
    "Acct-Input-Packets",
    "Acct-Output-Packets",
    "Acct-Terminate-Cause",
)
SPECIAL: Final[dict[str, st.SearchStrategy[str]]] = {
    "User-Name": names | st.sampled_from(["CONTOSO\\jdoe", "jdoe@contoso.example", "jdoe", "@", "\\", "host/wks-042.contoso.example"]),
    "Calling-Station-Id": names | addresses | st.sampled_from(["00-1B-63-84-45-E6", "001b.6384.45e6", "203.0.113.77:50123", "ip=203.0.113.77", "+49 30 1234"]),
    "Framed-IP-Address": addresses | st.sampled_from(["255.255.255.254", "255.255.255.255"]),
    "Cisco-AVPair": st.sampled_from(["mdm-tlv=device-platform=win", "audit-session-id=c0a80101", "ip:source-ip=203.0.113.77", "psk=hunter2"]),
}
OF_A_SESSION: Final = (
    "Acct-Multi-Session-Id",
    "Framed-IP-Address",
    "Framed-IPv6-Address",
    "Framed-IPv6-Prefix",
    "Called-Station-Id",
    "Calling-Station-Id",
    "Tunnel-Type",
    "Tunnel-Medium-Type",
    "Tunnel-Client-Endpoint",
    "Acct-Authentic",
    "Service-Type",
    "Framed-Protocol",
    "Class",
    "MS-CHAP-Domain",
    "MS-RAS-Client-Name",
    "ASA-TunnelGroupName",
    "ASA-ClientType",
    "Cisco-AVPair",
    "Proxy-State",
)


@st.composite
def accounting_requests(draw: st.DrawFn, *, statuses: tuple[str, ...] = ("Start", "Stop", "Interim-Update", "Accounting-On", "Accounting-Off")) -> Packet:
    """An Accounting-Request as a NAS may send it, unsigned: each attribute of its type and at most once, but for some further ones of any kind at the end.

    Args:
        draw: Hypothesis'.
        statuses: of which Acct-Status-Type is one, by name.
    """
    status = draw(st.sampled_from(statuses))
    session = not status.startswith("Accounting-")
    chosen = [*draw(_some(WHEN)), *draw(_some(WHOSE)), *(draw(_some(OF_A_SESSION)) if session else []), *(draw(_some(COUNTED)) if session else [])]
    pairs = [("Acct-Status-Type", status)]
    if session:
        pairs += [("Acct-Session-Id", draw(names)), ("User-Name", draw(SPECIAL["User-Name"]))]
    by_name = dictionary().by_name
    pairs += [(name, draw(SPECIAL[name] if name in SPECIAL else texts(by_name[name]))) for name in chosen]
    taken = {name for name, _ in pairs}
    pairs += [pair for pair in draw(st.lists(named_pairs(tagged=True), max_size=3)) if pair[0] not in taken]
    return Packet(Code.ACCOUNTING_REQUEST, draw(identifiers), ZEROS, encode_named(draw(st.permutations(pairs))))


def _some(names: tuple[str, ...]) -> st.SearchStrategy[list[str]]:
    return st.lists(st.sampled_from(names), unique=True, max_size=len(names))


def signed(packet: Packet, secret: bytes = SECRET, *, message_authenticator: bool = False) -> bytes:
    """The octets of an Accounting-Request, signed."""
    return encode_accounting_request(packet.identifier, packet.attributes, secret, message_authenticator=message_authenticator)


plain_values = st.binary(max_size=40) | st.binary(min_size=MAX_VALUE, max_size=MAX_VALUE)
vendor_values = st.builds(
    lambda vendor, inside: vendor.to_bytes(4) + encode_attributes(inside),
    st.sampled_from([9, 311, 3076, 10415, 2**32 - 1]),
    st.lists(st.builds(Attribute, identifiers, st.binary(max_size=30)), max_size=3),
)
extended_values = st.builds(lambda first, value: bytes(first) + value, st.tuples(identifiers, st.sampled_from([0, 0x80, 0x40])), st.binary(max_size=20))
any_attributes = (
    st.builds(Attribute, identifiers, plain_values)
    | st.builds(Attribute, st.just(VENDOR_SPECIFIC), vendor_values | plain_values)
    | st.builds(Attribute, st.sampled_from([*EXTENDED, *LONG_EXTENDED]), extended_values | plain_values)
)


@st.composite
def packets(draw: st.DrawFn, attributes: st.SearchStrategy[Attribute] = any_attributes, keep: Callable[[Attribute], bool] = lambda _: True) -> Packet:
    """Any packet that fits its 4096 octets; attributes that `keep` doesn't like are left out."""
    found: list[Attribute] = []
    left = MAX_LENGTH - HEADER
    for attribute in filter(keep, draw(st.lists(attributes, max_size=20))):
        left -= 2 + len(attribute.value)
        if left >= 0:
            found.append(attribute)
    return Packet(draw(identifiers), draw(identifiers), draw(authenticators), tuple(found))
