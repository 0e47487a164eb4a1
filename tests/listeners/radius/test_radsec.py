"""RADIUS over TLS: clients by their certificates, packets however the stream is cut, answers behind receipts, connections that end for a reason."""

from __future__ import annotations

import socket
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trio
import trustme
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key
from support.radius_listening import PATIENCE, RadiusListening, radius_listening, radius_settings, request

from listeners.radius import radsec
from listeners.radius.settings import RadiusSettings
from listeners.tls import fingerprint, make_context
from pipeline.errors import ConfigError
from pipeline.model import Transport
from wire.radius.attributes import Attribute
from wire.radius.authenticators import encode_status_server, verify_response
from wire.radius.packet import Code, scan_packets

RADSEC = b"radsec"
NAMED = "vpn2.contoso.example"


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def member(authority: trustme.CA) -> trustme.LeafCert:
    return authority.issue_cert(NAMED)


@pytest.fixture
def folder(tmp_path: Path, authority: trustme.CA) -> Path:
    server = authority.issue_cert("localhost")
    server.private_key_pem.write_to_path(tmp_path / "server.key")
    server.cert_chain_pems[0].write_to_path(tmp_path / "server.pem")
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    return tmp_path


def given(folder: Path, *, names: Sequence[str] = (NAMED,), **more: object) -> RadiusSettings:
    tls = {"addresses": ["127.0.0.1:0"], "certificate": "server.pem", "key": "server.key", "client_ca": ["ca.pem"], **more}
    return radius_settings({"addresses": [], "clients": [{"name": "vpn2", "certificate": names}], "tls": tls}, folder)


def ask(number: int) -> bytes:
    return request(number, secret=RADSEC)


class Nas:
    """A client's connection."""

    def __init__(self, stream: trio.SSLStream[trio.SocketStream]) -> None:
        self.stream = stream
        self._rest = b""

    async def send(self, octets: bytes) -> None:
        await self.stream.send_all(octets)

    async def answers(self, count: int) -> list[bytes]:
        """The next answers, whole."""
        with trio.fail_after(PATIENCE):
            while len(scan_packets(self._rest)[0]) < count:
                data = await self.stream.receive_some()
                if not data:
                    break
                self._rest += data
        spans, rest = scan_packets(self._rest)
        answers = [self._rest[start:end] for start, end in spans]
        self._rest = self._rest[rest:]
        return answers

    async def ended(self) -> None:
        """Return once the gateway has closed."""
        with trio.fail_after(PATIENCE):
            try:
                while await self.stream.receive_some():
                    pass
            except trio.BrokenResourceError:
                pass


@asynccontextmanager
async def connected(listener: RadiusListening, authority: trustme.CA, certificate: trustme.LeafCert | None) -> AsyncIterator[Nas]:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    if certificate is not None:
        certificate.configure_cert(context)
    tcp = await trio.open_tcp_stream(*listener.address(Transport.RADSEC))
    stream = trio.SSLStream(tcp, context, server_hostname="localhost", https_compatible=True)
    try:
        yield Nas(stream)
    finally:
        await trio.aclose_forcefully(stream)


async def test_what_is_kept_is_answered_under_the_client_of_the_certificate(folder: Path, authority: trustme.CA, member: trustme.LeafCert) -> None:
    async with radius_listening(given(folder)) as listener:
        listener.intake.holds = True
        async with connected(listener, authority, member) as nas:
            await nas.send(ask(1) + ask(2))
            await listener.intake.arrived(2)
            await trio.testing.wait_all_tasks_blocked()
            assert listener.counted("radius_answered", "client") == {}
            listener.intake.settle()
            answers = await nas.answers(2)
            assert [verify_response(answer, asked, RADSEC).code for answer, asked in zip(answers, (ask(1), ask(2)), strict=True)] == [5, 5]
        origin = listener.intake.batches[0].origin
        assert (origin.transport, origin.peer, origin.identity) == (Transport.RADSEC, "127.0.0.1", "vpn2")


@pytest.mark.parametrize("size", [1, 3, 19, 100, 100_000])
async def test_however_the_stream_is_cut(folder: Path, authority: trustme.CA, member: trustme.LeafCert, size: int) -> None:
    packets = [ask(number) for number in range(5)]
    stream = b"".join(packets)
    async with radius_listening(given(folder)) as listener, connected(listener, authority, member) as nas:
        for at in range(0, len(stream), size):
            await nas.send(stream[at : at + size])
        assert {answer[1] for answer in await nas.answers(5)} == set(range(5))
        assert listener.intake.packets == packets


async def test_a_client_is_known_by_any_name_of_its_certificate(folder: Path, authority: trustme.CA) -> None:
    certificate = authority.issue_cert("other.contoso.example", "VPN2.contoso.example")
    printed = fingerprint(ssl.PEM_cert_to_DER_cert(certificate.cert_chain_pems[0].bytes().decode()))
    for names in ([NAMED], [printed], [printed.lower()]):
        async with radius_listening(given(folder, names=names)) as listener, connected(listener, authority, certificate) as nas:
            await nas.send(ask(1))
            assert len(await nas.answers(1)) == 1


async def test_strangers_are_not_let_in(folder: Path, authority: trustme.CA) -> None:
    async with radius_listening(given(folder)) as listener:
        for certificate in (authority.issue_cert("vpn3.contoso.example"), None, trustme.CA().issue_cert(NAMED)):
            async with connected(listener, authority, certificate) as nas:
                with suppress(trio.BrokenResourceError):
                    await nas.send(ask(1))
                await nas.ended()
        await listener.counts("connections_refused", "reason", {"unknown-client": 1, "tls-certificate": 2})
        assert listener.intake.batches == []


def revoke(folder: Path, authority: trustme.CA, *certificates: trustme.LeafCert) -> None:
    """The authority's revocation list, beside the other files."""
    issuer = x509.load_pem_x509_certificate(authority.cert_pem.bytes())
    key = load_pem_private_key(authority.private_key_pem.bytes(), None)
    assert isinstance(key, EllipticCurvePrivateKey)
    now = datetime.now(UTC)
    builder = x509.CertificateRevocationListBuilder(issuer.subject, now - timedelta(days=2), now + timedelta(days=1))
    for certificate in certificates:
        serial = x509.load_pem_x509_certificate(certificate.cert_chain_pems[0].bytes()).serial_number
        builder = builder.add_revoked_certificate(x509.RevokedCertificateBuilder(serial, now - timedelta(days=1)).build())
    (folder / "crl.pem").write_bytes(builder.sign(key, SHA256()).public_bytes(Encoding.PEM))


async def test_a_revoked_certificate_is_refused_as_soon_as_the_list_says_so(folder: Path, authority: trustme.CA, member: trustme.LeafCert) -> None:
    revoke(folder, authority)
    async with radius_listening(given(folder, client_crl=["crl.pem"])) as listener:
        async with connected(listener, authority, member) as nas:
            await nas.send(ask(1))
            assert len(await nas.answers(1)) == 1
        revoke(folder, authority, member)
        async with connected(listener, authority, member) as nas:
            with suppress(trio.BrokenResourceError):
                await nas.send(ask(2))
            await nas.ended()
        await listener.counts("connections_refused", "reason", {"tls-certificate": 1})
        assert len(listener.intake.packets) == 1


#   what comes                                           why it ends or None    why it is dropped       why
FAULTS = [
    (b"\x04\x01\x00\x13" + bytes(16),                      "framing",            "radius-length",        "a Length under 20"),
    (b"\x04\x01\xff\xff" + bytes(16),                      "framing",            "radius-length",        "a Length over 4096"),
    (request(1, secret=b"another secret altogether"),      "packet",             "radius-authenticator", "signed with another secret"),
    (b"\x01" + ask(1)[1:],                                 None,                 "radius-code",          "a code that isn't ours"),
]  # fmt: skip


@pytest.mark.parametrize("fault", [case[:3] for case in FAULTS], ids=[case[3] for case in FAULTS])
async def test_a_packet_that_is_none(folder: Path, authority: trustme.CA, member: trustme.LeafCert, fault: tuple[bytes, str | None, str]) -> None:
    octets, ends, dropped = fault
    async with radius_listening(given(folder)) as listener, connected(listener, authority, member) as nas:
        await nas.send(ask(0) + octets + ask(2))
        assert [answer[1] for answer in await nas.answers(2 if ends is None else 1)] == ([0, 2] if ends is None else [0])
        if ends is not None:
            await nas.ended()
            await listener.counts("connections_ended", "reason", {ends: 1})
        assert listener.counted("radius_dropped", "reason") == {dropped: 1}


async def test_who_ends_inside_a_packet(folder: Path, authority: trustme.CA, member: trustme.LeafCert) -> None:
    async with radius_listening(given(folder)) as listener, connected(listener, authority, member) as nas:
        await nas.send(ask(0)[:-1])
        await nas.stream.transport_stream.send_eof()
        await listener.counts("connections_ended", "reason", {"truncated": 1})


async def test_status_server(folder: Path, authority: trustme.CA, member: trustme.LeafCert) -> None:
    async with radius_listening(given(folder)) as listener, connected(listener, authority, member) as nas:
        asked = encode_status_server(7, bytes(range(16)), RADSEC)
        await nas.send(asked)
        (answer,) = await nas.answers(1)
        assert verify_response(answer, asked, RADSEC).code == Code.ACCOUNTING_RESPONSE


async def test_a_request_is_the_same_on_another_connection(folder: Path, authority: trustme.CA, member: trustme.LeafCert) -> None:
    async with radius_listening(given(folder)) as listener:
        for _ in range(2):
            async with connected(listener, authority, member) as nas:
                await nas.send(ask(1))
                await nas.answers(1)
        first, second = listener.intake.batches
        assert first.aliases == second.aliases


async def test_a_silent_client_is_ended(folder: Path, authority: trustme.CA, member: trustme.LeafCert) -> None:
    async with radius_listening(given(folder, idle="1 ms")) as listener, connected(listener, authority, member) as nas:
        await nas.ended()
        await listener.counts("connections_ended", "reason", {"idle": 1})


async def test_a_handshake_that_never_comes(folder: Path) -> None:
    async with radius_listening(given(folder, handshake="1 ms")) as listener, await trio.open_tcp_stream(*listener.address(Transport.RADSEC)):
        await listener.counts("connections_refused", "reason", {"tls-deadline": 1})


async def test_no_more_connections_than_allowed(folder: Path, authority: trustme.CA, member: trustme.LeafCert) -> None:
    async with radius_listening(given(folder, connections_per_peer=1)) as listener, connected(listener, authority, member) as nas:
        await nas.send(ask(1))
        await nas.answers(1)
        async with await trio.open_tcp_stream(*listener.address(Transport.RADSEC)):
            await listener.counts("connections_refused", "reason", {"connections-per-peer": 1})


async def test_a_drain_answers_what_was_read(folder: Path, authority: trustme.CA, member: trustme.LeafCert) -> None:
    async with radius_listening(given(folder)) as listener, connected(listener, authority, member) as nas:
        listener.intake.holds = True
        await nas.send(b"".join(map(ask, range(20))))
        await listener.intake.arrived(20)
        listener.stop.set()
        await trio.testing.wait_all_tasks_blocked()
        listener.intake.settle()
        assert len(await nas.answers(20)) == 20
        await nas.ended()
        await listener.counts("connections_ended", "reason", {"drain": 1})


async def test_who_takes_no_answers_holds_nobody_up(folder: Path, authority: trustme.CA, member: trustme.LeafCert, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(radsec, "ANSWER_SECONDS", 0.01)
    async with radius_listening(given(folder)) as listener, connected(listener, authority, member) as nas:
        nas.stream.transport_stream.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        echoed = [Attribute(33, bytes(253))] * 15
        packets = b"".join(request(number, *echoed, secret=RADSEC) for number in range(20))
        with suppress(trio.BrokenResourceError):
            while True:
                await nas.send(packets)
        await listener.counts("connections_ended", "reason", {"stalled": 1})


def test_a_certificate_that_cannot_be_used_is_the_operators(folder: Path) -> None:
    (folder / "server.pem").write_text("none")
    tls = given(folder).tls
    assert tls is not None
    with pytest.raises(ConfigError, match=r"listeners\.radius\.tls"):
        make_context(tls)
