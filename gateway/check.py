"""What `tidegate check` looks at: whether a configuration and the machine under it are fit to run, before anything is started.

    looked at        an error where                                       a warning where
    configuration    (it can't be read: exit 78)                          nothing listens, nothing forwards, it is of an older version
    profile          there is none such
    engine           the native kernel can't be loaded                    the reference engine is chosen
    state directory  it can't be made or written                          others may read it
    spool            SQLite has the WAL-reset bug, a newer one wrote it   its limit is more than the disk has; a removed destination keeps records;
                                                                           an older one wrote it, which will refuse it once this one has started
    addresses        one can't be bound
    certificates     one can't be loaded, isn't its key's, has expired    it expires within 30 days, others may read the key
    WEF endpoints    a file can't be used, a package is missing           a keytab lacks a service; what is asked for isn't what is kept
    RADIUS clients                                                        a secret is short, or another client's
    receive buffer                                                        net.core.rmem_max is less than asked
    open files                                                            the limit is less than the connections allowed
    forwarders       a file's folder can't be written, two share a file   VPN sessions are to be joined, and nobody tells of any
    Kafka            its package is missing

Nothing is changed but for sockets bound and closed again; nothing is sent.
"""

from __future__ import annotations

import os
import resource
import shutil
import stat
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import apsw
import orjson
import trio

from forwarders.file_settings import FileSettings
from gateway.addresses import addresses
from gateway.check_certificates import check_files
from gateway.check_kafka import check_kafka
from gateway.check_radius import check_radius
from gateway.check_windows_forwarding import check_windows_forwarding
from gateway.config import Config
from gateway.config_errors import UnusableConfig
from gateway.exit_code import ExitCode
from gateway.findings import Check, Finding, Level, Subject
from gateway.normalizing import make_normalizer
from gateway.spool_report import duration, read_offline
from kernel import Engine
from listeners.bind import bind
from listeners.tls import make_context
from listeners.tls_settings import TlsSettings
from pipeline.errors import ConfigError, GatewayError, SpoolError
from pipeline.escape import escape_text
from pipeline.spool.database import FILE_NAME, OlderSchemaError, check_sqlite
from pipeline.spool.lock import lock_state

RMEM_MAX: Final = Path("/proc/sys/net/core/rmem_max")
CAPABILITIES: Final = Path("/proc/self/status")
CAP_NET_ADMIN: Final = 1 << 12  # capabilities(7): may go past rmem_max (SO_RCVBUFFORCE)
OTHER_FILES: Final = 128


def examine(config: Config, source: Path | None, *, now: datetime | None = None) -> tuple[Finding, ...]:
    """Look at everything; each error becomes a finding."""
    subject = Subject(config, source, now or datetime.now(UTC), _is_running(config.gateway.state_dir))
    found: list[Finding] = []
    for check in CHECKS:
        try:
            found += check(subject)
        except (GatewayError, OSError) as error:
            found.append(_finding(error))
    return tuple(found)


def unusable(error: ConfigError) -> tuple[Finding, ...]:
    """A configuration's mistakes as findings."""
    problems = error.problems if isinstance(error, UnusableConfig) else (error,)
    return tuple(map(_finding, problems))


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


def check_state_dir(subject: Subject) -> Iterator[Finding]:
    state_dir = subject.config.gateway.state_dir
    what = f"state directory {state_dir}"
    existing = _nearest(state_dir)
    if not os.access(existing, os.W_OK | os.X_OK) or not existing.is_dir():
        yield Finding(Level.ERROR, what, f"{existing} can't be written to", "give Tidegate's user a directory it can write to")
    elif existing == state_dir and state_dir.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        yield Finding(Level.WARNING, what, "other users may look into it", f"chmod 0700 {state_dir}")
    else:
        yield Finding(Level.OK, what, "a gateway is running on it" if subject.running else "writable" if existing == state_dir else "will be made")


def check_spool(subject: Subject) -> Iterator[Finding]:
    version = apsw.sqlite_lib_version()
    check_sqlite(version)
    yield Finding(Level.OK, "SQLite", version)
    state_dir, limit = subject.config.gateway.state_dir, subject.config.spool.max_bytes
    status = None
    if (state_dir / FILE_NAME).exists():
        try:
            status = read_offline(subject.config)
        except OlderSchemaError as older:
            yield Finding(Level.WARNING, older.what, older.why, older.fix)
    room = shutil.disk_usage(_nearest(state_dir)).free + (status.disk_bytes if status else 0)
    if room < limit:
        yield Finding(
            Level.WARNING, "spool.max_bytes", f"{_mib(limit)} is more than the {_mib(room)} the disk has for it", "set less, or move the state directory"
        )
    else:
        yield Finding(Level.OK, "spool.max_bytes", f"{_mib(limit)} of {_mib(room)} on the disk")
    configured = {forwarder.name for forwarder in subject.config.forwarders}
    for consumer in status.consumers if status else ():
        if consumer.name not in configured:
            kept = subject.config.spool.keep_removed if consumer.expires_s is None else consumer.expires_s
            why = f"left the configuration; its place and {consumer.lag_records:,} records are kept for {duration(kept)}"
            yield Finding(Level.WARNING, f"destination {consumer.name}", why, f"configure it again, or `tidegate spool forget {consumer.name}`")


def check_addresses(subject: Subject) -> Iterator[Finding]:
    for name, transport, address in addresses(subject.config):
        what = f"{name} {transport} {address}"
        if subject.running:
            yield Finding(Level.OK, what, "not tried, a gateway is running")
            continue
        try:
            for bound in trio.run(bind, name, transport, address):
                bound.close()
        except ConfigError as error:
            yield _finding(error)
        else:
            yield Finding(Level.OK, what, "can be bound")


def check_certificates(subject: Subject) -> Iterator[Finding]:
    for tls in _tls(subject.config):
        make_context(tls)
        yield from check_files((tls.certificate, *tls.client_ca), tls.key, subject.now)


def check_receive_buffer(subject: Subject) -> Iterator[Finding]:
    syslog, radius = subject.config.listeners.syslog, subject.config.listeners.radius
    if syslog and syslog.udp:
        yield from _check_room("listeners.syslog.receive_buffer", syslog.receive_buffer)
    if radius and radius.addresses:
        yield from _check_room("listeners.radius.receive_buffer", radius.receive_buffer)


def _check_room(what: str, asked: int) -> Iterator[Finding]:
    if not RMEM_MAX.exists():  # a container's network may not show it
        return
    limit = int(RMEM_MAX.read_text(encoding="ascii"))
    if limit >= asked or _may_force():
        yield Finding(Level.OK, what, _mib(asked))
    else:
        why = f"{_mib(asked)} is more than net.core.rmem_max, {limit} octets: a burst of datagrams may be dropped"
        yield Finding(Level.WARNING, what, why, f"sysctl -w net.core.rmem_max={asked}, or grant CAP_NET_ADMIN")


def check_open_files(subject: Subject) -> Iterator[Finding]:
    listeners = subject.config.listeners
    syslog, wef, radius = listeners.syslog, listeners.wef, listeners.radius
    connections = syslog.connections if syslog and (syslog.tcp or syslog.tls) else 0
    connections += wef.connections if wef else 0
    connections += radius.tls.connections if radius and radius.tls else 0
    if not connections:
        return
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = connections + OTHER_FILES
    if hard != resource.RLIM_INFINITY and hard < needed:
        yield Finding(Level.WARNING, "open files", f"the limit is {hard}, {connections} connections need {needed}", "raise LimitNOFILE= or `ulimit -Hn`")


def check_forwarders(subject: Subject) -> Iterator[Finding]:
    paths: dict[Path, str] = {}
    for forwarder in subject.config.forwarders:
        what = f"forwarder {forwarder.name}"
        if forwarder.enrich and not subject.config.listeners.radius:
            yield Finding(
                Level.WARNING, what, "VPN sessions are joined, and nothing listens for RADIUS accounting", "add [listeners.radius], or leave enrich out"
            )
        if not isinstance(forwarder, FileSettings):
            yield Finding(Level.OK, what, f"{forwarder.kind} {forwarder.place}".rstrip() + f"; what it took is {forwarder.promise}")
            continue
        path = Path(os.path.abspath(forwarder.path))  # noqa: PTH100 - resolve() would follow links that the forwarder refuses
        folder = _nearest(path.parent)
        if path in paths:
            yield Finding(Level.ERROR, what, f"writes to the file of {paths[path]}", "give each its own path")
        elif not folder.is_dir() or not os.access(folder, os.W_OK | os.X_OK):
            yield Finding(Level.ERROR, what, f"{folder} can't be written to", "choose another path, or give Tidegate's user the folder")
        else:
            yield Finding(Level.OK, what, f"file {path}; what it took is {forwarder.promise}")
        paths[path] = forwarder.name


CHECKS: Final[tuple[Check, ...]] = (
    check_configuration,
    check_profile,
    check_engine,
    check_state_dir,
    check_spool,
    check_addresses,
    check_certificates,
    check_windows_forwarding,
    check_radius,
    check_receive_buffer,
    check_open_files,
    check_forwarders,
    check_kafka,
)


def _finding(error: GatewayError | OSError) -> Finding:
    if isinstance(error, OSError):
        return Finding(Level.ERROR, str(error.filename or "system"), error.strerror or str(error))
    what, why, fix = (getattr(error, name, "") for name in ("what", "why", "fix"))
    return Finding(Level.ERROR, what or "check", why or str(error), fix)


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


def _nearest(path: Path) -> Path:
    """`path`, or the nearest folder above it that exists."""
    return next(found for found in (path, *path.absolute().parents) if found.exists())


def _may_force() -> bool:
    lines = dict(line.split(":", 1) for line in CAPABILITIES.read_text(encoding="ascii").splitlines() if ":" in line)
    return bool(int(lines.get("CapEff", "0"), 16) & CAP_NET_ADMIN)


def _mib(octets: int) -> str:
    return f"{octets / (1 << 20):,.0f} MiB"
