"""TLS: who gets in and by what name, what a careless or hostile client loses (nothing but its own), certificates that change."""

from __future__ import annotations

import datetime as dt
import ssl
from collections.abc import Mapping
from pathlib import Path

import pytest
import trio
import trustme
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat, load_pem_private_key
from support.syslog_listening import PATIENCE, Listening, listening, settings

from listeners.syslog.settings import SyslogSettings
from listeners.tls import fingerprint, make_context, usable_names
from pipeline.errors import ConfigError
from pipeline.model import Transport

LISTENER = "listeners.syslog"
PAST = dt.datetime(2001, 1, 1, tzinfo=dt.UTC)


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def folder(tmp_path: Path, authority: trustme.CA) -> Path:
    install(authority.issue_cert("localhost"), tmp_path)
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    return tmp_path


def install(certificate: trustme.LeafCert, folder: Path) -> None:
    certificate.private_key_pem.write_to_path(folder / "server.key")
    for number, pem in enumerate(certificate.cert_chain_pems):
        pem.write_to_path(folder / "server.pem", append=number > 0)


def tls(folder: Path, **more: object) -> SyslogSettings:
    return settings({"tls": {"addresses": ["127.0.0.1:0"], "certificate": "server.pem", "key": "server.key", **more}}, folder)


def client(authority: trustme.CA, certificate: trustme.LeafCert | None = None) -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    if certificate is not None:
        certificate.configure_cert(context)
    return context


async def connect(listener: Listening) -> trio.SocketStream:
    return await trio.open_tcp_stream(*listener.address(Transport.TLS))


async def send(listener: Listening, context: ssl.SSLContext, stream: bytes) -> None:
    """Like most senders: write, and close without a word."""
    bare = await connect(listener)
    secured = trio.SSLStream(bare, context, server_hostname="localhost")
    await secured.send_all(stream)
    await bare.aclose()


def refused(listener: Listening, reason: str) -> float:
    return listener.metrics.value("tidegate_connections_refused_total", listener=LISTENER, reason=reason)


async def until(listener: Listening, reason: str) -> None:
    with trio.fail_after(PATIENCE):
        while not refused(listener, reason):
            await trio.lowlevel.checkpoint()


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_messages_arrive(folder: Path, authority: trustme.CA, version: ssl.TLSVersion) -> None:
    context = client(authority)
    context.minimum_version = context.maximum_version = version
    async with listening(tls(folder)) as listener:
        await send(listener, context, b"5 <1>ab" * 10_000)
        assert await listener.intake.arrived(10_000) == [b"<1>ab"] * 10_000
        origin = listener.intake.batches[0].origin
        assert (origin.transport, origin.peer, origin.identity) == (Transport.TLS, "127.0.0.1", None)
        await listener.drained()
        assert listener.metrics.value("tidegate_connections_ended_total", listener=LISTENER, reason="reset") == 0
        assert listener.metrics.value("tidegate_received_bytes_total", listener=LISTENER, transport="tls") == 70_000


async def test_who_closes_at_once_loses_nothing(folder: Path, authority: trustme.CA) -> None:
    context = client(authority)
    async with listening(tls(folder)) as listener:
        for number in range(1, 51):
            await send(listener, context, b"5 <1>ab" * 100)
            await listener.intake.arrived(number * 100)


async def test_an_orderly_close_is_answered(folder: Path, authority: trustme.CA) -> None:
    async with listening(tls(folder)) as listener:
        secured = trio.SSLStream(await connect(listener), client(authority), server_hostname="localhost", https_compatible=False)
        await secured.send_all(b"5 <1>ab")
        with trio.fail_after(PATIENCE):
            await secured.aclose()
        assert await listener.intake.arrived(1) == [b"<1>ab"]


class Joined(trio.abc.Stream):
    """A stream whose `number` writes after `hold` leave as one."""

    def __init__(self, stream: trio.SocketStream) -> None:
        self._stream, self._held, self._left = stream, b"", 0

    def hold(self, number: int) -> None:
        self._left = number

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        self._held, self._left = self._held + data, self._left - 1
        if self._left <= 0:
            await self._stream.send_all(self._held)
            self._held = b""

    async def wait_send_all_might_not_block(self) -> None:
        await self._stream.wait_send_all_might_not_block()

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        return await self._stream.receive_some(max_bytes)

    async def aclose(self) -> None:
        await self._stream.aclose()


async def test_a_close_that_comes_with_the_last_message_is_answered(folder: Path, authority: trustme.CA) -> None:
    async with listening(tls(folder)) as listener:
        joined = Joined(await connect(listener))
        secured = trio.SSLStream(joined, client(authority), server_hostname="localhost", https_compatible=False)
        await secured.do_handshake()
        joined.hold(2)
        await secured.send_all(b"5 <1>ab")
        with trio.fail_after(PATIENCE):
            bare, _rest = await secured.unwrap()
            assert await bare.receive_some() == b""
        assert await listener.intake.arrived(1) == [b"<1>ab"]
        await joined.aclose()


async def test_a_sender_is_sent_nothing_it_would_have_to_read(folder: Path, authority: trustme.CA) -> None:
    async with listening(tls(folder)) as listener:
        bare = await connect(listener)
        secured = trio.SSLStream(bare, client(authority), server_hostname="localhost")
        await secured.send_all(b"5 <1>ab")
        await listener.intake.arrived(1)  # session tickets would have been sent before
        assert not bare.socket.is_readable()
        await bare.aclose()


async def test_an_unfinished_stream_is_an_end_and_a_broken_record_is_not(folder: Path, authority: trustme.CA) -> None:
    async with listening(tls(folder)) as listener:
        bare = await connect(listener)
        secured = trio.SSLStream(bare, client(authority), server_hostname="localhost")
        await secured.send_all(b"5 <1>ab9 <2>")
        await listener.intake.arrived(1)
        await bare.send_all(b"\x17\x03\x03\x00\x20" + b"not what the keys say. 32 octets")
        await listener.intake.until(lambda: listener.intake.rejected == {"truncated": 1})
        await bare.aclose()
        await listener.drained()
        assert listener.metrics.value("tidegate_connections_ended_total", listener=LISTENER, reason="tls") == 1


def no_certificate(authority: trustme.CA) -> trustme.LeafCert | None:
    del authority
    return None


def expired(authority: trustme.CA) -> trustme.LeafCert | None:
    return authority.issue_cert("dc01.contoso.example", not_before=PAST, not_after=PAST + dt.timedelta(days=1))


def of_another_authority(authority: trustme.CA) -> trustme.LeafCert | None:
    del authority
    return trustme.CA().issue_cert("dc01.contoso.example")


@pytest.mark.parametrize("certificate", [no_certificate, expired, of_another_authority])
async def test_clients_are_refused_for_their_certificate(folder: Path, authority: trustme.CA, certificate: object) -> None:
    assert callable(certificate)
    async with listening(tls(folder, client_ca=["ca.pem"])) as listener:
        bare = await connect(listener)
        secured = trio.SSLStream(bare, client(authority, certificate(authority)), server_hostname="localhost")
        await secured.do_handshake()  # TLS 1.3: this side is done before the server has looked at the certificate
        with trio.fail_after(PATIENCE), pytest.raises(trio.BrokenResourceError):
            await secured.receive_some(1)
        await until(listener, "tls-certificate")
        await bare.aclose()
        assert listener.intake.messages == []


async def test_a_certificate_may_be_optional(folder: Path, authority: trustme.CA) -> None:
    async with listening(tls(folder, client_ca=["ca.pem"], client_certificate="optional")) as listener:
        await send(listener, client(authority), b"5 <1>ab")
        await listener.intake.arrived(1)
        await send(listener, client(authority, authority.issue_cert("dc01.contoso.example")), b"5 <2>cd")
        await listener.intake.arrived(2)
        assert [batch.origin.identity for batch in listener.intake.batches] == [None, "dc01.contoso.example"]


@pytest.mark.parametrize(
    ("names", "common_name", "expected"),
    [
        (["dc01.contoso.example", "dc01"], None, "dc01.contoso.example"),
        (["*.contoso.example"], None, None),
        (["*.contoso.example"], "relay-1", "relay-1"),
        (["192.0.2.7"], None, "192.0.2.7"),
        (["192.0.2.7", "relay.contoso.example"], None, "relay.contoso.example"),
    ],
    ids=["first DNS name", "a wildcard names nobody", "common name", "address", "a DNS name goes first"],
)
async def test_a_client_is_called_by_its_certificate(
    folder: Path, authority: trustme.CA, names: list[str], common_name: str | None, expected: str | None
) -> None:
    certificate = authority.issue_cert(*names, common_name=common_name)
    der = ssl.PEM_cert_to_DER_cert(certificate.cert_chain_pems[0].bytes().decode())
    async with listening(tls(folder, client_ca=["ca.pem"])) as listener:
        await send(listener, client(authority, certificate), b"5 <1>ab")
        await listener.intake.arrived(1)
        assert listener.intake.batches[0].origin.identity == (expected or fingerprint(der))


@pytest.mark.parametrize("name", ["", "*.example", "a\x00b", "a\nb", "a b", "\x1b[31m", "-rf", "x" * 256, "dc\u0131.example"])
def test_names_that_name_nobody(name: str) -> None:
    assert usable_names([name]) == []
    assert usable_names([name, "dc01"]) == ["dc01"]


@pytest.mark.parametrize(
    "greeting",
    [b"<13>plain text\n", b"5 <1>ab", b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\xff\xff" + b"x" * 70_000, b"\x00" * 64],
    ids=["line", "counted", "http", "a handshake that is none", "zeros"],
)
async def test_anything_but_a_handshake_is_refused(folder: Path, greeting: bytes) -> None:
    async with listening(tls(folder)) as listener:
        stranger = await connect(listener)
        try:
            await stranger.send_all(greeting)
        except trio.BrokenResourceError:
            assert len(greeting) > 1000
        await until(listener, "tls-handshake")
        await stranger.aclose()
        assert listener.intake.received == 0
        assert "Traceback" not in listener.log.getvalue()


async def test_old_versions_are_refused(folder: Path, authority: trustme.CA) -> None:
    context = client(authority)
    context.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match=r"TLSv1 is deprecated"):
        context.minimum_version = ssl.TLSVersion.TLSv1
    with pytest.warns(DeprecationWarning, match=r"TLSv1_1 is deprecated"):
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    async with listening(tls(folder)) as listener:
        bare = await connect(listener)
        with pytest.raises(trio.BrokenResourceError):
            await trio.SSLStream(bare, context, server_hostname="localhost").do_handshake()
        await until(listener, "tls-handshake")
        await bare.aclose()


@pytest.mark.parametrize("greeting", [b"", b"\x16\x03\x01\x02\x00"], ids=["nothing", "half a handshake"])
async def test_a_handshake_has_a_deadline(folder: Path, greeting: bytes, autojump_clock: trio.testing.MockClock) -> None:
    autojump_clock.autojump_threshold = 0.05
    async with listening(tls(folder, handshake="10 s")) as listener:
        stranger = await connect(listener)
        if greeting:
            await stranger.send_all(greeting)
        with trio.fail_after(PATIENCE):
            assert await stranger.receive_some(1) == b""
        assert 10 <= trio.current_time() <= 11
        assert refused(listener, "tls-deadline") == 1
        await stranger.aclose()


async def test_a_drain_does_not_wait_for_handshakes(folder: Path, autojump_clock: trio.testing.MockClock) -> None:
    autojump_clock.autojump_threshold = 0.05
    async with listening(tls(folder)) as listener:
        stranger = await connect(listener)
        await trio.testing.wait_all_tasks_blocked(0.05)
        await listener.drained()
        await stranger.aclose()


async def shown(listener: Listening, authorities: Mapping[str, trustme.CA]) -> str:
    """Whose certificate the server shows now."""
    for name, authority in authorities.items():
        bare = await connect(listener)
        try:
            await trio.SSLStream(bare, client(authority), server_hostname="localhost").do_handshake()
        except trio.BrokenResourceError:
            continue
        else:
            return name
        finally:
            await bare.aclose()
    return "nobody's"


async def test_new_certificates_are_used_without_a_restart(folder: Path, authority: trustme.CA) -> None:
    authorities = {"old": authority, "new": trustme.CA()}
    async with listening(tls(folder)) as listener:
        assert await shown(listener, authorities) == "old"
        (folder / "server.pem").write_text("half written")
        assert await shown(listener, authorities) == "old"
        install(authorities["new"].issue_cert("localhost"), folder)
        assert await shown(listener, authorities) == "new"
        (folder / "server.key").unlink()
        assert await shown(listener, authorities) == "new"


def remove(path: Path) -> None:
    path.unlink()


def scribble(path: Path) -> None:
    path.write_text("not PEM")


def encrypt(path: Path) -> None:
    key = load_pem_private_key(path.read_bytes(), None)
    path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret")))


def replace_key(path: Path) -> None:
    trustme.CA().issue_cert("localhost").private_key_pem.write_to_path(path)


@pytest.mark.parametrize(
    ("file", "spoil", "why"),
    [
        ("server.pem", remove, "No such file"),
        ("server.pem", scribble, "PEM"),
        ("server.key", encrypt, "the key is encrypted"),
        ("server.key", replace_key, "values mismatch"),
        ("ca.pem", scribble, "no certificate"),
    ],
)
def test_files_that_cannot_be_used_are_the_operators(folder: Path, file: str, spoil: object, why: str) -> None:
    assert callable(spoil)
    spoil(folder / file)
    given = tls(folder, client_ca=["ca.pem"]).tls
    assert given is not None
    with pytest.raises(ConfigError, match=why) as raised:
        make_context(given)
    assert "listeners.syslog.tls" in raised.value.what
