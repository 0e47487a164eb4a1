"""The demo shows records within seconds, says that it is a demo and how to take part, and ends in order."""

from __future__ import annotations

import re
import signal
import socket
import stat
import subprocess
import sys
from pathlib import Path

import orjson
import pytest
from support.events import SAMPLES
from support.gateway_process import ROOT

from gateway.authority import LIFETIME
from gateway.demo import _free_port, demo_folder
from gateway.demo_certificates import make_certificates
from gateway.demo_records import HEADING, describe_record
from normalizers.normalizer import Normalizer
from pipeline.model import Origin, Transport
from pipeline.spool.lock import lock_state
from wire.event_xml import encode_event

RECORD = re.compile(r"\d\d:\d\d:\d\d  (\d{4}   |Start  |Stop   |Interim|On     |Off    )  ")
CONTROLLER = re.compile(r"..:..:..  \d{4}     dc05 ")
VPN_SERVER = re.compile(r"..:..:..  (On|Start) +198\.51\.100\.1 ")


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_a_newcomer_sees_records(tmp_path: Path, stop: signal.Signals) -> None:
    command = [sys.executable, "-m", "gateway.demo"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tmp_path, env={"PYTHONPATH": str(ROOT)}) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        said: list[str] = []
        while sum(bool(RECORD.match(line)) for line in said) < 3 or not all(any(map(wanted.match, said)) for wanted in (CONTROLLER, VPN_SERVER)):
            said.append(process.stdout.readline())
            assert said[-1]
        process.send_signal(stop)
        said += process.stdout.readlines()
        assert process.wait() == 0
        assert process.stderr.read() == ""
    assert said[0].startswith("This is a demo")
    assert [line.split()[:3] for line in said if line.startswith("ready ")] == [
        ["ready", "metrics", "http"],
        ["ready", "listeners.syslog", "udp"],
        ["ready", "listeners.syslog", "tcp"],
        ["ready", "listeners.wef", "https"],
        ["ready", "listeners.radius", "udp"],
    ]
    assert any(line.startswith("forwarding archive file ") for line in said)
    assert any("simulate wef --target https://localhost:" in line for line in said)
    assert any("simulate syslog --target tcp://127.0.0.1:" in line for line in said)
    assert any("simulate radius --target udp://127.0.0.1:" in line for line in said)
    assert f"{HEADING}\n" in said
    shown = sum(bool(RECORD.match(line)) for line in said)
    assert f"{shown} records" in said[-1]
    assert len((tmp_path / ".demo/events.ndjson").read_text().splitlines()) == shown


@pytest.mark.parametrize("event_id", SAMPLES)
def test_a_record_as_a_line(event_id: str) -> None:
    origin = Origin("demo", Transport.TCP, "127.0.0.1", 1_710_504_000_000_000_000)
    line = Normalizer().explain(encode_event(SAMPLES[event_id]), origin).record
    text = describe_record(line, colour=False)
    assert RECORD.match(text)
    assert text.isprintable()
    assert event_id[:4] in text
    assert "\x1b" not in text


def test_a_records_text_is_harmless_on_a_terminal() -> None:
    record = {"time": 0, "metadata": {"event_code": "4776"}, "device": {"hostname": "\x1b[2J"}, "user": {"name": "a\nb\x9b"}}
    assert describe_record(orjson.dumps(record), colour=True).isprintable()


def test_a_port_in_use_is_left_alone() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        assert _free_port(taken.getsockname()[1]) == 0


def test_a_second_demo_has_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert demo_folder() == Path(".demo")
    lock = lock_state(Path(".demo/state"))
    try:
        assert demo_folder().parent == tmp_path
    finally:
        lock.release()


def test_certificates_are_made_once_and_again_when_they_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = make_certificates(tmp_path)
    assert make_certificates(tmp_path).thumbprint == first.thumbprint
    assert all(stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o600 for name in ("ca.key", "server.key"))
    monkeypatch.setattr("gateway.demo_certificates.RENEW_BEFORE", LIFETIME)
    assert make_certificates(tmp_path).thumbprint != first.thumbprint
    (tmp_path / "ca.key").write_text("broken")
    monkeypatch.undo()
    assert make_certificates(tmp_path).thumbprint != first.thumbprint
