"""Check looks at what [listeners.radius] needs: secrets, addresses, certificates, and a relay that is one."""

from __future__ import annotations

import socket
from datetime import UTC, datetime
from pathlib import Path

import pytest
import trustme

from gateway.check.examinations import examine
from gateway.check.findings import Finding, Level
from gateway.config import load
from pipeline.errors import ConfigError

NOW = datetime.now(UTC)
BASE = """
[gateway]
state_dir = "state"
[[forwarders]]
name = "archive"
kind = "file"
path = "out/events.ndjson"
[listeners.radius]
addresses = ["127.0.0.1:{port}"]
{more}
[[listeners.radius.clients]]
name = "vpn1"
cidr = "192.0.2.1"
secret = "file:long"
"""
OTHER = '[[listeners.radius.clients]]\nname = "vpn2"\ncidr = "192.0.2.2"\nsecret = "file:{}"\n'
NAMED = '[[listeners.radius.clients]]\nname = "vpn3"\ncertificate = "vpn3.contoso.example"\n'
TLS = '[listeners.radius.tls]\naddresses = ["127.0.0.1:0"]\ncertificate = "server.pem"\nkey = "server.key"\nclient_ca = ["ca.pem"]\n'


def findings(folder: Path, text: str = "", *, port: int = 0, more: str = "") -> dict[str, Finding]:
    (folder / "long").write_text("0123456789abcdef0123456789abcdef\n")
    (folder / "other").write_text("fedcba9876543210fedcba9876543210\n")
    (folder / "sixteen").write_text("0123456789abcdef\n")
    path = folder / "gateway.toml"
    path.write_text(BASE.format(port=port, more=more) + text)
    return {finding.what: finding for finding in examine(load(path, {}), path, now=NOW)}


def test_a_good_one(tmp_path: Path) -> None:
    ca = trustme.CA()
    server = ca.issue_cert("localhost")
    server.private_key_pem.write_to_path(tmp_path / "server.key")
    server.cert_chain_pems[0].write_to_path(tmp_path / "server.pem")
    ca.cert_pem.write_to_path(tmp_path / "ca.pem")
    found = findings(tmp_path, OTHER.format("other") + NAMED + TLS)
    for what in ("RADIUS client vpn1", "RADIUS client vpn2", "RADIUS client vpn3", "listeners.radius udp 127.0.0.1:0", "listeners.radius radsec 127.0.0.1:0"):
        assert found[what].level is Level.OK
    assert str(tmp_path / "server.pem") in found


@pytest.mark.parametrize(("secret", "word"), [("sixteen", "16 octets"), ("long", "has the secret of vpn1")])
def test_a_secret_that_is_short_or_shared(tmp_path: Path, secret: str, word: str) -> None:
    found = findings(tmp_path, OTHER.format(secret))["RADIUS client vpn2"]
    assert found.level is Level.WARNING
    assert word in found.why
    assert "0123456789abcdef" not in str(found)


def test_an_address_that_is_taken(tmp_path: Path) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        assert findings(tmp_path, port=port)[f"listeners.radius udp 127.0.0.1:{port}"].level is Level.ERROR


def test_certificates_that_are_not_there(tmp_path: Path) -> None:
    found = findings(tmp_path, NAMED + TLS)
    assert any(finding.level is Level.ERROR and what.startswith("listeners.radius.tls ") for what, finding in found.items())


def test_a_relay_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="archive is no forwarder that passes RADIUS on; name one of"):
        findings(tmp_path, more='answer = "relayed"\nrelay = "archive"')
