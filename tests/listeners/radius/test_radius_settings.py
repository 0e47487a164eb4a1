"""[listeners.radius]: what an operator may write, and what is refused before anything listens."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from listeners.radius.settings import RadiusSettings
from pipeline.settings import SocketAddress

LONG = "0123456789abcdef"
CLIENT = {"name": "vpn1", "cidr": "192.0.2.10", "secret": "file:long"}
TLS = {"addresses": ["[::]"], "certificate": "server.pem", "key": "server.key", "client_ca": ["ca.pem"]}


def read(folder: Path, **given: object) -> RadiusSettings:
    """As from a configuration file beside which there are secrets."""
    (folder / "long").write_text(f"{LONG}\n")
    (folder / "short").write_text(LONG[1:])
    (folder / "empty").write_text("\n")
    return RadiusSettings.model_validate({"addresses": ["127.0.0.1:1813"], "clients": [CLIENT], **given}, context={"folder": folder})


def test_what_is_written_short_is_completed(tmp_path: Path) -> None:
    found = read(tmp_path, addresses=["0.0.0.0", "[::]", "[::1]:11813", "localhost"], tls=TLS)
    assert found.addresses == (SocketAddress("0.0.0.0", 1813), SocketAddress("::", 1813), SocketAddress("::1", 11813), SocketAddress("localhost", 1813))
    assert found.tls is not None
    assert found.tls.addresses == (SocketAddress("::", 2083),)
    assert [str(network) for network in found.clients[0].cidr] == ["192.0.2.10/32"]
    assert found.clients[0].secret is not None
    assert found.clients[0].secret.get_secret_value() == LONG.encode()
    assert LONG not in repr(found)


def test_a_short_secret_may_be_allowed(tmp_path: Path) -> None:
    found = read(tmp_path, clients=[{**CLIENT, "secret": "file:short", "allow_short_secret": True}])
    assert found.clients[0].secret is not None


OTHER = {"name": "vpn2", "cidr": ["192.0.2.0/24"], "secret": "file:long"}
NAMED = {"name": "vpn3", "certificate": "vpn3.contoso.example"}

#   given                                                                      words of the error               why
REFUSED = [
    ({"addresses": []},                                                        "give it an address",            "nowhere to listen"),
    ({"addresses": ["1813"]},                                                  "write host:port",               "a port alone"),
    ({"addresses": ["[::1]", "[::1]:1813"]},                                   "two addresses are",             "one address twice, written in two ways"),
    ({"clients": [{**CLIENT, "cidr": "192.0.2.300"}]},                         "write it as in",                "no network"),
    ({"clients": []},                                                          "at least 1",                    "nobody to hear"),
    ({"clients": [{**CLIENT, "secret": "file:short"}]},                        "has 15 octets",                 "a short secret"),
    ({"clients": [{**CLIENT, "secret": "file:empty"}]},                        "has 0 octets",                  "no secret in the file"),
    ({"clients": [{**CLIENT, "secret": "file:empty", "allow_short_secret": True}]}, "has 0 octets",             "no secret, allowed to be short"),
    ({"clients": [{**CLIENT, "secret": LONG}]},                                "never the secret itself",       "a secret that is none by reference"),
    ({"clients": [{"name": "vpn1", "cidr": "192.0.2.10"}]},                    "go together",                   "an address without secret"),
    ({"clients": [{**NAMED, "secret": "file:long"}], "tls": TLS},              "go together",                   "a secret without address"),
    ({"clients": [{"name": "vpn1"}]},                                          "nobody is meant",               "a name alone"),
    ({"clients": [NAMED]},                                                     "nobody asks for one",           "a certificate without TLS"),
    ({"clients": [CLIENT, {**OTHER, "name": "vpn1"}]},                         "two clients are named vpn1",    "one name twice"),
    ({"clients": [CLIENT, {**OTHER, "cidr": "::ffff:192.0.2.10"}]},            "the network 192.0.2.10/32",     "one network twice, written in two ways"),
    ({"clients": [NAMED, {**NAMED, "name": "vpn4"}], "tls": TLS},              "the certificate vpn3.",         "one certificate twice"),
    ({"clients": [{**CLIENT, "name": "a\nb"}]},                                "up to 63",                      "a name that can't be shown"),
    ({"clients": [{**CLIENT, "cidr": "192.0.2.10/24"}]},                       "host bits",                     "host bits in a network"),
    ({"answer": "relayed"},                                                    "go together",                   "an answer that waits for nobody"),
    ({"relay": "nps"},                                                         "go together",                   "a relay that nobody waits for"),
    ({"tls": {**TLS, "client_ca": []}},                                        "at least 1",                    "TLS that asks nobody for a certificate"),
]  # fmt: skip


@pytest.mark.parametrize(("given", "words"), [case[:2] for case in REFUSED], ids=[case[2] for case in REFUSED])
def test_what_is_refused(tmp_path: Path, given: dict[str, object], words: str) -> None:
    with pytest.raises(ValidationError, match=words) as raised:
        read(tmp_path, **given)
    assert LONG[1:] not in "".join(error["msg"] for error in raised.value.errors())
