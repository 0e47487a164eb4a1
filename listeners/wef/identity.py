"""Who a Windows source is: the name that was authenticated, and the names of computers that it may speak for.

Nothing a message says of its sender is authenticated: MachineID is declared by the client, Computer by the event ([MS-WSMV] 2.2.4.1). Both are compared
with the identity that the connection proved, a Kerberos principal (RFC 4120 section 6.2) or a certificate (RFC 5280).

    principal   DC1$@CONTOSO.EXAMPLE     speaks for   dc1, dc1.contoso.example
    certificate DNS dc1.contoso.example  speaks for   dc1.contoso.example, dc1

A computer account's name has 15 characters at most ([MS-ADTS] 3.1.1.1.4, sAMAccountName of a NetBIOS name), the DNS name that it was cut from may be longer.
"""

from __future__ import annotations

import string
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Final

NETBIOS_OCTETS: Final = 15
BLANK: Final = " \t\r\n"
_LOWER: Final = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)


@dataclass(frozen=True, slots=True)
class Identity:
    """An authenticated source.

    name:    as it is shown, and written as the records' origin: `DC1$@CONTOSO.EXAMPLE`, `dc1.contoso.example`.
    key:     what bookmarks and heartbeats are kept under: unique among all sources, the same however a client spells its name.
    hosts:   names of computers it may speak for, in lower case.
    issuer:  SHA-1 thumbprint (40 hexadecimal digits) of the authority that issued its certificate; "" under Kerberos.
    """

    name: str
    key: str
    hosts: frozenset[str]
    issuer: str = ""

    def speaks_for(self, computer: str) -> bool:
        """Whether `computer`, a MachineID or an event's Computer, is this source itself."""
        name = plain_name(computer)
        return bool(name) and (name in self.hosts or self._is_cut_from(name))

    def _is_cut_from(self, name: str) -> bool:
        label, _, domain = name.partition(".")
        short = label[:NETBIOS_OCTETS]
        return len(label) > NETBIOS_OCTETS and (f"{short}.{domain}" if domain else short) in self.hosts


def plain_name(name: str) -> str:
    """A host or principal as it is compared: no white space or final dot around it, ASCII letters in lower case."""
    return name.strip(BLANK).rstrip(".").translate(_LOWER)


def principal_identity(principal: str) -> Identity:
    """The identity of a Kerberos principal: `DC1$@CONTOSO.EXAMPLE`, a user `backup@CONTOSO.EXAMPLE` (who speaks for no computer), a service `HTTP/web@...`."""
    account, at, realm = plain_name(principal).rpartition("@")
    if not at:
        account, realm = realm, ""
    hosts: frozenset[str] = frozenset()
    if account.endswith("$") and "/" not in account and len(account) > 1:
        host = account[:-1]
        hosts = frozenset({host, f"{host}.{realm}"} if realm else {host})
    return Identity(principal, plain_name(principal), hosts)


def certificate_identity(names: Sequence[str], subject: str, issuer: str) -> Identity:
    """The identity of a certificate.

    Args:
        names: of the computer, best first: DNS names of subjectAltName, else the common name; wildcards and odd names left out. May be empty.
        subject: its whole subject as text, or its fingerprint where that is empty: what tells it from others of the same issuer.
        issuer: SHA-1 thumbprint of the authority that issued it.
    """
    hosts = {plain_name(name) for name in names} - {""}
    hosts |= {host.partition(".")[0] for host in hosts}
    return Identity(names[0] if names else subject, f"{issuer.translate(_LOWER)}:{plain_name(subject)}", frozenset(hosts), issuer)


class NameList:
    """Names and patterns of sources, as an operator lists them: `DC1$@CONTOSO.EXAMPLE`, `*.contoso.example`. `*` stands for any text.

    Args:
        patterns: matched against the identity's shown name and the computers it speaks for, ASCII case aside.
    """

    def __init__(self, patterns: Iterable[str]) -> None:
        plain = [plain_name(pattern).replace("[", "[[]").replace("?", "[?]") for pattern in patterns]
        self._exact: Final = frozenset(pattern for pattern in plain if "*" not in pattern and "[" not in pattern)
        self._globs: Final = tuple(pattern for pattern in plain if "*" in pattern or "[" in pattern)

    def has(self, identity: Identity) -> bool:
        """Whether the source is listed."""
        names = identity.hosts | {plain_name(identity.name)}
        return not self._exact.isdisjoint(names) or any(fnmatchcase(name, pattern) for name in names for pattern in self._globs)
