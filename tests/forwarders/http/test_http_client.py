"""The HTTP client against servers that do everything a server can do, by way of the generic destination: what arrives, and what a failure is called."""

from __future__ import annotations

import gzip
import ssl
from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
import trio
import trio.testing
import trustme
from support.batches import batch_of, name_of
from support.http_peer import Asked, HttpPeer, Reply, http_peer

from forwarders.http.client import BODY_OCTETS, COOKIES
from forwarders.http.ndjson import NdjsonDestination
from forwarders.http.ndjson_settings import NdjsonSettings
from pipeline.errors import DeliveryError, Fault
from pipeline.spool.row import Row

NOW = 1_700_000_000.0
TOKEN = b"tell-nobody-5f1c"


def row_of(count: int, octets: int = 0) -> Row:
    batch = batch_of(range(count), octets=octets)
    return Row.whole(batch.records, batch.index, 0)


def settings_for(url: str, **settings: object) -> NdjsonSettings:
    return NdjsonSettings.model_validate({"name": "lake", "kind": "http", "profile": "ndjson", "url": url, **settings})


async def delivered(peer: HttpPeer, row: Row | None = None, **settings: object) -> DeliveryError | None:
    """What one attempt comes to; None where all is taken."""
    destination = NdjsonDestination(settings_for(peer.url + "/in?x=1", **settings), clock=lambda: NOW)
    try:
        await destination.open(b"")
        assert await destination.deliver(row or row_of(3))
    except DeliveryError as error:
        return error
    finally:
        await destination.close()
    return None


def answers(*replies: Reply) -> Callable[[Asked], Reply]:
    left: Iterator[Reply] = iter(replies)
    return lambda _: next(left)


async def raw(octets: bytes, stream: trio.abc.Stream) -> None:
    await stream.send_all(octets)


def instead(octets: bytes) -> Reply:
    return Reply(instead=partial(raw, octets))


@pytest.mark.parametrize("encoding", ["identity", "gzip"])
async def test_records_arrive_as_they_are(encoding: str) -> None:
    row = row_of(50, octets=500)
    compress = encoding == "gzip"
    async with http_peer(answers(Reply(204))) as peer:
        secret_headers = {"X-Api-Key": b"key"}
        assert await delivered(peer, row, compress=compress, bearer=TOKEN, headers={"X-Scope-OrgID": "t1"}, secret_headers=secret_headers) is None
    (asked,) = peer.asked
    assert (asked.method, asked.target, asked.body) == ("POST", "/in?x=1", row.ndjson())
    assert (asked.octets < len(asked.body) / 5) == compress
    assert asked.headers["content-type"] == "application/x-ndjson"
    assert asked.headers["authorization"] == f"Bearer {TOKEN.decode()}"
    assert asked.headers["x-scope-orgid"] == "t1"
    assert asked.headers["x-api-key"] == "key"
    assert asked.headers["accept-encoding"] == "identity"


async def test_basic_authorization() -> None:
    async with http_peer(answers(Reply(200))) as peer:
        assert await delivered(peer, username="Aladdin", password=b"open sesame") is None
    assert peer.asked[0].headers["authorization"] == "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="  # RFC 7617 section 2


@pytest.mark.parametrize(
    ("status", "fault"),
    [
        (200, None),
        (204, None),
        (206, Fault.DENIED),
        (301, Fault.DENIED),
        (308, Fault.DENIED),
        (400, Fault.REFUSED),
        (401, Fault.DENIED),
        (403, Fault.DENIED),
        (404, Fault.DENIED),
        (408, Fault.RETRY),
        (409, Fault.RETRY),
        (413, Fault.TOO_LARGE),
        (418, Fault.DENIED),
        (429, Fault.RETRY),
        (500, Fault.RETRY),
        (503, Fault.RETRY),
        (599, Fault.RETRY),
    ],
)
async def test_a_status_decides(status: int, fault: Fault | None) -> None:
    async with http_peer(answers(Reply(status, b"" if status == 204 else b"because"))) as peer:
        error = await delivered(peer)
    assert (error and error.fault) == fault
    assert error is None or (error.reason, error.detail) == (f"http-{status}", f"{status} because")


async def test_no_redirect_is_followed() -> None:
    async with http_peer(answers(Reply(200))) as elsewhere, http_peer(answers(Reply(307, b"", {"location": elsewhere.url}))) as peer:
        error = await delivered(peer, bearer=TOKEN)
    assert error is not None
    assert error.fault is Fault.DENIED
    assert elsewhere.url in error.detail
    assert not elsewhere.asked


async def test_retry_after_is_handed_on() -> None:
    async with http_peer(answers(Reply(429, b"slow down", {"retry-after": "17"}))) as peer:
        error = await delivered(peer)
    assert error is not None
    assert error.retry_after == 17.0


async def test_a_server_that_repeats_our_secret_does_not_get_it_into_the_log() -> None:
    async with http_peer(lambda asked: Reply(403, f"what is {asked.headers['authorization']}?".encode())) as peer:
        error = await delivered(peer, bearer=TOKEN)
    assert error is not None
    assert error.detail == "403 what is Bearer ***?"
    assert TOKEN.decode() not in str(error)


async def endless(stream: trio.abc.Stream) -> None:
    await stream.send_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
    while True:
        await stream.send_all(b"4000\r\n" + bytes(0x4000) + b"\r\n")


async def silent(stream: trio.abc.Stream) -> None:
    await stream.send_all(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nx")
    await trio.sleep_forever()


async def hangs(_: trio.abc.Stream) -> None:
    await trio.sleep_forever()


@pytest.mark.parametrize(
    ("takes_over", "status"),
    [
        (endless, 200),
        (partial(raw, b"HTTP/1.1 200 OK\r\ncontent-length: 1000000000\r\n\r\n" + bytes(BODY_OCTETS + 1)), 200),
        (partial(raw, b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\ncut off"), 200),
        (partial(raw, b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 12\r\n\r\n" + gzip.compress(b"x" * 99)[:12]), 200),
        (partial(raw, b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\n\r\nno gzip at all"), 200),
        (partial(raw, b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\n"), 200),
    ],
    ids=["endless", "1 GB", "cut off", "truncated gzip", "no gzip", "interim"],
)
async def test_the_status_counts_however_the_body_ends(takes_over: Callable[[trio.abc.Stream], Awaitable[None]], status: int) -> None:
    assert status == 200
    async with http_peer(answers(Reply(instead=takes_over))) as peer:
        assert await delivered(peer) is None


async def test_a_body_that_never_ends_is_not_waited_for(autojump_clock: trio.testing.MockClock) -> None:
    assert autojump_clock
    async with http_peer(answers(Reply(instead=silent))) as peer:
        with trio.fail_after(30):
            assert await delivered(peer, compress=False) is None


@pytest.mark.parametrize(
    ("octets", "reason"),
    [
        (b"", "protocol"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "protocol"),
        (b"HTTP/1.1 two hundred\r\n\r\n", "protocol"),
        (b"HTTP/1.1 200 OK\r\nA" + b"a" * 200_000, "protocol"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n", "protocol"),
        (b"\x00" * 5000, "protocol"),
    ],
    ids=["nothing", "another protocol", "no status", "endless header", "negative length", "NUL"],
)
async def test_garbage_is_tried_again(octets: bytes, reason: str) -> None:
    async with http_peer(answers(instead(octets))) as peer:
        error = await delivered(peer)
    assert error is not None
    assert (error.reason, error.fault) == (reason, Fault.RETRY)


async def test_silence_ends_by_the_timeout(autojump_clock: trio.testing.MockClock) -> None:
    assert autojump_clock
    async with http_peer(answers(Reply(instead=hangs))) as peer:
        error = await delivered(peer, compress=False, retry={"timeout": 5.0})
    assert error is not None
    assert (error.reason, error.fault) == ("timeout", Fault.RETRY)


async def test_nobody_there() -> None:
    async with http_peer(answers()) as peer:
        pass
    error = await delivered(peer)
    assert error is not None
    assert (error.reason, error.fault) == ("refused", Fault.RETRY)


async def test_a_name_that_does_not_exist() -> None:
    peer = HttpPeer(answers(), port=1)
    destination = NdjsonDestination(settings_for("http://nowhere.invalid/"), clock=lambda: NOW)
    with pytest.raises(DeliveryError) as caught:
        await destination.open(b"")
    assert (caught.value.reason, caught.value.fault) == ("unknown-host", Fault.RETRY)
    assert not peer.asked


def server_context(authority: trustme.CA, name: str = "127.0.0.1") -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert(name).configure_cert(context)
    return context


@pytest.fixture
def authority(tmp_path: Path) -> trustme.CA:
    ca = trustme.CA()
    ca.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    return ca


async def test_tls_with_an_authority_of_our_own(authority: trustme.CA, tmp_path: Path) -> None:
    async with http_peer(answers(Reply(200)), server_context(authority)) as peer:
        assert await delivered(peer, tls={"ca": [str(tmp_path / "ca.pem")]}) is None


@pytest.mark.parametrize("why", ["another authority", "another name", "the system's authorities"])
async def test_a_certificate_that_is_not_believed_is_for_the_operator(authority: trustme.CA, tmp_path: Path, why: str) -> None:
    context = server_context(trustme.CA() if why == "another authority" else authority, "192.0.2.1" if why == "another name" else "127.0.0.1")
    ca = [] if why == "the system's authorities" else [str(tmp_path / "ca.pem")]
    async with http_peer(answers(), context) as peer:
        error = await delivered(peer, tls={"ca": ca}, bearer=TOKEN)
    assert error is not None
    assert (error.reason, error.fault) == ("tls-certificate", Fault.DENIED)
    assert not peer.asked


async def test_a_certificate_that_changes_between_two_requests(authority: trustme.CA, tmp_path: Path) -> None:
    async with http_peer(answers(Reply(200, b"", {"connection": "close"})), server_context(authority)) as peer:
        destination = NdjsonDestination(settings_for(peer.url, tls={"ca": [str(tmp_path / "ca.pem")]}), clock=lambda: NOW)
        await destination.open(b"")
        await destination.deliver(row_of(1))
        peer.context = server_context(trustme.CA())
        with pytest.raises(DeliveryError) as caught:
            await destination.deliver(row_of(1))
        await destination.close()
    assert (caught.value.reason, caught.value.fault) == ("tls-certificate", Fault.DENIED)


async def test_old_tls_is_not_spoken(authority: trustme.CA, tmp_path: Path) -> None:
    context = server_context(authority)
    context.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="TLSv1"):
        context.minimum_version, context.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
    async with http_peer(answers(), context) as peer:
        error = await delivered(peer, tls={"ca": [str(tmp_path / "ca.pem")]})
    assert error is not None
    assert (error.reason, error.fault) == ("tls", Fault.RETRY)


async def test_our_own_certificate(authority: trustme.CA, tmp_path: Path) -> None:
    context = server_context(authority)
    context.verify_mode = ssl.CERT_REQUIRED
    authority.configure_trust(context)
    mine = authority.issue_cert("gateway.contoso.example")
    mine.cert_chain_pems[0].write_to_path(str(tmp_path / "mine.pem"))
    mine.private_key_pem.write_to_path(str(tmp_path / "mine.key"))
    tls = {"ca": [str(tmp_path / "ca.pem")], "certificate": str(tmp_path / "mine.pem"), "key": str(tmp_path / "mine.key")}
    async with http_peer(answers(Reply(200)), context) as peer:
        assert await delivered(peer, tls=tls) is None
        assert await delivered(peer, tls={"ca": tls["ca"]}) is not None


@pytest.mark.parametrize("file", ["missing", "not PEM"])
async def test_a_file_that_cannot_be_used_is_for_the_operator(tmp_path: Path, file: str) -> None:
    path = tmp_path / "ca.pem"
    if file == "not PEM":
        path.write_text("hello")
    error = await delivered(HttpPeer(answers(), port=1), tls={"ca": [str(path)]})
    assert error is not None
    assert (error.reason, error.fault) == ("tls-file", Fault.DENIED)
    assert str(path) in error.detail


async def test_plain_text_on_a_tls_port(authority: trustme.CA) -> None:
    async with http_peer(answers(), server_context(authority)) as peer:
        peer.scheme = "http"
        error = await delivered(peer)
    assert error is not None
    assert error.fault is Fault.RETRY


PROXY = {"username": "gateway", "password": b"proxy-secret"}


async def test_a_proxy_is_asked_with_its_credentials() -> None:
    async with http_peer(answers(Reply(200))) as proxy:
        peer = HttpPeer(answers(), port=9)
        assert await delivered(peer, proxy={"url": proxy.url, **PROXY}) is None
    (asked,) = proxy.asked
    assert asked.target == peer.url + "/in?x=1"
    assert asked.headers["proxy-authorization"] == "Basic Z2F0ZXdheTpwcm94eS1zZWNyZXQ="


@pytest.mark.parametrize(("status", "fault"), [(407, Fault.DENIED), (502, Fault.RETRY)])
async def test_a_proxy_that_does_not_connect(status: int, fault: Fault) -> None:
    async with http_peer(answers(Reply(status))) as proxy:
        error = await delivered(HttpPeer(answers(), port=9, scheme="https"), bearer=TOKEN, proxy={"url": proxy.url, **PROXY})
    assert error is not None
    assert (error.reason, error.fault) == ("proxy", fault)
    (asked,) = proxy.asked
    assert (asked.method, asked.target) == ("CONNECT", "127.0.0.1:9")
    assert "authorization" not in asked.headers


async def test_tls_through_a_proxy(authority: trustme.CA, tmp_path: Path) -> None:
    async with http_peer(answers(Reply(200)), server_context(authority)) as peer:

        async def tunnel(client: trio.abc.Stream) -> None:
            await client.send_all(b"HTTP/1.1 200 Connection established\r\n\r\n")
            async with await trio.open_tcp_stream("127.0.0.1", peer.port) as server, trio.open_nursery() as nursery:

                async def copy(source: trio.abc.Stream, sink: trio.abc.Stream) -> None:
                    while octets := await source.receive_some(65_536):
                        await sink.send_all(octets)
                    nursery.cancel_scope.cancel()

                nursery.start_soon(copy, client, server)
                nursery.start_soon(copy, server, client)

        async with http_peer(lambda _: Reply(instead=tunnel)) as proxy:
            assert await delivered(peer, bearer=TOKEN, tls={"ca": [str(tmp_path / "ca.pem")]}, proxy={"url": proxy.url}) is None
    assert peer.asked[0].body == row_of(3).ndjson()
    assert [name_of(line) for line in peer.asked[0].body.splitlines()] == [0, 1, 2]


async def test_the_environment_is_not_heeded(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "SSL_CERT_FILE"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    async with http_peer(answers(Reply(200))) as peer:
        assert await delivered(peer) is None


async def test_a_connection_is_used_again() -> None:
    async with http_peer(answers(*[Reply(200)] * 5)) as peer:
        destination = NdjsonDestination(settings_for(peer.url), clock=lambda: NOW)
        await destination.open(b"")
        before = peer.connections
        for _ in range(5):
            await destination.deliver(row_of(1))
        await destination.close()
    assert peer.connections - before <= 1


async def test_a_connection_that_the_server_ended_is_no_failure() -> None:
    octets = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"  # and then it ends the connection, without having said so
    async with http_peer(lambda _: instead(octets)) as peer:
        destination = NdjsonDestination(settings_for(peer.url), clock=lambda: NOW)
        await destination.open(b"")
        for _ in range(3):
            await destination.deliver(row_of(1))
            await trio.testing.wait_all_tasks_blocked(0.01)
        await destination.close()
    assert len(peer.asked) == 3


async def test_an_attempt_may_be_given_up_and_another_begun() -> None:
    asked = trio.Event()

    async def never(_: trio.abc.Stream) -> None:
        asked.set()
        await trio.sleep_forever()

    async with http_peer(answers(Reply(instead=never), Reply(200))) as peer:
        destination = NdjsonDestination(settings_for(peer.url), clock=lambda: NOW)
        await destination.open(b"")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(destination.deliver, row_of(1))
            await asked.wait()
            nursery.cancel_scope.cancel()
        await destination.close()
        await destination.open(b"")
        await destination.deliver(row_of(1))
        await destination.close()
    assert len(peer.asked) == 2


async def test_cookies_keep_us_at_one_server_behind_a_balancer_and_are_bounded() -> None:
    async with http_peer(lambda asked: Reply(200, b"", {"set-cookie": f"c{len(asked.headers.get('cookie', '').split(';'))}=1"})) as peer:
        destination = NdjsonDestination(settings_for(peer.url), clock=lambda: NOW)
        await destination.open(b"")
        for _ in range(40):
            await destination.deliver(row_of(1))
        await destination.close()
    assert peer.asked[1].headers["cookie"] == "c1=1"
    assert max(asked.headers.get("cookie", "").count("=") for asked in peer.asked) <= COOKIES


async def test_a_server_may_answer_before_it_has_read_everything() -> None:
    row = row_of(2000, octets=4000)

    async def serve(stream: trio.SocketStream) -> None:
        if await stream.receive_some(1000):
            await stream.send_all(b"HTTP/1.1 413 Too Large\r\ncontent-length: 3\r\nconnection: close\r\n\r\nno!")
            while await stream.receive_some(65_536):
                pass

    async with trio.open_nursery() as nursery:
        listeners = await nursery.start(partial(trio.serve_tcp, serve, 0, host="127.0.0.1"))
        peer = HttpPeer(answers(), port=listeners[0].socket.getsockname()[1])
        error = await delivered(peer, row, compress=False)
        nursery.cancel_scope.cancel()
    assert error is not None
    assert (error.reason, error.fault) == ("http-413", Fault.TOO_LARGE)
