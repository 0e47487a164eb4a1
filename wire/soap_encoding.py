"""The text of a SOAP message from its octets, and back: UTF-16 as Windows writes it, and whatever else may come (MS-WSMV section 2.2.4, DSP0226 annex C).

    octets begin with        encoding
    FF FE, FE FF, EF BB BF   UTF-16LE, UTF-16BE, UTF-8, by their mark
    3C 00, 00 3C, 3C         the same three, by their `<`
    anything else            what `charset` says, else UTF-8

Whoever refused a message for one bad character would get it again for ever, since its sender waits for an answer: events hold lone surrogates
and control characters because programs log what they like. So nothing is refused here. What isn't a character of XML 1.0 (section 2.2) becomes
U+FFFD, one for each code unit that is none, and is counted; an odd last octet is one too. An XML declaration is left out, since the encoding
it states isn't true any more.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

import kernel
from kernel import Engine

MARKS: Final = ((b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be"), (b"\xef\xbb\xbf", "utf-8"))
PATTERNS: Final = ((b"<\x00", "utf-16-le"), (b"\x00<", "utf-16-be"), (b"<", "utf-8"))
CHARSETS: Final = {"utf-16": "utf-16-le", "utf-16le": "utf-16-le", "utf-16be": "utf-16-be", "utf-8": "utf-8"}

NO_CHARACTER: Final = re.compile("[^\\t\\n\\r\\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
DECLARATION: Final = re.compile(r"<\?xml[ \t\r\n][^?>]{0,200}\?>")
REPLACEMENT: Final = "\ufffd"
DECLARATION_OCTETS: Final = 1024
"""Enough for the longest declaration in UTF-16."""


@dataclass(frozen=True, slots=True)
class Decoded:
    """A message's text.

    text:      UTF-8 without mark; every character one of XML 1.0.
    replaced:  how many became U+FFFD.
    """

    text: bytes
    replaced: int


def decode_body(octets: bytes, charset: str | None = None, engine: Engine = Engine.NATIVE) -> Decoded:
    """The text of a message. Raises nothing, whatever the octets.

    Args:
        octets: the body, neither sealed nor compressed any more.
        charset: of its Content-Type, asked only where the octets don't tell.
        engine: which implementation reads UTF-16.
    """
    encoding, start = _encoding(octets, charset)
    if encoding == "utf-8":
        text = octets[start:].decode(encoding, "surrogateescape")
        if declared := DECLARATION.match(text):
            text = text[declared.end() :]
        text, replaced = NO_CHARACTER.subn(REPLACEMENT, text)
        return Decoded(text.encode(), replaced)
    head = octets[start : start + DECLARATION_OCTETS]
    if declared := DECLARATION.match(head[: len(head) & ~1].decode(encoding, "surrogatepass")):
        start += len(declared[0].encode(encoding, "surrogatepass"))
    decode = decode_utf_16 if engine is Engine.REFERENCE else kernel.decode_utf_16
    return Decoded(*decode(octets[start:], encoding == "utf-16-be"))


def decode_utf_16(octets: bytes, big_endian: bool) -> tuple[bytes, int]:  # noqa: FBT001 - the native twin's signature
    """(UTF-8, how many code units were no character, an odd last octet one of them); `kernel.decode_utf_16` is its native twin."""
    odd = len(octets) % 2
    text = octets[: len(octets) - odd].decode("utf-16-be" if big_endian else "utf-16-le", "surrogatepass")
    text, replaced = NO_CHARACTER.subn(REPLACEMENT, text + REPLACEMENT * odd)
    return text.encode(), replaced + odd


def _encoding(octets: bytes, charset: str | None) -> tuple[str, int]:
    """(codec, octets of the mark)."""
    for mark, encoding in MARKS:
        if octets.startswith(mark):
            return encoding, len(mark)
    for pattern, encoding in PATTERNS:
        if octets.startswith(pattern):
            return encoding, 0
    return CHARSETS.get((charset or "").strip(" \t\"'").lower(), "utf-8"), 0


def encode_body(text: str) -> bytes:
    """UTF-16LE with its mark, without which Windows doesn't take an answer."""
    return b"\xff\xfe" + text.encode("utf-16-le")
