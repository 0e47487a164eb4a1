"""A restart while senders send: what a socket unit keeps for the next gateway, with somebody else than systemd holding the sockets.

datagrams               those in the socket's buffer wait for the next gateway
connections that wait   in the socket's queue, with all that they sent
established ones        everything they had sent when the gateway was told to stop is kept by the one that stops
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from itertools import count, islice
from pathlib import Path

import orjson
import pytest
import trustme
from support.events import SAMPLES, security
from support.gateway_process import EndedError
from support.socket_holder import READY, SocketHolder, held_sockets, write_config

from gateway.exit_code import ExitCode
from wire.event_xml import encode_event

EACH = 20


def messages() -> Iterator[bytes]:
    """For ever another one."""
    data = dict(SAMPLES["4776"].data)
    for number in count(1):
        yield b"<13>Mar  1 10:00:00 dc1 " + encode_event(security("4776", data, record_id=str(number)))


def framed(*some: bytes) -> bytes:
    return b"".join(b"%d %s" % (len(message), message) for message in some)


class Senders:
    """Domain controllers' senders that know of no restart: datagrams, connections for a few messages each, and one connection for all."""

    def __init__(self, holder: SocketHolder) -> None:
        self.sent, self._messages, self._holder = 0, messages(), holder

    def next(self, number: int) -> list[bytes]:
        self.sent += number
        return list(islice(self._messages, number))

    def send(self) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            for message in self.next(EACH):
                sender.sendto(message, self._holder.udp.getsockname())
        for _ in range(EACH // 5):
            with socket.create_connection(self._holder.tcp.getsockname()) as sender:
                sender.sendall(framed(*self.next(5)))


def archived(folder: Path) -> set[str]:
    path = folder / "events.ndjson"
    return {orjson.loads(line)["metadata"]["uid"] for line in path.read_bytes().splitlines()} if path.exists() else set()


def test_a_restart_loses_nothing(tmp_path: Path) -> None:
    with held_sockets() as holder:
        config, senders = write_config(tmp_path, holder.udp, holder.tcp), Senders(holder)
        with holder.gateway(config, ready=READY) as gateway, socket.create_connection(holder.tcp.getsockname()) as lasting:
            senders.send()
            lasting.sendall(framed(*senders.next(EACH)))
            gateway.await_received(1)
            lasting.sendall(framed(*senders.next(EACH)))
            gateway.process.terminate()
            senders.send()  # while it drains
            assert gateway.process.wait(30) == 0
            assert lasting.recv(1) == b"", "closed in good order: the sender connects again"
        senders.send()  # while there is none
        before = len(archived(tmp_path))
        with holder.started(config) as gateway:
            senders.send()  # while it starts
            gateway.await_ready(READY)
            senders.send()
            gateway.await_delivered(senders.sent - before)
            drops = gateway.counters("udp_kernel_drops_total")
            assert gateway.stop() == 0
        assert len(archived(tmp_path)) == senders.sent
        assert set(drops.values()) == {0.0}


def test_a_socket_without_listener_is_refused(tmp_path: Path) -> None:
    with held_sockets() as holder, held_sockets() as others, holder.started(write_config(tmp_path, holder.udp, others.tcp)) as gateway:
        with pytest.raises(EndedError) as ended:
            gateway.await_ready(READY)
        assert ended.value.code == ExitCode.CONFIG
        assert f"no listener is configured for stream 127.0.0.1:{holder.tcp.getsockname()[1]} (tidegate-syslog.socket)" in str(ended.value)


def test_systemd_hears_that_it_is_ready_and_well(tmp_path: Path) -> None:
    path = str(tmp_path / "notify")
    with held_sockets() as holder, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(path)
        manager.settimeout(30)
        with holder.gateway(write_config(tmp_path, holder.udp, holder.tcp), ready=READY, environ={"NOTIFY_SOCKET": path, "WATCHDOG_USEC": "100000"}) as gateway:
            heard = {manager.recv(100) for _ in range(8)}
            assert gateway.stop() == 0
    assert heard == {b"READY=1", b"WATCHDOG=1"}


OTHERS = """
[gateway]
state_dir = "state"
[listeners.radius]
addresses = ["127.0.0.1:{udp}"]
[[listeners.radius.clients]]
name = "vpn"
cidr = "127.0.0.0/8"
secret = "file:secret"
[[listeners.wef.endpoints]]
address = "127.0.0.1:{tcp}"
url = "https://localhost:{tcp}"
auth = "certificate"
certificate = "server.pem"
key = "server.key"
client_ca = ["ca.pem"]
[[listeners.wef.subscriptions]]
name = "identity"
"""


def test_every_listener_takes_what_is_its_own(tmp_path: Path) -> None:
    authority = trustme.CA()
    certificate = authority.issue_cert("localhost")
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    certificate.cert_chain_pems[0].write_to_path(str(tmp_path / "server.pem"))
    certificate.private_key_pem.write_to_path(str(tmp_path / "server.key"))
    (tmp_path / "secret").write_text("correct horse battery")
    with held_sockets() as holder:
        udp, tcp = holder.udp.getsockname()[1], holder.tcp.getsockname()[1]
        config = tmp_path / "gateway.toml"
        config.write_text(OTHERS.format(udp=udp, tcp=tcp))
        with holder.gateway(config, ready=2) as gateway:
            assert gateway.address("listeners.radius", "udp") == ("127.0.0.1", udp), "in use, if it weren't taken"
            assert gateway.address("listeners.wef", "https") == ("127.0.0.1", tcp)
            assert gateway.stop() == 0
