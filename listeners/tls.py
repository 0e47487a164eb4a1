"""TLS of listeners that read their sockets themselves: contexts that follow their files, the handshake, and the names a client certificate gives its sender.

Documents: RFC 8446 and RFC 5246 (TLS 1.3 and 1.2), RFC 5425 (syslog over TLS), RFC 6614 (RADIUS over TLS). Departures, and choices they leave open:
  - TLS 1.2 and 1.3 (RFC 9662 section 4 and RFC 9325 deprecate what came before; Python's default cipher suites, all with forward secrecy first);
  - no session tickets: a syslog sender only ever writes. It closes without having read the tickets that TLS 1.3 servers send after the
    handshake, its kernel then answers with a reset, and the reset discards what of its last messages we haven't read yet;
  - the end of the stream without close_notify is a normal end: most senders end like that;
  - no application protocol is negotiated (ALPN): neither has one.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import socket
import ssl
from collections.abc import Iterable
from pathlib import Path
from typing import Final, TypedDict, cast

import trio

from listeners.channel import TlsChannel
from listeners.drain import Wait
from listeners.file_stamp import stamp
from listeners.renewal import Apply
from listeners.tls_settings import TlsSettings
from pipeline.errors import ConfigError, PeerError
from pipeline.log import Log

NAME: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:@-]{0,254}", re.ASCII)
"""A name we are willing to call a sender by: no wildcard, no NUL, no control character, not of any length."""

SAN_KINDS: Final = ("DNS", "IP Address", "URI", "email")


class Certificate(TypedDict, total=False):
    """What we read of `ssl.SSLObject.getpeercert`'s value."""

    subject: tuple[tuple[tuple[str, str], ...], ...]
    subjectAltName: tuple[tuple[str, str], ...]


def make_context(settings: TlsSettings) -> ssl.SSLContext:
    """The server's side of every handshake.

    Raises:
        ConfigError: a file can't be read, isn't PEM, or the key isn't the certificate's.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.num_tickets = 0
    context.options |= ssl.OP_NO_TICKET | ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION
    try:
        context.load_cert_chain(settings.certificate, settings.key, password=_no_password)
    except OSError as error:  # ssl.SSLError is one
        what = f"{settings.table} {settings.certificate}, {settings.key}"
        raise ConfigError(what, _reason(error), "give a PEM certificate and its unencrypted PEM key, readable by this user") from error
    for name, paths in (("client_ca", settings.client_ca), ("client_crl", settings.client_crl)):
        for path in paths:
            try:
                context.load_verify_locations(path)
            except OSError as error:
                raise ConfigError(f"{settings.table}.{name} {path}", _reason(error), "give it as PEM, readable by this user") from error
    if settings.client_crl:
        context.verify_flags |= ssl.VERIFY_CRL_CHECK_LEAF
    context.verify_mode = settings.verify_mode
    return context


def _no_password() -> str:
    raise ssl.SSLError(0, "the key is encrypted")


def _reason(error: OSError) -> str:
    return error.strerror or str(error)


def handshake_threads() -> trio.CapacityLimiter:
    """Those in which a listener makes handshakes: a signature takes up to milliseconds, and behind a restart all clients come at once. One core is left."""
    return trio.CapacityLimiter(max(1, (os.cpu_count() or 1) - 1))


class Certificates:
    """The context for the next handshake: made anew when a file has changed, the last good one where the new files can't be used.

    threads:  in which handshakes are made.

    Args:
        settings: where the files are.
        log: says when they were read again, and why they couldn't be.

    Raises:
        ConfigError: as `make_context`.
    """

    def __init__(self, settings: TlsSettings, log: Log) -> None:
        self.threads: Final = handshake_threads()
        self._log: Final = log
        self._settings, self._files = settings, _files(settings)
        self._stamp = stamp(self._files)
        self._context = make_context(settings)

    def prepare(self, settings: TlsSettings) -> Apply:
        """Get ready for other files, or for the same ones as they are now.

        Raises:
            ConfigError: as `make_context`.
        """
        files = _files(settings)
        stamped, context = stamp(files), make_context(settings)

        def apply() -> None:
            self._settings, self._files, self._stamp, self._context = settings, files, stamped, context

        return apply

    def context(self) -> ssl.SSLContext:
        """The context for one handshake. Looks at the files first: three calls of stat(2), beside which a signature costs hundreds of times."""
        now = stamp(self._files)
        if now != self._stamp:
            self._stamp = now
            self.reload()
        return self._context

    def reload(self) -> None:
        """Read the files again."""
        try:
            self._context = make_context(self._settings)
        except ConfigError as error:
            self._log.error("certificate not reloaded, the former one stays", error=str(error))
        else:
            self._log.info("certificate reloaded", certificate=str(self._settings.certificate))


def _files(settings: TlsSettings) -> tuple[Path, ...]:
    return (settings.certificate, settings.key, *settings.client_ca, *settings.client_crl)


async def shake_hands(sock: socket.socket, peer: str, certificates: Certificates, wait: Wait, seconds: float, *, grace: float = 0.0) -> TlsChannel:
    """Put TLS on a connection just accepted. The socket is closed on any way out but success.

    Args:
        sock: the connection.
        peer: whose.
        certificates: of the server.
        wait: its waits for the peer.
        seconds: it may take.
        grace: seconds that a drain leaves to each of its steps; the last one may bring the first words along.

    Raises:
        PeerError: `tls-certificate` (none, expired, of another authority), `tls-deadline`, `tls-handshake` (anything else, plain text
            included), or why `wait` was ended.
    """
    deadline, done = trio.current_time() + seconds, False
    with contextlib.ExitStack() as unless_done:
        unless_done.enter_context(sock)
        channel = TlsChannel(sock, certificates.context())

        async def step() -> None:
            nonlocal done
            await channel.readable()
            done = await trio.to_thread.run_sync(channel.shake_hands, limiter=certificates.threads)

        try:
            while not done:
                if not await wait.until(step, deadline, grace):
                    raise PeerError(wait.ended_by or "tls-deadline", peer)
        except OSError as error:
            raise PeerError("tls-certificate" if _about_certificate(error) else "tls-handshake", peer) from error
        unless_done.pop_all()
        return channel


def _about_certificate(error: OSError) -> bool:
    return isinstance(error, ssl.SSLCertVerificationError) or (isinstance(error, ssl.SSLError) and error.reason == "PEER_DID_NOT_RETURN_A_CERTIFICATE")


def names_of(tls: ssl.SSLObject) -> tuple[str, ...]:
    """What the client's verified certificate calls it, best first; nothing where it showed none.

    The usable subjectAltNames, without any the common names, and last the fingerprint in the spelling of RFC 5425 section 4.2.2.
    """
    certificate = cast("Certificate | None", tls.getpeercert())  # typed loosely by typeshed
    if not certificate:
        return ()
    alternatives = [name for kind in SAN_KINDS for found, name in certificate.get("subjectAltName", ()) if found == kind]
    common = [name for relative in certificate.get("subject", ()) for kind, name in relative if kind == "commonName"]
    return (*(usable_names(alternatives) or usable_names(common)), fingerprint(tls.getpeercert(binary_form=True) or b""))


def identity(tls: ssl.SSLObject) -> str | None:
    """The best name of a client; None where it showed no certificate."""
    return next(iter(names_of(tls)), None)


def usable_names(names: Iterable[str]) -> list[str]:
    """Those that name one sender and nothing else."""
    return [name for name in names if NAME.fullmatch(name)]


def fingerprint(certificate: bytes) -> str:
    """`sha-256:E1:2D:...` of a DER certificate."""
    return "sha-256:" + hashlib.sha256(certificate).digest().hex(":").upper()
