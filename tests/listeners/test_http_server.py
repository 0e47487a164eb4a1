"""The HTTP server against clients that are well, slow, silent, greedy or hostile; time is mocked wherever it passes."""

from __future__ import annotations

import ssl

import pytest
import trio
import trio.testing
import trustme
from hypothesis import given
from hypothesis import strategies as st
from support.feeds import Feed, feeds
from support.http_serving import NAME, Client, Echo, post, serving

from listeners.http.connection import Connection
from listeners.http.messages import Response
from pipeline.errors import PeerError
from wire.proxy_protocol import encode_proxy_block, encode_proxy_line

HOST = b"\r\nHost: a\r\n"
POST = b"POST / HTTP/1.1" + HOST


async def test_requests_are_answered_on_one_connection() -> None:
    echo = Echo()
    async with serving(echo) as server:
        client = server.connect()
        for body in (b"one", b"", b"x" * 300_000):
            await client.send(post(body))
            answer = await client.answer()
            assert answer is not None
            assert (answer.status, answer.body, answer.fields["date"]) == (200, body, "Tue, 14 Nov 2023 22:13:20 GMT")
            assert "connection" not in answer.fields
        await client.stream.aclose()
    assert [request.head.target for request in echo.requests] == ["/wsman"] * 3
    assert server.metrics.value("tidegate_http_responses_total", listener=NAME, status="200") == 3
    assert server.metrics.value("tidegate_received_bytes_total", listener=NAME, transport="http") > 300_000
    assert server.metrics.value("tidegate_http_bodies_bytes", listener=NAME) == 0
    assert not server.log.getvalue()


@given(st.lists(st.binary(max_size=40), min_size=1, max_size=4), feeds())
async def test_requests_sent_ahead_are_served_in_order_however_they_are_cut(bodies: list[bytes], feed: Feed) -> None:
    async with serving() as server:
        client = server.connect()
        for piece in feed(b"".join(map(post, bodies))):
            await client.send(piece)
        for body in bodies:
            answer = await client.answer()
            assert answer is not None
            assert answer.body == body
        await client.stream.aclose()


@pytest.mark.parametrize(
    ("stream", "status", "rule"),
    [
        pytest.param(POST + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400, "length-and-coding", id="length and coding"),
        pytest.param(POST + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\nabc", 400, "length-repeated", id="two lengths"),
        pytest.param(POST + b"Content-Length: 99999999999999999999\r\n\r\nabc", 400, "length-digits", id="20 digits"),
        pytest.param(POST + b"Content-Length: -1\r\n\r\n", 400, "length-syntax", id="a negative length"),
        pytest.param(POST + b"Transfer-Encoding: xchunked\r\n\r\n", 501, "coding-unknown", id="xchunked"),
        pytest.param(POST + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabcX0\r\n\r\n", 411, "length-required", id="a bad end of chunk"),
        pytest.param(POST + b"Transfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n", 411, "length-required", id="a huge chunk"),
        pytest.param(POST + b"Content-Length: 2000000\r\n\r\n" + b"x" * 100_000, 413, "body-too-large", id="a huge body"),
        pytest.param(b"GET / HTTP/1.1\nHost: a\n\n", 400, "bare-lf", id="bare LF"),
        pytest.param(b"GET / HTTP/1.1" + HOST + b"A : b\r\n\r\n", 400, "space-before-colon", id="A : b"),
        pytest.param(b"GET / HTTP/1.1" + HOST + b"A: b\x00\r\n\r\n", 400, "bad-field-value", id="NUL"),
        pytest.param(b"GET / HTTP/1.1" + HOST + b"A: " + b"b" * 200_000 + b"\r\n\r\n", 431, "head-too-large", id="a head of 200 kB"),
        pytest.param(b"GET / HTTP/1.1\r\n\r\n", 400, "host-missing", id="no Host"),
        pytest.param(b"GET / HTTP/1.0\r\n\r\n", 505, "version", id="HTTP/1.0"),
        pytest.param(b"GET / HTTP/1.1" + HOST + b"Upgrade: h2c\r\n\r\n", 501, "upgrade", id="an upgrade"),
        pytest.param(b"CONNECT a:1 HTTP/1.1" + HOST + b"\r\n", 501, "method", id="CONNECT"),
        pytest.param(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400, "tls-record", id="TLS"),
    ],
)
async def test_a_request_that_breaks_a_rule_is_answered_and_the_connection_closed(
    stream: bytes, status: int, rule: str, autojump_clock: trio.testing.MockClock
) -> None:
    echo = Echo()
    async with serving(echo) as server:
        client = server.connect()
        await client.send(post(b"before") + stream + post(b"behind"))
        assert await client.answers() == [200, status]
    assert [request.body for request in echo.requests] == [b"before"], "nothing behind a broken request is believed"
    assert server.ended(rule) == 1
    assert server.log.getvalue().count("\n") == 1


pieces_of_requests = st.one_of(
    st.sampled_from(
        [
            post(),
            post(b"body"),
            POST,
            b"\r\n",
            b"GET / HTTP/1.1" + HOST + b"\r\n",
            b"Content-Length: 3\r\n",
            b"Transfer-Encoding: chunked\r\n",
            b"Connection: close\r\n",
        ]
    ),
    st.binary(max_size=20),
)


@given(st.lists(pieces_of_requests, max_size=8).map(b"".join), feeds())
async def test_anything_is_answered_or_refused_and_ends(stream: bytes, feed: Feed) -> None:
    async with serving() as server:
        client = server.connect()
        try:
            for piece in feed(stream):
                await client.send(piece)
        except trio.BrokenResourceError:
            pass
        else:
            await client.leave()
        *served, last = (await client.answers()) or [200]
        assert set(served) <= {200}
        assert last in {200, 400, 411, 413, 414, 417, 431, 501, 505}
    assert server.ended("internal-error") == 0
    assert server.metrics.value("tidegate_http_bodies_bytes", listener=NAME) == 0


async def test_a_client_that_waits_to_be_asked_is_asked() -> None:
    async with serving() as server:
        client = server.connect()
        await client.send(post(b"body", b"Expect: 100-continue").removesuffix(b"body"))
        answer = await client.answer()
        assert answer is not None
        assert answer.status == 100
        await client.send(b"body")
        answer = await client.answer()
        assert answer is not None
        assert (answer.status, answer.body) == (200, b"body")
        await client.stream.aclose()


async def trickle(client: Client, octets: bytes) -> float:
    """Send one octet a second until the server closes; returns how long that took."""
    begun = trio.current_time()
    with trio.CancelScope() as closed:
        async with trio.open_nursery() as nursery:

            async def send() -> None:
                try:
                    for at in range(len(octets)):
                        await client.send(octets[at : at + 1])
                        await trio.sleep(1)
                except trio.BrokenResourceError:
                    return

            nursery.start_soon(send)
            assert await client.answers() in ([], [408])
            taken = trio.current_time() - begun
            closed.cancel()
    return taken


@pytest.mark.parametrize(
    ("octets", "reason", "seconds"),
    [
        pytest.param(b"GET / HTTP/1.1\r\nHost: a\r\nA: " + b"b" * 5000, "header-deadline", 10, id="slow fields"),
        pytest.param(b"POST / HTTP/1.1\r\n" * 500, "header-deadline", 10, id="a slow first line"),
        pytest.param(b"", "header-deadline", 10, id="silence from the start"),
    ],
)
async def test_a_slow_client_is_closed_and_others_are_served(octets: bytes, reason: str, seconds: float, autojump_clock: trio.testing.MockClock) -> None:
    async with serving() as server, trio.open_nursery() as nursery:

        async def be_served() -> None:
            client = server.connect("192.0.2.2")
            for _ in range(5):
                await client.send(post(b"well"))
                assert await client.answer() is not None
                await trio.sleep(3)
            await client.stream.aclose()

        nursery.start_soon(be_served)
        assert seconds <= await trickle(server.connect(), octets) <= seconds + 3
    assert server.ended(reason) == 1


async def test_a_slow_body_has_a_minute(autojump_clock: trio.testing.MockClock) -> None:
    async with serving() as server:
        client = server.connect()
        await client.send(post(b"x" * 5000)[:-4999])
        assert 60 <= await trickle(client, b"x" * 4999) <= 63
    assert server.ended("body-deadline") == 1
    assert server.metrics.value("tidegate_http_bodies_bytes", listener=NAME) == 0


async def test_a_silent_connection_is_kept_as_long_as_it_may_be_silent(autojump_clock: trio.testing.MockClock) -> None:
    async with serving() as server:
        client = server.connect()
        for _ in range(3):
            await client.send(post(b"heartbeat"))
            assert await client.answer() is not None
            await trio.sleep(599)
        begun = trio.current_time()
        assert await client.answers() == []
        assert trio.current_time() - begun <= 2
    assert server.ended("idle") == 1


@pytest.mark.parametrize("sent", [b"POST /", post(b"body")[:-2]], ids=["within the head", "within the body"])
async def test_a_client_that_leaves_within_a_request_is_counted(sent: bytes) -> None:
    echo = Echo()
    async with serving(echo) as server:
        client = server.connect()
        await client.send(sent)
        await client.leave()
        assert await client.answers() == []
    assert server.ended("truncated") == 1
    assert echo.requests == []


async def test_a_client_that_does_not_read_is_closed(autojump_clock: trio.testing.MockClock) -> None:
    async with serving() as server:
        client = server.connect(pair=trio.testing.lockstep_stream_pair)
        await client.send(post(b"body"))
        await trio.sleep(40)
        assert server.ended("write-deadline") == 1


async def test_a_response_without_body() -> None:
    async def application(connection: Connection) -> None:
        while (head := await connection.next_head()) is not None:
            await connection.read_body()
            await connection.respond(Response(204) if head.method == "POST" else Response(200, b"unseen", (("X-Field", "value"),)))

    async with serving(application) as server:
        client = server.connect()
        await client.send(post(b"body") + b"HEAD / HTTP/1.1" + HOST + b"\r\n" + post())
        first, second, third = await client.answer(), await client.answer(to_head=True), await client.answer()
        assert first is not None
        assert second is not None
        assert third is not None
        assert (first.status, "content-length" in first.fields) == (204, False)
        assert (second.status, second.fields["content-length"], second.fields["x-field"]) == (200, "6", "value")
        assert third.status == 204
        await client.stream.aclose()


async def test_what_is_refused_by_its_head_is_the_last_of_its_connection(autojump_clock: trio.testing.MockClock) -> None:
    async def application(connection: Connection) -> None:
        while await connection.next_head() is not None:
            await connection.respond(Response(401, fields=(("WWW-Authenticate", "Kerberos"), ("WWW-Authenticate", "Negotiate"))))

    async with serving(application) as server:
        client = server.connect()
        await client.send(post())
        answer = await client.answer()
        assert answer is not None
        assert (answer.status, "connection" in answer.fields) == (401, False), "what has no body can be asked again"
        await client.send(post(b"x" * 1000)[:-500])
        answer = await client.answer()
        assert answer is not None
        assert (answer.status, answer.fields["connection"]) == (401, "close")
        assert await client.answers() == []


async def test_an_application_that_fails_costs_one_connection() -> None:
    async def application(connection: Connection) -> None:
        request = await connection.next_request()
        assert request is not None
        raise RuntimeError(request.body)

    async with serving(application) as server:
        for _ in range(2):
            client = server.connect()
            await client.send(post(b"body"))
            assert await client.answers() == [500]
    assert server.ended("internal-error") == 2


async def test_an_application_may_read_in_a_nursery_of_its_own(autojump_clock: trio.testing.MockClock) -> None:
    async def application(connection: Connection) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(Echo(), connection)

    async with serving(application) as server:
        client = server.connect()
        await client.send(post(b"well") + b"\x00")
        assert await client.answers() == [200, 400]
    assert server.ended("internal-error") == 0


async def test_an_application_may_refuse_its_peer() -> None:
    async def application(connection: Connection) -> None:
        raise PeerError("not-invited", connection.peer)

    async with serving(application) as server:
        assert await server.connect().answers() == []
    assert server.refused("not-invited") == 1


async def test_an_answer_reaches_who_is_still_sending() -> None:
    """A socket closed on unread octets is reset, and the answer may be lost with it."""
    async with serving() as server:
        client = await server.dial(await server.listen())
        await client.send(b"POST / HTTP/1.1" + HOST + b"Content-Length: 1048577\r\n\r\n")
        answer = await client.answer()
        assert answer is not None
        assert answer.status == 413
        await client.send(b"x" * 300_000)
        await client.leave()
        assert await client.answers() == []


async def test_an_application_speaks_in_turn() -> None:
    asked = list[str]()

    async def application(connection: Connection) -> None:
        with pytest.raises(RuntimeError, match="there is no request"):
            await connection.read_body()
        await connection.next_head()
        with pytest.raises(RuntimeError, match="hasn't been answered"):
            await connection.next_head()
        asked.append(connection.peer)

    async with serving(application) as server:
        client = server.connect("192.0.2.9")
        await client.send(post())
        await client.answers()
    assert asked == ["192.0.2.9"]


class Hold:
    """An application that keeps requests until it is told to answer."""

    def __init__(self) -> None:
        self.go = trio.Event()
        self.held = list[str]()

    async def __call__(self, connection: Connection) -> None:
        while (request := await connection.next_request()) is not None:
            self.held.append(connection.peer)
            await self.go.wait()
            await connection.respond(Response(200, request.body))


async def test_bodies_in_flight_are_bounded_and_the_later_wait(autojump_clock: trio.testing.MockClock) -> None:
    """Room for two bodies in all, and for one of each address."""
    hold = Hold()
    async with serving(hold, {"body": "512 KiB", "bodies": "1 MiB"}) as server:
        body = b"x" * (512 << 10)
        clients = [server.connect(f"192.0.2.{number}") for number in (1, 1, 2, 3)]
        for client in clients:
            await client.send(post(body))
            await trio.testing.wait_all_tasks_blocked()
        small = server.connect("192.0.2.4")
        await small.send(post())
        await trio.testing.wait_all_tasks_blocked()
        assert sorted(hold.held) == ["192.0.2.1", "192.0.2.2", "192.0.2.4"], "what has no body needs no room"
        assert server.metrics.value("tidegate_http_bodies_bytes", listener=NAME) == 1 << 20
        hold.go.set()
        for client in (*clients, small):
            answer = await client.answer()
            assert answer is not None
            assert answer.status == 200
            await client.stream.aclose()
    assert server.metrics.value("tidegate_http_bodies_bytes", listener=NAME) == 0


async def test_a_body_that_never_finds_room_is_told_so(autojump_clock: trio.testing.MockClock) -> None:
    hold = Hold()
    async with serving(hold, {"body": "1 MiB", "bodies": "1 MiB"}) as server:
        first, second = server.connect(), server.connect("192.0.2.2")
        await first.send(post(b"x" * (1 << 20)))
        await trio.testing.wait_all_tasks_blocked()
        await second.send(post(b"y"))
        assert await second.answers() == [503]
        hold.go.set()
        assert await first.answer() is not None
        await first.stream.aclose()
    assert server.ended("bodies-full") == 1


async def test_a_drain_ends_what_is_idle_and_answers_what_is_under_way(autojump_clock: trio.testing.MockClock) -> None:
    hold = Hold()
    async with serving(hold) as server:
        idle, held, arriving, stuck = (server.connect(f"192.0.2.{number}") for number in range(4))
        await held.send(post(b"held"))
        await arriving.send(post(b"arriving")[:-5])
        await stuck.send(post(b"stuck")[:-5])
        await trio.testing.wait_all_tasks_blocked()
        server.drain.ask()
        assert await idle.answers() == []
        await trio.sleep(1)
        await arriving.send(b"iving")
        hold.go.set()
        for client in (held, arriving):
            answer = await client.answer()
            assert answer is not None
            assert (answer.status, answer.fields["connection"]) == (200, "close")
            assert await client.answers() == []
        assert await stuck.answers() == [408]
    assert server.ended("drain") >= 2


PROXIES = {"proxies": ["10.0.0.0/8"], "connections_per_peer": 1, "allow": ["192.0.2.0/24"]}
PROXY = "10.0.0.1"


@pytest.mark.parametrize("encode", [encode_proxy_line, encode_proxy_block], ids=["version 1", "version 2"])
async def test_a_load_balancer_tells_the_client(encode: type, autojump_clock: trio.testing.MockClock) -> None:
    hold = Hold()
    async with serving(hold, PROXIES) as server:
        client, greedy, stranger = (server.connect(PROXY) for _ in range(3))
        await client.send(encode(("192.0.2.7", 1), ("192.0.2.1", 5985)) + post())
        await trio.testing.wait_all_tasks_blocked()
        assert hold.held == ["192.0.2.7"]
        await greedy.send(encode(("192.0.2.7", 2), ("192.0.2.1", 5985)) + post())
        assert await greedy.answers() == []
        await stranger.send(encode(("198.51.100.1", 2), ("192.0.2.1", 5985)) + post())
        assert await stranger.answers() == []
        await client.leave()
        hold.go.set()
        assert await client.answers() == [200]
    assert (server.refused("connections-per-peer"), server.refused("not-allowed")) == (1, 1)


@pytest.mark.parametrize(
    ("octets", "reason"),
    [
        pytest.param(post(), "proxy-missing", id="no header"),
        pytest.param(b"PROXY TCP9 a b c d\r\n", "proxy-syntax", id="a wrong header"),
        pytest.param(b"PROXY TCP4 192.0.2.1", "proxy-deadline", id="half a header"),
        pytest.param(b"", "proxy-deadline", id="nothing"),
    ],
)
async def test_a_connection_without_its_header_is_closed(octets: bytes, reason: str, autojump_clock: trio.testing.MockClock) -> None:
    hold = Hold()
    async with serving(hold, PROXIES) as server:
        client = server.connect(PROXY)
        if octets:
            await client.send(octets)
        assert await client.answers() == []
    assert server.refused(reason) == 1
    assert hold.held == []


async def test_a_load_balancer_may_look_whether_we_are_well() -> None:
    async with serving(given=PROXIES) as server:
        client = server.connect(PROXY)
        await client.send(b"PROXY UNKNOWN\r\n" + post(b"well?"))
        answer = await client.answer()
        assert answer is not None
        assert answer.status == 200
        await client.stream.aclose()


async def test_connections_are_capped_per_peer_and_come_free_again(autojump_clock: trio.testing.MockClock) -> None:
    autojump_clock.autojump_threshold = 0.05
    async with serving(given={"connections_per_peer": 2}) as server:
        address = await server.listen()
        first, second, third = [await server.dial(address) for _ in range(3)]
        await second.send(post(b"second"))
        assert await second.answer() is not None
        assert await third.answers() == []
        assert server.refused("connections-per-peer") == 1
        await first.stream.aclose()
        with trio.fail_after(60):
            while True:
                again = await server.dial(address)
                await again.send(post(b"again"))
                if await again.answer() is not None:
                    break
        await again.stream.aclose()
        await second.stream.aclose()


async def test_nobody_but_a_load_balancer_may_connect_where_there_is_one() -> None:
    async with serving(given=PROXIES) as server:
        address = await server.listen()
        client = await server.dial(address)
        assert await client.answers() == []
    assert server.refused("not-allowed") == 1


async def test_a_drain_ends_the_listening_too() -> None:
    async with serving() as server:
        address = await server.listen()
        client = await server.dial(address)
        await client.send(post(b"body"))
        assert await client.answer() is not None
        server.drain.ask()
        assert await client.answers() == []


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


def server_context(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    return context


async def test_requests_are_answered_under_tls(authority: trustme.CA) -> None:
    context = server_context(authority)

    async def secure(stream: trio.abc.Stream, peer: str) -> trio.abc.Stream:
        secured = trio.SSLStream(stream, context, server_side=True, https_compatible=True)
        await secured.do_handshake()
        return secured

    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    async with serving(secure=secure) as server:
        client = Client(trio.SSLStream(server.connect().stream, trusting, server_hostname="localhost", https_compatible=True))
        for body in (b"one", b"x" * 200_000):
            await client.send(post(body))
            answer = await client.answer()
            assert answer is not None
            assert answer.body == body
        await client.stream.aclose()
    assert server.metrics.value("tidegate_received_bytes_total", listener=NAME, transport="https") > 200_000


async def test_a_handshake_that_fails_or_never_ends_is_a_connection_refused(autojump_clock: trio.testing.MockClock) -> None:
    async def secure(stream: trio.abc.Stream, peer: str) -> trio.abc.Stream:
        if not await stream.receive_some(1):
            raise PeerError("tls-handshake", peer)
        await trio.Event().wait()
        return stream

    async with serving(secure=secure) as server:
        leaving, staying = server.connect(), server.connect()
        await leaving.stream.aclose()
        await staying.send(b"\x16")
        assert await staying.answers() == []
    assert (server.refused("tls-handshake"), server.refused("tls-deadline")) == (1, 1)
