"""Restarts under rsyslog and syslog-ng, which follow files that grow all the time: whoever looks at its connection before it writes loses nothing."""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from random import Random

import orjson
import pytest
from support import peers
from support.events import SAMPLES, security
from support.peers import Peer
from support.socket_holder import READY, held_sockets, write_config

from wire.event_xml import encode_event

RSYSLOG = """
global(workDirectory="{folder}" maxMessageSize="64k")
module(load="imfile")
input(type="imfile" file="{feed}" tag="feed:" ruleset="out")
ruleset(name="out") {{
    action(type="omfwd" target="127.0.0.1" port="{port}" protocol="tcp" TCP_Framing="octet-counted" template="RSYSLOG_SyslogProtocol23Format"
           action.resumeRetryCount="-1" action.resumeInterval="1")
}}
"""
SYSLOG_NG = """
@version: 3.38
options {{ time-reopen(1); stats-freq(0); }};
source s {{ file("{feed}" flags(no-parse) follow-freq(0.1)); }};
destination d {{ network("127.0.0.1" port({port}) transport("tcp") template("<13>Mar  1 10:00:00 dc1 ${{MESSAGE}}\\n") log-fifo-size(1000000)); }};
log {{ source(s); destination(d); flags(flow-control); }};
"""
RESTARTS = 3
EACH = 1_000_000
PAUSE_S = 0.005
TEMPLATE = encode_event(security("4776", dict(SAMPLES["4776"].data), record_id="RECORD"))


class Feed:
    """A file that grows until it is told to stop; `sent` is how many lines it has."""

    def __init__(self, path: Path, first: int, random: Random) -> None:
        self.path, self.sent, self._first, self._random = path, 0, first, random
        self._enough = threading.Event()
        self._thread = threading.Thread(target=self._grow)
        path.touch()
        self._thread.start()

    def _grow(self) -> None:
        with self.path.open("ab", buffering=0) as file:
            while not self._enough.wait(PAUSE_S * self._random.random()):
                number = self._random.randint(1, 6)
                file.write(b"".join(TEMPLATE.replace(b"RECORD", b"%d" % (self._first + self.sent + at)) + b"\n" for at in range(number)))
                self.sent += number

    def end(self) -> None:
        self._enough.set()
        self._thread.join()

    def expected(self) -> set[int]:
        return set(range(self._first, self._first + self.sent))


@contextmanager
def following(peer: Peer, options: Callable[[Path, Path], list[str]], text: str, *, folder: Path, feed: Path, port: int) -> Iterator[None]:
    """A sender that forwards every line of `feed`."""
    folder.mkdir()
    config = folder / "config"
    config.write_text(text.format(folder=folder, feed=feed, port=port))
    command = [*peer.command, *options(config, folder)]
    with subprocess.Popen(command, env=peer.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            yield
        finally:
            process.terminate()


def archived(folder: Path) -> set[int]:
    path = folder / "events.ndjson"
    return {int(orjson.loads(line)["metadata"]["original_event_uid"]) for line in path.read_bytes().splitlines()} if path.exists() else set()


@pytest.mark.parametrize("seed", range(2))
def test_senders_that_look_before_they_write_lose_nothing(tmp_path: Path, seed: int) -> None:
    random = Random(seed)
    with held_sockets() as holder, ExitStack() as senders:
        port = holder.tcp.getsockname()[1]
        config = write_config(tmp_path, holder.udp, holder.tcp)
        feeds = [Feed(tmp_path / f"{at}.feed", 1 + at * EACH, Random(seed + at)) for at in range(2)]
        for feed in feeds:
            senders.callback(feed.end)
        ways: list[tuple[Peer, Callable[[Path, Path], list[str]], str]] = [
            (peers.rsyslogd(), lambda conf, folder: ["-n", "-f", str(conf), "-i", str(folder / "pid")], RSYSLOG),
            (
                peers.syslog_ng(),
                lambda conf, folder: ["-F", "-f", str(conf), "-R", str(folder / "persist"), "-c", str(folder / "control"), "-p", str(folder / "pid")],
                SYSLOG_NG,
            ),
        ]
        for feed, (peer, options, text) in zip(feeds, ways, strict=True):
            senders.enter_context(following(peer, options, text, folder=tmp_path / Path(peer.command[0]).name, feed=feed.path, port=port))
        for _ in range(RESTARTS):
            with holder.gateway(config, ready=READY) as gateway:
                gateway.await_received(random.randint(200, 1500))
                assert gateway.stop() == 0
        for feed in feeds:
            feed.end()
        expected = set[int]().union(*(feed.expected() for feed in feeds))
        with holder.gateway(config, ready=READY) as gateway:
            while archived(tmp_path) < expected and gateway.process.poll() is None:
                time.sleep(PAUSE_S)  # gentle to the senders
            assert gateway.stop() == 0
        assert archived(tmp_path) == expected
