"""Whether every destination has what it needs on this machine: a file's folder, certificates and keys, somebody to tell of sessions."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from forwarders.file_settings import FileSettings
from forwarders.http.client import make_context
from forwarders.http.sentinel_settings import SentinelSettings
from forwarders.http.settings import ClientTls, HttpSettings
from forwarders.kafka_settings import KafkaSettings
from forwarders.settings import ForwarderSettings
from forwarders.syslog_settings import SyslogSettings
from gateway.check.certificates import check_files
from gateway.check.findings import Finding, Level, Subject
from gateway.check.places import nearest
from pipeline.errors import DeliveryError


def check_forwarders(subject: Subject) -> Iterator[Finding]:
    """Every one, and what two of them share."""
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
        folder = nearest(path.parent)
        if path in paths:
            yield Finding(Level.ERROR, what, f"writes to the file of {paths[path]}", "give each its own path")
        elif not folder.is_dir() or not os.access(folder, os.W_OK | os.X_OK):
            yield Finding(Level.ERROR, what, f"{folder} can't be written to", "choose another path, or give Tidegate's user the folder")
        else:
            yield Finding(Level.OK, what, f"file {path}; what it took is {forwarder.promise}")
        paths[path] = forwarder.name


def check_forwarders_tls(subject: Subject) -> Iterator[Finding]:
    """Certificates that we show, and authorities that we believe."""
    for forwarder in subject.config.forwarders:
        try:
            for tls in _tls(forwarder):
                make_context(tls)
                yield from check_files((*filter(None, (tls.certificate,)), *tls.ca), tls.key, subject.now)
        except DeliveryError as error:
            yield Finding(Level.ERROR, f"forwarder {forwarder.name} tls", error.detail, "give PEM files that this user can read, the key unencrypted")


def _tls(forwarder: ForwarderSettings) -> Iterator[ClientTls]:
    if isinstance(forwarder, SyslogSettings | KafkaSettings | HttpSettings) and forwarder.tls is not None:
        yield forwarder.tls
    if isinstance(forwarder, HttpSettings) and forwarder.proxy is not None:
        yield ClientTls(ca=forwarder.proxy.ca)
    if isinstance(forwarder, SentinelSettings) and forwarder.identity.certificate is not None:
        yield ClientTls(certificate=forwarder.identity.certificate, key=forwarder.identity.key)
