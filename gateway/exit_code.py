"""What the process says to whoever started it."""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """Exit codes of every command.

    OK:           done.
    FAILED:       a check failed, or the command could not do its work.
    USAGE:        the command line is wrong.
    WARNINGS:     warnings, with --strict.
    CONFIG:       the configuration can't be used (EX_CONFIG of sysexits.h).
    INTERRUPTED:  by Ctrl-C.
    """

    OK = 0
    FAILED = 1
    USAGE = 2
    WARNINGS = 3
    CONFIG = 78
    INTERRUPTED = 130
