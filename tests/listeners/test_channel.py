"""A channel is readable once what it was told to expect is there, or nothing more will come."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest
import trio

from kernel import Room
from listeners.channel import TcpChannel

EXPECTED = 64 << 10


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, TcpChannel]]:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as sender:
        receiver, _ = server.accept()
        receiver.setblocking(False)
        channel = TcpChannel(receiver)
        yield sender, channel
        channel.close()


async def is_readable(channel: TcpChannel) -> bool:
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
