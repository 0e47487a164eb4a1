"""Numbers that say how it went: System/Keywords ([MS-EVEN6] section 2.2.14) and NTSTATUS ([MS-ERREF] section 2.3)."""

from __future__ import annotations

import re
from typing import Final

from normalizers.plan import Options, Values, Written

UNKNOWN, SUCCESS, FAILURE = 0, 1, 2
AUDIT_SUCCESS: Final = 0x0020000000000000
AUDIT_FAILURE: Final = 0x0010000000000000

_HEX64: Final = re.compile(r"0[xX]0*[0-9a-fA-F]{1,16}")
_HEX32: Final = re.compile(r"0[xX]0*([0-9a-fA-F]{1,8})")
_DECIMAL: Final = re.compile(r"-?[0-9]{1,10}")


def keywords(values: Values, _options: Options) -> Written | None:
    """status_id by the audit bits; neither is Unknown."""
    text = str(values[0])
    if not _HEX64.fullmatch(text):
        return None
    bits = int(text, 16)
    return {"": SUCCESS if bits & AUDIT_SUCCESS else FAILURE if bits & AUDIT_FAILURE else UNKNOWN}


def ntstatus(values: Values, options: Options) -> Written | None:
    """status_id, status_code and, where the table has it, status_detail. Hexadecimal, or decimal of either sign."""
    number = _parse_ntstatus(str(values[0]))
    if number is None:
        return None
    code = f"0x{number:08x}" if number else "0x0"
    detail = options.table.get(code)
    return {"status_id": FAILURE if number else SUCCESS, "status_code": code, **({"status_detail": detail} if detail else {})}


def _parse_ntstatus(text: str) -> int | None:
    if found := _HEX32.fullmatch(text):
        return int(found[1], 16)
    if not _DECIMAL.fullmatch(text):
        return None
    number = int(text)
    return number & 0xFFFFFFFF if -(2**31) <= number < 2**32 else None
