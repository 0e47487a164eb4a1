"""What is wrong with a subscription, and where: one finding, and how findings are shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum

import orjson

from gateway.exit_code import ExitCode
from pipeline.escape import escape_text


class Severity(StrEnum):
    """How bad: an error loses required events, a warning may, or costs; a note explains."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing.

    line:  of the document, from 1.
    rule:  its stable name.
    what:  what will happen, or won't.
    fix:   what to write instead; empty where nothing has to be done.
    """

    line: int
    severity: Severity
    rule: str
    what: str
    fix: str = ""


def render(findings: Sequence[Finding], source: str, *, as_json: bool) -> str:
    """One line per finding, as compilers print them, or one JSON array."""
    if as_json:
        return orjson.dumps([asdict(finding) for finding in findings], option=orjson.OPT_INDENT_2).decode() + "\n"
    return "".join(
        escape_text(f"{source}:{finding.line}: {finding.severity}: {finding.what}{f'; {finding.fix}' if finding.fix else ''} [{finding.rule}]") + "\n"
        for finding in findings
    )


def verdict(findings: Sequence[Finding], *, strict: bool) -> ExitCode:
    """The exit code."""
    found = {finding.severity for finding in findings}
    if Severity.ERROR in found:
        return ExitCode.FAILED
    return ExitCode.WARNINGS if strict and Severity.WARNING in found else ExitCode.OK
