"""A channel is readable once what it was told to expect is there, or nothing more will come; of TLS all is taken, and not much at a time."""

from __future__ import annotations

import socket
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import partial

import pytest
import trio
import trustme

from kernel import Room
from listeners.channel import UNSENT, TcpChannel, TlsChannel
from listeners.tls_records import RECORD

EXPECTED = 64 << 10


@contextmanager
def connected() -> Iterator[tuple[socket.socket, socket.socket]]:
    """(a sender, the gateway's end, to be closed by who has it)"""
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as sender:
        receiver, _ = server.accept()
        receiver.setblocking(False)
        receiver.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, UNSENT)
        yield sender, receiver


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, TcpChannel]]:
    with connected() as (sender, receiver):
        channel = TcpChannel(receiver)
        yield sender, channel
        channel.close()


async def is_readable(channel: TcpChannel | TlsChannel) -> bool:
    """Now, or as soon as the other end's octets are through."""
    with trio.move_on_after(0.2):
        await channel.readable()
        return True
    return False


async def test_less_than_expected_is_waited_on(pair: tuple[socket.socket, TcpChannel]) -> None:
    sender, channel = pair
    channel.expect(EXPECTED)
    sender.sendall(bytes(EXPECTED - 1))
    assert not await is_readable(channel)
    sender.sendall(b"\0")
    assert await is_readable(channel)
    room = Room(1 << 20, 0)
    assert channel.take(room, 1 << 20) == EXPECTED


async def test_what_is_there_can_be_taken_however_much_was_expected(pair: tuple[socket.socket, TcpChannel]) -> None:
    sender, channel = pair
    sender.sendall(b"abc")
    assert await is_readable(channel)
    channel.expect(EXPECTED)
    assert channel.take(Room(1 << 20, 0), 1 << 20) == 3


async def test_an_end_is_readable_whatever_was_expected(pair: tuple[socket.socket, TcpChannel]) -> None:
    sender, channel = pair
    channel.expect(EXPECTED)
    sender.sendall(b"abc")
    sender.shutdown(socket.SHUT_WR)
    assert await is_readable(channel)


async def test_any_octet_will_do_again(pair: tuple[socket.socket, TcpChannel]) -> None:
    sender, channel = pair
    channel.expect(EXPECTED)
    channel.expect(1)
    sender.sendall(b"a")
    assert await is_readable(channel)


# TLS


@asynccontextmanager
async def secured() -> AsyncIterator[tuple[ssl.SSLSocket, TlsChannel]]:
    """(a client, the gateway's end), shaken hands."""
    authority = trustme.CA()
    client, server = ssl.create_default_context(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.configure_trust(client)
    authority.issue_cert("localhost").configure_cert(server)
    server.num_tickets = 0
    with connected() as (bare, receiver), client.wrap_socket(bare, server_hostname="localhost", do_handshake_on_connect=False) as sender:
        channel = TlsChannel(receiver, server)

        async def shake_hands() -> None:
            while not channel.shake_hands():
                await channel.readable()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(partial(trio.to_thread.run_sync, sender.do_handshake))
            nursery.start_soon(shake_hands)
        assert channel.take(Room(1, 0), 1) is None
        try:
            yield sender, channel
        finally:
            channel.close()


async def take_all(channel: TlsChannel, most: int) -> bytes:
    """To the end of the stream."""
    room, taken = Room(most, 0), b""
    while True:
        await channel.readable()
        octets = channel.take(room, most)
        assert octets is None or octets == len(room) <= most
        taken += room[:]
        room.clear()
        if octets == 0:
            return taken


@pytest.mark.parametrize("most", [1, 1000, RECORD, 5 * RECORD])
@pytest.mark.parametrize("record", [1, 700, RECORD])
async def test_all_that_was_sent_is_taken(most: int, record: int) -> None:
    text = bytes(range(256)) * 3
    async with secured() as (sender, channel):
        for at in range(0, len(text), record):
            sender.send(text[at : at + record])
        sender.shutdown(socket.SHUT_WR)
        assert await take_all(channel, most) == text


async def test_a_full_read_is_full() -> None:
    """Whoever reads by what the last read was knows a firehose by it, whatever its records are."""
    async with secured() as (sender, channel):
        channel.expect(60_000)
        for _ in range(60):
            sender.send(bytes(1000))
        assert await is_readable(channel)
        room = Room(RECORD, 0)
        assert [channel.take(room, RECORD) for _ in range(4)] == [RECORD, RECORD, RECORD, 60_000 - 3 * RECORD]
        assert channel.take(room, RECORD) is None


async def test_records_of_an_octet_keep_nobody_long() -> None:
    async with secured() as (sender, channel):
        sender.setblocking(False)
        sent = 0
        try:
            while sent < 4 * RECORD:
                sent += sender.send(b"x")
        except ssl.SSLWantWriteError:
            pass
        room = Room(RECORD, 0)
        octets = channel.take(room, RECORD // 4)
        assert octets is not None
        assert 0 < octets < RECORD // 4
        assert await is_readable(channel)


async def test_a_broken_record_is_told_behind_what_came_before() -> None:
    async with secured() as (sender, channel):
        sender.send(b"abc")
        with socket.socket(fileno=sender.detach()) as bare:
            bare.send(b"\x17\x03\x03\x00\x20" + bytes(32))
            assert await is_readable(channel)
            room = Room(RECORD, 0)
            assert channel.take(room, RECORD) == 3
            for _ in range(2):
                assert await is_readable(channel)
                with pytest.raises(ssl.SSLError):
                    channel.take(room, RECORD)


async def test_who_takes_no_answers_is_not_read() -> None:
    async with secured() as (sender, channel):
        room = Room(RECORD, 0)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(channel.send, bytes(16 * UNSENT))
            await trio.testing.wait_all_tasks_blocked()
            sender.send(b"question")
            assert not await is_readable(channel)
            assert channel.take(room, RECORD) is None
            answers = 0
            while answers < 16 * UNSENT:
                answers += len(await trio.to_thread.run_sync(sender.recv, RECORD))
        assert await is_readable(channel)
        assert channel.take(room, RECORD) == len(b"question")
