"""A stream under TLS: what trio.SSLStream says arrives, who is turned away is told why, and the event loop makes no handshakes."""

from __future__ import annotations

import ssl
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
import trio
import trio.testing
import trustme

from listeners.http.tls_stream import TlsStream
from listeners.tls_records import RECORD

TEXT = bytes(range(251)) * 400


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


def contexts(authority: trustme.CA) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """(of a client, of a server)"""
    client, server = ssl.create_default_context(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.configure_trust(client)
    authority.issue_cert("localhost").configure_cert(server)
    server.num_tickets = 0
    return client, server


class Ends:
    """A client's streams, with TLS and without, and the gateway's."""

    def __init__(self, client: ssl.SSLContext, server: ssl.SSLContext) -> None:
        self.bare, self.theirs = trio.testing.memory_stream_pair()
        self.client = trio.SSLStream(self.bare, client, server_hostname="localhost", https_compatible=True)
        self.stream = TlsStream(self.theirs, server, trio.CapacityLimiter(1))

    async def shake_hands(self) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.client.do_handshake)
            nursery.start_soon(self.stream.shake_hands)


@asynccontextmanager
async def opened(authority: trustme.CA) -> AsyncIterator[Ends]:
    ends = Ends(*contexts(authority))
    await ends.shake_hands()
    yield ends
    await trio.aclose_forcefully(ends.stream)


async def read_all(receive: Callable[[int], object], most: int) -> bytes:
    text = b""
    while data := await receive(most):  # type: ignore[misc]
        assert len(data) <= most
        text += data
    return text


@pytest.mark.parametrize("most", [1, 1000, RECORD, 10 * RECORD])
async def test_both_hear_all_of_it_and_the_end(authority: trustme.CA, most: int) -> None:
    text = TEXT[: most * 500]

    async def say(stream: trio.abc.Stream) -> None:
        for size in (1, 100, len(text)):
            await stream.send_all(text[:size])
        await stream.aclose()

    async with opened(authority) as ends, trio.open_nursery() as nursery:
        nursery.start_soon(say, ends.client)
        assert await read_all(ends.stream.receive_some, most) == text[:1] + text[:100] + text
    async with opened(authority) as ends, trio.open_nursery() as nursery:
        nursery.start_soon(say, ends.stream)
        assert await read_all(ends.client.receive_some, most) == text[:1] + text[:100] + text


async def test_records_that_have_come_are_read_at_once(authority: trustme.CA) -> None:
    async with opened(authority) as ends:
        for _ in range(5):
            await ends.client.send_all(b"abc")
        assert await ends.stream.receive_some(100) == b"abc" * 5


async def test_an_end_without_a_word_is_one(authority: trustme.CA) -> None:
    async with opened(authority) as ends:
        await ends.client.send_all(b"abc")
        await ends.bare.aclose()
        assert await read_all(ends.stream.receive_some, 100) == b"abc"
        assert await ends.stream.receive_some() == b""


async def test_a_broken_record_is_told_behind_what_came_before(authority: trustme.CA) -> None:
    async with opened(authority) as ends:
        await ends.client.send_all(b"abc")
        await ends.bare.send_all(b"\x17\x03\x03\x00\x20" + bytes(32))
        assert await ends.stream.receive_some() == b"abc"
        for _ in range(2):
            with pytest.raises(trio.BrokenResourceError):
                await ends.stream.receive_some()


async def test_a_client_is_told_why_it_is_turned_away(authority: trustme.CA) -> None:
    client, server = contexts(authority)
    server.verify_mode = ssl.CERT_REQUIRED
    authority.configure_trust(server)
    ends = Ends(client, server)
    causes = list[object]()

    async def shake_hands() -> None:
        with pytest.raises(trio.BrokenResourceError) as raised:
            await ends.stream.shake_hands()
        causes.append(getattr(raised.value.__cause__, "reason", None))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(shake_hands)
        await ends.client.do_handshake()
    assert causes == ["PEER_DID_NOT_RETURN_A_CERTIFICATE"]
    with pytest.raises(trio.BrokenResourceError) as told:
        await ends.client.receive_some()
    assert "certificate required" in str(told.value.__cause__)


async def test_a_handshake_that_ends_early_is_broken(authority: trustme.CA) -> None:
    ends = Ends(*contexts(authority))
    await ends.bare.send_all(b"\x16\x03")
    await ends.bare.aclose()
    with pytest.raises(trio.BrokenResourceError) as raised:
        await ends.stream.shake_hands()
    assert isinstance(raised.value.__cause__, ssl.SSLEOFError)


async def test_behind_half_a_record_nothing_is_sent(authority: trustme.CA) -> None:
    async with opened(authority) as ends:
        pipe = ends.theirs.send_stream
        deliver = pipe.send_all_hook
        assert deliver is not None

        async def stall() -> None:
            scope.cancel()
            await trio.sleep_forever()

        pipe.send_all_hook = stall
        with trio.CancelScope() as scope:
            await ends.stream.send_all(b"abc")
        assert scope.cancelled_caught
        pipe.send_all_hook = deliver
        with pytest.raises(trio.BrokenResourceError):
            await ends.stream.send_all(b"def")
        await ends.stream.aclose()
        sent = await ends.bare.receive_some()
    assert len(sent) == 5 + int.from_bytes(sent[3:5])  # one record, no close_notify behind it


async def test_handshakes_leave_the_event_loop(authority: trustme.CA) -> None:
    client, server = contexts(authority)
    where = list[int]()
    server.sni_callback = lambda *_: where.append(threading.get_ident())
    await Ends(client, server).shake_hands()
    assert len(where) == 1
    assert where[0] != threading.get_ident()
