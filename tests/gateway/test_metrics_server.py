"""The metrics server answers its three paths, refuses the rest, and no peer can hold or break it."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable

import pytest
import trio
import trio.testing
from hypothesis import given
from hypothesis import strategies as st

from gateway.metrics_server import HEADER_SECONDS, IDLE_SECONDS, MAX_CONNECTIONS, pages, serve_connection, serve_metrics
from pipeline.errors import ConfigError
from pipeline.log import LogSettings
from pipeline.log_lines import open_log
from pipeline.metrics import Metrics
from pipeline.settings import SocketAddress

LOG = open_log(io.StringIO(), LogSettings())


async def converse(sent: bytes, missing: Callable[[], list[str]] = list, *, end: bool = True) -> bytes:
    """All that the server answers to `sent` before it closes."""
    client, server = trio.testing.memory_stream_pair()
    answer = bytearray()

    async def read() -> None:
        async for data in client:
            answer.extend(data)

    async def serve() -> None:
        async with server:
            await serve_connection(server, pages(Metrics(), missing))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(serve)
        nursery.start_soon(read)
        await client.send_all(sent)
        if end:
            await client.send_eof()
    return bytes(answer)


GET = b"GET %s HTTP/1.1\r\nHost: gw\r\nConnection: close\r\n\r\n"

#   request                                                                            status  contains                    why
CASES = [
    (GET % b"/metrics",                                                                200, b"# TYPE tidegate_committed_total counter", "the registry"),
    (GET % b"/livez",                                                                  200, b"live",                     "alive"),
    (GET % b"/readyz",                                                                 200, b"ready",                    "ready"),
    (GET % b"/readyz?verbose",                                                         200, b"ready",                    "a query is no part of the path"),
    (GET % b"/",                                                                       404, b"/metrics",                 "404 names the paths"),
    (GET % b"/metrics/../etc",                                                         404, b"/metrics",                 "no path is walked"),
    (b"POST /metrics HTTP/1.1\r\nHost: gw\r\nConnection: close\r\n\r\n",               405, b"allow: GET, HEAD",         "another method"),
    (b"POST /metrics HTTP/1.1\r\nHost: gw\r\nContent-Length: 5\r\n\r\nhello",          413, b"connection: close",        "a body"),
    (b"GET /metrics HTTP/1.1\r\nHost: gw\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 413, b"connection: close",     "a chunked body"),
    (b"GET / HTTP/1.1\r\nHost: gw\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 413, b"close",   "both lengths (smuggling)"),
    (b"GET /livez HTTP/1.0\r\n\r\n",                                                   200, b"live",                     "HTTP/1.0"),
    (b"GET /livez HTTP/1.1\r\n\r\n",                                                   400, b"close",                    "no Host"),
    (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",                          400, b"close",                    "TLS on a plain port"),
    (b"GET /livez HTTP/1.1\r\nHost: gw\r\nX: " + b"x" * 70_000 + b"\r\n\r\n",          431, b"close",                    "headers beyond the limit"),
]  # fmt: skip


@pytest.mark.parametrize(("sent", "status", "contains"), [case[:3] for case in CASES], ids=[case[3] for case in CASES])
async def test_requests(sent: bytes, status: int, contains: bytes) -> None:
    answer = await converse(sent)
    assert answer.startswith(b"HTTP/1.1 %d " % status)
    assert contains in answer


async def test_not_ready_says_what_is_missing() -> None:
    answer = await converse(GET % b"/readyz", lambda: ["spool full", "listeners.syslog not bound"])
    assert answer.startswith(b"HTTP/1.1 503 ")
    assert answer.endswith(b"spool full\nlisteners.syslog not bound\n")


async def test_head_has_a_length_and_no_body() -> None:
    answer = await converse(b"HEAD /livez HTTP/1.1\r\nHost: gw\r\nConnection: close\r\n\r\n")
    assert b"content-length: 5" in answer
    assert answer.endswith(b"\r\n\r\n")


async def test_pipelined_requests_are_answered_in_order() -> None:
    keep = b"GET %s HTTP/1.1\r\nHost: gw\r\n\r\n"
    answer = await converse(keep % b"/livez" + keep % b"/nothing" + keep % b"/readyz")
    assert [part[:3] for part in answer.split(b"HTTP/1.1 ")[1:]] == [b"200", b"404", b"200"]


@given(st.binary(max_size=300))
def test_any_octets_end_in_an_answer_or_a_close(sent: bytes) -> None:
    answer = trio.run(converse, sent)
    assert answer == b"" or answer.startswith(b"HTTP/1.1 ")


async def test_slow_headers_end_at_the_deadline(autojump_clock: trio.testing.MockClock) -> None:
    client, server = trio.testing.memory_stream_pair()
    async with trio.open_nursery() as nursery:

        async def drip() -> None:
            with contextlib.suppress(trio.BrokenResourceError):
                while True:
                    await client.send_all(b"G")
                    await trio.sleep(1)

        nursery.start_soon(drip)
        started = trio.current_time()
        await serve_connection(server, pages(Metrics(), list))
        assert trio.current_time() - started <= HEADER_SECONDS + 1
        await server.aclose()


async def test_an_idle_connection_ends(autojump_clock: trio.testing.MockClock) -> None:
    _client, server = trio.testing.memory_stream_pair()
    started = trio.current_time()
    await serve_connection(server, pages(Metrics(), list))
    assert trio.current_time() - started == pytest.approx(IDLE_SECONDS)


async def test_over_a_socket_and_beyond_the_connection_limit() -> None:
    async with trio.open_nursery() as nursery:
        address = await nursery.start(serve_metrics, SocketAddress("127.0.0.1", 0), pages(Metrics(), list), LOG)
        held = [await trio.open_tcp_stream(address.host, address.port) for _ in range(MAX_CONNECTIONS)]
        for stream in held:
            await stream.send_all(b"GET /livez HTTP/1.1\r\nHost: gw\r\n\r\n")
            assert (await stream.receive_some()).startswith(b"HTTP/1.1 200")
        extra = await trio.open_tcp_stream(address.host, address.port)
        assert await extra.receive_some() == b""
        for stream in [*held, extra]:
            await stream.aclose()
        nursery.cancel_scope.cancel()


async def test_an_address_in_use_is_the_operators_error() -> None:
    (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    async with listener:
        with pytest.raises(ConfigError, match="in use"):
            await serve_metrics(SocketAddress("127.0.0.1", listener.socket.getsockname()[1]), {}, LOG)
