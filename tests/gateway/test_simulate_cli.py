"""`tidegate simulate syslog` end to end: what a real socket hears is what the summary says and what replay understands."""

from __future__ import annotations

import socket
import threading
from pathlib import Path

import orjson
import pytest
from support.evtx_writer import write_evtx
from support.replays import EVENTS, replay

from gateway.cli import main
from gateway.cli.simulate import FORMATS
from wire.layouts.detect import BY_NAME


class Sink:
    """A TCP receiver in a thread that keeps what it hears."""

    def __init__(self) -> None:
        self.server = socket.create_server(("127.0.0.1", 0))
        self.heard = b""
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    @property
    def target(self) -> str:
        return f"tcp://127.0.0.1:{self.server.getsockname()[1]}"

    def run(self) -> None:
        connection, _ = self.server.accept()
        with connection, connection.makefile("rb") as stream:
            self.heard = stream.read()

    def close(self) -> bytes:
        self.thread.join()
        self.server.close()
        return self.heard


def test_help_names_every_format() -> None:
    assert set(FORMATS.split(", ")) == set(BY_NAME)


@pytest.mark.parametrize("framing", ["octet-counting", "lf"])
@pytest.mark.parametrize("layout", list(BY_NAME))
def test_what_is_sent_is_heard_and_understood(layout: str, framing: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sink = Sink()
    arguments = [
        "--target",
        sink.target,
        "--format",
        layout,
        "--framing",
        framing,
        "--rate",
        "max",
        "--count",
        "150",
        "--seed",
        "1",
        "--noise",
        "0.3",
        "--json",
    ]
    assert main(["simulate", "syslog", *arguments]) == 0
    (tmp_path / "heard.log").write_bytes(sink.close())
    sent = orjson.loads(capsys.readouterr().out)
    _, summary, lines = replay(tmp_path)
    assert lines == []
    assert (sent["sent"], summary.received, summary.rejected.total()) == (150, 150, 0)
    assert summary.normalized + summary.filtered == sent["by_event_id"]


def test_events_of_a_log_are_sent_as_they_are(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "own.evtx").write_bytes(write_evtx(EVENTS))
    sink = Sink()
    assert main(["simulate", "syslog", "--target", sink.target, "--rate", "max", "--from", str(tmp_path / "own.evtx")]) == 0
    heard = tmp_path / "heard"
    heard.mkdir()
    (heard / "heard.log").write_bytes(sink.close())
    assert f"sent {len(EVENTS)} messages" in capsys.readouterr().out
    # one event, one uid, whether it was read from the log or heard by syslog
    assert replay(tmp_path / "own.evtx", heard)[1].duplicate == replay(heard)[1].normalized


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["--format", "none-such"], 2),
        (["--rate", "-1"], 2),
        (["--rate", "fast"], 2),
        (["--duration", "soon"], 2),
        (["--noise", "2"], 2),
        (["--target", "http://x"], 2),
        (["--from", "/nonexistent.evtx"], 78),
        (["--target", "tls://127.0.0.1:1", "--ca", "/nonexistent.pem"], 78),
        (["--target", "udp://no-such-host.invalid:1"], 1),
    ],
)
def test_what_is_wrong_is_said_with_its_code(arguments: list[str], code: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["simulate", "syslog", *arguments]) == code
    assert capsys.readouterr().err.count("\n") == 1
