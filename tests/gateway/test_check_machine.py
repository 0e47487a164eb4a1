"""Check looks at the machine, at secrets and at who may read them."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.bench.host import Host
from gateway.check.examinations import examine
from gateway.check.findings import Finding, Level
from gateway.check.secrets import COMFORTABLE, weakness
from gateway.config import load

BASE = '[gateway]\nstate_dir = "state"\n'
RELAY = """
[[forwarders]]
name = "sensor"
kind = "sensor"
layout = "radius"
address = "udp://127.0.0.1:1813"
secret = "file:relay.secret"
"""


def findings(folder: Path, text: str, check: str) -> list[Finding]:
    (folder / "gateway.toml").write_text(BASE + text)
    return [one for one in examine(load(folder / "gateway.toml", {}), folder / "gateway.toml") if one.check == check]


@pytest.mark.parametrize(
    ("host", "levels"),
    [
        pytest.param(Host("", 2.0, 2048, "Linux", "ext4"), "ok ok ok", id="enough"),
        pytest.param(Host("", 1.5, 512, "Linux", "xfs"), "warning warning ok", id="a small container"),
        pytest.param(Host("", 8.0, 0, "Linux", ""), "ok unknown unknown", id="a system that doesn't say"),
        pytest.param(Host("", 8.0, 9999, "Linux", "tmpfs"), "ok ok warning", id="in memory"),
        pytest.param(Host("", 8.0, 9999, "Linux", "nfs4"), "ok ok warning", id="over a network"),
        pytest.param(Host("", 8.0, 9999, "Linux", "overlay"), "ok ok warning", id="in a container's layer"),
    ],
)
def test_a_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, host: Host, levels: str) -> None:
    monkeypatch.setattr("gateway.check.machine.read_host", lambda _: host)
    found = findings(tmp_path, "", "machine")
    assert [str(one.level) for one in found] == levels.split()
    assert all(one.fix for one in found if one.level is not Level.OK)


@pytest.mark.parametrize(
    ("secret", "words"),
    [(b"x" * 8 + b"0123456789", "18 octets"), (b"ab" * COMFORTABLE, "few different octets (2)"), (b"0123456789abcdef01234567", None)],
    ids=["short", "of few letters", "good"],
)
def test_a_secret(secret: bytes, words: str | None) -> None:
    found = weakness(secret)
    assert found is None if words is None else words in (found or "")


def test_the_secret_of_a_relay_and_its_file(tmp_path: Path) -> None:
    path = tmp_path / "relay.secret"
    path.write_text("0123456789abcdef")
    path.chmod(0o644)
    assert [one.level for one in findings(tmp_path, RELAY, "relay-secrets")] == [Level.WARNING]
    (found,) = findings(tmp_path, RELAY, "secret-files")
    assert (found.level, found.what, found.fix) == (Level.WARNING, str(path), f"chmod o= {path}")
    path.write_text("0123456789abcdef0123456789abcdef")
    path.chmod(0o640)
    assert findings(tmp_path, RELAY, "relay-secrets") == []
    assert [one.level for one in findings(tmp_path, RELAY, "secret-files")] == [Level.OK]


def test_a_configuration_that_everybody_may_write(tmp_path: Path) -> None:
    findings(tmp_path, "", "secret-files")
    (tmp_path / "gateway.toml").chmod(0o666)
    assert [one.level for one in findings(tmp_path, "", "secret-files")] == [Level.ERROR]


def test_our_certificates_for_destinations(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("no certificate")
    forwarder = '[[forwarders]]\nname = "siem"\nkind = "syslog"\naddress = "tls://127.0.0.1:6514"\ntls = { ca = ["ca.pem"] }\n'
    (found,) = findings(tmp_path, forwarder, "forwarders-tls")
    assert (found.level, found.what) == (Level.ERROR, "forwarder siem tls")
