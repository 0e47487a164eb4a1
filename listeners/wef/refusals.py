"""Why a Windows source was turned away: each reason with what it means and what ends it, counted, logged and kept for `tidegate explain --last`.

A source that isn't let in says nothing on its side but "105: the forwarder is having a problem communicating", so the collector has to. Reasons are the
labels of `tidegate_connections_refused_total`; the fixes are commands for the Windows side, where a fix belongs there, with NAMES to be replaced.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from pipeline.log import PeerLog
from pipeline.metrics import Metrics
from pipeline.model import Origin, Reject, Transport


@dataclass(frozen=True, slots=True)
class Explanation:
    """A reason, for an operator.

    meaning:  what happened.
    fix:      what to do about it.
    """

    meaning: str
    fix: str


@dataclass(frozen=True, slots=True)
class Refusal:
    """One connection turned away.

    reason:  a key of EXPLANATIONS.
    detail:  facts of this one: names, versions, what the library said.
    """

    reason: str
    detail: str = ""


_KTPASS: Final = (
    "ktpass -princ HTTP/GATEWAY@REALM -mapuser ACCOUNT -pass * -crypto AES256-SHA1 -ptype KRB5_NT_PRINCIPAL -out http.keytab"
    " (with HOST too: docs/listeners/wef.md section 3)"
)
_CLOCK: Final = "w32tm /resync /rediscover on the client, w32tm /query /status to see its source; and let this host follow the same time (chronyc tracking)"
_PORTS: Final = "GPO Configure target Subscription Manager: Server=https://GATEWAY:5986/... for certificates, Server=http://GATEWAY:5985/... for Kerberos"
_STORE: Final = "certlm.msc, Personal: renew or enrol a certificate with Client Authentication, then restart-service winrm"

EXPLANATIONS: Final = MappingProxyType(
    {
        # TLS
        "tls-plain-text": Explanation("the client speaks plain HTTP to the TLS port", _PORTS),
        "tls-version": Explanation(
            "the client speaks no TLS newer than 1.1",
            r"enable TLS 1.2 for Schannel: reg add HKLM\SYSTEM\CurrentControlSet\Control\SecurityProviders\SCHANNEL\Protocols\TLS 1.2\Client /v"
            r" Enabled /t REG_DWORD /d 1,"
            " and restart the client",
        ),
        "tls-cipher": Explanation(
            "client and gateway know no common cipher",
            "give the gateway an ECDSA P-256 certificate, which Windows Server 2012 R2 needs; Get-TlsCipherSuite shows the client's ciphers",
        ),
        "tls-no-certificate": Explanation(
            "the client found no certificate to show",
            "set IssuerCA=THUMBPRINT of the authority that issued the client's certificate in the GPO (tidegate subscription gpo); and let NETWORK"
            " SERVICE read its key:"
            " certlm.msc, Personal, All Tasks, Manage Private Keys",
        ),
        "tls-unknown-issuer": Explanation(
            "the client's certificate was issued by an authority that client_ca doesn't have, or by an intermediate of one that it has: Windows sends"
            " its own certificate alone",
            "add the PEM certificate of every issuing authority, intermediates too, to client_ca; or set IssuerCA in the GPO to the thumbprint of one"
            " that is there"
            " (certutil -store My on the client shows who issued what)",
        ),
        "tls-missing-intermediate": Explanation(
            "the client's certificate leads to an authority of client_ca by way of an intermediate that isn't there itself, so the client can't be"
            " told whose thumbprint to look for",
            "add the intermediate's PEM certificate to client_ca: certutil -ca.cert intermediate.cer on that authority, or openssl x509 -inform der"
            " -in intermediate.cer",
        ),
        "tls-forged-issuer": Explanation(
            "the client's certificate names an authority of client_ca as its issuer, and that one's key didn't sign it: the authority was renewed"
            " with a new key, or this is a forgery",
            "add the renewed authority's PEM certificate to client_ca beside the former one (certutil -ca.cert new-ca.cer)",
        ),
        "tls-expired": Explanation("the client's certificate, or its issuer's, has expired", _STORE),
        "tls-not-yet-valid": Explanation("the client's certificate isn't valid yet: a clock is wrong, or it was issued for later", _CLOCK),
        "tls-purpose": Explanation("the client's certificate isn't meant for client authentication (extended key usage 1.3.6.1.5.5.7.3.2)", _STORE),
        "tls-revoked": Explanation("the client's certificate has been revoked by its authority", _STORE),
        "tls-revocation-unknown": Explanation(
            "client_crl has no current revocation list of the authority that issued the client's certificate",
            "certutil -crl on that authority publishes one; bring it to client_crl as PEM (openssl crl -inform der -in ca.crl -out crl.pem),"
            " again before it expires",
        ),
        "tls-weak-certificate": Explanation("the client's certificate, or its issuer's, has a key too short or is signed with SHA-1 or MD5", _STORE),
        "tls-certificate": Explanation("the client's certificate isn't acceptable for another reason", _STORE),
        "tls-server-untrusted": Explanation(
            "the client doesn't accept the gateway's certificate: it doesn't know the authority, the certificate has expired, or it is for another"
            " name than the url's",
            "certutil -addstore Root ca.cer on the client (or by GPO: Public Key Policies), and issue the gateway's certificate for the very name in"
            " the subscription manager's URL",
        ),
        "tls-closed": Explanation(
            "the client closed the connection in the handshake: a port scan, a balancer's health check, or a client that doesn't like the gateway's"
            " certificate",
            "nothing for a scan or a health check; a source that comes again and again may not trust the gateway, see tls-server-untrusted",
        ),
        "tls-handshake": Explanation(
            "the handshake failed", "restart-service winrm on the client, and see its log Microsoft-Windows-Forwarding/Operational for event 105"
        ),
        # HTTP authentication
        "kerberos-no-credentials": Explanation(
            "the client sent no credentials",
            "the URL in the GPO has to name the gateway as its service principal does; winrm get winrm/config/client/auth has to show Kerberos = true",
        ),
        "kerberos-scheme": Explanation(
            "the client tried another scheme than Kerberos or Negotiate",
            r"winrm set winrm/config/client/auth @{Basic=\"false\";Digest=\"false\";CredSSP=\"false\"}",
        ),
        "kerberos-token": Explanation("what the client sent is no security token", "nothing of Windows does this: find out who connects"),
        "kerberos-ntlm": Explanation(
            "the client fell back to NTLM, because it got no Kerberos ticket for the gateway",
            "setspn -Q HTTP/GATEWAY has to find exactly one account; the GPO's URL needs the full name, no address or alias; and the gateway mustn't"
            " be in TrustedHosts (winrm get winrm/config/client). klist get HTTP/GATEWAY on the client shows the error",
        ),
        "kerberos-mechanism": Explanation(
            "the client offered other mechanisms than Kerberos, or another one first",
            "the client has to be a member of the domain, or of one that trusts the gateway's",
        ),
        "kerberos-wrong-spn": Explanation(
            "the client's ticket is for a service that no keytab has a key for",
            "setspn -S HTTP/GATEWAY ACCOUNT and setspn -S HOST/GATEWAY ACCOUNT (Windows Server 2025 asks for HOST), then a keytab of that account:"
            f" {_KTPASS}; klist purge -li 0x3e7 on the client drops its old ticket",
        ),
        "kerberos-wrong-realm": Explanation(
            "the client's ticket is of a realm that no keytab has a key for",
            f"make a keytab in that domain too and list both in keytabs: {_KTPASS}",
        ),
        "kerberos-unknown-kvno": Explanation(
            "the account's password has changed since the keytab was made: its key has another version number",
            f"make the keytab anew: {_KTPASS}; the gateway reads it again by itself",
        ),
        "kerberos-missing-enctype": Explanation(
            "the keytab has the service's key, but not of the ticket's encryption type",
            "set-aduser ACCOUNT -KerberosEncryptionType AES128,AES256 (msDS-SupportedEncryptionTypes = 24), reset the password, and make the keytab"
            " with -crypto all",
        ),
        "kerberos-wrong-key": Explanation(
            "the keytab has a key of the ticket's version and encryption type, and it is another one: ktpass was run twice, or the account's password"
            " set without it",
            f"make the keytab anew, once: {_KTPASS}; then klist purge -li 0x3e7 on the client",
        ),
        "kerberos-rc4": Explanation(
            "the client's ticket is encrypted with RC4 or older, which isn't taken",
            "set-aduser ACCOUNT -KerberosEncryptionType AES128,AES256 (msDS-SupportedEncryptionTypes = 24), reset the password, and make the keytab anew;"
            ' or, knowing what it risks, encryption = ["aes", "rc4"] for the endpoint',
        ),
        "kerberos-clock-skew": Explanation("the client's clock and the gateway's differ by more than five minutes", _CLOCK),
        "kerberos-expired": Explanation("the client's ticket has expired", f"klist purge -li 0x3e7 on the client; if it comes again: {_CLOCK}"),
        "kerberos-replay": Explanation(
            "the same token was sent twice: a retry of something between client and gateway, or somebody who listens in",
            "no proxy may repeat requests: balance TCP, not HTTP",
        ),
        "kerberos-flags": Explanation(
            "the client wants no encryption or no mutual authentication",
            r"winrm set winrm/config/client @{AllowUnencrypted=\"false\"}, by GPO: WinRM Client, Allow unencrypted traffic: Disabled",
        ),
        "kerberos-other-principal": Explanation(
            "another principal authenticated on a connection that belonged to one", "no proxy may share connections among clients: balance TCP, not HTTP"
        ),
        "kerberos-failed": Explanation(
            "the ticket wasn't accepted", "klist purge -li 0x3e7 and restart-service winrm on the client; the detail is the Kerberos library's own"
        ),
    }
)


def explanation_of(reason: str) -> Explanation | None:
    """What a reason means; None for one of another kind."""
    return EXPLANATIONS.get(reason)


class Refusals:
    """Where refusals are told.

    Args:
        listener: its name, `listeners.wef`.
        metrics: counts them.
        peer_log: says them, at a bounded rate.
        remember: keeps the last ones, `Rejects.keep`.
        clock: nanoseconds since the Unix epoch.
    """

    def __init__(self, listener: str, metrics: Metrics, peer_log: PeerLog, remember: Callable[[Origin, Reject], None], clock: Callable[[], int]) -> None:
        self._listener: Final = listener
        self._metrics: Final = metrics
        self._peer_log: Final = peer_log
        self._remember: Final = remember
        self._clock: Final = clock

    def tell(self, refusal: Refusal, peer: str, transport: Transport, *, counted: bool = False) -> None:
        """Tell a refusal.

        Args:
            refusal: why.
            peer: the client's address.
            transport: how it came.
            counted: whether whoever accepts connections counts it.
        """
        if not counted:
            self._metrics.connections_refused.labels(self._listener, refusal.reason).inc()
        found = EXPLANATIONS[refusal.reason]
        facts = {name: text for name, text in (("detail", refusal.detail), ("fix", found.fix)) if text}
        self._peer_log.warning(found.meaning, peer=peer, listener=self._listener, reason=refusal.reason, **facts)
        self._remember(Origin(self._listener, transport, peer, self._clock()), Reject(b"", refusal.reason, 0, refusal.detail))
