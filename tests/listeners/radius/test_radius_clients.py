"""Who a request is from: the longest prefix, however addresses are written, and the names of certificates."""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from listeners.radius.clients import RADSEC_SECRET, Client, Clients, parse_peer
from listeners.radius.settings import ClientSettings

SECRET = b"a secret that nobody guesses"

networks4 = st.builds(lambda number, length: ip_network((number >> (32 - length) << (32 - length), length)), st.integers(0, 2**32 - 1), st.integers(0, 32))
networks6 = st.builds(
    lambda number, length: ip_network((int(ip_address("2001:db8::")) | number >> (128 - length) << (128 - length), length)),
    st.integers(0, 2**64 - 1),
    st.integers(64, 128),
)
networks = st.lists(networks4 | networks6, unique=True, min_size=1, max_size=12)


def clients_of(cidrs: list[IPv4Network | IPv6Network]) -> Clients:
    return Clients([ClientSettings.model_validate({"name": f"c{number}", "cidr": [str(cidr)], "secret": SECRET}) for number, cidr in enumerate(cidrs)])


def longest(cidrs: list[IPv4Network | IPv6Network], peer: str) -> str | None:
    """What the table has to say, asked the slow way."""
    address = ip_address(peer)
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    holding = [(cidr.prefixlen, f"c{number}") for number, cidr in enumerate(cidrs) if cidr.version == address.version and address in cidr]
    return max(holding)[1] if holding else None


@given(networks, st.data())
def test_the_longest_prefix_counts(cidrs: list[IPv4Network | IPv6Network], data: st.DataObject) -> None:
    inside = st.sampled_from(cidrs).flatmap(lambda cidr: st.integers(int(cidr[0]), int(cidr[-1])).map(lambda number: str(type(cidr[0])(number))))
    peer = data.draw(inside | st.ip_addresses().map(str))
    found = clients_of(cidrs).at(peer)
    assert (found.name if found else None) == longest(cidrs, peer)


#   source address                 network                   why
SAME = [
    ("::ffff:192.0.2.10",            "192.0.2.0/24",           "an IPv4-mapped source"),
    ("192.0.2.10",                   "::ffff:192.0.2.0/120",   "an IPv4-mapped network"),
    ("fe80::1%eth0",                 "fe80::/64",              "a source with its zone"),
    ("192.0.2.10",                   "192.0.2.10",             "one address"),
    ("2001:db8::1",                  "::/0",                   "everybody"),
]  # fmt: skip


@pytest.mark.parametrize(("peer", "cidr"), [case[:2] for case in SAME], ids=[case[2] for case in SAME])
def test_however_an_address_is_written(peer: str, cidr: str) -> None:
    found = Clients([ClientSettings.model_validate({"name": "c", "cidr": cidr, "secret": SECRET})]).at(peer)
    assert found == Client("c", SECRET)


@given(st.ip_addresses(v=4))
def test_everybody_of_ipv6_is_nobody_of_ipv4(address: object) -> None:
    assert Clients([ClientSettings.model_validate({"name": "c", "cidr": "::/0", "secret": SECRET})]).at(str(address)) is None
    assert str(parse_peer(f"::ffff:{address}")) == str(address)


def test_a_certificate_is_known_by_any_of_its_names_and_signs_as_radsec_does() -> None:
    clients = Clients([ClientSettings.model_validate({"name": "c", "certificate": ["VPN1.contoso.example", "sha-256:AA:BB"], "vendor": "Contoso"})])
    for names in (["vpn1.contoso.example"], ["other", "Vpn1.Contoso.Example"], ["sha-256:aa:bb"]):
        assert clients.named(names) == Client("c", RADSEC_SECRET, vendor="Contoso")
    assert clients.named(["vpn2.contoso.example", "vpn1.contoso.example.evil"]) is None
    assert clients.at("127.0.0.1") is None


def test_a_secret_is_never_shown() -> None:
    assert SECRET.decode() not in repr(Client("c", SECRET))
    assert SECRET.decode() not in repr(ClientSettings.model_validate({"name": "c", "cidr": "127.0.0.1", "secret": SECRET}))


def test_others_are_known_once_they_are_renewed() -> None:
    clients = clients_of([ip_network("192.0.2.0/24")])
    assert clients.at("192.0.2.1") is not None
    clients.renew([ClientSettings.model_validate({"name": "other", "cidr": ["198.51.100.0/24"], "secret": SECRET, "certificate": "vpn.contoso.example"})])
    found = clients.at("198.51.100.1")
    assert (clients.at("192.0.2.1"), found.name if found else None) == (None, "other")
    assert clients.named(["VPN.contoso.example"]) == Client("other", RADSEC_SECRET)
