"""`tidegate simulate wef` end to end over TLS: what a real gateway archives is what the summary says; and what is wrong is said in one line."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest
from support.evtx_writer import write_evtx
from support.gateway_process import GatewayProcess, running_gateway
from support.replays import EVENTS, replay

from gateway.authority import make_authority
from gateway.cli import main
from gateway.simulate.events import REQUIRED_IDS

CONFIG = """
[gateway]
name = "gw1"
state_dir = "state"
[log]
level = "error"
[[listeners.wef.endpoints]]
address = "127.0.0.1:0"
url = "https://localhost:5986"
auth = "certificate"
certificate = "server.pem"
key = "server.key"
client_ca = ["ca.pem"]
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


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[GatewayProcess]:
    authority = make_authority("Contoso Test Root")
    server, client = authority.issue("localhost"), authority.issue("dc01.contoso.example")
    files = {"ca.pem": authority.pem, "ca.key": authority.encode_key(), "server.pem": server.certificate, "server.key": server.key}
    for name, octets in (files | {"dc01.pem": client.certificate + client.key}).items():
        (tmp_path / name).write_bytes(octets)
    (tmp_path / "gateway.toml").write_text(CONFIG)
    with running_gateway(tmp_path / "gateway.toml", ready=2) as gateway:
        yield gateway


def simulate(gateway: GatewayProcess, *arguments: str) -> int:
    host, port = gateway.address("listeners.wef", "https")
    folder = gateway.config.parent
    where = [
        "--target",
        "Server=https://localhost:5986/wsman/SubscriptionManager/WEC,Refresh=60",
        "--connect",
        f"{host}:{port}",
        "--ca",
        str(folder / "ca.pem"),
    ]
    return main(["simulate", "wef", *where, "--rate", "max", *arguments])


def archived(gateway: GatewayProcess) -> list[dict[str, dict[str, str]]]:
    assert gateway.stop() == 0
    return [orjson.loads(line) for line in (gateway.config.parent / "events.ndjson").read_bytes().splitlines()]


def test_many_machines_with_certificates_issued_on_the_spot(gateway: GatewayProcess, capsys: pytest.CaptureFixture[str]) -> None:
    folder = gateway.config.parent
    identity = ["--authority", str(folder / "ca.pem"), "--authority-key", str(folder / "ca.key")]
    assert simulate(gateway, *identity, "--machines", "4", "--count", "400", "--noise", "0.5", "--seed", "2", "--json") == 0
    done = orjson.loads(capsys.readouterr().out)
    records = archived(gateway)
    assert (done["machines"], done["logged"], done["unacknowledged"], done["failures"]) == (4, 400, 0, 0)
    assert done["sent"] == done["acknowledged"] == len(records) == sum(done["by_event_id"].values())
    assert done["by_event_id"].keys() <= REQUIRED_IDS
    assert {record["device"]["hostname"] for record in records} == {f"dc0{at}.contoso.example" for at in range(1, 5)}


def test_one_machine_forwards_the_events_of_a_log(gateway: GatewayProcess, capsys: pytest.CaptureFixture[str]) -> None:
    folder = gateway.config.parent
    (folder / "own.evtx").write_bytes(write_evtx(EVENTS))
    assert simulate(gateway, "--cert", str(folder / "dc01.pem"), "--from", str(folder / "own.evtx")) == 0
    said = capsys.readouterr().out
    uids = {record["metadata"]["uid"] for record in archived(gateway)}
    assert uids == {record["metadata"]["uid"] for record in replay(folder / "own.evtx")[0]}
    assert re.match(rf"{len(uids)} events acknowledged by https://localhost:5986/wsman/SubscriptionManager/WEC in ", said)
    assert f"sent {len(uids)} = acknowledged {len(uids)} + not acknowledged 0 + withdrawn 0" in said


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ([], 2),
        (["--target", "https://localhost:1"], 2),
        (["--target", "https://localhost:1", "--cert", "x.pem", "--machines", "2"], 2),
        (["--target", "https://localhost:1", "--cert", "x.pem", "--name", "dc", "--machines", "2"], 2),
        (["--target", "https://localhost:1", "--cert", "/nonexistent.pem"], 78),
        (["--target", "https://localhost:1", "--authority", "/nonexistent.pem", "--authority-key", "/nonexistent.key"], 78),
        (["--target", "https://localhost:1", "--cert", "x.pem", "--ca", "/nonexistent.pem"], 78),
        (["--target", "https://localhost:1", "--connect", "here", "--cert", "x.pem"], 2),
        (["--target", "https://localhost:1", "--retry", "soon", "--cert", "x.pem"], 2),
        (["--target", "http://localhost:1", "--keytab", "x.keytab"], 2),
        (["--target", "Server=localhost", "--cert", "x.pem"], 78),
    ],
)
def test_what_is_wrong_is_said_with_its_code(arguments: list[str], code: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["simulate", "wef", *arguments]) == code
    assert capsys.readouterr().err.count("\n") == 1


def test_nobody_there_is_said_at_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    issued = make_authority("Contoso Test Root").issue("dc01.contoso.example")
    (tmp_path / "dc01.pem").write_bytes(issued.certificate + issued.key)
    assert main(["simulate", "wef", "--target", "https://localhost:1", "--cert", str(tmp_path / "dc01.pem")]) == 1
    assert capsys.readouterr().err.startswith("tidegate: https://localhost:1: ")
