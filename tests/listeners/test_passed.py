"""Sockets that somebody else bound: which are taken for which address, and which are refused."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from listeners.bind import ask_receive_buffer, bind, bound_address, refuse_leftovers
from listeners.datagrams import KernelDrops
from listeners.passed import FIRST, Passed, PassedSocket, Place, take_passed
from pipeline.errors import ConfigError
from pipeline.metrics import Metrics
from pipeline.model import Transport
from pipeline.settings import SocketAddress

SYSLOG = "listeners.syslog"
UDP, TCP = socket.SOCK_DGRAM, socket.SOCK_STREAM


@pytest.fixture
def held() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def hold(held: ExitStack, kind: socket.SocketKind = UDP, host: str = "127.0.0.1", *, only_ipv6: bool = True) -> socket.socket:
    sock = held.enter_context(socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, kind))
    if ":" in host:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, only_ipv6)
    sock.bind((host, 0))
    if kind == TCP:
        sock.listen()
    return sock


async def taken(passed: Passed, transport: Transport, address: SocketAddress, name: str = SYSLOG) -> int:
    """The inode of the socket that serves an address."""
    [sock] = await bind(name, transport, address, passed)
    with sock:
        return os.fstat(sock.fileno()).st_ino


def inode(sock: socket.socket) -> int:
    return os.fstat(sock.fileno()).st_ino


def passing(*sockets: socket.socket, name: str = "") -> Passed:
    return Passed([PassedSocket(sock.dup(), name) for sock in sockets])


@pytest.mark.parametrize(
    ("kind", "transport"), [(UDP, Transport.UDP), (TCP, Transport.TCP), (TCP, Transport.TLS), (TCP, Transport.HTTPS), (TCP, Transport.RADSEC)]
)
@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "0.0.0.0", "::"])
async def test_the_socket_of_an_address_is_taken(held: ExitStack, kind: socket.SocketKind, transport: Transport, host: str) -> None:
    sock = hold(held, kind, host)
    passed = passing(sock)
    assert await taken(passed, transport, bound_address(sock)) == inode(sock)
    assert not passed


async def test_a_host_name_is_what_it_means(held: ExitStack) -> None:
    sock = hold(held)
    assert await taken(passing(sock), Transport.UDP, SocketAddress("127.1", bound_address(sock).port)) == inode(sock)


async def test_another_address_is_bound_anew(held: ExitStack) -> None:
    passed = passing(hold(held))
    for sock in await bind(SYSLOG, Transport.UDP, SocketAddress("127.0.0.1", 0), passed):
        sock.close()
    assert passed
    passed.close()


@pytest.mark.parametrize(
    ("called", "serves"),
    [
        pytest.param("", True, id="nothing"),
        pytest.param("tidegate-syslog.socket", True, id="a unit's name"),
        pytest.param(SYSLOG, True, id="the listener's name"),
        pytest.param("listeners.radius", False, id="another listener's name"),
        pytest.param("listeners.sylog", False, id="a listener's name misspelt"),
    ],
)
async def test_a_listener_s_name_keeps_a_socket_for_it(held: ExitStack, called: str, *, serves: bool) -> None:
    sock = hold(held)
    passed = passing(sock, name=called)
    wanted = [(SYSLOG, Transport.UDP, bound_address(sock))]
    if serves:
        await refuse_leftovers(passed, wanted)
    else:
        with pytest.raises(ConfigError, match=called):
            await refuse_leftovers(passed, wanted)
    passed.close()


async def test_what_no_listener_reads_is_refused_with_its_address(held: ExitStack) -> None:
    stream, datagrams = hold(held, TCP), hold(held, UDP, "::1")
    passed = passing(stream, datagrams, name="old.socket")
    with pytest.raises(ConfigError) as refused:
        await refuse_leftovers(passed, [(SYSLOG, Transport.UDP, bound_address(stream)), (SYSLOG, Transport.TCP, SocketAddress("127.0.0.1", 0))])
    assert f"stream {bound_address(stream)} (old.socket), datagram {bound_address(datagrams)} (old.socket)" in str(refused.value)
    passed.close()


async def test_a_second_socket_of_one_address_is_left_over(held: ExitStack) -> None:
    sock = hold(held)
    passed = passing(sock, sock)
    with pytest.raises(ConfigError, match="no listener is configured"):
        await refuse_leftovers(passed, [(SYSLOG, Transport.UDP, bound_address(sock))])
    passed.close()


async def test_without_sockets_no_name_is_resolved() -> None:
    await refuse_leftovers(Passed(), [(SYSLOG, Transport.UDP, SocketAddress("no.such.host.invalid", 514))])


def test_scopes_tell_link_local_addresses_apart() -> None:
    assert Place.of(socket.AF_INET6, UDP, ("fe80::1", 514, 0, 2)) != Place.of(socket.AF_INET6, UDP, ("fe80::1", 514, 0, 3))
    assert Place.of(socket.AF_INET6, UDP, ("fe80::1%lo", 514, 0, 2)) == Place.of(socket.AF_INET6, UDP, ("fe80:0::1", 514, 7, 2))


@pytest.mark.parametrize(
    "environ",
    [
        pytest.param({}, id="nobody passed any"),
        pytest.param({"LISTEN_PID": "1", "LISTEN_FDS": "2"}, id="meant for another process"),
        pytest.param({"LISTEN_FDS": "2"}, id="meant for nobody"),
        pytest.param({"LISTEN_PID": "4711", "LISTEN_FDS": "0"}, id="none"),
        pytest.param({"LISTEN_PID": "4711"}, id="no number"),
    ],
)
def test_nothing_is_passed(environ: dict[str, str]) -> None:
    assert not take_passed(environ, 4711)
    assert not environ, "a program started later would think they are for it"


@pytest.mark.parametrize("number", ["x", "-1", "", "257", "٣", "1" * 30])
def test_a_wrong_number_is_refused(number: str) -> None:
    with pytest.raises(ConfigError, match="LISTEN_FDS"):
        take_passed({"LISTEN_PID": "4711", "LISTEN_FDS": number}, 4711)


def open_one(held: ExitStack, sock: socket.socket, monkeypatch: pytest.MonkeyPatch) -> Passed:
    """As if `sock` were the first passed descriptor."""
    monkeypatch.setattr("listeners.passed.FIRST", held.enter_context(sock).fileno())
    passed = take_passed({"LISTEN_PID": "4711", "LISTEN_FDS": "1", "LISTEN_FDNAMES": "listeners.syslog:more"}, 4711)
    sock.detach()
    return passed


async def test_a_passed_descriptor_is_ours_alone(held: ExitStack, monkeypatch: pytest.MonkeyPatch) -> None:
    sock = hold(held)
    [ours] = await bind(SYSLOG, Transport.UDP, bound_address(sock), open_one(held, sock.dup(), monkeypatch))
    with ours:
        assert (ours.getblocking(), ours.get_inheritable()) == (False, False)


def test_what_was_dropped_while_no_gateway_ran_is_counted_at_once(held: ExitStack) -> None:
    sock, metrics = hold(held), Metrics()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    with socket.socket(socket.AF_INET, UDP) as sender:
        for _ in range(64):
            sender.sendto(bytes(1024), sock.getsockname())
    KernelDrops(SYSLOG, sock, metrics)
    assert metrics.value("tidegate_udp_kernel_drops_total", listener=SYSLOG, address=str(bound_address(sock))) > 0


def test_descriptors_begin_where_systemd_puts_them() -> None:
    assert FIRST == 3


@pytest.mark.parametrize(
    ("make", "words"),
    [
        pytest.param(lambda: socket.socket(socket.AF_UNIX, UDP), "no IPv4 or IPv6 socket", id="unix"),
        pytest.param(lambda: socket.socket(socket.AF_INET, TCP), "Accept=no", id="not listening"),
    ],
)
def test_sockets_of_another_kind_are_refused(held: ExitStack, monkeypatch: pytest.MonkeyPatch, make: type[socket.socket], words: str) -> None:
    sock = make()
    with pytest.raises(ConfigError, match=words):
        open_one(held, sock, monkeypatch)
    sock.detach()


@pytest.mark.parametrize("kind", [UDP, TCP])
def test_a_socket_that_takes_both_protocols_is_refused(held: ExitStack, monkeypatch: pytest.MonkeyPatch, kind: socket.SocketKind) -> None:
    sock = hold(held, kind, "::", only_ipv6=False)
    with pytest.raises(ConfigError, match="BindIPv6Only=ipv6-only"):
        open_one(held, sock, monkeypatch)
    sock.detach()


def test_a_file_is_no_socket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with (tmp_path / "file").open("w") as file:
        monkeypatch.setattr("listeners.passed.FIRST", file.fileno())
        with pytest.raises(ConfigError, match="is no socket"):
            take_passed({"LISTEN_PID": "4711", "LISTEN_FDS": "1"}, 4711)


class Ceiled(socket.socket):
    """A UDP socket of a process that may not go past a ceiling of 64 KiB, whoever bound it might."""

    def setsockopt(self, level: int, option: int, value: int) -> None:  # type: ignore[override]
        if option == 33:  # SO_RCVBUFFORCE
            raise PermissionError
        super().setsockopt(level, option, min(value, 64 << 10))


@pytest.mark.parametrize(
    ("had", "asked", "got"),
    [
        pytest.param(96 << 10, 16 << 20, 96 << 10, id="more than we would get"),
        pytest.param(96 << 10, 96 << 10, 96 << 10, id="as much as asked"),
        pytest.param(16 << 10, 16 << 20, 64 << 10, id="less than we would get"),
        pytest.param(96 << 10, 32 << 10, 32 << 10, id="less is wanted"),
    ],
)
def test_a_passed_buffer_is_not_given_away(monkeypatch: pytest.MonkeyPatch, had: int, asked: int, got: int) -> None:
    with Ceiled(socket.AF_INET, UDP) as sock:
        socket.socket.setsockopt(sock, socket.SOL_SOCKET, socket.SO_RCVBUF, had)
        monkeypatch.setattr("listeners.bind.socket.socket", Ceiled)
        assert ask_receive_buffer(sock, asked) == got
