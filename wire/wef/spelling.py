"""How values are spelled in the XML we write: escapes, CDATA sections, durations (XML 1.0 sections 2.4 and 2.7, XML Schema part 2 section 3.2.6)."""

from __future__ import annotations

import re
from typing import Final

REPLACEMENT: Final = "\ufffd"
MAX_SECONDS: Final = 10**9

_ILLEGAL: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_ESCAPES: Final = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "\t": "&#9;", "\n": "&#10;", "\r": "&#13;"}
_ESCAPED: Final = re.compile('[&<>"\r]')
_ESCAPED_IN_ATTRIBUTE: Final = re.compile('[&<>"\t\n\r]')
_DURATION: Final = re.compile(r"P(?:([0-9]{1,9})D)?(?:T(?:([0-9]{1,9})H)?(?:([0-9]{1,9})M)?(?:([0-9]{1,9}(?:\.[0-9]{1,9})?)S)?)?")


def escape(text: str) -> str:
    """Text between tags. What XML doesn't allow becomes U+FFFD; a carriage return a reference, since reading would make it a line feed."""
    return _ESCAPED.sub(lambda found: _ESCAPES[found[0]], _ILLEGAL.sub(REPLACEMENT, text))


def attribute(text: str) -> str:
    """Text between an attribute's double quotes."""
    return _ESCAPED_IN_ATTRIBUTE.sub(lambda found: _ESCAPES[found[0]], _ILLEGAL.sub(REPLACEMENT, text))


def cdata(octets: bytes) -> bytes:
    """A CDATA section; two where the octets hold its end."""
    return b"<![CDATA[" + octets.replace(b"]]>", b"]]]]><![CDATA[>") + b"]]>"


def duration(seconds: float) -> str:
    """`PT60.000S`, as Windows writes it."""
    return f"PT{seconds:.3f}S"


def parse_duration(text: str) -> float | None:
    """Seconds of an xsd:duration of days, hours, minutes and seconds; None for whatever else."""
    found = _DURATION.fullmatch(text)
    if found is None or not any(found.groups()):
        return None
    days, hours, minutes, seconds = (float(part or 0) for part in found.groups())
    return min(days * 86400 + hours * 3600 + minutes * 60 + seconds, float(MAX_SECONDS))
