"""Senders nobody here wrote, pointed at a listener: rsyslog, loggen and logger, each saying how many messages it sent."""

from __future__ import annotations

import re
import subprocess
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import trio
from support import peers
from support.peers import Peer


async def run(peer: Peer, *arguments: str, stdin: bytes = b"") -> str:
    """Run a peer to its end; what it said on either output."""
    done = await trio.run_process([*peer.command, *arguments], env=peer.environment, stdin=stdin, capture_stdout=True, stderr=subprocess.STDOUT)
    return done.stdout.decode()


async def loggen(address: tuple[str, int], *options: str, messages: int, connections: int = 1) -> int:
    """Send so many messages over each connection, by `--inet --stream`, `--inet --dgram` or `--use-ssl`; returns how many loggen counts."""
    host, port = address
    said = await run(
        peers.loggen(),
        *(("--ipv6",) if ":" in host else ()),
        *options,
        "--number",
        str(messages),
        "--active-connections",
        str(connections),
        "--rate",
        "1000000",
        "--size",
        "400",
        host,
        str(port),
    )
    found = re.search(r"count=([0-9]+)", said)
    assert found, said
    return int(found[1])


async def logger(address: tuple[str, int], *options: str, lines: Sequence[str]) -> int:
    """Send one message a line."""
    host, port = address
    await run(peers.logger(), "--server", host, "--port", str(port), *options, stdin="".join(f"{line}\n" for line in lines).encode())
    return len(lines)


@asynccontextmanager
async def rsyslog(address: tuple[str, int], folder: Path, *, action: str, feed: Path) -> AsyncIterator[None]:
    """An rsyslogd that follows the file `feed` and forwards each line as the omfwd parameters `action` say, until the block ends.

    Args:
        address: where to forward to.
        folder: where it works, and finds ca.pem and its own certificate and key, sender.pem and sender.key.
        action: further parameters of omfwd: framing, TLS, template.
        feed: its input.
    """
    host, port = address
    configuration = folder / "rsyslog.conf"
    configuration.write_text(
        f"""
        global(workDirectory="{folder}" maxMessageSize="64k" defaultNetstreamDriverCAFile="{folder}/ca.pem"
               defaultNetstreamDriverCertFile="{folder}/sender.pem" defaultNetstreamDriverKeyFile="{folder}/sender.key")
        module(load="imfile")
        input(type="imfile" file="{feed}" tag="feed:" ruleset="out")
        ruleset(name="out") {{
            action(type="omfwd" target="{host}" port="{port}" template="RSYSLOG_SyslogProtocol23Format" action.resumeRetryCount="-1" {action})
        }}
        """
    )
    peer = peers.rsyslogd()
    command = [*peer.command, "-n", "-f", str(configuration), "-i", str(folder / "rsyslog.pid")]
    async with trio.open_nursery() as nursery:
        start = partial(trio.run_process, command, env=peer.environment, check=False, capture_stderr=True)
        process: trio.Process = await nursery.start(start)
        try:
            yield
        finally:
            process.terminate()
