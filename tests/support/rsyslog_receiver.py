"""A real rsyslog as the next hop: it listens on a free port of the loopback, over TCP or TLS, and writes each message it has read to a file at once.

receiver = RsyslogReceiver(tmp_path)
async with receiver.running() as process:
    ...  # send to receiver.address; process.kill() ends it as a crash would
async with receiver.running():  # at the same address
    await receiver.until(lambda messages: ...)
"""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path

import trio
from support import peers

PATIENCE = 60
"""Seconds after which a test that waits for something is wrong, however busy the machine is."""

TLS = 'StreamDriver.Name="ossl" StreamDriver.Mode="1" StreamDriver.AuthMode="{mode}"'


class RsyslogReceiver:
    """One rsyslog, started any number of times.

    Args:
        folder: where it works; for TLS with ca.pem, receiver.pem and receiver.key.
        tls: whether it speaks TLS.
        asks: whether it wants a certificate of ours.
    """

    def __init__(self, folder: Path, *, tls: bool = False, asks: bool = False) -> None:
        self._folder, self._tls, self._asks = folder, tls, asks
        self._port = 0
        self.address = ("127.0.0.1", 0)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[trio.Process]:
        """Listen until left."""
        folder, ready = self._folder, self._folder / "port"
        ready.unlink(missing_ok=True)
        driver = TLS.format(mode="x509/certvalid" if self._asks else "anon") if self._tls else ""
        (folder / "receiver.conf").write_text(
            f"""
            global(workDirectory="{folder}" maxMessageSize="256k" defaultNetstreamDriverCAFile="{folder}/ca.pem"
                   defaultNetstreamDriverCertFile="{folder}/receiver.pem" defaultNetstreamDriverKeyFile="{folder}/receiver.key")
            module(load="imtcp" maxSessions="50" {driver})
            template(name="raw" type="string" string="%rawmsg%\\n")
            ruleset(name="in" queue.type="Direct") {{
                action(type="omfile" file="{folder}/received" template="raw")
            }}
            input(type="imtcp" address="127.0.0.1" port="{self._port}" listenPortFileName="{ready}" ruleset="in")
            """
        )
        peer = peers.rsyslogd()
        (folder / "receiver.pid").unlink(missing_ok=True)
        command = [*peer.command, "-n", "-f", str(folder / "receiver.conf"), "-i", str(folder / "receiver.pid")]
        async with trio.open_nursery() as nursery:
            start = partial(trio.run_process, command, env=peer.environment, check=False, capture_stdout=True, capture_stderr=True)
            process: trio.Process = await nursery.start(start)
            try:
                await _until(self._listens if self._port else lambda: ready.exists() and ready.read_text().strip().isdigit())
                self._port = self._port or int(ready.read_text())
                self.address = ("127.0.0.1", self._port)
                yield process
            finally:
                with suppress(ProcessLookupError):
                    process.kill()

    def _listens(self) -> bool:
        """It says only once which port it took."""
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self._port)) == 0

    def received(self) -> bytes:
        """The messages it has read, as they came, a line each; the last one before it was killed may be a piece, with the next one behind it."""
        with suppress(FileNotFoundError):
            return (self._folder / "received").read_bytes()
        return b""

    async def until(self, holds: Callable[[bytes], bool]) -> bytes:
        """What it has read, once that `holds`."""
        await _until(lambda: holds(self.received()))
        return self.received()


def stop(process: trio.Process) -> None:
    """Make a process do nothing until it is killed; returns once it does."""
    process.send_signal(signal.SIGSTOP)
    os.waitid(os.P_PID, process.pid, os.WSTOPPED)


async def _until(holds: Callable[[], bool]) -> None:
    """Ask again and again: rsyslog tells nobody."""
    with trio.fail_after(PATIENCE):
        while not holds():  # noqa: ASYNC110 - nobody here could set an event
            await trio.sleep(0.01)
