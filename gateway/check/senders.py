"""Whether somebody who proves nothing could speak over somebody who does (SECURITY.md, "What remains")."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from gateway.check.findings import Finding, Level, Subject
from listeners.syslog.settings import SyslogSettings
from listeners.wef.settings import KerberosEndpoint
from pipeline.spool.settings import Witness

EVERYBODY: Final = "*"


def check_senders(subject: Subject) -> Iterator[Finding]:
    """Ways in that prove who sends, beside those that don't."""
    listeners, config = subject.config.listeners, subject.config
    syslog, wef = listeners.syslog, listeners.wef
    proven = bool(wef and wef.endpoints) or bool(syslog and _is_proof(syslog))
    unproven = _unproven(syslog) if syslog else ()
    if proven and unproven and config.spool.duplicates.witness is Witness.ANYBODY:
        why = f"whoever reaches {', '.join(unproven)} can forge an event that an authenticated sender sends later, which then counts as a duplicate"
        fix = 'set [spool] duplicates.witness = "authenticated" (a second record where a relay is first), or see that only relays you trust reach it'
        yield Finding(Level.UNKNOWN, "spool.duplicates.witness", why, fix)
    elif proven:
        yield Finding(Level.OK, "spool.duplicates.witness", "nobody masks an authenticated sender's events")
    for endpoint in wef.endpoints if wef else ():
        if isinstance(endpoint, KerberosEndpoint) and EVERYBODY in endpoint.clients:
            why = "every account of the domain may deliver events here, and those of other computers labelled as such"
            yield Finding(
                Level.UNKNOWN, f"endpoint {endpoint.url.base}", why, "name your controllers: clients = ['dc*.contoso.example'], and mismatch = 'refuse'"
            )


def _is_proof(syslog: SyslogSettings) -> bool:
    return bool(syslog.tls and syslog.tls.client_ca and syslog.tls.client_certificate == "required")


def _unproven(syslog: SyslogSettings) -> tuple[str, ...]:
    over_tls = bool(syslog.tls) and not _is_proof(syslog)
    ways = {"udp": syslog.udp, "tcp": syslog.tcp, "tls": over_tls}
    return tuple(f"listeners.syslog.{name}" for name, addresses in ways.items() if addresses)
