"""What this program is made of, for `--version` and the first line of the log."""

from __future__ import annotations

import platform

import apsw

from gateway import VERSION


def describe_version(engine: str) -> str:
    """`tidegate 0.1.0 (native engine, Python 3.11.7, SQLite 3.51.3)`."""
    return f"tidegate {VERSION} ({engine} engine, Python {platform.python_version()}, SQLite {apsw.sqlite_lib_version()})"
