"""The octets of a payload as text, and text made safe to stand in one line: what all text layouts share.

Agents send UTF-8 (RFC 5424 section 6.4), some with a BOM, old ones a code page nobody names. What isn't UTF-8 becomes U+FFFD and is
said to be (`not-utf-8`): guessing a code page would invent names.
"""

from __future__ import annotations

import re
from typing import Final

NOT_UTF_8: Final = "not-utf-8"

WHITE_SPACE: Final = " \t\r\n"

_BREAKS: Final = re.compile(r"[\t\r\n]+")


def decode_payload(payload: bytes) -> tuple[str, tuple[str, ...]]:
    """(text without BOM, warnings)."""
    payload = payload.removeprefix(b"\xef\xbb\xbf")
    try:
        return payload.decode(), ()
    except UnicodeDecodeError:
        return payload.decode(errors="replace"), (NOT_UTF_8,)


def encode_payload(text: str) -> bytes:
    """UTF-8; a lone surrogate becomes U+FFFD, as in the records."""
    try:
        return text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace").encode()


def one_line(text: str) -> str:
    """`text` with every run of TAB, CR and LF as one space, so that it can't end a field or begin another."""
    return _BREAKS.sub(" ", text)
