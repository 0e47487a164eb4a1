"""Certificates: who gets in and under which name, whose thumbprint a source is told, and every way to be turned away."""

from __future__ import annotations

import datetime as dt
import hashlib
import socket
import ssl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import trio
import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID
from hypothesis import example, given
from hypothesis import strategies as st
from support.http_serving import PATIENCE, Client, post
from support.wef_doors import HEARD, Door, open_door, opened

from listeners.wef.identity import Identity
from listeners.wef.refusals import Refusal
from listeners.wef.settings import WefSettings
from listeners.wef.tls import identify, thumbprint
from pipeline.errors import ConfigError

NAME = "gw.contoso.example"
NOW = dt.datetime.now(dt.UTC)
DAY = dt.timedelta(days=1)
CLIENT_AUTH = (ExtendedKeyUsageOID.CLIENT_AUTH,)


@dataclass(frozen=True)
class Pair:
    """A certificate and its key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(Encoding.PEM)

    @property
    def der(self) -> bytes:
        return self.certificate.public_bytes(Encoding.DER)

    @property
    def thumbprint(self) -> str:
        return hashlib.sha1(self.der).hexdigest().upper()


def named(common_name: str | None) -> x509.Name:
    return x509.Name([] if common_name is None else [x509.NameAttribute(x509.NameOID.COMMON_NAME, common_name)])


def make(
    subject: x509.Name,
    issuer: Pair | None = None,
    *,
    authority: bool = False,
    names: Sequence[x509.GeneralName] = (),
    purposes: Sequence[x509.ObjectIdentifier] = CLIENT_AUTH,
    begins: dt.datetime = NOW - DAY,
    ends: dt.datetime = NOW + 300 * DAY,
    extension: bytes | None = None,
    identified: bool = True,
) -> Pair:
    """A certificate, signed by `issuer` or by itself; `identified`: it says which key signed it, as those of AD CS do."""
    key = ec.generate_private_key(ec.SECP256R1())
    builder = x509.CertificateBuilder(
        issuer.certificate.subject if issuer else subject, subject, key.public_key(), x509.random_serial_number(), begins, ends
    ).add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
    if not authority:
        builder = builder.add_extension(x509.ExtendedKeyUsage(purposes), critical=False)
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    if identified:
        signing = x509.AuthorityKeyIdentifier.from_issuer_public_key((issuer.key if issuer else key).public_key())
        builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        builder = builder.add_extension(signing, critical=False)
    if extension is not None:
        builder = builder.add_extension(x509.UnrecognizedExtension(x509.SubjectAlternativeName.oid, extension), critical=False)
    return Pair(builder.sign(issuer.key if issuer else key, hashes.SHA256()), key)


ROOT = make(named("Contoso Root"), authority=True)
ISSUING = make(named("Contoso Issuing CA 1"), ROOT, authority=True)
TWIN = make(named("Contoso Issuing CA 1"), authority=True)
"""Another authority of the same name."""

OTHER = make(named("Fabrikam"), authority=True)
DC1 = make(named("dc1"), ISSUING, names=[x509.DNSName("DC1.contoso.example")])


@pytest.fixture(scope="module")
def public() -> trustme.CA:
    """Whom clients trust."""
    return trustme.CA()


@pytest.fixture
def folder(tmp_path: Path, public: trustme.CA) -> Path:
    install(public, tmp_path)
    trust(tmp_path, ISSUING)
    return tmp_path


def install(public: trustme.CA, folder: Path) -> None:
    certificate = public.issue_cert(NAME)
    certificate.private_key_pem.write_to_path(folder / "server.key")
    certificate.cert_chain_pems[0].write_to_path(folder / "server.pem")


def trust(folder: Path, *authorities: Pair) -> None:
    (folder / "ca.pem").write_bytes(b"".join(authority.pem for authority in authorities))


def revoke(folder: Path, authority: Pair, *revoked: Pair, expires: dt.datetime = NOW + DAY) -> None:
    """Write the authority's revocation list."""
    builder = x509.CertificateRevocationListBuilder(authority.certificate.subject, NOW - 2 * DAY, expires)
    for pair in revoked:
        builder = builder.add_revoked_certificate(x509.RevokedCertificateBuilder(pair.certificate.serial_number, NOW - 2 * DAY).build())
    (folder / "crl.pem").write_bytes(builder.sign(authority.key, hashes.SHA256()).public_bytes(Encoding.PEM))


def spoil(path: Path) -> None:
    path.write_bytes(b"-----BEGIN")


def settings(folder: Path, **more: object) -> WefSettings:
    endpoint = {
        "address": "127.0.0.1:0",
        "url": f"https://{NAME}:5986",
        "auth": "certificate",
        "certificate": "server.pem",
        "key": "server.key",
        "client_ca": ["ca.pem"],
        **more,
    }
    return WefSettings.model_validate({"endpoints": [endpoint]}, context={"folder": folder})


@pytest.fixture
def client(public: trustme.CA, tmp_path: Path) -> Clients:
    return Clients(public, tmp_path)


@dataclass(frozen=True)
class Clients:
    """Makes the client's side of a handshake."""

    public: trustme.CA
    folder: Path

    def context(self, shown: Pair | None, *sent: Pair) -> ssl.SSLContext:
        """One that shows a certificate and sends further ones with it."""
        context = ssl.create_default_context()
        self.public.configure_trust(context)
        if shown is not None:
            path = self.folder / "client.pem"
            key = shown.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
            path.write_bytes(key + shown.pem + b"".join(pair.pem for pair in sent))
            context.load_cert_chain(path)
        return context


async def connect(door: Door, context: ssl.SSLContext) -> Client:
    """The handshake is done, as far as the client can tell."""
    stream = trio.SSLStream(door.serving.connect().stream, context, server_hostname=NAME, https_compatible=True)
    await stream.do_handshake()
    return Client(stream)


async def say(door: Door, context: ssl.SSLContext, content: bytes = b"hello") -> Identity:
    """Who the door takes the client for."""
    client = await connect(door, context)
    await client.send(post(content, b"Content-Type: application/soap+xml;charset=UTF-16"))
    answer = await client.answer()
    assert answer is not None
    assert (answer.status, answer.body) == (200, HEARD + content)
    assert answer.fields["content-type"] == "application/soap+xml;charset=UTF-16"
    await client.stream.aclose()
    identity = door.heard[-1][0]
    assert identity is not None
    return identity


async def is_turned_away(door: Door, context: ssl.SSLContext) -> None:
    with refusal():
        client = await connect(door, context)
        await client.send(post(b"hello"))
        assert not await client.stream.receive_some(1)
    assert door.heard == []


@contextmanager
def refusal() -> Iterator[None]:
    """A refused client hears of it in its handshake, or later."""
    try:
        yield
    except trio.BrokenResourceError:
        return


# who gets in


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_the_leaf_alone_is_enough_where_its_issuer_is_trusted(folder: Path, client: Clients, version: ssl.TLSVersion) -> None:
    async with opened(settings(folder), folder) as door:
        context = client.context(DC1)
        context.maximum_version = context.minimum_version = version
        identity = await say(door, context)
        assert identity.name == "DC1.contoso.example"
        assert identity.hosts == {"dc1", "dc1.contoso.example"}
        assert identity.issuer == ISSUING.thumbprint


async def test_a_source_may_send_its_chain(folder: Path, client: Clients) -> None:
    trust(folder, ROOT, ISSUING)
    async with opened(settings(folder), folder) as door:
        assert (await say(door, client.context(DC1, ISSUING, ROOT))).issuer == ISSUING.thumbprint


async def test_of_two_authorities_of_one_name_the_one_that_signed_is_told(folder: Path, client: Clients) -> None:
    trust(folder, TWIN, OTHER, ISSUING)
    dc2 = make(named("dc2"), TWIN, names=[x509.DNSName("dc2.contoso.example")])
    async with opened(settings(folder), folder) as door:
        found = [await say(door, client.context(shown)) for shown in (DC1, dc2)]
        assert [identity.issuer for identity in found] == [ISSUING.thumbprint, TWIN.thumbprint]


async def test_one_subject_of_two_authorities_is_two_sources(folder: Path, client: Clients) -> None:
    trust(folder, ISSUING, OTHER)
    async with opened(settings(folder), folder) as door:
        keys = [(await say(door, client.context(make(named("dc1"), issuer)))).key for issuer in (ISSUING, OTHER, ISSUING)]
        assert keys[0] == keys[2] != keys[1]


NAMES: dict[str, tuple[x509.Name, list[x509.GeneralName], str, set[str]]] = {
    "subject alone": (named("dc1.contoso.example"), [], "dc1.contoso.example", {"dc1", "dc1.contoso.example"}),
    "alternative name before common name": (named("whatever"), [x509.DNSName("dc1.a.example")], "dc1.a.example", {"dc1", "dc1.a.example"}),
    "empty subject": (named(None), [x509.DNSName("dc1.a.example")], "dc1.a.example", {"dc1", "dc1.a.example"}),
    "a wildcard is no name": (named("dc1"), [x509.DNSName("*.a.example"), x509.DNSName("dc1.a.example")], "dc1.a.example", {"dc1", "dc1.a.example"}),
    "a NUL is no name": (named("dc1"), [x509.DNSName("dc1.a.example\0.evil.example")], "CN=dc1", set()),
    "a person's name is no host": (named("Jane Doe"), [], "CN=Jane Doe", set()),
    "only an address": (named("dc1"), [x509.RFC822Name("dc1@a.example")], "dc1", {"dc1"}),
}


@pytest.mark.parametrize(("subject", "alternatives", "name", "hosts"), NAMES.values(), ids=NAMES)
async def test_names(*, folder: Path, client: Clients, subject: x509.Name, alternatives: list[x509.GeneralName], name: str, hosts: set[str]) -> None:
    async with opened(settings(folder), folder) as door:
        identity = await say(door, client.context(make(subject, ISSUING, names=alternatives)))
        assert (identity.name, set(identity.hosts)) == (name, hosts)


async def test_a_certificate_that_names_nobody(folder: Path, client: Clients) -> None:
    nobody = make(named(None), ISSUING)
    async with opened(settings(folder), folder) as door:
        identity = await say(door, client.context(nobody))
        assert identity.name == f"sha-256:{hashlib.sha256(nobody.der).hexdigest()}"


@given(st.binary(max_size=60))
def test_an_odd_certificate_is_somebody_or_refused_and_never_an_error(extension: bytes) -> None:
    """Its subjectAltName is anything at all."""
    odd = make(named("odd"), ISSUING, extension=extension)
    assert isinstance(identify(odd.der, [ROOT.certificate, ISSUING.certificate]), Identity | Refusal)


@pytest.mark.filterwarnings("ignore:Parsed a serial number")  # a negative one is read, with a warning
@given(st.integers(0, len(DC1.der) - 1), st.integers(1, 255))
@example(at=15, change=128)
def test_a_damaged_certificate_is_refused(at: int, change: int) -> None:
    der = bytearray(DC1.der)
    der[at] ^= change
    found = identify(bytes(der), [ISSUING.certificate])
    assert isinstance(found, Refusal) or found.issuer == ISSUING.thumbprint


# who doesn't


TURNED_AWAY: dict[str, tuple[Pair | None, list[Pair], str]] = {
    "no certificate": (None, [], "tls-no-certificate"),
    "another authority": (make(named("dc1"), OTHER), [OTHER], "tls-unknown-issuer"),
    "another authority, leaf alone": (make(named("dc1"), OTHER), [], "tls-unknown-issuer"),
    "signed by itself": (make(named("dc1")), [], "tls-unknown-issuer"),
    "an authority's name, another's key": (make(named("dc1"), TWIN, identified=False), [], "tls-forged-issuer"),
    "an authority's name, another's key, which is said": (make(named("dc1"), TWIN), [], "tls-unknown-issuer"),
    "expired": (make(named("dc1"), ISSUING, begins=NOW - 9 * DAY, ends=NOW - DAY), [], "tls-expired"),
    "not yet valid": (make(named("dc1"), ISSUING, begins=NOW + DAY), [], "tls-not-yet-valid"),
    "for servers": (make(named("dc1"), ISSUING, purposes=[ExtendedKeyUsageOID.SERVER_AUTH]), [], "tls-purpose"),
}


@pytest.mark.parametrize(("shown", "sent", "reason"), TURNED_AWAY.values(), ids=TURNED_AWAY)
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_turned_away(*, folder: Path, client: Clients, version: ssl.TLSVersion, shown: Pair | None, sent: list[Pair], reason: str) -> None:
    async with opened(settings(folder), folder) as door:
        context = client.context(shown, *sent)
        context.maximum_version = version
        await is_turned_away(door, context)
        assert door.last_refusal()[0] == reason
        assert door.refused(reason) == 1


@pytest.mark.parametrize(("sent", "reason"), [([], "tls-unknown-issuer"), ([ISSUING], "tls-missing-intermediate")], ids=["leaf alone", "with its chain"])
async def test_an_intermediate_that_is_not_in_client_ca(folder: Path, client: Clients, sent: list[Pair], reason: str) -> None:
    """With its chain it can be verified; but whose thumbprint the source is to look for can't be told."""
    trust(folder, ROOT)
    async with opened(settings(folder), folder) as door:
        await is_turned_away(door, client.context(DC1, *sent))
        assert door.last_refusal()[0] == reason


async def test_a_client_without_certificate_is_told_whose_would_do(folder: Path, client: Clients) -> None:
    trust(folder, ISSUING, *[OTHER] * 4)
    async with opened(settings(folder), folder) as door:
        await is_turned_away(door, client.context(None))
        reason, detail = door.last_refusal()
        assert reason == "tls-no-certificate"
        assert f"client_ca has {ISSUING.thumbprint} CN=Contoso Issuing CA 1, " in detail
        assert detail.endswith(", 1 more")


async def test_a_client_that_does_not_trust_the_gateway(folder: Path) -> None:
    """It says so in an alert, which Trio's own client wouldn't send."""
    async with opened(settings(folder), folder) as door:
        address = await door.serving.listen()

        def shake_hands() -> None:
            context = ssl.create_default_context()
            with socket.create_connection(address) as sock, pytest.raises(ssl.SSLCertVerificationError):
                context.wrap_socket(sock, server_hostname=NAME)

        await trio.to_thread.run_sync(shake_hands)
        with trio.fail_after(PATIENCE):
            while not door.rejects.last(1):
                await trio.lowlevel.checkpoint()
        assert door.last_refusal() == ("tls-server-untrusted", "TLSV1_ALERT_UNKNOWN_CA")


async def test_a_client_without_tls_1_2(folder: Path, client: Clients) -> None:
    async with opened(settings(folder), folder) as door:
        context = client.context(DC1)
        with pytest.warns(DeprecationWarning, match="deprecated"):
            context.minimum_version = ssl.TLSVersion.TLSv1
        with pytest.warns(DeprecationWarning, match="deprecated"):
            context.maximum_version = ssl.TLSVersion.TLSv1_1
        context.set_ciphers("ALL:@SECLEVEL=0")
        with pytest.raises(trio.BrokenResourceError):
            await connect(door, context)
        assert door.last_refusal()[0] == "tls-version"


FIRST_OCTETS = {
    "plain HTTP": (post(b"hello"), "tls-plain-text"),
    "octets of no protocol": (bytes(50), "tls-plain-text"),
    "half a record": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", "tls-closed"),
    "nothing": (b"", "tls-closed"),
}


@pytest.mark.parametrize(("octets", "reason"), FIRST_OCTETS.values(), ids=FIRST_OCTETS)
async def test_no_handshake(folder: Path, octets: bytes, reason: str) -> None:
    async with opened(settings(folder), folder) as door:
        client = door.serving.connect()
        await client.send(octets)
        await client.leave()
        assert b"HTTP" not in await client.stream.receive_some(4096)
        await client.stream.aclose()
        await trio.testing.wait_all_tasks_blocked()
        assert door.last_refusal()[0] == reason


async def test_revocation(folder: Path, client: Clients) -> None:
    revoke(folder, ISSUING)
    async with opened(settings(folder, client_crl=["crl.pem"]), folder) as door:
        await say(door, client.context(DC1))
        door.heard.clear()
        revoke(folder, ISSUING, DC1)
        await is_turned_away(door, client.context(DC1))
        assert door.last_refusal()[0] == "tls-revoked"
        revoke(folder, ISSUING, expires=NOW - DAY)
        await is_turned_away(door, client.context(DC1))
        assert door.last_refusal()[0] == "tls-revocation-unknown"
        revoke(folder, OTHER)
        await is_turned_away(door, client.context(DC1))
        assert door.refused("tls-revocation-unknown") == 2


def test_a_revocation_list_that_cannot_be_used(folder: Path) -> None:
    spoil(folder / "crl.pem")
    with pytest.raises(ConfigError, match=r"client_crl .*crl\.pem"):
        open_door(settings(folder, client_crl=["crl.pem"]), folder)


# what is negotiated


async def test_a_session_taken_up_again_shows_the_same_certificate(folder: Path, client: Clients) -> None:
    """TLS 1.2 may resume by session ID while OpenSSL remembers the session: whether it does is its choice, who the client is must not depend on it."""
    async with opened(settings(folder), folder) as door:
        address = await door.serving.listen()
        context = client.context(DC1)
        context.maximum_version = ssl.TLSVersion.TLSv1_2

        def converse() -> None:
            session = None
            for _ in range(3):
                with socket.create_connection(address) as sock, context.wrap_socket(sock, server_hostname=NAME, session=session) as secured:
                    secured.sendall(post(b"hello"))
                    assert secured.recv(4096).startswith(b"HTTP/1.1 200 ")
                    session = secured.session

        await trio.to_thread.run_sync(converse)
        assert [identity.name for identity, _ in door.heard if identity] == ["DC1.contoso.example"] * 3


async def test_no_protocol_and_no_ticket_is_offered(folder: Path, client: Clients) -> None:
    async with opened(settings(folder), folder) as door:
        context = client.context(DC1)
        context.set_alpn_protocols(["h2", "http/1.1"])
        found = await connect(door, context)
        assert isinstance(found.stream, trio.SSLStream)
        assert found.stream.selected_alpn_protocol() is None
        await found.send(post(b"x"))
        await found.answer()
        assert found.stream.session is None or not found.stream.session.has_ticket
        await found.stream.aclose()


async def test_an_ecdsa_certificate_serves_what_windows_server_2012_r2_offers(folder: Path, client: Clients) -> None:
    async with opened(settings(folder), folder) as door:
        context = client.context(DC1)
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        context.set_ciphers("ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-ECDSA-AES128-GCM-SHA256")
        await say(door, context)


# files that change


async def test_certificates_are_read_again_without_restart(folder: Path, client: Clients) -> None:
    async with opened(settings(folder), folder) as door:
        before = await connect(door, client.context(DC1))
        trust(folder, OTHER)
        renewed = make(named("dc1"), OTHER)
        assert (await say(door, client.context(renewed))).issuer == OTHER.thumbprint
        fresh = trustme.CA()
        install(fresh, folder)
        assert (await say(door, Clients(fresh, folder).context(renewed))).issuer == OTHER.thumbprint
        await before.send(post(b"still"))
        answer = await before.answer()
        assert answer is not None
        assert answer.body == HEARD + b"still"
        await before.stream.aclose()


@pytest.mark.parametrize("name", ["server.pem", "server.key", "ca.pem"])
async def test_a_file_that_cannot_be_used_leaves_the_former(folder: Path, client: Clients, name: str) -> None:
    async with opened(settings(folder), folder) as door:
        spoil(folder / name)
        await say(door, client.context(DC1))


@pytest.mark.parametrize("name", ["server.pem", "server.key", "ca.pem"])
@pytest.mark.parametrize("there", [True, False], ids=["spoilt", "missing"])
def test_files_that_cannot_be_used(folder: Path, name: str, *, there: bool) -> None:
    (folder / name).write_bytes(b"-----BEGIN") if there else (folder / name).unlink()
    with pytest.raises(ConfigError) as raised:
        open_door(settings(folder), folder)
    assert name in raised.value.what


def test_a_thumbprint_is_windows_own() -> None:
    assert thumbprint(ROOT.certificate) == ROOT.thumbprint
    assert len(ROOT.thumbprint) == 40
