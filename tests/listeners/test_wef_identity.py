"""Whom an authenticated source may speak for, and how operators list sources."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from listeners.wef.identity import Identity, NameList, certificate_identity, principal_identity

ISSUER = "A9" * 20

#   principal                         computer                        speaks     why
PRINCIPALS = [
    ("DC1$@CONTOSO.EXAMPLE",          "dc1.contoso.example",          True,      "its DNS name"),
    ("DC1$@CONTOSO.EXAMPLE",          "DC1.CONTOSO.EXAMPLE",          True,      "in upper case"),
    ("DC1$@CONTOSO.EXAMPLE",          " dc1.contoso.example.\r\n",    True,      "with white space and a final dot"),
    ("DC1$@CONTOSO.EXAMPLE",          "DC1",                          True,      "its NetBIOS name"),
    ("DC1$@CONTOSO.EXAMPLE",          "dc1.other.example",            False,     "the same name elsewhere"),
    ("DC1$@CONTOSO.EXAMPLE",          "dc11.contoso.example",         False,     "a longer name"),
    ("DC1$@CONTOSO.EXAMPLE",          "contoso.example",              False,     "the domain"),
    ("DC1$@CONTOSO.EXAMPLE",          "",                             False,     "nobody"),
    ("DC1$@CONTOSO.EXAMPLE",          "dc1\x00.contoso.example",      False,     "a NUL"),
    ("LONDON-SERVER-0$@A.EXAMPLE",    "london-server-01.a.example",   True,      "a DNS name longer than 15 characters"),
    ("LONDON-SERVER-0$@A.EXAMPLE",    "london-server-01",             True,      "the same without domain"),
    ("LONDON-SERVER-0$@A.EXAMPLE",    "london-server-01.b.example",   False,     "the same elsewhere"),
    ("LONDON-SERVER-$@A.EXAMPLE",     "london-server-01.a.example",   False,     "14 characters are no cut name"),
    ("backup@CONTOSO.EXAMPLE",        "backup.contoso.example",       False,     "a user"),
    ("HTTP/dc1$@CONTOSO.EXAMPLE",     "dc1.contoso.example",          False,     "a service"),
    ("$@CONTOSO.EXAMPLE",             ".contoso.example",             False,     "no name at all"),
    ("DC1$",                          "dc1",                          True,      "no realm"),
]  # fmt: skip


@pytest.mark.parametrize(("principal", "computer", "speaks"), [pytest.param(*row[:3], id=row[3]) for row in PRINCIPALS])
def test_a_principal_speaks_for_its_computer(principal: str, computer: str, *, speaks: bool) -> None:
    assert principal_identity(principal).speaks_for(computer) is speaks


#   names                                  computer                     speaks     why
CERTIFICATES = [
    (["dc1.contoso.example"],              "DC1.contoso.example",       True,      "its DNS name"),
    (["dc1.contoso.example"],              "dc1",                       True,      "its first label"),
    (["dc1.contoso.example"],              "dc2.contoso.example",       False,     "another"),
    (["x.example", "dc1.contoso.example"], "dc1.contoso.example",       True,      "its second DNS name"),
    ([],                                   "dc1.contoso.example",       False,     "no name at all"),
]  # fmt: skip


@pytest.mark.parametrize(("names", "computer", "speaks"), [pytest.param(*row[:3], id=row[3]) for row in CERTIFICATES])
def test_a_certificate_speaks_for_its_names(names: list[str], computer: str, *, speaks: bool) -> None:
    assert certificate_identity(names, "CN=x", ISSUER).speaks_for(computer) is speaks


def test_a_key_is_the_same_however_a_name_is_spelled_and_never_two_sources_key() -> None:
    assert principal_identity("dc1$@contoso.example").key == principal_identity("DC1$@CONTOSO.EXAMPLE").key
    assert certificate_identity(["a"], "CN=A", ISSUER).key == certificate_identity(["b"], "cn=a", ISSUER.lower()).key
    assert certificate_identity(["a"], "CN=A", ISSUER).key != certificate_identity(["a"], "CN=A", "B0" * 20).key
    assert certificate_identity([], "CN=A", ISSUER).name == "CN=A"


#   patterns                        listed     why
LISTS = [
    (["*"],                         True,      "everybody"),
    ([],                            False,     "nobody"),
    (["dc1$@contoso.example"],      True,      "its principal"),
    (["DC1.contoso.example"],       True,      "its computer"),
    (["*.contoso.example"],         True,      "its domain"),
    (["*.example"],                 True,      "its domain's domain"),
    (["dc?.contoso.example"],       False,     "a question mark is no wildcard"),
    (["dc[1].contoso.example"],     False,     "nor is a bracket"),
    (["*dc2*", "*$@other*"],        False,     "others"),
]  # fmt: skip


@pytest.mark.parametrize(("patterns", "listed"), [pytest.param(*row[:2], id=row[2]) for row in LISTS])
def test_sources_are_listed_by_name_or_pattern(patterns: list[str], *, listed: bool) -> None:
    assert NameList(patterns).has(principal_identity("DC1$@CONTOSO.EXAMPLE")) is listed


@given(st.text(max_size=40), st.text(max_size=40), st.lists(st.text(max_size=10), max_size=3))
def test_no_name_is_too_odd(principal: str, computer: str, patterns: list[str]) -> None:
    for identity in (principal_identity(principal), certificate_identity([principal], computer, ISSUER)):
        assert isinstance(identity, Identity)
        identity.speaks_for(computer)
        NameList(patterns).has(identity)


@given(st.from_regex(r"[a-z][a-z0-9-]{0,14}", fullmatch=True), st.from_regex(r"[a-z]{1,8}\.example", fullmatch=True))
def test_every_machine_speaks_for_itself(host: str, domain: str) -> None:
    assert principal_identity(f"{host.upper()}$@{domain.upper()}").speaks_for(f"{host}.{domain}")
