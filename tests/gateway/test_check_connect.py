"""Check asks peers: every answer, every "no" and every silence becomes a finding, in time, whatever the peer sends."""

from __future__ import annotations

import hashlib
import socket
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import trio
import trustme
from hypothesis import given, settings
from hypothesis import strategies as st

from forwarders.http.settings import ClientTls, ProxySettings
from gateway.check.asks import Answer, ask_certificate, ask_datagram, ask_name, ask_port, ask_radius, ask_reverse, ask_status, ask_time, read_issuer
from gateway.check.connect import ask_all, examine_connections
from gateway.check.findings import Finding, Level
from gateway.check.prerequisites import Of, Prerequisites, Root, load_prerequisites
from gateway.check.questions import Question
from gateway.check.settings import Cloud
from gateway.check.ways import AskError, Way, client_context, connected
from gateway.cli import main
from gateway.config import load
from gateway.exit_code import ExitCode
from pipeline.errors import ConfigError
from pipeline.settings import SocketAddress
from wire.radius.authenticators import encode_response
from wire.sntp import Reply, encode_reply

KNOWN = load_prerequisites()
HOST = "sensor.contoso.example"
Serve = Callable[[trio.SocketStream], Awaitable[None]]


class Names(trio.abc.HostnameResolver):
    """A resolver that knows some names, both ways."""

    def __init__(self, forward: dict[str, str], backward: dict[str, str] | None = None) -> None:
        self._forward, self._backward = forward, backward or {}

    async def getaddrinfo(self, host: Any, port: Any, *args: Any, **kwargs: Any) -> Any:
        name = host.decode() if isinstance(host, bytes) else str(host)
        if name not in self._forward:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        kind = kwargs.get("type") or (args[1] if len(args) > 1 and args[1] else socket.SOCK_STREAM)
        return [(socket.AF_INET, kind, 0, "", (self._forward[name], int(port)))]

    async def getnameinfo(self, sockaddr: Any, flags: int) -> tuple[str, str]:  # noqa: ARG002 - trio's interface
        if sockaddr[0] not in self._backward:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return self._backward[sockaddr[0]], "0"


@asynccontextmanager
async def tcp(serve: Serve) -> AsyncIterator[SocketAddress]:
    async def quietly(stream: trio.SocketStream) -> None:
        async with stream:
            try:
                await serve(stream)
            except (trio.BrokenResourceError, trio.ClosedResourceError, OSError):
                return

    async with trio.open_nursery() as nursery:
        (listener,) = await nursery.start(partial(trio.serve_tcp, quietly, 0, host="127.0.0.1"))
        yield SocketAddress("127.0.0.1", listener.socket.getsockname()[1])
        nursery.cancel_scope.cancel()


@asynccontextmanager
async def udp(answer: Callable[[bytes], bytes | None]) -> AsyncIterator[SocketAddress]:
    async def serve(sock: trio.socket.SocketType) -> None:
        while True:
            octets, peer = await sock.recvfrom(4096)
            if (reply := answer(octets)) is not None:
                await sock.sendto(reply, peer)

    with trio.socket.socket(type=trio.socket.SOCK_DGRAM) as sock:
        await sock.bind(("127.0.0.1", 0))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(serve, sock)
            yield SocketAddress("127.0.0.1", sock.getsockname()[1])
            nursery.cancel_scope.cancel()


async def nothing(stream: trio.SocketStream) -> None:
    """Accepts, and hears what comes."""
    while await stream.receive_some():
        pass


def refused_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


def speaks_tls(certificate: trustme.LeafCert, within: Serve = nothing) -> Serve:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)

    async def serve(stream: trio.SocketStream) -> None:
        secure = trio.SSLStream(stream, context, server_side=True, https_compatible=True)
        await secure.do_handshake()
        await within(secure)  # type: ignore[arg-type]  # a stream all the same

    return serve


def says(octets: bytes) -> Serve:
    async def serve(stream: trio.SocketStream) -> None:
        await stream.receive_some()
        await stream.send_all(octets)

    return serve


def test_a_port() -> None:
    async def main() -> None:
        async with tcp(nothing) as address:
            assert await ask_port(Way(address)) == Answer(Level.OK, "accepts")
        with pytest.raises(AskError, match="refused"):
            await ask_port(Way(SocketAddress("127.0.0.1", refused_port())))

    trio.run(main)


def test_a_name_that_is_not_there() -> None:
    async def main() -> None:
        trio.socket.set_custom_hostname_resolver(Names({}))
        for ask in (ask_name(HOST), ask_reverse(HOST), ask_port(Way(SocketAddress(HOST, 1))), ask_datagram(SocketAddress(HOST, 1), b"x")):
            with pytest.raises(AskError, match="can't be resolved"):
                await ask

    trio.run(main)


@pytest.mark.parametrize(
    ("backward", "level", "words"),
    [
        ({"192.0.2.1": "DC01.contoso.example."}, Level.OK, "DC01.contoso.example."),
        ({}, Level.ERROR, "192.0.2.1 has no name"),
        ({"192.0.2.1": "old.contoso.example"}, Level.ERROR, "192.0.2.1 is called old.contoso.example"),
    ],
    ids=["its own", "none", "another's"],
)
def test_names_both_ways(backward: dict[str, str], level: Level, words: str) -> None:
    async def main() -> None:
        trio.socket.set_custom_hostname_resolver(Names({"dc01.contoso.example": "192.0.2.1"}, backward))
        assert await ask_name("dc01.contoso.example") == Answer(Level.OK, "192.0.2.1")
        try:
            answer = await ask_reverse("dc01.contoso.example")
        except AskError as error:
            answer = Answer(Level.ERROR, error.why)
        assert answer == Answer(level, words)

    trio.run(main)


@pytest.mark.parametrize(
    ("ahead_s", "level", "words"),
    [
        (0.0, Level.OK, "stratum 3"),
        (90.0, Level.WARNING, "ahead of"),
        (-90.0, Level.WARNING, "behind"),
        (301.0, Level.ERROR, "301"),
        (-1e8, Level.ERROR, "behind"),
    ],
)
def test_a_clock(ahead_s: float, level: Level, words: str) -> None:
    def reply(request: bytes) -> bytes:
        there = time.time_ns() + int(ahead_s * 1e9)
        return encode_reply(Reply(3, there, there), request)

    async def main() -> None:
        async with udp(reply) as address:
            try:
                answer = await ask_time(address, limit_s=300, notable_s=60)
            except AskError as error:
                answer = Answer(Level.ERROR, error.why)
        assert answer.level is level
        assert words in answer.why

    trio.run(main)


@pytest.mark.parametrize(("first", "stratum", "words"), [(0x24, 0, "kiss"), (0xE4, 2, "isn't synchronized"), (0x24, 16, "isn't synchronized")])
def test_a_clock_that_does_not_know(first: int, stratum: int, words: str) -> None:
    def reply(request: bytes) -> bytes:
        return bytes((first, stratum)) + encode_reply(Reply(1, 1 << 60, 1 << 60), request)[2:]

    async def main() -> None:
        async with udp(reply) as address:
            with pytest.raises(AskError, match=words):
                await ask_time(address, limit_s=300, notable_s=60)

    trio.run(main)


def test_what_is_no_answer_to_us_is_waited_past() -> None:
    """A datagram of garbage, the answer to somebody else's question, then ours."""
    there = time.time_ns()

    async def main() -> None:
        with trio.socket.socket(type=trio.socket.SOCK_DGRAM) as sock:
            await sock.bind(("127.0.0.1", 0))
            async with trio.open_nursery() as nursery:

                async def serve() -> None:
                    request, peer = await sock.recvfrom(4096)
                    for octets in (b"garbage", encode_reply(Reply(2, there, there), request[:40] + bytes(8)), encode_reply(Reply(2, there, there), request)):
                        await sock.sendto(octets, peer)

                nursery.start_soon(serve)
                address = SocketAddress("127.0.0.1", sock.getsockname()[1])
                assert (await ask_time(address, limit_s=300, notable_s=60)).level is Level.OK

    trio.run(main)


def test_a_datagram_nobody_takes() -> None:
    async def main() -> None:
        async with udp(lambda octets: octets) as address:
            assert (await ask_datagram(address, b"12345")).why == "answers (5 octets)"
        with pytest.raises(AskError, match="refused"):
            await ask_datagram(SocketAddress("127.0.0.1", refused_port()), b"x")

    trio.run(main)


@pytest.mark.parametrize(("theirs", "level"), [(b"0123456789abcdef", Level.OK), (b"fedcba9876543210", Level.ERROR)])
def test_a_radius_server(theirs: bytes, level: Level) -> None:
    async def main() -> Answer:
        async with udp(lambda request: encode_response(request, theirs)) as address:
            try:
                return await ask_radius(address, b"0123456789abcdef")
            except AskError as error:
                return Answer(Level.ERROR, error.why)

    answer = trio.run(main)
    assert answer.level is level
    assert "secret" in answer.why


@given(st.binary(max_size=60))
@settings(max_examples=20)
def test_arbitrary_datagrams(octets: bytes) -> None:
    """Whatever comes, a question ends with an answer, a "no", or its time."""

    async def main() -> tuple[Finding, ...]:
        async with udp(lambda request: octets[:1] + request[1:2] + octets[1:]) as address:
            asked = [
                Question("c", "w", ask, Level.ERROR, Level.UNKNOWN, "f")
                for ask in (
                    partial(ask_radius, address, b"0123456789abcdef"),
                    partial(ask_time, address, limit_s=1, notable_s=1),
                )
            ]
            return await ask_all(asked, seconds=0.02, at_once=2)

    assert {finding.level for finding in trio.run(main)} <= {Level.ERROR, Level.UNKNOWN}


CA = trustme.CA()
OTHER = trustme.CA(organization_name="Zscaler Inc.")


@pytest.fixture
def trust(tmp_path: Path) -> ClientTls:
    CA.cert_pem.write_to_path(tmp_path / "ca.pem")
    return ClientTls(ca=(tmp_path / "ca.pem",))


def both(tmp_path: Path) -> ClientTls:
    (tmp_path / "both.pem").write_bytes(CA.cert_pem.bytes() + OTHER.cert_pem.bytes())
    return ClientTls(ca=(tmp_path / "both.pem",))


def root_of(ca: trustme.CA) -> Root:
    thumbprint = hashlib.sha1(ssl.PEM_cert_to_DER_cert(ca.cert_pem.bytes().decode()), usedforsecurity=False).hexdigest().upper()
    return Root(cloud=Cloud.COMMERCIAL, name="Contoso Root", thumbprint=thumbprint)


async def certificate_of(serve: Serve, tls: ClientTls, root: Root | None = None, host: str = HOST) -> Answer:
    async with tcp(serve) as address:
        try:
            return await ask_certificate(Way(address), host, tls, KNOWN, root)
        except AskError as error:
            return Answer(Level.ERROR, error.why, error.fix)


def test_a_certificate_under_its_root(trust: ClientTls) -> None:
    answer = trio.run(certificate_of, speaks_tls(CA.issue_cert(HOST)), trust, root_of(CA))
    assert answer == Answer(Level.OK, "TLSv1.3; its certificate is under Contoso Root: nobody decrypts on the way")


def test_a_certificate_of_somebody_who_is_believed(trust: ClientTls) -> None:
    answer = trio.run(certificate_of, speaks_tls(CA.issue_cert(HOST)), trust)
    assert answer.level is Level.OK
    assert "issued by" in answer.why


def test_a_certificate_of_an_authority_of_nobody_public(trust: ClientTls, monkeypatch: pytest.MonkeyPatch) -> None:
    """The machine believes it, and nobody named it: an organization's own, or somebody on the way."""
    monkeypatch.setattr("gateway.check.asks.client_context", lambda _: client_context(trust))
    answer = trio.run(certificate_of, speaks_tls(CA.issue_cert(HOST)), ClientTls())
    assert answer.level is Level.UNKNOWN
    assert "no public authority" in answer.why


def test_a_certificate_that_is_not_under_the_root_it_should_be_under(tmp_path: Path) -> None:
    other = trustme.CA(organization_name="Contoso Web Security")
    (tmp_path / "both.pem").write_bytes(CA.cert_pem.bytes() + other.cert_pem.bytes())
    answer = trio.run(certificate_of, speaks_tls(other.issue_cert(HOST)), ClientTls(ca=(tmp_path / "both.pem",)), root_of(CA))
    assert answer.level is Level.UNKNOWN
    assert "Contoso Web Security" in answer.why


def test_a_machine_without_the_root(trust: ClientTls) -> None:
    answer = trio.run(certificate_of, speaks_tls(CA.issue_cert(HOST)), trust, root_of(OTHER))
    assert answer.level is Level.UNKNOWN
    assert "doesn't have" in answer.why


@pytest.mark.parametrize("believed", [True, False])
@pytest.mark.parametrize("root", [root_of(CA), None], ids=["with a root", "without"])
def test_a_product_that_intercepts(tmp_path: Path, trust: ClientTls, believed: bool, root: Root | None) -> None:  # noqa: FBT001 - a case
    answer = trio.run(certificate_of, speaks_tls(OTHER.issue_cert(HOST)), both(tmp_path) if believed else trust, root)
    assert answer.level is Level.ERROR
    assert answer.why.startswith("Zscaler decrypts on the way")


def test_a_certificate_that_is_not_believed(trust: ClientTls) -> None:
    answer = trio.run(certificate_of, speaks_tls(CA.issue_cert("other.contoso.example")), trust)
    assert answer.level is Level.ERROR
    assert "isn't believed" in answer.why


@pytest.mark.parametrize(
    ("octets", "words"),
    [
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "doesn't speak TLS"),
        (b"", "closes the connection"),
        (b"\x15\x03\x01\x00\x02\x02\x28", "TLS failed"),
        (b"\x15\x03\x01\x00\x02\x02\x46", "TLS 1.2 or later"),
    ],
    ids=["plain text", "nothing", "an alert", "the alert of servers that only have older versions"],
)
def test_what_is_no_tls(trust: ClientTls, octets: bytes, words: str) -> None:
    answer = trio.run(certificate_of, says(octets), trust)
    assert answer.level is Level.ERROR
    assert words in answer.why


@given(st.binary(max_size=200))
@settings(max_examples=20)
def test_arbitrary_octets_for_tls_and_http(octets: bytes) -> None:
    async def main() -> None:
        async with tcp(says(octets)) as address:
            with pytest.raises(AskError):
                await ask_certificate(Way(address), HOST, ClientTls(), KNOWN)
            with pytest.raises(AskError):
                async with connected(Way(SocketAddress("x", 1), ProxySettings(url=f"http://{address}"))):
                    pass

    trio.run(main)


@given(st.binary(max_size=300))
def test_arbitrary_octets_for_a_certificate(octets: bytes) -> None:
    assert read_issuer(octets).public is False


@pytest.mark.parametrize(("status", "level"), [(200, Level.OK), (503, Level.OK), (403, Level.ERROR), (407, Level.ERROR)])
def test_a_ping(trust: ClientTls, status: int, level: Level) -> None:
    async def main() -> Answer:
        async with tcp(speaks_tls(CA.issue_cert(HOST), says(b"HTTP/1.1 %d X\r\ncontent-length: 0\r\n\r\n" % status))) as address:
            try:
                return await ask_status(Way(address), HOST, trust, "/ping", (200, 503))
            except AskError as error:
                return Answer(Level.ERROR, error.why)

    assert trio.run(main) == Answer(level, f"answers {status}")


@asynccontextmanager
async def proxy(answer: bytes, wanted: bytes = b"") -> AsyncIterator[ProxySettings]:
    """Answers CONNECT; where that is a 200, connects through."""

    async def serve(stream: trio.SocketStream) -> None:
        request = b""
        while b"\r\n\r\n" not in request:
            request += await stream.receive_some()
        assert request.startswith(b"CONNECT ")
        assert wanted in request
        await stream.send_all(answer)
        if not answer.startswith(b"HTTP/1.1 200"):
            return
        host, port = request.split()[1].decode().rsplit(":", 1)
        async with await trio.open_tcp_stream(host, int(port)) as far, trio.open_nursery() as nursery:

            async def copy(source: trio.SocketStream, sink: trio.SocketStream) -> None:
                while octets := await source.receive_some():
                    await sink.send_all(octets)
                nursery.cancel_scope.cancel()

            nursery.start_soon(copy, stream, far)
            nursery.start_soon(copy, far, stream)

    async with tcp(serve) as address:
        yield ProxySettings.model_validate({"url": f"http://{address}", "username": "gw", "password": b"secret"})


def test_through_a_proxy(trust: ClientTls) -> None:
    async def main() -> None:
        async with tcp(speaks_tls(CA.issue_cert(HOST))) as address, proxy(b"HTTP/1.1 200 OK\r\n\r\n", b"Z3c6c2VjcmV0") as way:
            assert (await ask_certificate(Way(address, way), HOST, trust, KNOWN, root_of(CA))).level is Level.OK
            assert (await ask_port(Way(address, way))).why == "accepts through the proxy"

    trio.run(main)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b"HTTP/1.1 407 Proxy Authentication Required\r\nproxy-authenticate: Basic\r\n\r\n", "the proxy answers 407"),
        (b"HTTP/1.1 403 Forbidden\r\n\r\n", "the proxy answers 403"),
        (b"SSH-2.0-x\r\n", "doesn't speak HTTP"),
        (b"", "doesn't speak HTTP"),
        (b"HTTP/1.1 100 Continue\r\n\r\n" * 20, "only interim answers"),
        (b"HTTP/1.1 200 OK\r\nx: " + b"y" * (1 << 17), "doesn't speak HTTP"),
    ],
    ids=["a user is wanted", "not allowed", "no proxy", "nothing", "no end of interim answers", "an endless header"],
)
def test_a_proxy_that_does_not_let_us_through(answer: bytes, words: str) -> None:
    async def main() -> None:
        async with proxy(answer) as way:
            with pytest.raises(AskError, match=words) as error:
                await ask_port(Way(SocketAddress("192.0.2.1", 443), way))
            assert "secret" not in f"{error.value.why} {error.value.fix}"

    trio.run(main)


def test_a_proxy_that_is_not_there() -> None:
    async def main() -> None:
        with pytest.raises(AskError, match=r"the proxy 127\.0\.0\.1:[0-9]+: refused"):
            await ask_port(Way(SocketAddress("192.0.2.1", 443), ProxySettings(url=f"http://127.0.0.1:{refused_port()}")))

    trio.run(main)


def test_silence_is_as_bad_as_the_question_says_and_no_more_are_asked_at_once_than_may() -> None:
    now = most = 0

    async def silent() -> Answer:
        nonlocal now, most
        now += 1
        most = max(most, now)
        try:
            await trio.sleep_forever()
        finally:
            now -= 1

    async def main() -> tuple[Finding, ...]:
        asked = [Question(f"c{level}", "w", silent, Level.ERROR, level, "f") for level in Level]
        return await ask_all(asked, seconds=3, at_once=2)

    found = trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))
    assert found == tuple(Finding(level, "w", "no answer within 3 s", "f", f"c{level}") for level in Level)
    assert most == 2


def test_a_server_that_accepts_and_is_silent(trust: ClientTls) -> None:
    """TLS, HTTP over it, and a proxy that never answers: each ends in its time, and no connection is left."""

    async def main() -> tuple[Finding, ...]:
        ended = [trio.Event() for _ in range(3)]
        coming = iter(ended)

        async def silent(stream: trio.SocketStream) -> None:
            mine = next(coming)
            try:
                await nothing(stream)
            finally:
                mine.set()

        async with tcp(silent) as address:
            proxied = Way(SocketAddress("192.0.2.1", 443), ProxySettings(url=f"http://{address}"))
            asks: list[Callable[[], Awaitable[Answer]]] = [
                partial(ask_certificate, Way(address), HOST, trust, KNOWN),
                partial(ask_status, Way(address), HOST, trust, "/", (200,)),
                partial(ask_port, proxied),
            ]
            found = await ask_all([Question("c", "w", ask, Level.ERROR, Level.WARNING, "f") for ask in asks], seconds=0.2, at_once=9)
            with trio.fail_after(5):
                for event in ended:
                    await event.wait()
            return found

    assert [finding.level for finding in trio.run(main)] == [Level.WARNING] * 3


BASE = '[gateway]\nstate_dir = "state"\n'


def config_of(folder: Path, text: str) -> Any:
    (folder / "gateway.toml").write_text(BASE + text)
    return load(folder / "gateway.toml", {})


def test_nobody_to_ask(tmp_path: Path) -> None:
    (found,) = trio.run(examine_connections, config_of(tmp_path, ""))
    assert (found.level, found.what) == (Level.UNKNOWN, "check")


def test_everybody_that_is_named_is_asked_everything(tmp_path: Path) -> None:
    """All refuse or can't be resolved; what counts is that each row comes once for each peer, with its fix."""
    text = """
[check]
domain = "contoso.example"
domain_controllers = ["dc01.contoso.example", "dc02.contoso.example"]
dns_servers = ["ns.contoso.example"]
devices = ["pc.contoso.example"]
workspace = "contoso"
sensor = "sensor.contoso.example"
timeout = "30 s"
"""

    async def main() -> tuple[Finding, ...]:
        trio.socket.set_custom_hostname_resolver(Names({}))
        return await examine_connections(config_of(tmp_path, text))

    found = trio.run(main)
    per_row = {Of.DOMAIN_CONTROLLERS: 2, Of.ENDPOINT: 0}
    assert [finding.check for finding in found] == [row.name for row in KNOWN.prerequisites for _ in range(per_row.get(row.of, 1))]
    assert all(finding.fix for finding in found)
    assert not [finding for finding in found if finding.level is Level.OK]
    assert "https://contososensorapi.atp.azure.com/tri/sensor/api/ping" in {finding.what for finding in found}


DESTINATIONS = """
[[forwarders]]
name = "sensor"
kind = "sensor"
layout = "splunk"
address = "udp://127.0.0.1:{port}"
[[forwarders]]
name = "siem"
kind = "syslog"
address = "tcp://127.0.0.1:{port}"
[[forwarders]]
name = "secure"
kind = "syslog"
address = "tls://127.0.0.1:{port}"
server_name = "sensor.contoso.example"
tls = {{ ca = ["ca.pem"] }}
[[forwarders]]
name = "web"
kind = "http"
profile = "ndjson"
url = "http://127.0.0.1:{port}/x"
[[forwarders]]
name = "kafka"
kind = "kafka"
servers = ["127.0.0.1:{port}"]
topic = "identity"
[[forwarders]]
name = "archive"
kind = "file"
path = "events.ndjson"
"""


def test_destinations(tmp_path: Path, trust: ClientTls) -> None:
    assert trust.ca == (tmp_path / "ca.pem",)

    async def main() -> tuple[Finding, ...]:
        async with tcp(speaks_tls(CA.issue_cert(HOST))) as address:
            return await examine_connections(config_of(tmp_path, DESTINATIONS.format(port=address.port)))

    found = trio.run(main)
    assert [(finding.what.split()[1], finding.level) for finding in found] == [
        ("sensor", Level.UNKNOWN),
        ("siem", Level.OK),
        ("secure", Level.OK),
        ("web", Level.OK),
        ("kafka", Level.OK),
    ]


@pytest.mark.parametrize("host", ["", "a b", "dc01:389", "http://dc01", "dc\n", "-", "x" * 300, "dé"])
def test_what_is_no_host(tmp_path: Path, host: str) -> None:
    with pytest.raises(ConfigError):
        config_of(tmp_path, f"[check]\ndomain_controllers = [{host!r}]\n".replace("'", '"'))


@pytest.mark.parametrize("host", ["dc01", "dc01.contoso.example", "192.0.2.1", "2001:db8::1", "_x.contoso.example"])
def test_a_host(tmp_path: Path, host: str) -> None:
    assert config_of(tmp_path, f'[check]\ndomain_controllers = ["{host}"]\n').check.domain_controllers == (host,)


def test_the_package_names_each_prerequisite_once() -> None:
    names = [row.name for row in KNOWN.prerequisites]
    assert len(set(names)) == len(names)
    assert {row.of for row in KNOWN.prerequisites} == set(Of)


@pytest.mark.parametrize(
    ("issuer", "product"),
    [
        ("CN=Zscaler Intermediate Root CA (zscaler.net),O=Zscaler Inc.,C=US", "Zscaler"),
        ("CN=FG100F0000000000,OU=Certificate Authority,O=Fortinet", "Fortinet FortiGate"),
        ("CN=Microsoft Azure RSA TLS Issuing CA 03,O=Microsoft Corporation,C=US", None),
        ("CN=DigiCert Global G2 TLS RSA SHA256 2020 CA1,O=DigiCert Inc,C=US", None),
        ("CN=R11,O=Let's Encrypt,C=US", None),
        ("CN=Contoso Issuing CA 2,DC=contoso,DC=example", None),
    ],
)
def test_who_intercepts(issuer: str, product: str | None) -> None:
    assert KNOWN.interceptor(issuer) == product


def test_a_row_that_lacks_what_its_question_needs_is_refused() -> None:
    tree = KNOWN.model_dump(mode="json", exclude={"prerequisites"}) | {
        "prerequisites": [{"name": "x", "of": "sensor", "ask": "tcp", "passes": "it accepts", "fix": "let it through"}]
    }
    with pytest.raises(ValueError, match="lacks a key that tcp needs"):
        Prerequisites.model_validate(tree)


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "gateway.toml").write_text(f'{BASE}[spool]\nmax_bytes = "1 MiB"\n[check]\ndns_servers = ["127.0.0.1"]\ntimeout = "2 s"\n')
    assert main(["check", "--connect", "--live"]) == ExitCode.USAGE
    capsys.readouterr()
    main(["check", "--connect", "--config", str(tmp_path / "gateway.toml")])
    assert "tcp 127.0.0.1:53 (DNS)" in capsys.readouterr().out
