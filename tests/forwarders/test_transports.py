"""Senders against sockets of our own on loopback: datagrams, octet-counted frames, and every way a receiver can be gone."""

from __future__ import annotations

from array import array
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio

from forwarders.transports import TcpSender, UdpSender
from pipeline.errors import DeliveryError, Fault
from pipeline.settings import SocketAddress
from wire.syslog_framing import Framing, Position, scan

LOOPBACK = "127.0.0.1"


def address_of(socket: trio.socket.SocketType) -> SocketAddress:
    host, port = socket.getsockname()[:2]
    return SocketAddress(host, port)


@asynccontextmanager
async def datagram_socket() -> AsyncIterator[trio.socket.SocketType]:
    with trio.socket.socket(trio.socket.AF_INET, trio.socket.SOCK_DGRAM) as bound:
        await bound.bind((LOOPBACK, 0))
        yield bound


def frames(octets: bytes) -> list[bytes]:
    found = scan(octets, Position(), 1 << 20)
    spans: array[int] = found.spans
    assert found.consumed == len(octets)
    return [octets[start:end] for start, end in zip(spans[::2], spans[1::2], strict=True)]


async def test_each_message_is_one_datagram() -> None:
    async with datagram_socket() as receiver:
        sender = UdpSender(address_of(receiver))
        await sender.send([b"\r\nEventCode=1", b"two", b"x" * sender.max_message])
        assert [await receiver.recv(1 << 17) for _ in range(3)] == [b"\r\nEventCode=1", b"two", b"x" * 65_507]
        await sender.close()


async def test_a_closed_udp_port_fails_the_attempt_and_opens_again() -> None:
    async with datagram_socket() as receiver:
        address = address_of(receiver)
    sender = UdpSender(address)
    with pytest.raises(DeliveryError) as refused:
        await sender.send([b"one"])
    assert (refused.value.reason, refused.value.fault, refused.value.taken) == ("refused", Fault.RETRY, 0)
    with trio.socket.socket(trio.socket.AF_INET, trio.socket.SOCK_DGRAM) as again:
        await again.bind(tuple(address))
        await sender.connect()
        await sender.send([b"two"])
        assert await again.recv(10) == b"two"
    await sender.close()


async def test_a_datagram_too_long_is_no_crash() -> None:
    async with datagram_socket() as receiver:
        sender = UdpSender(address_of(receiver))
        with pytest.raises(DeliveryError) as refused:
            await sender.send([b"x" * (sender.max_message + 1)])
        assert refused.value.reason == "unreachable"
        await sender.close()


async def test_messages_are_octet_counted_on_one_connection() -> None:
    sent = [b"\r\nEventCode=1\r\nMessage=a\nb", b"7", b"x" * 300_000]
    listeners = await trio.open_tcp_listeners(0, host=LOOPBACK)
    received = b""

    async def receive(stream: trio.SocketStream) -> None:
        nonlocal received
        async for octets in stream:
            received += octets
        accepted.set()

    accepted = trio.Event()
    async with trio.open_nursery() as nursery:
        await nursery.start(trio.serve_listeners, receive, listeners)
        sender = TcpSender(address_of(listeners[0].socket))
        await sender.connect()
        await sender.send(sent[:2])
        await sender.send(sent[2:])
        await sender.close()
        await accepted.wait()
        nursery.cancel_scope.cancel()
    assert frames(received) == sent


async def test_a_receiver_that_ends_the_connection_gets_a_new_one_and_the_last_messages_again() -> None:
    listener = (await trio.open_tcp_listeners(0, host=LOOPBACK))[0]
    resent: list[int] = []
    sender = TcpSender(address_of(listener.socket), resent=resent.append)
    async with listener:
        for message, expected in ((b"one", b"3 one"), (b"two", b"3 one3 two")):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(sender.send, [message])
                stream = await listener.accept()
                received = b""
                while len(received) < len(expected):
                    received += await stream.receive_some(100)
                assert received == expected
            await stream.aclose()
    await sender.close()
    assert resent == [1]


async def test_what_had_settled_before_an_orderly_end_is_not_sent_again() -> None:
    listener = (await trio.open_tcp_listeners(0, host=LOOPBACK))[0]
    sender = TcpSender(address_of(listener.socket), window=0)
    async with listener:
        for message in (b"one", b"two"):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(sender.send, [message])
                stream = await listener.accept()
                assert await stream.receive_some(100) == b"3 " + message
            await stream.aclose()
    await sender.close()


async def test_what_was_acknowledged_and_not_read_is_sent_again() -> None:
    listener = (await trio.open_tcp_listeners(0, host=LOOPBACK))[0]
    resent: list[int] = []
    sender = TcpSender(address_of(listener.socket), framing=Framing.NON_TRANSPARENT, resent=resent.append)
    async with listener:
        await sender.connect()
        await sender.send([b"<13>one", b"<13>two"])
        await sender.send([b"<13>three"])
        unread = await listener.accept()
        await unread.aclose()  # with something unread: RST
        with pytest.raises(DeliveryError) as broken:
            await sender.send([b"<13>four"])
        assert (broken.value.reason, broken.value.fault) == ("reset", Fault.RETRY)
        await sender.close()
        await sender.connect()
        await sender.send([b"<13>four"])
        stream, received = await listener.accept(), b""
        while not received.endswith(b"four\n"):
            received += await stream.receive_some(100)
        await stream.aclose()
    await sender.close()
    assert received == b"<13>one\n<13>two\n<13>three\n<13>four\n"
    assert resent == [2, 1]


async def test_an_attempt_given_up_is_followed_by_all_that_may_be_unread() -> None:
    listener = (await trio.open_tcp_listeners(0, host=LOOPBACK))[0]
    sender = TcpSender(address_of(listener.socket))
    async with listener:
        await sender.send([b"one"])
        hung = await listener.accept()
        hung.setsockopt(trio.socket.SOL_SOCKET, trio.socket.SO_RCVBUF, 4096)
        with trio.move_on_after(0.2) as attempt:
            await sender.send([b"x" * 9_000_000])
        assert attempt.cancelled_caught
        await sender.close()
        await sender.send([b"two"])
        stream, received = await listener.accept(), b""
        while not received.endswith(b"two"):
            received += await stream.receive_some(100)
        assert received == b"3 one3 two"
        await stream.aclose()
        await hung.aclose()
    await sender.close()


async def test_a_reset_fails_the_attempt() -> None:
    listener = (await trio.open_tcp_listeners(0, host=LOOPBACK))[0]
    sender = TcpSender(address_of(listener.socket))
    async with listener:
        await sender.connect()
        stream = await listener.accept()
        stream.setsockopt(trio.socket.SOL_SOCKET, trio.socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
        await stream.aclose()  # lingering for no time: RST
        with pytest.raises(DeliveryError) as refused:
            await sender.send([b"lost"])
    assert (refused.value.reason, refused.value.fault) == ("reset", Fault.RETRY)
    await sender.close()


async def test_a_closed_tcp_port_is_refused() -> None:
    listener = (await trio.open_tcp_listeners(0, host=LOOPBACK))[0]
    address = address_of(listener.socket)
    await listener.aclose()
    with pytest.raises(DeliveryError) as refused:
        await TcpSender(address).connect()
    assert refused.value.fault is Fault.RETRY


@pytest.mark.parametrize("sender", [UdpSender, TcpSender])
async def test_a_name_nobody_knows_may_be_known_later(sender: type[UdpSender | TcpSender], monkeypatch: pytest.MonkeyPatch) -> None:
    async def unknown(*_: object, **__: object) -> None:
        raise trio.socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(trio.socket, "getaddrinfo", unknown)
    with pytest.raises(DeliveryError) as refused:
        await sender(SocketAddress("sensor.contoso.example", 514)).connect()
    assert (refused.value.reason, refused.value.fault) == ("unknown-host", Fault.RETRY)
