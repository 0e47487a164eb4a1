"""How many connections a process may have: every one is a file descriptor, and the usual soft limit is 1,024 (getrlimit(2))."""

from __future__ import annotations

import resource


def allow_open_files() -> None:
    """Take as many as we may have."""
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
