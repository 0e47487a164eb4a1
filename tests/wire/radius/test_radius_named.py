"""Attributes by name: each type's values, tags, what has no name, and what nobody gets to see."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.radius_packets import TEXTS, accounting_requests, any_attributes, named_pairs, packets

from wire.radius.attributes import Attribute, Numbered, encode_numbered
from wire.radius.dictionary import Kind, dictionary
from wire.radius.named import encode_named, named_attributes
from wire.radius.packet import Packet


def named(*attributes: Attribute) -> list[tuple[str, str]]:
    return list(named_attributes(Packet(4, 1, bytes(16), attributes)))


def vendor(number: int, kind: int, value: bytes) -> Attribute:
    return encode_numbered(Numbered((26, number, kind), value))[0]


NAMED = {
    "text": (Attribute(1, b"CONTOSO\\jdoe"), ("User-Name", "CONTOSO\\jdoe")),
    "text of other letters": (Attribute(1, "Jürgen".encode()), ("User-Name", "Jürgen")),
    "text that isn't UTF-8": (Attribute(1, b"J\xfcrgen"), ("User-Name", "J\ufffdrgen")),
    "text with a terminator": (Attribute(1, b"jdoe\0\0"), ("User-Name", "jdoe")),
    "text with a NUL inside": (Attribute(1, b"j\0doe"), ("User-Name", "j\0doe")),
    "text of nothing": (Attribute(1, b""), ("User-Name", "")),
    "octets": (Attribute(25, b"\xca\xfe"), ("Class", "cafe")),
    "integer": (Attribute(46, b"\0\0\x0e\x8b"), ("Acct-Session-Time", "3723")),
    "integer, the largest": (Attribute(41, b"\xff" * 4), ("Acct-Delay-Time", "4294967295")),
    "integer of three octets": (Attribute(5, b"\0\0\1"), ("Attr-5", "000001")),
    "integer of none": (Attribute(5, b""), ("Attr-5", "")),
    "integer of eight": (Attribute(42, b"\0" * 8), ("Attr-42", "0000000000000000")),
    "enumerated": (Attribute(40, b"\0\0\0\3"), ("Acct-Status-Type", "Interim-Update")),
    "enumerated, no name": (Attribute(40, b"\0\0\0\x63"), ("Acct-Status-Type", "99")),
    "enumerated, short": (Attribute(40, b"\3"), ("Attr-40", "03")),
    "a terminate cause": (Attribute(49, b"\0\0\0\1"), ("Acct-Terminate-Cause", "User Request")),
    "a service type": (Attribute(6, b"\0\0\0\2"), ("Service-Type", "Framed")),
    "time": (Attribute(55, bytes.fromhex("663889b0")), ("Event-Timestamp", "1714981296")),
    "IPv4 address": (Attribute(8, bytes((10, 8, 0, 23))), ("Framed-IP-Address", "10.8.0.23")),
    "IPv4 address, special": (Attribute(8, b"\xff\xff\xff\xfe"), ("Framed-IP-Address", "255.255.255.254")),
    "IPv4 address of five octets": (Attribute(8, bytes(5)), ("Attr-8", "0000000000")),
    "IPv6 address": (Attribute(168, bytes.fromhex("20010db8" + "0" * 23 + "1")), ("Framed-IPv6-Address", "2001:db8::1")),
    "IPv6 address of an IPv4 one": (Attribute(95, bytes(10) + b"\xff\xff\xc0\0\2\1"), ("NAS-IPv6-Address", "::ffff:192.0.2.1")),
    "IPv6 address, short": (Attribute(95, bytes(15)), ("Attr-95", "00" * 15)),
    "IPv6 prefix": (Attribute(97, bytes.fromhex("004020010db800010000")), ("Framed-IPv6-Prefix", "2001:db8:1::/64")),
    "IPv6 prefix, bits behind it": (Attribute(97, bytes.fromhex("004020010db8" + "0" * 23 + "1")), ("Framed-IPv6-Prefix", "2001:db8::/64")),
    "IPv6 prefix of nothing": (Attribute(123, bytes(2)), ("Delegated-IPv6-Prefix", "::/0")),
    "IPv6 prefix over 128": (Attribute(97, bytes((0, 129)) + bytes(16)), ("Attr-97", "0081" + "00" * 16)),
    "IPv6 prefix, octets left out": (Attribute(97, bytes.fromhex("004020010db8")), ("Framed-IPv6-Prefix", "2001:db8::/64")),
    "IPv6 prefix that ends within an octet": (Attribute(97, bytes.fromhex("002120010db8ff")), ("Framed-IPv6-Prefix", "2001:db8:8000::/33")),
    "IPv6 prefix of 17 octets": (Attribute(97, bytes(19)), ("Attr-97", "00" * 19)),
    "interface identifier": (Attribute(96, bytes.fromhex("021122fffe334455")), ("Framed-Interface-Id", "211:22ff:fe33:4455")),
    "MAC address": (vendor(12356, 23, bytes.fromhex("001b638445e6")), ("Fortinet-WirelessController-Device-MAC", "00:1b:63:84:45:e6")),
    "Microsoft's": (vendor(311, 34, b"MSRASV5.20"), ("MS-RAS-Client-Name", "MSRASV5.20")),
    "Cisco's": (vendor(9, 1, b"mdm-tlv=device-platform=win"), ("Cisco-AVPair", "mdm-tlv=device-platform=win")),
    "Cisco ASA's": (vendor(3076, 150, b"\0\0\0\2"), ("ASA-ClientType", "AnyConnect-Client-SSL-VPN")),
    "Palo Alto's": (vendor(25461, 7, b"203.0.113.77"), ("PaloAlto-Client-Source-IP", "203.0.113.77")),
    "a vendor's, short": (vendor(3076, 150, b"\2"), ("Vendor-3076-150", "02")),
    "a vendor's without name": (vendor(9, 99, b"x"), ("Vendor-9-99", "78")),
    "a vendor's in no form": (Attribute(26, b"\0\0\0\x09\x01"), ("Vendor-9", "01")),
    "no vendor": (Attribute(26, b"\0\0"), ("Attr-26", "0000")),
    "no name": (Attribute(201, b"\1"), ("Attr-201", "01")),
    "extended": (Attribute(241, b"\x04\0\0\0\x04"), ("Original-Packet-Code", "4")),
    "extended without name": (Attribute(242, b"\x09x"), ("Attr-242.9", "78")),
    "extended, a vendor's": (Attribute(241, b"\x1a\0\0\0\x09\x4dx"), ("Attr-241.26.9.77", "78")),
    "extended of nothing": (Attribute(241, b"\x04"), ("Attr-241", "04")),
    "tunnel with a tag": (Attribute(64, b"\1\0\0\3"), ("Tunnel-Type", "L2TP")),
    "tunnel without": (Attribute(64, b"\0\0\0\x0d"), ("Tunnel-Type", "VLAN")),
    "tunnel, no tag but a number": (Attribute(64, b"\x20\0\0\0"), ("Tunnel-Type", "536870912")),
    "tunnel, short": (Attribute(64, b"\1\0\3"), ("Attr-64", "010003")),
    "tunnel's text with a tag": (Attribute(66, b"\x01203.0.113.77"), ("Tunnel-Client-Endpoint", "203.0.113.77")),
    "tunnel's text without": (Attribute(66, b"203.0.113.77"), ("Tunnel-Client-Endpoint", "203.0.113.77")),
    "tunnel's text of nothing": (Attribute(66, b""), ("Tunnel-Client-Endpoint", "")),
}


@pytest.mark.parametrize(("attribute", "expected"), NAMED.values(), ids=NAMED)
def test_names_and_texts(attribute: Attribute, expected: tuple[str, str]) -> None:
    assert named(attribute) == [expected]


def test_the_first_tunnel_has_plain_names() -> None:
    attributes = encode_named(
        (("Tunnel-Type:2", "L2TP"), ("Tunnel-Client-Endpoint:1", "a"), ("Tunnel-Server-Endpoint", "b"), ("Tunnel-Client-Endpoint:2", "c")),
    )
    assert named(*attributes) == [
        ("Tunnel-Type", "L2TP"),
        ("Tunnel-Client-Endpoint:1", "a"),
        ("Tunnel-Server-Endpoint", "b"),
        ("Tunnel-Client-Endpoint", "c"),
    ]


def test_the_order_is_the_packets_and_names_repeat() -> None:
    attributes = (Attribute(25, b"\1"), Attribute(1, b"jdoe"), Attribute(25, b"\2"))
    assert named(*attributes) == [("Class", "01"), ("User-Name", "jdoe"), ("Class", "02")]


SECRETS: tuple[str, ...] = (
    "User-Password",
    "CHAP-Password",
    "CHAP-Challenge",
    "Tunnel-Password",
    "EAP-Message",
    "Message-Authenticator",
    "MS-CHAP-Response",
    "MS-CHAP2-Response",
)
SECRETS += ("MS-CHAP-Challenge", "MS-MPPE-Send-Key", "MS-MPPE-Recv-Key", "MS-CHAP-MPPE-Keys", "Cisco-Subscriber-Password", "ARAP-Password")


@pytest.mark.parametrize("name", SECRETS)
def test_secrets_are_left_out(name: str) -> None:
    entry = dictionary().by_name[name]
    for value in (b"", b"\1", b"hunter2 hunter2 ", bytes(200)):
        assert named(*encode_numbered(Numbered(entry.path, value))) == []


PAIRS = {
    "psk=hunter2": False,
    "l2tp-tunnel-password=hunter2": False,
    "vpdn:l2tp-tunnel-Password*hunter2": False,
    "shared-secret=hunter2": False,
    "ipsec:key-exchange=hunter2": False,
    "mdm-tlv=device-platform=win": True,
    "audit-session-id=c0a80101": True,
    "mdm-tlv=user-agent=psk=": True,
    "no pair of a password": True,
}


@pytest.mark.parametrize(("text", "seen"), PAIRS.items(), ids=PAIRS)
def test_pairs_that_say_they_are_secret_are_left_out(text: str, seen: bool) -> None:  # noqa: FBT001 - a column of the table
    for name in ("Cisco-AVPair", "Juniper-AV-Pair", "Fortinet-Host-Port-AVPair"):
        assert named(*encode_named([(name, text)])) == [(name, text)] * seen


@given(st.lists(named_pairs(), max_size=8))
def test_what_is_encoded_is_named(pairs: list[tuple[str, str]]) -> None:
    assert named(*encode_named(pairs)) == pairs


@given(st.sampled_from(sorted(dictionary().by_name)), st.data())
def test_each_name_comes_back(name: str, data: st.DataObject) -> None:
    entry = dictionary().by_name[name]
    if entry.kind is not Kind.ENUM and not entry.secret and not (entry.tagged and entry.kind is Kind.INTEGER):
        text = data.draw(TEXTS[entry.kind])
        assert named(*encode_named([(name, text)])) == [(name, text)]
    for number, text in entry.values.items():
        assert named(*encode_named([(name, text)])) == named(*encode_named([(name, str(number))])) == [(name, text)]


@given(accounting_requests())
def test_a_session_has_names(packet: Packet) -> None:
    found = named_attributes(packet)
    assert "Acct-Status-Type" in dict(found)
    assert not any("hunter2" in text for _, text in found)


@given(packets(any_attributes))
def test_any_attributes(packet: Packet) -> None:
    for name, text in named_attributes(packet):
        assert name.isascii()
        text.encode()


NO_ATTRIBUTE = {
    "an unknown name": ("Acct-Nonsense", "1"),
    "a tag on what has none": ("User-Name:1", "jdoe"),
    "a tag over 31": ("Tunnel-Type:32", "L2TP"),
    "a tagged integer over 24 bits": ("Tunnel-Preference:1", str(2**24)),
    "an unknown value": ("Acct-Status-Type", "Began"),
    "a negative integer": ("NAS-Port", "-1"),
    "an integer of other digits": ("NAS-Port", "١"),
    "an integer over 32 bits": ("NAS-Port", str(2**32)),
    "an address with a name": ("NAS-IP-Address", "vpn-gw1"),
    "a prefix without length": ("Framed-IPv6-Prefix", "2001:db8::"),
    "a prefix over 128": ("Framed-IPv6-Prefix", "2001:db8::/129"),
    "no interface identifier": ("Framed-Interface-Id", "1:2"),
    "no MAC address": ("Fortinet-WirelessController-Device-MAC", "00:1b"),
    "octets in no hex": ("Class", "xyz"),
    "a number of a vendor without type, too deep": ("Vendor-9-1-1", "00"),
    "a number over 255": ("Attr-256", "00"),
    "an extended value of nothing": ("Attr-242.9", ""),
    "a text too long": ("User-Name", "x" * 254),
}


@pytest.mark.parametrize(("name", "text"), NO_ATTRIBUTE.values(), ids=NO_ATTRIBUTE)
def test_what_no_attribute_is_not_encoded(name: str, text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - ours, or that of what reads addresses and hex
        encode_named([(name, text)])
