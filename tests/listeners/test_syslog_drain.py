"""What a drain leaves to senders on TCP and TLS: they are told by the end of our stream, and heard out, whatever they make of it.

sender                              what it sends around a drain
closes when it sees the end         all of it is kept, and the drain waits no longer
looks before it writes              what it writes before it looks is kept
has connected and not spoken        kept, where it speaks within a second
is in the middle of a message       the message is kept, where its rest comes
never looks, and never stops        kept until its time is up
"""

from __future__ import annotations

import contextlib
import socket
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import trio
import trio.testing
import trustme
from support.syslog_listening import PATIENCE, Listening, listening, settings

from listeners.accept import PLACE_S
from listeners.syslog.connection import PARTING_S
from listeners.syslog.serve import PATIENCE_S
from pipeline.model import Transport

LISTENER = "listeners.syslog"
BLOCKED_S = 0.05


@pytest.fixture
def folder(tmp_path: Path, authority: trustme.CA) -> Path:
    certificate = authority.issue_cert("localhost")
    certificate.private_key_pem.write_to_path(tmp_path / "server.key")
    certificate.cert_chain_pems[0].write_to_path(tmp_path / "server.pem")
    return tmp_path


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
async def listener(folder: Path) -> AsyncIterator[Listening]:
    tls = {"addresses": ["127.0.0.1:0"], "certificate": "server.pem", "key": "server.key"}
    async with listening(settings({"tcp": ["127.0.0.1:0"], "tls": tls}, folder)) as found:
        yield found


class Sender:
    """A sender, over TCP or TLS, of which every step is the test's."""

    def __init__(self, bare: trio.SocketStream, stream: trio.SocketStream | trio.SSLStream[trio.SocketStream]) -> None:
        self.bare, self.stream = bare, stream

    async def send(self, octets: bytes) -> None:
        await self.stream.send_all(octets)

    async def told(self) -> None:
        """Return once the end of the gateway's stream is here, as who peeks at the socket sees it."""
        with trio.fail_after(PATIENCE):
            assert await self.bare.socket.recv(1, socket.MSG_PEEK) == b""


async def connect(listener: Listening, transport: Transport, authority: trustme.CA) -> Sender:
    bare = await trio.open_tcp_stream(*listener.address(transport))
    if transport is Transport.TCP:
        return Sender(bare, bare)
    context = ssl.create_default_context()
    authority.configure_trust(context)
    secured = trio.SSLStream(bare, context, server_hostname="localhost")
    await secured.do_handshake()
    return Sender(bare, secured)


transports = pytest.mark.parametrize("transport", [Transport.TCP, Transport.TLS])


@transports
async def test_what_is_written_behind_the_end_is_kept(listener: Listening, transport: Transport, authority: trustme.CA) -> None:
    sender = await connect(listener, transport, authority)
    await sender.send(b"5 <1>ab")
    await listener.intake.arrived(1)
    listener.stop.set()
    await sender.told()
    await sender.send(b"5 <2>cd")
    await listener.intake.arrived(2)
    await sender.send(b"5 <3>ef")
    await sender.bare.aclose()
    begun = trio.current_time()
    await listener.drained()
    assert trio.current_time() - begun < PARTING_S, "whoever closes isn't waited for"
    assert listener.intake.messages == [b"<1>ab", b"<2>cd", b"<3>ef"]


@transports
async def test_a_silent_connection_is_waited_for_a_second(
    listener: Listening, transport: Transport, authority: trustme.CA, autojump_clock: trio.testing.MockClock
) -> None:
    autojump_clock.autojump_threshold = BLOCKED_S
    sender = await connect(listener, transport, authority)
    await sender.send(b"5 <1>ab")
    await listener.intake.arrived(1)
    begun = trio.current_time()
    await listener.drained()
    assert trio.current_time() - begun == pytest.approx(PARTING_S, abs=0.1)
    await sender.bare.aclose()


@transports
async def test_a_connection_that_has_not_spoken_may_speak(listener: Listening, transport: Transport, authority: trustme.CA) -> None:
    sender = await connect(listener, transport, authority)
    with trio.fail_after(PATIENCE):
        while not listener.metrics.value("tidegate_connections", listener=LISTENER, transport=transport):
            await trio.lowlevel.checkpoint()
    listener.stop.set()
    await sender.told()
    await sender.send(b"5 <1>ab")
    await sender.bare.aclose()
    await listener.drained()
    assert listener.intake.messages == [b"<1>ab"]


@transports
async def test_the_rest_of_a_message_is_waited_for(
    listener: Listening, transport: Transport, authority: trustme.CA, autojump_clock: trio.testing.MockClock
) -> None:
    autojump_clock.autojump_threshold = BLOCKED_S
    sender = await connect(listener, transport, authority)
    await sender.send(b"5 <1>ab5 <2>")
    await listener.intake.arrived(1)
    listener.stop.set()
    await sender.told()
    await trio.sleep((PARTING_S + PATIENCE_S) / 2)
    await sender.send(b"cd")
    await listener.intake.arrived(2)
    await listener.drained()
    assert (listener.intake.messages, listener.intake.rejected) == ([b"<1>ab", b"<2>cd"], {})
    await sender.bare.aclose()


@transports
async def test_who_never_stops_is_heard_until_time_is_up(
    listener: Listening, transport: Transport, authority: trustme.CA, autojump_clock: trio.testing.MockClock
) -> None:
    autojump_clock.autojump_threshold = BLOCKED_S
    sender = await connect(listener, transport, authority)
    await sender.send(b"5 <1>ab")
    await listener.intake.arrived(1)
    begun, sent = trio.current_time(), 1
    listener.stop.set()
    with contextlib.suppress(trio.BrokenResourceError):
        while True:
            await sender.send(b"5 <1>ab")
            sent += 1
            await trio.sleep(PARTING_S / 2)
    await sender.bare.aclose()
    await listener.drained()
    assert trio.current_time() - begun < PATIENCE_S + 3 * PARTING_S
    assert sent - listener.intake.received <= 2, "what it wrote before it learned that nobody reads"


async def test_who_sends_as_fast_as_he_is_read_does_not_prolong_the_last_look(folder: Path) -> None:
    async with listening(settings({"tcp": ["127.0.0.1:0"]}), patience=0) as listener, trio.open_nursery() as nursery:
        sender = await trio.open_tcp_stream(*listener.address(Transport.TCP))
        await sender.send_all(b"5 <1>ab")
        await listener.intake.arrived(1)

        async def flood() -> None:
            with contextlib.suppress(trio.BrokenResourceError):
                while True:
                    await sender.send_all(b"5 <1>ab")

        nursery.start_soon(flood)
        await listener.drained()
        assert listener.intake.received < 100
        nursery.cancel_scope.cancel()
        await sender.aclose()


@pytest.mark.parametrize("transport", [Transport.TCP, Transport.UDP])
async def test_what_the_intake_has_not_taken_when_the_drain_is_over_is_counted(transport: Transport) -> None:
    with trio.CancelScope() as over, contextlib.ExitStack() as senders:
        async with listening(settings({transport: ["127.0.0.1:0"]})) as listener:
            listener.intake.close()
            if transport is Transport.TCP:
                senders.enter_context(socket.create_connection(listener.address(transport))).sendall(b"5 <1>ab" * 3)
            for host in ("127.0.0.1", "127.0.0.2", "127.0.0.3") if transport is Transport.UDP else ():
                sock = senders.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
                sock.bind((host, 0))
                sock.sendto(b"<1>ab", listener.address(transport))
            with trio.fail_after(PATIENCE):
                while not listener.intake.submitted:
                    await trio.lowlevel.checkpoint()
            over.cancel()
            await trio.lowlevel.checkpoint()
    assert (listener.intake.received, listener.intake.given_up) == (0, 3)


async def test_the_last_step_of_a_handshake_brings_the_first_words(listener: Listening, authority: trustme.CA) -> None:
    bare = await trio.open_tcp_stream(*listener.address(Transport.TLS))
    context, incoming, outgoing = ssl.create_default_context(), ssl.MemoryBIO(), ssl.MemoryBIO()
    authority.configure_trust(context)
    secured = context.wrap_bio(incoming, outgoing, server_hostname="localhost")
    with pytest.raises(ssl.SSLWantReadError):
        secured.do_handshake()
    await bare.send_all(outgoing.read())
    incoming.write(await bare.receive_some())
    secured.do_handshake()
    secured.write(b"5 <1>ab")
    listener.stop.set()
    await trio.testing.wait_all_tasks_blocked(BLOCKED_S / 5)
    await bare.send_all(outgoing.read())
    await bare.aclose()
    await listener.drained()
    assert listener.intake.messages == [b"<1>ab"]


async def test_a_short_drain_shortens_the_patience(folder: Path, autojump_clock: trio.testing.MockClock) -> None:
    autojump_clock.autojump_threshold = BLOCKED_S
    async with listening(settings({"tcp": ["127.0.0.1:0"]}), patience=0.1) as listener:
        bare = await trio.open_tcp_stream(*listener.address(Transport.TCP))
        await bare.send_all(b"5 <1>ab5 <2>")
        await listener.intake.arrived(1)
        begun = trio.current_time()
        await listener.drained()
        assert trio.current_time() - begun == pytest.approx(0.1, abs=0.05)
        assert listener.intake.rejected == {"truncated": 1}
        await bare.aclose()


async def test_connections_that_wait_in_a_queue_of_our_own_are_heard(listener: Listening) -> None:
    """... since nobody else will accept them: here none gets to run between their connects and the drain."""
    waiting = [socket.create_connection(listener.address(Transport.TCP)) for _ in range(100)]
    for number, sock in enumerate(waiting):
        sock.sendall(b"7 <1>%04d" % number)
        sock.close()
    await listener.drained()
    assert sorted(listener.intake.messages) == [b"<1>%04d" % number for number in range(100)]
    assert listener.metrics.value("tidegate_connections_refused_total", listener=LISTENER, reason="connections-per-peer") == 0


async def test_more_connections_at_once_than_a_peer_may_have_are_served_in_turn(autojump_clock: trio.testing.MockClock) -> None:
    """... where they end soon, as those that waited for a restart; the others are refused."""
    autojump_clock.autojump_threshold = BLOCKED_S
    async with listening(settings({"tcp": ["127.0.0.1:0"], "connections_per_peer": 2})) as listener:
        lasting = socket.create_connection(listener.address(Transport.TCP))
        for number in range(3):
            with socket.create_connection(listener.address(Transport.TCP)) as sock:
                sock.sendall(b"7 <1>%04d" % number)
        assert sorted(await listener.intake.arrived(3)) == [b"<1>%04d" % number for number in range(3)]
        others = [socket.create_connection(listener.address(Transport.TCP)) for _ in range(4)]
        begun = trio.current_time()
        for sock in others[1:]:
            stream = trio.SocketStream(trio.socket.from_stdlib_socket(sock))
            with trio.fail_after(PATIENCE):
                assert await stream.receive_some(1) == b""
            await stream.aclose()
        assert trio.current_time() - begun == pytest.approx(PLACE_S, abs=0.5)
        assert listener.metrics.value("tidegate_connections_refused_total", listener=LISTENER, reason="connections-per-peer") == 3
        assert listener.metrics.value("tidegate_connections", listener=LISTENER, transport="tcp") == 2
        for sock in (lasting, others[0]):
            sock.close()
