"""System/Keywords in the spellings that layouts use, brought to the one that event XML uses: `0x` and sixteen hex digits.

    0x8020000000000000                          event XML, some JSON
    -9214364837600034816, 9232379236109516800   the same as a signed or unsigned decimal (NXLog)
    Audit Success, Success Audit, Audit_success, AUDIT_SUCCESS, SuccessAudit    names (Splunk, Snare, ArcSight, NXLog, fluent-bit)

The audit result of an event is in two bits of its keywords (winmeta.xml: WINEVENT_KEYWORD_AUDIT_SUCCESS, _AUDIT_FAILURE). QRadar
and the classic log API carry it as an event type instead ([MS-EVEN] section 2.2.7 EventType).
"""

from __future__ import annotations

import re
from typing import Final

AUDIT_SUCCESS_BIT: Final = 0x0020000000000000
AUDIT_FAILURE_BIT: Final = 0x0010000000000000

AUDIT_SUCCESS: Final = "0x8020000000000000"
AUDIT_FAILURE: Final = "0x8010000000000000"

NAMES: Final = {
    "auditsuccess": AUDIT_SUCCESS,
    "successaudit": AUDIT_SUCCESS,
    "auditfailure": AUDIT_FAILURE,
    "failureaudit": AUDIT_FAILURE,
}
"""Names in ASCII lower case, without `_` and spaces."""

EVENT_TYPES: Final = {"8": AUDIT_SUCCESS, "16": AUDIT_FAILURE}
"""[MS-EVEN] EVENTLOG_AUDIT_SUCCESS, EVENTLOG_AUDIT_FAILURE to keywords; the other types are levels (LEVELS_BY_TYPE)."""

LEVELS_BY_TYPE: Final = {"1": "2", "2": "3", "4": "4"}
"""[MS-EVEN] EVENTLOG_ERROR_TYPE, _WARNING_TYPE, _INFORMATION_TYPE to System/Level."""

_HEX: Final = re.compile(r"0[xX][0-9A-Fa-f]{1,16}")
_DECIMAL: Final = re.compile(r"-?[0-9]{1,20}")
_MASK: Final = (1 << 64) - 1


def parse_keywords(text: str) -> str:
    """`Audit Success` to `0x8020000000000000`; a text that names no keywords is returned as it came."""
    name = text.strip(" \t\r\n")
    if _HEX.fullmatch(name):
        return f"0x{int(name, 16):016x}"
    if _DECIMAL.fullmatch(name):
        return f"0x{int(name) & _MASK:016x}"
    return NAMES.get(name.replace("_", "").replace(" ", "").lower(), text)


def audit_result(keywords: str) -> str:
    """`Audit Success`, `Audit Failure`, or an empty text where the keywords say neither."""
    bits = int(keywords, 16) if _HEX.fullmatch(keywords) else 0
    if bits & AUDIT_SUCCESS_BIT:
        return "Audit Success"
    return "Audit Failure" if bits & AUDIT_FAILURE_BIT else ""
