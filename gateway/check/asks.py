"""The questions of `tidegate check --connect`, each to one peer: does the name resolve, does the port accept, is the clock right, who issued the certificate.

An answer says how it is. A "no" is an AskError; whoever asks knows how bad that is. Nothing a peer says is repeated but names and numbers, cut.
"""

from __future__ import annotations

import hashlib
import ipaddress
import secrets
import socket
import ssl
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

import h11
import trio
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.x509.oid import NameOID

from forwarders.http.settings import ClientTls
from gateway.check.findings import Level
from gateway.check.prerequisites import Prerequisites, Root
from gateway.check.ways import AskError, UnbelievedError, Way, asking, client_context, connected, exchange, fetch_status, secured
from pipeline.errors import MessageError
from pipeline.settings import SocketAddress
from wire.radius.authenticators import encode_status_server, verify_response
from wire.radius.packet import AUTHENTICATOR_OCTETS
from wire.sntp import Reply, encode_request, parse_reply

SHOWN: Final = 4
MOST_ADDRESSES: Final = 8
NAME_CHARACTERS: Final = 160
NO_ISSUER: Final = "an issuer that can't be read"
EXEMPT: Final = "exempt this destination from TLS inspection"
LOOK_ELSEWHERE: Final = "compare with what a machine on another network is shown: openssl s_client -showcerts -connect {}"


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of a question.

    level:  how bad.
    why:    how it is.
    fix:    what to do about it, where that isn't the question's own.
    """

    level: Level
    why: str
    fix: str = ""


async def ask_name(host: str) -> Answer:
    """Whether it resolves."""
    found = await _resolve(host)
    return Answer(Level.OK, ", ".join(found[:SHOWN]) + (f" and {len(found) - SHOWN} more" if len(found) > SHOWN else ""))


async def ask_reverse(host: str) -> Answer:
    """Whether its addresses resolve to its name."""
    names: list[str] = []
    for address in (await _resolve(host))[:MOST_ADDRESSES]:
        try:
            name, _ = await trio.socket.getnameinfo((address, 0), socket.NI_NAMEREQD)
        except socket.gaierror:
            raise AskError(f"{address} has no name") from None
        if not _is_address(host) and name.rstrip(".").lower() != host.rstrip(".").lower():
            raise AskError(f"{address} is called {name[:NAME_CHARACTERS]}")
        names.append(name[:NAME_CHARACTERS])
    return Answer(Level.OK, names[0])


async def ask_port(way: Way) -> Answer:
    """Whether it accepts a connection."""
    async with connected(way):
        return Answer(Level.OK, "accepts" + (" through the proxy" if way.proxy else ""))


async def ask_datagram(address: SocketAddress, question: bytes) -> Answer:
    """Whether it answers a question, whatever it answers."""
    answer = await exchange(address, lambda: question)
    return Answer(Level.OK, f"answers ({len(answer)} octets)")


async def ask_time(address: SocketAddress, *, limit_s: float, notable_s: float, clock: Callable[[], int] = time.time_ns) -> Answer:
    """How far its clock is from ours."""
    nonce = sent_ns = arrived_ns = 0
    found: Reply | None = None
    refused: MessageError | None = None

    def request() -> bytes:
        nonlocal nonce, sent_ns
        nonce, sent_ns = secrets.randbits(64), clock()
        return encode_request(nonce)

    def accept(octets: bytes) -> bool:
        nonlocal arrived_ns, found, refused
        arrived_ns = clock()
        try:
            found = parse_reply(octets, nonce, arrived_ns)
        except MessageError as error:
            refused = error
            return error.rule in SNTP_WORDS  # what isn't even an answer to the last request is passed over
        return True

    await exchange(address, request, accept)
    if found is None:
        raise AskError(SNTP_WORDS[refused.rule] if refused else "no answer")
    seconds = found.offset_ns(sent_ns, arrived_ns) / 1e9
    said = f"its clock is {abs(seconds):,.3f} s {'ahead of' if seconds > 0 else 'behind'} ours, stratum {found.stratum}"
    if abs(seconds) >= limit_s:
        raise AskError(said)
    return Answer(Level.WARNING if abs(seconds) >= notable_s else Level.OK, said)


SNTP_WORDS: Final = {
    "sntp-kiss": "it doesn't want to be asked the time (kiss o' death)",
    "sntp-unsynchronized": "its clock isn't synchronized",
    "sntp-stratum": "its clock isn't synchronized",
    "sntp-time": "it says no time",
}


async def ask_radius(address: SocketAddress, secret: bytes) -> Answer:
    """Whether a RADIUS server answers Status-Server (RFC 5997), which it only does to whom it shares a secret with."""
    request = encode_status_server(secrets.randbits(8), secrets.token_bytes(AUTHENTICATOR_OCTETS), secret)
    answer = await exchange(address, lambda: request, lambda octets: octets[1:2] == request[1:2])
    try:
        verify_response(answer, request, secret)
    except MessageError as error:
        raise AskError("answers Status-Server, and signs with another secret", "write the same secret on both sides") from error
    return Answer(Level.OK, "answers Status-Server, with our secret")


async def ask_certificate(way: Way, host: str, tls: ClientTls, known: Prerequisites, root: Root | None = None) -> Answer:
    """Which TLS it speaks, and whether the certificate is its own.

    The expected root alone is believed first, then every authority, at last none, only to see who issued what isn't believed; nothing is said on any of them.

    Args:
        way: to the server.
        host: what its certificate has to say.
        tls: whose certificates are believed.
        known: products that intercept.
        root: what its certificate has to be under; None for any authority.
    """
    usual = client_context(tls)
    only = _only(usual, root) if root is not None else None
    if only is not None and root is not None:
        with suppress(UnbelievedError):
            async with secured(way, only, host) as stream:
                return Answer(Level.OK, f"{stream.version()}; its certificate is under {root.name}: nobody decrypts on the way")
    try:
        async with secured(way, usual, host) as stream:
            issuer = read_issuer(stream.getpeercert(binary_form=True))
            version = str(stream.version())
    except UnbelievedError as error:
        issuer = await _issuer_of_unbelieved(way, host)
        if product := known.interceptor(issuer.name):
            raise AskError(f"{product} decrypts on the way: the certificate is issued by {issuer.name}", EXEMPT) from error
        raise AskError(f"{error.why} (issued by {issuer.name})", "renew it, or name its authority as ca in the table's tls") from error
    if product := known.interceptor(issuer.name):
        raise AskError(f"{product} decrypts on the way: the certificate is issued by {issuer.name}", EXEMPT)
    elsewhere = LOOK_ELSEWHERE.format(way.address)
    said = f"{version}; its certificate is issued by {issuer.name}"
    if root is None:
        if issuer.public or tls.ca:
            return Answer(Level.OK, said)
        why = f"{said}, which this machine believes and which is no public authority: your organization's own, or somebody who decrypts on the way"
        return Answer(Level.UNKNOWN, why, f"if it is your own, name it as ca in the table's tls; {elsewhere}")
    if only is None:
        return Answer(Level.UNKNOWN, f"{said}, and this machine doesn't have {root.name} to compare with", "install ca-certificates")
    own = "" if issuer.public else ", and is no public authority's"
    return Answer(Level.UNKNOWN, f"{said}, which this machine believes{own}; it isn't under {root.name}, so somebody may decrypt", elsewhere)


async def ask_status(way: Way, host: str, tls: ClientTls, path: str, statuses: tuple[int, ...]) -> Answer:
    """What an https server answers to a GET."""
    request = h11.Request(method="GET", target=path, headers=[("host", host), ("user-agent", "tidegate"), ("connection", "close")])
    async with secured(way, client_context(tls), host) as stream:
        status = await fetch_status(stream, request)
    if status not in statuses:
        raise AskError(f"answers {status}")
    return Answer(Level.OK, f"answers {status}")


@dataclass(frozen=True, slots=True)
class Issuer:
    """Who issued a certificate.

    name:    as RFC 4514 writes it, cut.
    public:  whether it may be one of the public authorities, whose names have an organization and a country (CA/Browser Forum, Baseline Requirements
             section 7.1.2); one without is an organization's own, or made by something on the way.
    """

    name: str
    public: bool


def read_issuer(der: bytes | None) -> Issuer:
    """The issuer of a certificate, whatever is wrong with it."""
    try:
        name = x509.load_der_x509_certificate(der or b"").issuer
        public = all(name.get_attributes_for_oid(kind) for kind in (NameOID.ORGANIZATION_NAME, NameOID.COUNTRY_NAME))
        return Issuer(name.rfc4514_string()[:NAME_CHARACTERS] or NO_ISSUER, public)
    except (ValueError, TypeError, UnsupportedAlgorithm, x509.InvalidVersion):  # it is hostile or broken
        return Issuer(NO_ISSUER, public=False)


async def _issuer_of_unbelieved(way: Way, host: str) -> Issuer:
    blind = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    blind.check_hostname = False
    blind.verify_mode = ssl.CERT_NONE
    async with secured(way, blind, host) as stream:
        return read_issuer(stream.getpeercert(binary_form=True))


def _only(context: ssl.SSLContext, root: Root) -> ssl.SSLContext | None:
    """A context that believes this root alone; None where the machine doesn't have it."""
    for der in context.get_ca_certs(binary_form=True):
        if hashlib.sha1(der, usedforsecurity=False).hexdigest().upper() == root.thumbprint:
            only = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            only.minimum_version = ssl.TLSVersion.TLSv1_2
            only.load_verify_locations(cadata=der)
            return only
    return None


async def _resolve(host: str) -> list[str]:
    try:
        with asking():
            found = await trio.socket.getaddrinfo(host, 0, type=socket.SOCK_STREAM)
    except AskError as error:
        raise AskError(error.why) from error  # who asks for a name knows better what to do
    return list(dict.fromkeys(str(info[4][0]) for info in found))


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
