"""What this program is made of, for `--version` and the first line of the log."""

from __future__ import annotations

import os
import platform

import apsw

from gateway import VERSION
from kernel import Engine


def describe_version() -> str:
    """`tidegate 0.1.0 (native engine, Python 3.11.7, SQLite 3.51.3)`."""
    engine = os.environ.get("TIDEGATE_ENGINE") or Engine.NATIVE
    return f"tidegate {VERSION} ({engine} engine, Python {platform.python_version()}, SQLite {apsw.sqlite_lib_version()})"
