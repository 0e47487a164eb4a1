"""Kerberos: a real KDC's tickets, messages sealed by a WinRM client nobody here wrote, and every way to be turned away."""

from __future__ import annotations

import base64
import contextlib
import dataclasses
import os
import struct
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
import spnego
import trio
from hypothesis import given
from hypothesis import strategies as st
from pypsrp.wsman import WSMan
from support.http_serving import Client, post
from support.kdc import REALM, Kdc, running_kdc
from support.wef_doors import HEARD, Door, open_door, opened

from listeners.wef.kerberos import KerberosAuthenticator, KerberosSession
from listeners.wef.settings import WefSettings
from pipeline.errors import ConfigError, MessageError
from wire.ap_req import KERBEROS, KERBEROS_OF_WINDOWS_2000, NEGOEX, NTLM, Request, encode_ap_req, encode_initial_token, encode_later_token, encode_negotiation
from wire.http_rules import Head
from wire.keytab import Key, encode_keytab, parse_keytab
from wire.multipart_encrypted import Protocol, Sealed, encode_content_type, encode_sealed, parse_sealed

HOST = "gw.contoso.example"
SERVICE = f"HTTP/{HOST}"
NTLM_NEGOTIATE = b"NTLMSSP\0\x01\0\0\0" + bytes(24)
FLAGS = (
    spnego.ContextReq.mutual_auth
    | spnego.ContextReq.confidentiality
    | spnego.ContextReq.integrity
    | spnego.ContextReq.sequence_detect
    | spnego.ContextReq.replay_detect
)
MESSAGES = (b"<s:Envelope/>", b"second", b"x" * 200_000)
SOAP = "<s:Envelope>\u00e9</s:Envelope>".encode("utf-16")


@pytest.fixture(scope="module")
def kdc(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kdc]:
    with pytest.MonkeyPatch.context() as patch, running_kdc(tmp_path_factory.mktemp("kdc")) as kdc:
        for service in (SERVICE, f"HOST/{HOST}", "HTTP/other.contoso.example", "cifs/gw.contoso.example", "DC1$", "DC2$"):
            kdc.add(service)
        kdc.add("HTTP/old.contoso.example", "rc4-hmac:normal")
        patch.setenv("KRB5_CONFIG", str(kdc.config))
        for name in ("KRB5_KTNAME", "KRB5RCACHENAME", "KRB5CCNAME"):
            patch.setenv(name, "")
        yield kdc


@pytest.fixture
def keytab(kdc: Kdc, tmp_path: Path) -> Path:
    return kdc.export_keytab(tmp_path / "http.keytab", SERVICE, f"HOST/{HOST}")


@pytest.fixture(autouse=True)
def _logged_in(kdc: Kdc, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KRB5CCNAME", kdc.log_in("DC1$"))


def settings(*keytabs: Path, **more: object) -> WefSettings:
    endpoint = {"address": "127.0.0.1:0", "url": f"http://{HOST}:5985", "auth": "kerberos", "keytabs": [str(path) for path in keytabs], **more}
    return WefSettings.model_validate({"endpoints": [endpoint]}, context={"folder": Path()})


class Peer:
    """A client that does as Windows does: a token first, without content, then sealed content on the same connection."""

    def __init__(self, client: Client, scheme: str = "Kerberos", *, host: str = HOST, service: str = "HTTP", flags: spnego.ContextReq = FLAGS) -> None:
        self.client, self.scheme = client, scheme
        self.protocol = Protocol.KERBEROS if scheme == "Kerberos" else Protocol.SPNEGO
        self.context = spnego.client(hostname=host, service=service, protocol=scheme.lower(), context_req=flags)

    async def authenticate(self) -> int:
        token = self.context.step()
        while True:
            status, said = await self.offer(token or b"")
            if status != 200 and not said:
                return status
            token = self.context.step(base64.b64decode(said)) if said else None
            if token is None:
                return status

    async def offer(self, token: bytes) -> tuple[int, str]:
        """(status, token that came back)."""
        await self.client.send(post(b"", b"Authorization: %s %s" % (self.scheme.encode(), base64.b64encode(token))))
        answer = await self.client.answer()
        assert answer is not None
        scheme, _, said = answer.fields.get("www-authenticate", "").partition(" ")
        assert not said or scheme == self.scheme
        return answer.status, said

    def seal(self, clear: bytes) -> bytes:
        wrapped = self.context.wrap_winrm(clear)
        return encode_sealed(Sealed(self.protocol, wrapped.header, wrapped.data, len(clear)))

    async def post(self, body: bytes) -> tuple[int, bytes]:
        """(status, content unsealed)."""
        await self.client.send(post(body, b"Content-Type: " + encode_content_type(self.protocol).encode()))
        answer = await self.client.answer()
        assert answer is not None
        if not answer.body:
            return answer.status, b""
        sealed = parse_sealed(answer.body, answer.fields["content-type"])
        assert sealed.protocol is self.protocol
        return answer.status, self.context.unwrap_winrm(sealed.header, sealed.data)


def knock(door: Door, scheme: str = "Kerberos", **how: object) -> Peer:
    return Peer(door.serving.connect(), scheme, **how)  # type: ignore[arg-type]


def rewrite(keytab: Path, change: Callable[[Sequence[Key]], Sequence[Key]]) -> None:
    keytab.write_bytes(encode_keytab(change(parse_keytab(keytab.read_bytes()))))


def spoil(keytab: Path) -> None:
    keytab.write_bytes(b"half a keyt")


# who gets in


@pytest.mark.parametrize("scheme", ["Kerberos", "Negotiate"])
@pytest.mark.parametrize("service", ["HTTP", "HOST"])
async def test_a_source_authenticates_once_and_seals_both_ways(keytab: Path, tmp_path: Path, scheme: str, service: str) -> None:
    async with opened(settings(keytab), tmp_path) as door:
        peer = knock(door, scheme, service=service)
        assert await peer.authenticate() == 200
        for clear in (SOAP, b"x", bytes(300_000)):
            assert await peer.post(peer.seal(clear)) == (200, HEARD + clear)
        assert [identity.name for identity, _ in door.heard if identity] == [f"DC1$@{REALM}"] * 3
        assert door.heard[0][0] is not None
        assert door.heard[0][0].speaks_for("dc1.contoso.example")


@pytest.mark.parametrize("auth", ["kerberos", "negotiate"])
async def test_a_winrm_client_library_seals_and_unseals(keytab: Path, tmp_path: Path, auth: str) -> None:
    async with opened(settings(keytab), tmp_path) as door:
        address = await door.serving.listen()

        def converse() -> list[bytes]:
            with WSMan(
                "127.0.0.1", port=address.port, ssl=False, auth=auth, negotiate_hostname_override=HOST, negotiate_service="HTTP", no_proxy=True
            ) as client:
                return [client.transport.send(message) for message in MESSAGES]

        assert await trio.to_thread.run_sync(converse) == [HEARD + message for message in MESSAGES]
        assert {identity.name for identity, _ in door.heard if identity} == {f"DC1$@{REALM}"}


async def test_two_connections_are_two_sources(kdc: Kdc, keytab: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with opened(settings(keytab), tmp_path) as door:
        first = knock(door)
        await first.authenticate()
        monkeypatch.setenv("KRB5CCNAME", kdc.log_in("DC2$"))
        second = knock(door)
        await second.authenticate()
        await first.post(first.seal(b"1"))
        await second.post(second.seal(b"2"))
        assert [(identity and identity.name, content) for identity, content in door.heard] == [(f"DC1$@{REALM}", b"1"), (f"DC2$@{REALM}", b"2")]


async def test_sources_of_two_realms(kdc: Kdc, keytab: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each domain has its keytab, and its own name for the gateway; neither realm is this machine's."""
    folder = tmp_path / "fabrikam"
    folder.mkdir()
    with running_kdc(folder, "FABRIKAM.EXAMPLE") as other:
        other.add("HTTP/gw.fabrikam.example")
        other.add("DC1$")
        second = other.export_keytab(tmp_path / "second.keytab", "HTTP/gw.fabrikam.example")
        monkeypatch.setenv("KRB5_CONFIG", f"{kdc.config}:{other.config}")
        async with opened(settings(keytab, second), tmp_path) as door:
            peer = knock(door)
            assert await peer.authenticate() == 200
            await peer.post(peer.seal(b"1"))
            monkeypatch.setenv("KRB5CCNAME", other.log_in("DC1$"))
            peer = knock(door, host="gw.fabrikam.example")
            assert await peer.authenticate() == 200
            await peer.post(peer.seal(b"2"))
            first, last = (identity for identity, _ in door.heard if identity)
            assert (first.name, last.name) == ("DC1$@CONTOSO.EXAMPLE", "DC1$@FABRIKAM.EXAMPLE")
            assert first.key != last.key


async def test_a_source_may_authenticate_anew(keytab: Path, tmp_path: Path) -> None:
    async with opened(settings(keytab), tmp_path) as door:
        peer = knock(door)
        await peer.authenticate()
        await peer.post(peer.seal(b"1"))
        again = Peer(peer.client)
        assert await again.authenticate() == 200
        assert await again.post(again.seal(b"2")) == (200, HEARD + b"2")


async def test_windows_own_list_of_mechanisms(keytab: Path, tmp_path: Path) -> None:
    """It begins with the identifier that Windows 2000 had for Kerberos, and wants to read that one back."""
    async with opened(settings(keytab), tmp_path) as door:
        bare = spnego.client(hostname=HOST, service="HTTP", protocol="kerberos", context_req=FLAGS).step() or b""
        status, said = await knock(door, "Negotiate").offer(encode_negotiation((KERBEROS_OF_WINDOWS_2000, KERBEROS, NEGOEX, NTLM), bare))
        assert status == 200
        assert KERBEROS_OF_WINDOWS_2000 in base64.b64decode(said)


async def test_negotiation_may_take_two_legs(keytab: Path, tmp_path: Path) -> None:
    """A client that offers without a token of its own gets a 401 that says which mechanism, and goes on (RFC 4178 section 3.2)."""
    async with opened(settings(keytab), tmp_path) as door:
        peer = knock(door, "Negotiate")
        status, said = await peer.offer(encode_negotiation((KERBEROS, NTLM), None))
        assert (status, bool(said)) == (401, True)
        bare = spnego.client(hostname=HOST, service="HTTP", protocol="kerberos", context_req=FLAGS)
        status, said = await peer.offer(encode_later_token(bare.step()))
        assert (status, bool(said)) == (200, True)


# who doesn't


def ticket(service: str = SERVICE, encryption: int = 18) -> bytes:
    return encode_initial_token(encode_ap_req(Request(service, REALM, encryption, 1, encryption), b"t" * 100, b"a" * 100))


REFUSED = {
    "no credentials": (None, "kerberos-no-credentials"),
    "Basic": ("Basic dXNlcjpwYXNz", "kerberos-scheme"),
    "CredSSP": ("CredSSP TlRM", "kerberos-scheme"),
    "no base64": ("Kerberos ====", "kerberos-token"),
    "no token": ("Kerberos", "kerberos-token"),
    "no token at all in Negotiate": ("Negotiate", "kerberos-token"),
    "64 kB less a little of nothing": ("Kerberos " + base64.b64encode(bytes(45_000)).decode(), "kerberos-token"),
    "two credentials": ("Kerberos YQ==, Negotiate YQ==", "kerberos-token"),
    "NTLM": ("Negotiate " + base64.b64encode(NTLM_NEGOTIATE).decode(), "kerberos-ntlm"),
    "NTLM under Kerberos": ("Kerberos " + base64.b64encode(NTLM_NEGOTIATE).decode(), "kerberos-ntlm"),
    "NTLM in SPNEGO": ("Negotiate " + base64.b64encode(encode_negotiation((NTLM,), NTLM_NEGOTIATE)).decode(), "kerberos-ntlm"),
    "NTLM offered behind NEGOEX": ("Negotiate " + base64.b64encode(encode_negotiation((NEGOEX, NTLM), b"N")).decode(), "kerberos-ntlm"),
    "NEGOEX before Kerberos": ("Negotiate " + base64.b64encode(encode_negotiation((NEGOEX, KERBEROS), b"N")).decode(), "kerberos-mechanism"),
    "another mechanism": ("Negotiate " + base64.b64encode(encode_negotiation((NEGOEX,), b"N")).decode(), "kerberos-mechanism"),
    "an answer for a question": ("Negotiate " + base64.b64encode(encode_later_token(None, state=0)).decode(), "kerberos-token"),
    "a ticket of RC4": ("Kerberos " + base64.b64encode(ticket(encryption=23)).decode(), "kerberos-rc4"),
    "a forged ticket": ("Kerberos " + base64.b64encode(ticket()).decode(), "kerberos-wrong-key"),
    "a forged ticket in SPNEGO": ("Negotiate " + base64.b64encode(encode_negotiation((KERBEROS,), ticket())).decode(), "kerberos-wrong-key"),
}


@pytest.mark.parametrize(("credentials", "reason"), REFUSED.values(), ids=REFUSED)
async def test_refused(keytab: Path, tmp_path: Path, credentials: str | None, reason: str) -> None:
    async with opened(settings(keytab), tmp_path) as door:
        client = door.serving.connect()
        for _ in range(2):
            await client.send(post(b"", *([] if credentials is None else [f"Authorization: {credentials}".encode()])))
            octets = await client.stream.receive_some(65536)
            assert octets.startswith(b"HTTP/1.1 401 ")
            assert b"\r\nWWW-Authenticate: Kerberos\r\nWWW-Authenticate: Negotiate\r\n" in octets
            assert octets.endswith(b"\r\n\r\n")
        assert door.refused(reason) == 2
        assert door.last_refusal()[0] == reason
        assert door.heard == []


async def test_the_third_refusal_is_a_connections_last(keytab: Path, tmp_path: Path) -> None:
    async with opened(settings(keytab), tmp_path) as door:
        client = door.serving.connect()
        await client.send(post(b"", b"Authorization: Basic YQ==") * 4)
        assert await client.answers() == [401, 401, 401]


async def test_content_without_context_is_not_read(keytab: Path, tmp_path: Path) -> None:
    async with opened(settings(keytab), tmp_path) as door:
        client = door.serving.connect()
        await client.send(post(b"<s:Envelope/>", b"Content-Type: application/soap+xml"))
        answer = await client.answer()
        assert answer is not None
        assert answer.status == 401
        assert door.heard == []
        await client.stream.aclose()


async def test_a_token_is_good_once_even_after_a_restart(keytab: Path, tmp_path: Path) -> None:
    peer = None
    for reason in ("", "kerberos-replay"):
        async with opened(settings(keytab), tmp_path) as door:
            if peer is None:
                peer = knock(door)
                token = peer.context.step() or b""
            status, _ = await Peer(door.serving.connect()).offer(token)
            assert status == (401 if reason else 200)
            assert not reason or door.refused(reason) == 1


async def test_a_ticket_for_another_service(kdc: Kdc, keytab: Path, tmp_path: Path) -> None:
    async with opened(settings(keytab), tmp_path) as door:
        assert await knock(door, host="other.contoso.example").authenticate() == 401
        reason, detail = door.last_refusal()
        assert reason == "kerberos-wrong-spn"
        assert f"HTTP/other.contoso.example@{REALM}" in detail
        assert f"{SERVICE}@{REALM} version 1" in detail


async def test_keys_of_other_services_are_left_out(kdc: Kdc, tmp_path: Path) -> None:
    both = kdc.export_keytab(tmp_path / "both.keytab", SERVICE, "cifs/gw.contoso.example")
    async with opened(settings(both), tmp_path) as door:
        assert await knock(door, service="cifs").authenticate() == 401
        assert door.refused("kerberos-wrong-spn") == 1
        assert await knock(door).authenticate() == 200


async def test_a_changed_password_is_told_and_a_new_keytab_taken_without_restart(kdc: Kdc, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    service = "HTTP/rotated.contoso.example"
    kdc.add(service)
    keytab = kdc.export_keytab(tmp_path / "http.keytab", service)
    async with opened(settings(keytab), tmp_path) as door:
        before = knock(door, host="rotated.contoso.example")
        assert await before.authenticate() == 200
        kdc.change_keys(service)
        monkeypatch.setenv("KRB5CCNAME", kdc.log_in("DC1$"))
        assert await knock(door, host="rotated.contoso.example").authenticate() == 401
        assert door.last_refusal()[0] == "kerberos-unknown-kvno"
        kdc.export_keytab(keytab, service)
        assert await knock(door, host="rotated.contoso.example").authenticate() == 200
        assert await before.post(before.seal(b"still")) == (200, HEARD + b"still")
        spoil(keytab)
        assert await knock(door, host="rotated.contoso.example").authenticate() == 200


async def test_a_key_of_the_right_version_that_is_another(keytab: Path, tmp_path: Path) -> None:
    rewrite(keytab, lambda keys: [dataclasses.replace(key, secret=bytes(len(key.secret))) for key in keys])
    async with opened(settings(keytab), tmp_path) as door:
        assert await knock(door).authenticate() == 401
        assert door.last_refusal()[0] == "kerberos-wrong-key"


async def test_a_keytab_without_the_tickets_encryption(keytab: Path, tmp_path: Path) -> None:
    rewrite(keytab, lambda keys: [key for key in keys if key.encryption == 17])
    async with opened(settings(keytab), tmp_path) as door:
        assert await knock(door).authenticate() == 401
        assert door.last_refusal()[0] == "kerberos-missing-enctype"


async def test_rc4_is_taken_only_where_it_is_allowed(kdc: Kdc, tmp_path: Path) -> None:
    keytab = kdc.export_keytab(tmp_path / "old.keytab", "HTTP/old.contoso.example")
    async with opened(settings(keytab), tmp_path) as door:
        assert await knock(door, host="old.contoso.example").authenticate() == 401
        assert "rc4-hmac" in door.last_refusal()[1]
    async with opened(settings(keytab, encryption=["aes", "rc4"]), tmp_path) as door:
        peer = knock(door, host="old.contoso.example")
        assert await peer.authenticate() == 200
        assert (await peer.post(peer.seal(SOAP)))[0] == 200


def set_clock_offset(cache: Path, seconds: int) -> None:
    """A ticket cache says how far the KDC's clock is from ours (its header's field 1), which the client then believes."""
    octets = cache.read_bytes()
    assert octets[:2] == b"\x05\x04"
    (length,) = struct.unpack_from(">H", octets, 2)
    cache.write_bytes(b"\x05\x04" + struct.pack(">HHHii", 12, 1, 8, seconds, 0) + octets[4 + length :])


async def test_a_clock_an_hour_off(keytab: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = Path(os.environ["KRB5CCNAME"].removeprefix("FILE:"))
    spnego.client(hostname=HOST, service="HTTP", protocol="kerberos").step()  # the KDC wouldn't give the ticket later
    set_clock_offset(cache, 3600)
    monkeypatch.setenv("KRB5CCNAME", f"FILE:{cache}")
    async with opened(settings(keytab), tmp_path) as door:
        assert await knock(door).authenticate() == 401
        assert door.last_refusal()[0] == "kerberos-clock-skew"


async def test_a_source_that_wants_no_encryption(keytab: Path, tmp_path: Path) -> None:
    async with opened(settings(keytab), tmp_path) as door:
        assert await knock(door, flags=spnego.ContextReq.mutual_auth | spnego.ContextReq.no_integrity).authenticate() == 401
        assert door.last_refusal()[0] == "kerberos-flags"


async def test_another_principal_on_the_same_connection(kdc: Kdc, keytab: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with opened(settings(keytab), tmp_path) as door:
        first = knock(door)
        await first.authenticate()
        monkeypatch.setenv("KRB5CCNAME", kdc.log_in("DC2$"))
        assert await Peer(first.client).authenticate() == 401
        assert door.refused("kerberos-other-principal") == 1
        assert await first.client.answer() is None


async def test_negotiations_word_that_it_is_done_is_not_taken(keytab: Path, tmp_path: Path) -> None:
    async with opened(settings(keytab), tmp_path) as door:
        peer = knock(door, "Negotiate")
        assert await peer.offer(encode_negotiation((KERBEROS,), None)) != (401, "")
        status, _ = await peer.offer(encode_later_token(None, state=0))  # NegTokenResp: accept-completed
        assert status == 401
        assert await peer.post(b"x") == (401, b"")
        assert door.heard == []
        await peer.client.stream.aclose()


@pytest.mark.parametrize(("token", "reason"), [(ticket(encryption=23), "kerberos-rc4"), (NTLM_NEGOTIATE, "kerberos-ntlm")], ids=["RC4", "NTLM"])
async def test_a_second_leg_is_judged_as_the_first(keytab: Path, tmp_path: Path, token: bytes, reason: str) -> None:
    async with opened(settings(keytab), tmp_path) as door:
        peer = knock(door, "Negotiate")
        await peer.offer(encode_negotiation((KERBEROS, NTLM), None))
        assert (await peer.offer(encode_later_token(token)))[0] == 401
        assert door.last_refusal()[0] == reason


async def test_a_negotiation_does_not_go_on_for_ever(keytab: Path, tmp_path: Path) -> None:
    async with opened(settings(keytab), tmp_path) as door:
        peer = knock(door, "Negotiate")
        await peer.offer(encode_negotiation((KERBEROS,), None))
        for _ in range(3):
            assert (await peer.offer(encode_later_token(None, state=1)))[0] == 401
        assert door.last_refusal() == ("kerberos-failed", "not done after 4 tokens")


async def test_a_failed_attempt_leaves_the_source_what_it_was(keytab: Path, tmp_path: Path) -> None:
    async with opened(settings(keytab), tmp_path) as door:
        peer = knock(door)
        await peer.authenticate()
        assert (await Peer(peer.client, "Negotiate").offer(b"nothing"))[0] == 401
        assert await peer.post(peer.seal(b"1")) == (200, HEARD + b"1")


# content


@pytest.mark.parametrize("scheme", ["Kerberos", "Negotiate"])
async def test_content_that_this_peer_did_not_seal(keytab: Path, tmp_path: Path, scheme: str) -> None:
    async with opened(settings(keytab), tmp_path) as door:

        async def said(spoil: str) -> bytes:
            peer = knock(door, scheme)
            await peer.authenticate()
            wrapped = peer.context.wrap_winrm(SOAP)
            header, data = wrapped.header, wrapped.data
            if spoil == "data":
                data = bytes((data[0] ^ 1,)) + data[1:]
            elif spoil == "header":
                header = header[:-1] + bytes((header[-1] ^ 1,))
            elif spoil == "signed":
                signed = peer.context.wrap(SOAP, encrypt=False).data
                header, data = signed[:16], signed[16:]
            elif spoil == "twice":
                await peer.post(encode_sealed(Sealed(peer.protocol, header, data, len(SOAP))))
            elif spoil == "nothing":
                header, data = b"\x05\x04", b""
            length = len(SOAP) if len(data) == len(SOAP) else len(data)
            status, _ = await peer.post(encode_sealed(Sealed(peer.protocol, header, data, length)))
            assert status == 400
            return door.heard[-1][1]

        assert {await said(spoil) for spoil in ("data", "header", "twice", "nothing")} == {b"kerberos-seal"}
        assert await said("signed") in (b"kerberos-unsealed", b"kerberos-seal")


async def test_content_in_the_clear(keytab: Path, tmp_path: Path) -> None:
    async with opened(settings(keytab), tmp_path) as door:
        peer = knock(door)
        await peer.authenticate()
        await peer.client.send(post(SOAP, b"Content-Type: application/soap+xml;charset=UTF-16"))
        answer = await peer.client.answer()
        assert answer is not None
        assert answer.status == 400
        assert door.heard[-1][1] == b"multipart-type"


def head(*fields: tuple[str, str], length: int = 0) -> Head:
    return Head("POST", "/wsman", (("host", HOST), *fields), length)


def test_any_credentials_are_answered_and_never_an_error(keytab: Path, tmp_path: Path) -> None:
    """Arbitrary octets, and a real token of which one octet is another: 401 always, once the authenticator's part is reached."""
    door = open_door(settings(keytab), tmp_path)
    assert isinstance(door.authenticator, KerberosAuthenticator)
    token = spnego.client(hostname=HOST, service="HTTP", protocol="negotiate", context_req=FLAGS).step() or b""
    damaged = st.builds(lambda at, octet: token[:at] + bytes((octet,)) + token[at + 1 :], st.integers(0, len(token) - 1), st.integers(0, 255))
    cut = st.integers(0, len(token) - 1).map(lambda at: token[:at])
    tokens = st.one_of(st.binary(max_size=80), damaged, cut).map(lambda octets: base64.b64encode(octets).decode())
    values = st.one_of(st.text(max_size=40), st.tuples(st.sampled_from(["Kerberos ", "Negotiate "]), tokens).map("".join))

    @given(st.lists(values, min_size=1, max_size=3))
    def converse(credentials: list[str]) -> None:
        session = KerberosSession(door.authenticator, "192.0.2.1")  # type: ignore[arg-type]

        async def admit() -> set[int]:
            answers = [await session.admit(head(("authorization", value))) for value in credentials]
            return {answer.status for answer in answers if answer is not None}

        # flags and times in the clear part of a ticket may be changed without harm; then it is who it was
        assert trio.run(admit) <= ({401} if session.identity is None else {200, 401})
        assert session.identity is None or session.identity.name == f"DC1$@{REALM}"

    converse()


async def test_any_content_is_a_message_error(keytab: Path, tmp_path: Path) -> None:
    door = open_door(settings(keytab), tmp_path)
    assert isinstance(door.authenticator, KerberosAuthenticator)
    session = KerberosSession(door.authenticator, "192.0.2.1")
    context = spnego.client(hostname=HOST, service="HTTP", protocol="kerberos", context_req=FLAGS)
    admitted = await session.admit(head(("authorization", f"Kerberos {base64.b64encode(context.step() or b'').decode()}")))
    assert admitted is not None
    context.step(base64.b64decode(admitted.fields[0][1].removeprefix("Kerberos ")))
    wrapped = context.wrap_winrm(SOAP)
    body = encode_sealed(Sealed(Protocol.KERBEROS, wrapped.header, wrapped.data, len(SOAP)))
    fields = head(("content-type", encode_content_type(Protocol.KERBEROS)), length=1)
    for at in range(len(body)):
        spoilt = body[:at] + bytes((body[at] ^ 0x55,)) + body[at + 1 :]
        with contextlib.suppress(MessageError):
            assert (await session.open_body(fields, spoilt)).octets == SOAP  # only where what was changed is free to be


# configuration


def test_keytabs_of_several_files_become_one_that_nobody_else_can_read(kdc: Kdc, keytab: Path, tmp_path: Path) -> None:
    other = kdc.export_keytab(tmp_path / "other.keytab", "HTTP/other.contoso.example", SERVICE)
    open_door(settings(keytab, other), tmp_path / "state")
    merged = tmp_path / "state" / "kerberos" / "keytab"
    assert merged.stat().st_mode & 0o777 == 0o600
    assert merged.parent.stat().st_mode & 0o777 == 0o700
    keys = parse_keytab(merged.read_bytes())
    assert {key.service for key in keys} == {SERVICE, f"HOST/{HOST}", "HTTP/other.contoso.example"}
    assert len(keys) == len(set(keys))
    assert len({dataclasses.replace(key, written_at=0) for key in keys}) == 6, "but for the second in which the realm wrote them down"
    assert os.environ["KRB5_KTNAME"] == f"FILE:{merged}"


BAD = {
    "missing": (None, "can't be read"),
    "no keytab": (b"-----BEGIN", "is no keytab"),
    "empty": (b"\x05\x02", "has no key of HTTP or HOST"),
}


@pytest.mark.parametrize(("octets", "why"), BAD.values(), ids=BAD)
def test_a_keytab_that_cannot_be_used(tmp_path: Path, octets: bytes | None, why: str) -> None:
    path = tmp_path / "http.keytab"
    if octets is not None:
        path.write_bytes(octets)
    with pytest.raises(ConfigError) as raised:
        open_door(settings(path), tmp_path)
    assert why in raised.value.why
