"""A source that can't get in, and its administrator: the running gateway says why, by both doors, and what ends it."""

from __future__ import annotations

import base64
import socket
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest
import spnego
import trustme
from support.gateway_process import running_gateway
from support.kdc import Kdc, running_kdc

from gateway.cli import main
from gateway.exit_code import ExitCode

CONFIG = """
[gateway]
state_dir = "state"
[metrics]
address = "127.0.0.1:0"
[[listeners.wef.endpoints]]
address = "127.0.0.1:0"
url = "https://gw.contoso.example:5986"
auth = "certificate"
certificate = "server.pem"
key = "server.key"
client_ca = ["ca.pem"]
[[listeners.wef.endpoints]]
address = "127.0.0.1:0"
url = "http://gw.contoso.example:5985"
auth = "kerberos"
keytabs = ["http.keytab"]
[[listeners.wef.subscriptions]]
name = "identity"
"""
READY = 3


@pytest.fixture
def kdc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Kdc]:
    folder = tmp_path / "kdc"
    folder.mkdir()
    with running_kdc(folder) as kdc:
        for principal in ("HTTP/gw.contoso.example", "HTTP/alias.contoso.example", "DC1$"):
            kdc.add(principal)
        monkeypatch.setenv("KRB5_CONFIG", str(kdc.config))
        monkeypatch.setenv("KRB5CCNAME", kdc.log_in("DC1$"))
        yield kdc


@pytest.fixture
def config(kdc: Kdc, tmp_path: Path) -> Path:
    kdc.export_keytab(tmp_path / "http.keytab", "HTTP/gw.contoso.example")
    authority = trustme.CA()
    server = authority.issue_cert("gw.contoso.example")
    server.private_key_pem.write_to_path(tmp_path / "server.key")
    server.cert_chain_pems[0].write_to_path(tmp_path / "server.pem")
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    path = tmp_path / "gateway.toml"
    path.write_text(CONFIG)
    return path


def post(credentials: str = "") -> bytes:
    field = f"Authorization: {credentials}\r\n" if credentials else ""
    return f"POST /wsman/SubscriptionManager/WEC HTTP/1.1\r\nHost: gw.contoso.example:5985\r\nContent-Length: 0\r\n{field}\r\n".encode()


def ask(address: tuple[str, int], octets: bytes) -> bytes:
    with socket.create_connection(address) as sock:
        sock.sendall(octets)
        return sock.recv(65536)


def test_why_and_what_to_do(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with running_gateway(config, ready=READY) as gateway:
        http = gateway.address("listeners.wef", "http")
        assert ask(gateway.address("listeners.wef", "https"), post()) == b""
        wrong = spnego.client(hostname="alias.contoso.example", service="HTTP", protocol="kerberos").step() or b""
        assert ask(http, post(f"Kerberos {base64.b64encode(wrong).decode()}")).startswith(b"HTTP/1.1 401 ")
        right = spnego.client(hostname="gw.contoso.example", service="HTTP", protocol="kerberos").step() or b""
        assert ask(http, post(f"Kerberos {base64.b64encode(right).decode()}")).startswith(b"HTTP/1.1 200 ")

        assert main(["explain", "--last", "--json", "--config", str(config)]) == ExitCode.OK
        by_tls, by_kerberos = orjson.loads(capsys.readouterr().out)
        assert (by_tls["verdict"], by_tls["rule"]) == ("refused", "tls-plain-text")
        assert (by_kerberos["verdict"], by_kerberos["rule"]) == ("refused", "kerberos-wrong-spn")
        assert "ticket for HTTP/alias.contoso.example@CONTOSO.EXAMPLE" in by_kerberos["detail"]
        assert main(["explain", "--last", "--reason", "kerberos-wrong-spn", "--config", str(config)]) == ExitCode.OK
        assert "fix      setspn -S " in capsys.readouterr().out

        refused = gateway.counters("connections_refused_total")
        assert {labels: number for labels, number in refused.items() if number} == {
            f'tidegate_connections_refused_total{{listener="listeners.wef",reason="{reason}"}}': 1.0 for reason in ("tls-plain-text", "kerberos-wrong-spn")
        }
        assert gateway.stop() == 0
    merged = config.parent / "state" / "kerberos" / "keytab"
    assert merged.stat().st_mode & 0o777 == 0o600
