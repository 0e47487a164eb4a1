"""Whether the state directory can be written and is nobody else's, and whether the spool in it fits the disk and the configuration."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Iterator

import apsw

from gateway.check.findings import Finding, Level, Subject
from gateway.check.places import mib, nearest
from gateway.spool_report import duration, read_offline
from pipeline.spool.database import FILE_NAME, OlderSchemaError, check_sqlite


def check_state_dir(subject: Subject) -> Iterator[Finding]:
    """Made, or one that can be."""
    state_dir = subject.config.gateway.state_dir
    what = f"state directory {state_dir}"
    existing = nearest(state_dir)
    if not os.access(existing, os.W_OK | os.X_OK) or not existing.is_dir():
        yield Finding(Level.ERROR, what, f"{existing} can't be written to", "give Tidegate's user a directory it can write to")
    elif existing == state_dir and state_dir.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        yield Finding(Level.WARNING, what, "other users may look into it", f"chmod 0700 {state_dir}")
    else:
        yield Finding(Level.OK, what, "a gateway is running on it" if subject.running else "writable" if existing == state_dir else "will be made")


def check_spool(subject: Subject) -> Iterator[Finding]:
    """SQLite, the room, and destinations that aren't configured any more."""
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
    room = shutil.disk_usage(nearest(state_dir)).free + (status.disk_bytes if status else 0)
    if room < limit:
        yield Finding(
            Level.WARNING, "spool.max_bytes", f"{mib(limit)} is more than the {mib(room)} the disk has for it", "set less, or move the state directory"
        )
    else:
        yield Finding(Level.OK, "spool.max_bytes", f"{mib(limit)} of {mib(room)} on the disk")
    configured = {forwarder.name for forwarder in subject.config.forwarders}
    for consumer in status.consumers if status else ():
        if consumer.name not in configured:
            kept = subject.config.spool.keep_removed if consumer.expires_s is None else consumer.expires_s
            why = f"left the configuration; its place and {consumer.lag_records:,} records are kept for {duration(kept)}"
            yield Finding(Level.WARNING, f"destination {consumer.name}", why, f"configure it again, or `tidegate spool forget {consumer.name}`")
