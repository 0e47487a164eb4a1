"""One connection to a receiver of ours: TLS in memory, ends of every kind, and receivers that say something."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
import trio
import trustme

from forwarders.connection import Connection
from forwarders.transports import TcpSender
from pipeline.errors import DeliveryError, Fault
from pipeline.settings import SocketAddress

AUTHORITY = trustme.CA()

Serve = Callable[[trio.SocketStream], Awaitable[None]]


def ours(authority: trustme.CA = AUTHORITY) -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


def theirs(*, asks: bool = False, tickets: int = 2) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    AUTHORITY.issue_cert("127.0.0.1").configure_cert(context)
    context.num_tickets = tickets
    if asks:
        AUTHORITY.configure_trust(context)
        context.verify_mode = ssl.CERT_REQUIRED
    return context


@asynccontextmanager
async def receiver(serve: Serve) -> AsyncIterator[SocketAddress]:
    """Serves each connection, until left."""
    listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
    async with trio.open_nursery() as nursery:
        await nursery.start(trio.serve_listeners, serve, listeners)
        yield SocketAddress(*listeners[0].socket.getsockname()[:2])
        nursery.cancel_scope.cancel()


async def secured(stream: trio.SocketStream, context: ssl.SSLContext) -> trio.SSLStream[trio.SocketStream]:
    found = trio.SSLStream(stream, context, server_side=True, https_compatible=True)
    await found.do_handshake()
    return found


async def until(connection: Connection) -> None:
    """Return once the connection is seen to have ended."""
    while not connection.hear():  # noqa: ASYNC110 - the connection has no event, it is asked
        await trio.sleep(0.001)


@pytest.mark.parametrize("tickets", [0, 2])
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_everything_arrives_over_tls_and_ends_in_good_order(version: ssl.TLSVersion, tickets: int) -> None:
    context, received, done = theirs(tickets=tickets), bytearray(), trio.Event()
    context.maximum_version = context.minimum_version = version

    async def serve(stream: trio.SocketStream) -> None:
        async for octets in await secured(stream, context):
            received.extend(octets)
        done.set()

    async with receiver(serve) as address:
        connection = await Connection.open(address, ours())
        await connection.send(b"x" * 300_000)
        await connection.send(b"end")
        await connection.close()
        await done.wait()  # its iteration ends well with close_notify alone
    assert received == b"x" * 300_000 + b"end"


async def test_a_close_notify_is_an_end_in_good_order() -> None:
    async def serve(stream: trio.SocketStream) -> None:
        found = await secured(stream, theirs())
        await found.receive_some(10)
        await found.aclose()

    async with receiver(serve) as address:
        connection = await Connection.open(address, ours())
        assert not connection.hear()
        await connection.send(b"1")
        await until(connection)
        assert connection.quiet_for() < 60
        await connection.close()


@pytest.mark.parametrize("tls", [False, True])
async def test_what_a_receiver_says_is_read_and_forgotten(tls: bool) -> None:  # noqa: FBT001 - a parameter
    async def serve(stream: trio.SocketStream) -> None:
        found: trio.abc.Stream = await secured(stream, theirs()) if tls else stream
        await found.send_all(b"chatter" * 100_000)
        await found.receive_some(1)
        await found.aclose()

    async with receiver(serve) as address:
        connection = await Connection.open(address, ours() if tls else None)
        while not await _sent_and_ended(connection):
            pass
        await connection.close()


async def _sent_and_ended(connection: Connection) -> bool:
    try:
        await connection.send(b"x")
        await connection.acknowledged()
        return connection.hear()
    except (OSError, trio.BrokenResourceError):
        return True


async def refusal(serve: Serve, **given: object) -> DeliveryError:
    async with receiver(serve) as address:
        sender = TcpSender(address, tls=lambda: ours(trustme.CA()) if given.get("another") else ours(), server_name=str(given.get("server_name", "")))
        with pytest.raises(DeliveryError) as refused:
            await sender.connect()
        await sender.close()
    return refused.value


async def test_a_certificate_of_ours_that_is_missing_is_found_before_anything_is_sent() -> None:
    async def serve(stream: trio.SocketStream) -> None:
        with pytest.raises(trio.BrokenResourceError):
            await secured(stream, theirs(asks=True))

    error = await refusal(serve)  # this receiver sends no alert; rsyslog does
    assert (error.reason, error.fault) == ("reset", Fault.RETRY)


@pytest.mark.parametrize("given", [{"another": True}, {"server_name": "siem.contoso.example"}], ids=["another authority", "another name"])
async def test_a_certificate_of_theirs_that_is_not_believed(given: dict[str, object]) -> None:
    async def serve(stream: trio.SocketStream) -> None:
        with pytest.raises(trio.BrokenResourceError):
            await secured(stream, theirs())

    error = await refusal(serve, **given)
    assert (error.reason, error.fault) == ("tls-certificate", Fault.DENIED)


async def test_a_receiver_that_hangs_up_or_speaks_no_tls() -> None:
    async def hang_up(stream: trio.SocketStream) -> None:
        await stream.receive_some(10_000)
        await stream.aclose()

    async def speak(stream: trio.SocketStream) -> None:
        await stream.receive_some(10_000)
        await stream.send_all(b"220 mail.contoso.example ESMTP\r\n")
        await stream.receive_some(10_000)

    assert [(error.reason, error.fault) for error in (await refusal(hang_up), await refusal(speak))] == [("reset", Fault.RETRY), ("tls", Fault.RETRY)]
