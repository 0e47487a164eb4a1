"""Simulated domain controllers with a real KDC's tickets against a real gateway: authenticated, sealed both ways, and each under its own name."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest
from support.gateway_process import running_gateway
from support.kdc import REALM, Kdc, running_kdc

from gateway.cli import main

HOST = "gw.contoso.example"
MACHINES = ("DC01$", "DC02$", "DC03$")

CONFIG = """
[gateway]
name = "gw1"
state_dir = "state"
[log]
level = "error"
[[listeners.wef.endpoints]]
address = "127.0.0.1:0"
url = "http://gw.contoso.example:5985"
auth = "kerberos"
keytabs = ["http.keytab"]
[[listeners.wef.subscriptions]]
name = "identity"
max_time = "100 ms"
read_existing = true
[metrics]
address = "127.0.0.1:0"
[[forwarders]]
name = "archive"
kind = "file"
path = "events.ndjson"
start = "beginning"
"""


@pytest.fixture(scope="module")
def kdc(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kdc]:
    with pytest.MonkeyPatch.context() as patch, running_kdc(tmp_path_factory.mktemp("kdc")) as kdc:
        for principal in (f"HTTP/{HOST}", f"HTTP/other.{HOST}", *MACHINES):
            kdc.add(principal)
        patch.setenv("KRB5_CONFIG", str(kdc.config))
        for name in ("KRB5_KTNAME", "KRB5RCACHENAME", "KRB5CCNAME"):
            patch.delenv(name, raising=False)
        yield kdc


def simulate(address: tuple[str, int], *arguments: str) -> int:
    connect = ["--connect", f"{address[0]}:{address[1]}"]
    return main(["simulate", "wef", "--target", f"http://{HOST}:5985", *connect, "--rate", "max", "--count", "300", "--seed", "5", "--json", *arguments])


def test_three_machines_with_a_keytab(kdc: Kdc, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "gateway.toml").write_text(CONFIG)
    kdc.export_keytab(tmp_path / "http.keytab", f"HTTP/{HOST}")
    machines = kdc.export_keytab(tmp_path / "machines.keytab", *MACHINES)
    with running_gateway(tmp_path / "gateway.toml", ready=2) as gateway:
        arguments = ("--machines", "3", "--principal", f"DC{{}}$@{REALM}", "--keytab", str(machines))
        assert simulate(gateway.address("listeners.wef", "http"), *arguments) == 0
        assert gateway.stop() == 0
    done = orjson.loads(capsys.readouterr().out)
    records = [orjson.loads(line) for line in (tmp_path / "events.ndjson").read_bytes().splitlines()]
    assert (done["logged"], done["acknowledged"], done["unacknowledged"], done["failures"]) == (300, 300, 0, 0)
    assert len(records) == 300
    assert {record["device"]["hostname"] for record in records} == {f"dc0{at}.contoso.example" for at in (1, 2, 3)}
    assert not any(record["metadata"].get("labels") for record in records)  # each spoke for itself


def test_a_ticket_cache_and_a_ticket_for_somebody_else(kdc: Kdc, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "gateway.toml").write_text(CONFIG)
    kdc.export_keytab(tmp_path / "http.keytab", f"HTTP/other.{HOST}")
    monkeypatch.setenv("KRB5CCNAME", kdc.log_in("DC01$"))
    with running_gateway(tmp_path / "gateway.toml", ready=2) as gateway:
        assert simulate(gateway.address("listeners.wef", "http")) == 1
        said = capsys.readouterr().err
        kdc.export_keytab(tmp_path / "http.keytab", f"HTTP/{HOST}")
        assert simulate(gateway.address("listeners.wef", "http")) == 0
        assert gateway.stop() == 0
    assert said.startswith("tidegate: ")
    assert said.count("\n") == 1
