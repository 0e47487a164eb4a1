"""What `tidegate check` looks at before anything is started, and how bad it is: EXAMINATIONS, which docs/reference/checks.md is written from.

Nothing is changed but for sockets bound and closed again; nothing is sent. What is asked of others: `gateway.check.connect`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import orjson

from gateway.check.addresses import check_addresses, check_socket_units
from gateway.check.certificates import check_files
from gateway.check.chain import check_authorities, check_chain
from gateway.check.findings import Check, Finding, Level, Subject
from gateway.check.forwarders import check_forwarders, check_forwarders_tls
from gateway.check.kafka import check_kafka
from gateway.check.machine import check_machine, check_open_files, check_receive_buffer
from gateway.check.radius import check_radius
from gateway.check.secrets import check_relay_secrets, check_secret_files
from gateway.check.senders import check_senders
from gateway.check.state import check_spool, check_state_dir
from gateway.check.windows_forwarding import check_windows_forwarding
from gateway.config import Config
from gateway.config_errors import UnusableConfig
from gateway.exit_code import ExitCode
from gateway.normalizing import make_normalizer
from kernel import Engine
from listeners.tls import make_context
from listeners.tls_settings import TlsSettings
from pipeline.errors import ConfigError, GatewayError, SpoolError
from pipeline.escape import escape_text
from pipeline.spool.lock import lock_state


def examine(config: Config, source: Path | None, *, now: datetime | None = None) -> tuple[Finding, ...]:
    """Look at everything; each error becomes a finding."""
    subject = Subject(config, source, now or datetime.now(UTC), _is_running(config.gateway.state_dir))
    found: list[Finding] = []
    for examination in EXAMINATIONS:
        try:
            found += (replace(finding, check=examination.name) for finding in examination.run(subject))
        except (GatewayError, OSError) as error:
            found.append(_finding(error, examination.name))
    return tuple(found)


def unusable(error: ConfigError) -> tuple[Finding, ...]:
    """A configuration's mistakes as findings."""
    problems = error.problems if isinstance(error, UnusableConfig) else (error,)
    return tuple(_finding(problem, "configuration") for problem in problems)


def verdict(findings: Sequence[Finding], *, strict: bool) -> ExitCode:
    """The exit code."""
    levels = {finding.level for finding in findings}
    if Level.ERROR in levels:
        return ExitCode.FAILED
    return ExitCode.WARNINGS if strict and Level.WARNING in levels else ExitCode.OK


COLOURS: Final = {Level.OK: "32", Level.UNKNOWN: "36", Level.WARNING: "33", Level.ERROR: "31"}


def render_findings(findings: Sequence[Finding], *, as_json: bool, colour: bool) -> str:
    """One line per finding, or one JSON array."""
    if as_json:
        return orjson.dumps([asdict(finding) for finding in findings], option=orjson.OPT_INDENT_2).decode() + "\n"

    def line(finding: Finding) -> str:
        level = f"\x1b[{COLOURS[finding.level]}m{finding.level:8}\x1b[0m" if colour else f"{finding.level:8}"
        sentence = f"{finding.what}: {finding.why}; {finding.fix}" if finding.fix else f"{finding.what}: {finding.why}"
        return f"{level}{escape_text(sentence)}\n"

    return "".join(map(line, findings))


def check_configuration(subject: Subject) -> Iterator[Finding]:
    yield Finding(Level.OK, "configuration", str(subject.source) if subject.source else "built-in, no file was found")
    for line in subject.config.outdated:
        yield Finding(Level.WARNING, f"configuration {subject.source}", "is of an older version, and read as it was meant", line)
    listeners = subject.config.listeners
    if not (listeners.syslog or listeners.wef or listeners.radius):
        fix = "add [listeners.syslog], [[listeners.wef.endpoints]] or [listeners.radius]"
        yield Finding(Level.WARNING, "listeners", "there are none, nothing will ever come in", fix)
    if not subject.config.forwarders:
        yield Finding(Level.WARNING, "forwarders", "there are none, records are dropped once committed", "add [[forwarders]]")


def check_engine(subject: Subject) -> Iterator[Finding]:
    engine = subject.config.gateway.engine
    if engine is Engine.REFERENCE:
        yield Finding(Level.WARNING, "gateway.engine", "the reference engine is meant for comparison and is slower", "remove it, or unset TIDEGATE_ENGINE")
    else:
        yield Finding(Level.OK, "gateway.engine", engine)


def check_profile(subject: Subject) -> Iterator[Finding]:
    make_normalizer(subject.config)
    yield Finding(Level.OK, "gateway.profile", subject.config.gateway.profile)


def check_certificates(subject: Subject) -> Iterator[Finding]:
    for tls in _tls(subject.config):
        make_context(tls)
        yield from check_files((tls.certificate, *tls.client_ca), tls.key, subject.now)
        yield from check_chain(tls.certificate, roots=tls.client_ca)
        yield from check_authorities(tls.client_ca)


@dataclass(frozen=True, slots=True)
class Examination:
    """One look at something.

    name:                    as findings have it.
    run:                     looks.
    passes:                  what is right.
    error, warning, unknown: where it is one; empty where it never is.
    """

    name: str
    run: Check
    passes: str
    error: str = ""
    warning: str = ""
    unknown: str = ""


EXAMINATIONS: Final[tuple[Examination, ...]] = (
    Examination(
        "configuration",
        check_configuration,
        "it can be used, something comes in and goes out",
        error="it can't be read or used (exit code 78)",
        warning="it is of an older version; nothing listens, nothing forwards",
    ),
    Examination("profile", check_profile, "there is such a profile", error="there is none such, or its file can't be used"),
    Examination("engine", check_engine, "the native kernel", error="it can't be loaded", warning="the reference engine is chosen"),
    Examination(
        "secret-files", check_secret_files, "files with secrets are not for everybody", "everybody may write the configuration", "everybody may read one"
    ),
    Examination("state-directory", check_state_dir, "it can be written, by its user alone", "it can't be made or written", "others may look into it"),
    Examination(
        "spool",
        check_spool,
        "a SQLite without the WAL-reset bug, and a disk with room for `max_bytes`",
        error="SQLite has the bug; the spool is damaged, or of a newer Tidegate",
        warning="`max_bytes` is more than the disk has; a removed destination keeps records; an older Tidegate wrote it, which will refuse it afterwards",
    ),
    Examination(
        "machine",
        check_machine,
        "cores and memory that gateways are planned with, within the control group's limits; a local disk",
        warning="less of either; the state directory lies in memory, on a network, or in a container's own layer",
        unknown="the system doesn't show it",
    ),
    Examination(
        "addresses",
        check_addresses,
        "each can be bound, or systemd passes it in",
        error="somebody else holds it, it needs a privilege, or isn't of this machine",
        unknown="it is in use, maybe by a socket unit of ours, which only root can see",
    ),
    Examination("socket-units", check_socket_units, "each that is enabled has a listener", error="one has none: the gateway refuses to start"),
    Examination(
        "certificates",
        check_certificates,
        "of syslog and RADIUS over TLS: valid, their keys' own, their chain whole, for servers",
        error="one can't be loaded, isn't its key's, has expired, isn't for servers",
        warning="it expires within 30 days; a chain is out of order; RSA under 2048 bits, SHA-1; `client_ca` is no authority; everybody may read the key",
        unknown="the issuer isn't in the file, and may or may not be a root that clients have",
    ),
    Examination(
        "windows-forwarding",
        check_windows_forwarding,
        "certificates as above, and for the name that clients are told; keytabs with keys of HTTP/ and HOST/ in an encryption that is taken",
        error="a file can't be used, the package for Kerberos is missing, keys are of the wrong encryption, the certificate has another name",
        warning="a service has no key; everybody may read a keytab; what is asked for isn't what is kept",
        unknown="as above",
    ),
    Examination(
        "senders",
        check_senders,
        "nobody who proves nothing can mask who proves itself",
        unknown="both kinds of senders are let in; a Kerberos endpoint takes every account",
    ),
    Examination("radius-secrets", check_radius, "random, 24 octets or more, each client's own", warning="short, of few different octets, another client's"),
    Examination("relay-secrets", check_relay_secrets, "the same where RADIUS is passed on", warning="short, of few different octets"),
    Examination(
        "receive-buffer",
        check_receive_buffer,
        "UDP gets the buffer that is asked for, by `net.core.rmem_max` or a socket unit's `ReceiveBuffer=`",
        warning="it gets less",
        unknown="a container or the service's hardening doesn't show the limit",
    ),
    Examination("open-files", check_open_files, "the limit allows all connections", warning="it allows fewer"),
    Examination(
        "forwarders",
        check_forwarders,
        "each has a place to write to",
        error="a file's folder can't be written, two share a file",
        warning="VPN sessions are to be joined, and nobody tells of any",
    ),
    Examination(
        "forwarders-tls",
        check_forwarders_tls,
        "certificates we show and authorities we believe are valid",
        error="one can't be loaded, has expired",
        warning="it expires within 30 days, everybody may read the key",
    ),
    Examination("kafka", check_kafka, "its package is installed", error="it is missing"),
)


def _finding(error: GatewayError | OSError, check: str) -> Finding:
    if isinstance(error, OSError):
        return Finding(Level.ERROR, str(error.filename or "system"), error.strerror or str(error), check=check)
    what, why, fix = (getattr(error, name, "") for name in ("what", "why", "fix"))
    return Finding(Level.ERROR, what or "check", why or str(error), fix, check)


def _is_running(state_dir: Path) -> bool:
    if not (state_dir / "lock").exists():
        return False
    try:
        lock_state(state_dir).release()
    except SpoolError:
        return os.access(state_dir / "lock", os.W_OK)
    return False


def _tls(config: Config) -> Iterator[TlsSettings]:
    for table in (config.listeners.syslog, config.listeners.radius):
        if table is not None and table.tls is not None:
            yield table.tls
