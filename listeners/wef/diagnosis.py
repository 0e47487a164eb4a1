"""Why a Kerberos token or a TLS handshake failed: from what the peer said in the clear and what the library said of it, to a Refusal.

MIT's library says in a number what it found; which of the keytab's keys would have had to be there, the ticket's clear fields say. Both together name
the one thing that an administrator has to change.
"""

from __future__ import annotations

import ssl
from collections.abc import Collection, Iterator, Sequence
from types import MappingProxyType
from typing import Final

from listeners.wef.identity import plain_name
from listeners.wef.refusals import Refusal
from wire.ap_req import ENCRYPTION_NAMES, InitialToken, Mechanism, Request
from wire.keytab import Key

KERBEROS_ERRORS: Final = -1765328384 & 0xFFFFFFFF
"""What MIT krb5 adds to the error numbers of RFC 4120 section 7.5.9, as an unsigned GSS minor status (RFC 2744 section 3.9.1)."""

BY_KERBEROS_ERROR: Final = MappingProxyType(
    {
        32: "kerberos-expired",  # KRB_AP_ERR_TKT_EXPIRED
        33: "kerberos-clock-skew",  # KRB_AP_ERR_TKT_NYV, not yet valid
        34: "kerberos-replay",  # KRB_AP_ERR_REPEAT
        37: "kerberos-clock-skew",  # KRB_AP_ERR_SKEW
    }
)
BAD_INTEGRITY: Final = 31
MAX_TEXT: Final = 200
MAX_KEYS: Final = 6


def judge_token(token: InitialToken, allowed: Collection[int]) -> Refusal | None:
    """What is wrong with a first token before it is tried; None where nothing is.

    Args:
        token: as it was read.
        allowed: encryption types that are taken.
    """
    if token.mechanism is Mechanism.NTLM:
        return Refusal("kerberos-ntlm", f"offered {', '.join(token.offered)}")
    if token.mechanism is not Mechanism.KERBEROS:
        fallen_back = Mechanism.NTLM in token.offered and Mechanism.KERBEROS not in token.offered
        return Refusal("kerberos-ntlm" if fallen_back else "kerberos-mechanism", f"offered {', '.join(token.offered)}")
    request = token.request
    if request is not None and not {request.encryption, request.session_encryption} <= set(allowed):
        return Refusal("kerberos-rc4", describe(request))
    return None


def diagnose(request: Request | None, keys: Sequence[Key], minor: int | None, said: str) -> Refusal:
    """Why the library refused a token.

    Args:
        request: the token's clear fields, where it had any.
        keys: the keytabs' keys.
        minor: its GSS minor status; None where it gave none.
        said: its words.
    """
    error = -1 if minor is None else minor - KERBEROS_ERRORS
    if error in BY_KERBEROS_ERROR:
        return Refusal(BY_KERBEROS_ERROR[error], said[:MAX_TEXT] if request is None else describe(request))
    if request is None:
        return Refusal("kerberos-failed", said[:MAX_TEXT])
    reason = _missing(request, keys)
    if reason is None and error == BAD_INTEGRITY:
        reason = "kerberos-wrong-key"
    if reason is None:
        return Refusal("kerberos-failed", f"{describe(request)}; {said[:MAX_TEXT]}")
    return Refusal(reason, f"{describe(request)}; keytabs have {_listed(keys)}")


def _missing(request: Request, keys: Sequence[Key]) -> str | None:
    """The first thing in which no key is what the ticket needs; Windows doesn't tell upper from lower case in names."""
    left: Sequence[Key] = [key for key in keys if plain_name(key.realm) == plain_name(request.realm)]
    if not left:
        return "kerberos-wrong-realm"
    left = [key for key in left if plain_name(key.service) == plain_name(request.service)]
    if not left:
        return "kerberos-wrong-spn"
    if request.key_version is not None:
        left = [key for key in left if key.version == request.key_version]
    if not left:
        return "kerberos-unknown-kvno"
    return None if any(key.encryption == request.encryption for key in left) else "kerberos-missing-enctype"


def describe(request: Request) -> str:
    """A ticket in words."""
    version = "" if request.key_version is None else f", key version {request.key_version}"
    session = "" if request.session_encryption == request.encryption else f", session key {_encryption(request.session_encryption)}"
    return f"ticket for {request.service}@{request.realm}{version}, {_encryption(request.encryption)}{session}"


def _listed(keys: Sequence[Key]) -> str:
    def texts() -> Iterator[str]:
        for key in keys[:MAX_KEYS]:
            yield f"{key.service}@{key.realm} version {key.version} {_encryption(key.encryption)}"
        if len(keys) > MAX_KEYS:
            yield f"{len(keys) - MAX_KEYS} more"

    return ", ".join(texts()) or "no keys of HTTP or HOST"


def _encryption(number: int) -> str:
    return ENCRYPTION_NAMES.get(number, f"encryption type {number}")


BY_TLS_REASON: Final = MappingProxyType(
    {
        "HTTP_REQUEST": "tls-plain-text",
        "HTTPS_PROXY_REQUEST": "tls-plain-text",
        "WRONG_VERSION_NUMBER": "tls-plain-text",
        "UNSUPPORTED_PROTOCOL": "tls-version",
        "VERSION_TOO_LOW": "tls-version",
        "TLSV1_ALERT_PROTOCOL_VERSION": "tls-version",
        "NO_SHARED_CIPHER": "tls-cipher",
        "PEER_DID_NOT_RETURN_A_CERTIFICATE": "tls-no-certificate",
        "TLSV1_ALERT_UNKNOWN_CA": "tls-server-untrusted",
        "SSLV3_ALERT_BAD_CERTIFICATE": "tls-server-untrusted",
        "SSLV3_ALERT_CERTIFICATE_UNKNOWN": "tls-server-untrusted",
        "SSLV3_ALERT_CERTIFICATE_EXPIRED": "tls-server-untrusted",
        "TLSV1_ALERT_ACCESS_DENIED": "tls-server-untrusted",
        "UNEXPECTED_EOF_WHILE_READING": "tls-closed",
    }
)
"""By OpenSSL's name of the error: what the client sent, or the alert it ended with (RFC 8446 section 6.2)."""

BY_VERIFY_CODE: Final = MappingProxyType(
    {
        3: "tls-revocation-unknown",  # X509_V_ERR_UNABLE_TO_GET_CRL
        7: "tls-forged-issuer",  # X509_V_ERR_CERT_SIGNATURE_FAILURE
        9: "tls-not-yet-valid",
        10: "tls-expired",
        12: "tls-revocation-unknown",  # X509_V_ERR_CRL_HAS_EXPIRED
        18: "tls-unknown-issuer",  # self-signed
        19: "tls-unknown-issuer",  # self-signed in its chain
        20: "tls-unknown-issuer",
        21: "tls-unknown-issuer",
        23: "tls-revoked",
        26: "tls-purpose",
        66: "tls-weak-certificate",  # X509_V_ERR_EE_KEY_TOO_SMALL
        67: "tls-weak-certificate",
        68: "tls-weak-certificate",  # X509_V_ERR_CA_MD_TOO_WEAK
    }
)
"""By the number of OpenSSL's x509_vfy.h."""


def judge_handshake(error: BaseException | None) -> Refusal:
    """Why a handshake failed, by what ended it."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return Refusal(BY_VERIFY_CODE.get(error.verify_code, "tls-certificate"), error.verify_message)
    if isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError) or not isinstance(error, ssl.SSLError):
        return Refusal("tls-closed")
    name = getattr(error, "reason", None) or ""  # only where OpenSSL raised it
    return Refusal(BY_TLS_REASON.get(name, "tls-handshake"), (name or str(error))[:MAX_TEXT])
