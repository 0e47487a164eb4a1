"""The gateway as an operator meets it: a process with ready lines, real sockets, signals and exit codes."""

from __future__ import annotations

import contextlib
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import orjson
import pytest
from support.events import SAMPLES
from support.gateway_process import ROOT, running_gateway

from gateway.cli import main
from gateway.exit_code import ExitCode
from wire.event_xml import encode_event

EVENTS = [encode_event(event) for event in SAMPLES.values()]

CONFIG = """
[gateway]
name = "gw1"
state_dir = "state"
drain = "{drain}"
[listeners.syslog]
udp = ["127.0.0.1:0"]
tcp = ["127.0.0.1:0"]
[metrics]
address = "127.0.0.1:0"
[[forwarders]]
name = "archive"
kind = "file"
path = "out/events.ndjson"
"""
READY = 3

UNREACHABLE = """
[[forwarders]]
name = "sensor"
kind = "sensor"
layout = "splunk"
address = "tcp://127.0.0.1:{port}"
"""


def write(folder: Path, extra: str = "", drain: str = "10 s") -> Path:
    path = folder / "gateway.toml"
    path.write_text(CONFIG.format(drain=drain) + extra)
    return path


def send(address: tuple[str, int], *messages: bytes) -> None:
    """Messages over TCP, octet-counted."""
    with socket.create_connection(address) as sock:
        sock.sendall(b"".join(b"%d %s" % (len(message), message) for message in (b"<13>Mar  1 10:00:00 dc1 " + event for event in messages)))


def archived(folder: Path) -> list[str]:
    """uids in the archive, in order."""
    return [orjson.loads(line)["metadata"]["uid"] for line in (folder / "out/events.ndjson").read_bytes().splitlines()]


def test_events_go_through_and_the_counters_reconcile(tmp_path: Path) -> None:
    with running_gateway(write(tmp_path), ready=READY) as gateway:
        send(gateway.address("listeners.syslog", "tcp"), *EVENTS, b"hello", b"-- MARK --", EVENTS[0])
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.sendto(EVENTS[0], gateway.address("listeners.syslog", "udp"))
        gateway.await_received(len(EVENTS) + 4)
        gateway.await_delivered(len(EVENTS))
        counted = {name: sum(gateway.counters(f"{name}_total").values()) for name in ("received", "normalized", "duplicate", "filtered", "rejected", "control")}
        assert gateway.stop() == 0
    assert counted == {"received": len(EVENTS) + 4, "normalized": len(EVENTS), "duplicate": 2, "filtered": 0, "rejected": 1, "control": 1}
    assert len(set(archived(tmp_path))) == len(archived(tmp_path)) == len(EVENTS)


def test_ready_lines(tmp_path: Path) -> None:
    with running_gateway(write(tmp_path), ready=READY) as gateway:
        assert gateway.get("/readyz") == (200, "ready\n")
        for line in gateway.lines:
            assert re.fullmatch(
                r"ready (listeners\.syslog (udp|tcp)|metrics http) 127\.0\.0\.1:[1-9][0-9]*|forwarding archive file .*/out/events\.ndjson", line
            )


def test_what_was_kept_is_known_after_a_restart(tmp_path: Path) -> None:
    for round_ in range(2):
        with running_gateway(write(tmp_path), ready=READY) as gateway:
            send(gateway.address("listeners.syslog", "tcp"), *EVENTS)
            gateway.await_received(len(EVENTS))
            assert sum(gateway.counters("duplicate_total").values()) == round_ * len(EVENTS)
            assert gateway.stop(signal.SIGINT) == 0
    assert len(archived(tmp_path)) == len(EVENTS)


def test_what_is_acknowledged_survives_a_kill(tmp_path: Path) -> None:
    path = write(tmp_path)
    with running_gateway(path, ready=READY) as gateway:
        send(gateway.address("listeners.syslog", "tcp"), *EVENTS)
        gateway.await_received(len(EVENTS))
        gateway.stop(signal.SIGKILL)
    with running_gateway(path, ready=READY) as gateway:
        assert gateway.stop() == 0
    assert len(archived(tmp_path)) == len(set(archived(tmp_path))) == len(EVENTS)


def closed_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def test_a_destination_away_holds_up_no_other_and_no_stop(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(tmp_path, UNREACHABLE.format(port=closed_port()), drain="100 ms")
    with running_gateway(path, ready=READY) as gateway:
        send(gateway.address("listeners.syslog", "tcp"), *EVENTS)
        gateway.await_delivered(len(EVENTS))
        assert gateway.stop() == 0
    assert main(["spool", "status", "--config", str(path), "--json"]) == ExitCode.OK
    lags = {consumer["name"]: consumer["lag_records"] for consumer in orjson.loads(capsys.readouterr().out)["consumers"]}
    assert lags == {"archive": 0, "sensor": len(EVENTS)}


def test_a_full_quota_stops_the_intake_and_says_whose_it_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """... and what was read by the time of a stop is committed all the same."""
    path = write(tmp_path, UNREACHABLE.format(port=closed_port()) + 'quota = "1 KiB"\n', drain="2 s")
    config = ["--config", str(path)]
    said = "destination sensor: its quota of 1024 octets is full"
    with running_gateway(path, ready=READY) as gateway:
        assert gateway.counters("lag_bytes") == {f'tidegate_lag_bytes{{destination="{name}"}}': 0.0 for name in ("archive", "sensor")}
        assert gateway.counters("received_total") == {'tidegate_received_total{listener="listeners.syslog"}': 0.0}, "shown before it moves"
        send(gateway.address("listeners.syslog", "tcp"), *EVENTS)
        gateway.await_received(len(EVENTS))
        while gateway.get("/readyz")[0] != 503:
            pass
        assert gateway.get("/readyz")[1] == f"spool: {said}\n"
        assert main(["spool", "status", *config]) == ExitCode.OK
        assert f"blocked      {said}\n" in capsys.readouterr().out
        send(gateway.address("listeners.syslog", "tcp"), *(event.replace(b"<EventRecordID>", b"<EventRecordID>9") for event in EVENTS))
        assert gateway.stop() == 0
        assert said in gateway.log()
    assert main(["spool", "status", "--json", *config]) == ExitCode.OK
    assert orjson.loads(capsys.readouterr().out)["head"] == 2 * len(EVENTS)


def test_a_second_signal_waits_for_nobody(tmp_path: Path) -> None:
    path = write(tmp_path, UNREACHABLE.format(port=closed_port()), drain="10 min")
    with running_gateway(path, ready=READY) as gateway:
        send(gateway.address("listeners.syslog", "tcp"), *EVENTS)
        gateway.await_delivered(len(EVENTS))
        gateway.process.send_signal(signal.SIGTERM)
        while gateway.get("/readyz")[0] != 503:
            pass
        assert gateway.stop() == 128 + signal.SIGTERM
    assert len(archived(tmp_path)) == len(EVENTS)


def test_sighup_ends_nothing(tmp_path: Path) -> None:
    with running_gateway(write(tmp_path), ready=READY) as gateway:
        gateway.process.send_signal(signal.SIGHUP)
        send(gateway.address("listeners.syslog", "tcp"), *EVENTS)
        gateway.await_received(len(EVENTS))
        assert gateway.stop() == 0


def test_commands_ask_the_running_gateway(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(tmp_path)
    config = ["--config", str(path)]
    with running_gateway(path, ready=READY) as gateway:
        send(gateway.address("listeners.syslog", "tcp"), b"first", b"second", *EVENTS)
        gateway.await_received(len(EVENTS) + 2)
        assert main(["explain", "--last", "1", "--json", *config]) == ExitCode.OK
        (account,) = orjson.loads(capsys.readouterr().out)
        assert account["rule"] == "unknown-format"
        assert account["sender"].startswith("127.0.0.1 over tcp at ")
        assert main(["explain", "--last", "--reason", "bad-time", *config]) == ExitCode.OK
        assert capsys.readouterr().out == ""
        assert main(["spool", "status", *config]) == ExitCode.OK
        assert f"{len(EVENTS)} records ever" in capsys.readouterr().out
        assert main(["spool", "forget", "archive", *config]) == ExitCode.FAILED
        assert "it is configured" in capsys.readouterr().err
        assert main(["check", "--strict", *config]) in (ExitCode.OK, ExitCode.WARNINGS)
        assert "a gateway is running on it" in capsys.readouterr().out
        assert gateway.stop() == 0


@pytest.mark.parametrize("running", [True, False], ids=["by the running gateway", "in the files"])
def test_a_removed_destination_is_forgotten(tmp_path: Path, capsys: pytest.CaptureFixture[str], *, running: bool) -> None:
    with running_gateway(write(tmp_path, UNREACHABLE.format(port=closed_port()), drain="0 s"), ready=READY) as gateway:
        send(gateway.address("listeners.syslog", "tcp"), *EVENTS)
        gateway.await_received(len(EVENTS))
        assert gateway.stop() == 0
    path = write(tmp_path)
    config = ["--config", str(path)]
    assert main(["check", *config]) == ExitCode.OK
    assert "destination sensor: left the configuration" in capsys.readouterr().out
    with running_gateway(path, ready=READY) if running else contextlib.nullcontext():
        assert main(["spool", "forget", "sensor", *config]) == ExitCode.OK
        assert capsys.readouterr().out == "sensor is forgotten\n"
        assert main(["spool", "forget", "sensor", *config]) == ExitCode.FAILED
        capsys.readouterr()
        assert main(["spool", "status", *config]) == ExitCode.OK
        assert "sensor" not in capsys.readouterr().out


def run(config: Path) -> tuple[int, list[str]]:
    """(exit code, stderr's lines that are no log) of a gateway that doesn't start."""
    ended = subprocess.run([sys.executable, "-m", "gateway", "run", "--config", str(config)], capture_output=True, text=True, cwd=ROOT, timeout=60, check=False)
    return ended.returncode, [line for line in ended.stderr.splitlines() if not line.startswith("{")]


def test_a_state_directory_has_one_gateway(tmp_path: Path) -> None:
    path = write(tmp_path)
    with running_gateway(path, ready=READY) as gateway:
        code, (line,) = run(path)
        assert code == ExitCode.FAILED
        assert line.startswith("tidegate: state directory ")
        assert str(gateway.process.pid) in line
        assert gateway.stop() == 0


def test_an_address_in_use(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        path = write(tmp_path)
        path.write_text(path.read_text().replace('tcp = ["127.0.0.1:0"]', f'tcp = ["127.0.0.1:{taken.getsockname()[1]}"]'))
        code, (line,) = run(path)
    assert code == ExitCode.CONFIG
    assert line.startswith("tidegate: listeners.syslog tcp 127.0.0.1:")


def test_the_service_manager_is_told(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(f"\0{tmp_path}")
        with running_gateway(write(tmp_path), ready=READY, environ={"NOTIFY_SOCKET": f"@{tmp_path}"}) as gateway:
            assert manager.recv(100) == b"READY=1"
            assert gateway.stop() == 0
            assert manager.recv(100) == b"STOPPING=1"


@pytest.mark.parametrize("engine", ["native", "reference"])
def test_the_engine_is_said_and_chosen(tmp_path: Path, engine: str) -> None:
    with running_gateway(write(tmp_path), ready=READY, environ={"TIDEGATE_ENGINE": engine}) as gateway:
        send(gateway.address("listeners.syslog", "tcp"), *EVENTS)
        gateway.await_received(len(EVENTS))
        assert gateway.stop() == 0
        assert orjson.loads(gateway.log().splitlines()[0])["engine"] == engine


CRASH = """
import sys
from gateway.cli import main
from pipeline.intake import Intake
async def run(self):
    raise RuntimeError("a bug")
Intake.run = run
sys.exit(main(sys.argv[1:]))
"""


def test_a_bug_is_logged_and_ends_the_gateway(tmp_path: Path) -> None:
    command = [sys.executable, "-c", CRASH, "run", "--config", str(write(tmp_path))]
    ended = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=60, check=False)
    assert ended.returncode == ExitCode.FAILED
    assert all(line.startswith("{") for line in ended.stderr.splitlines())
    assert any("RuntimeError" in orjson.loads(line).get("exception", "") for line in ended.stderr.splitlines())
