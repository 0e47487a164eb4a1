r"""LEEF syntax, both ways (IBM, "QRadar Log Event Extended Format (LEEF)", versions 1.0 and 2.0).

    LEEF:1.0|vendor|product|version|event ID|key=value<TAB>key=value
    LEEF:2.0|vendor|product|version|event ID|delimiter|key=value^key=value

The delimiter of version 2 is one character or its code in hex, `x5E` or `0x5E`; where the field is empty or missing it is TAB. A value
holds `=` freely and is not escaped, so a delimiter within a value can't be told from one between two attributes: a piece that
doesn't begin like an attribute belongs to the value before it.

Departures tolerated (`repaired-delimiter`): attributes of version 1 between `^` or `|`, and a TAB that a relay or a document spelled
`#011`, `<009>`, `\t` or `\x09`; `\|` in a header field.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from pipeline.errors import MessageError

DOCUMENT: Final = "IBM LEEF 2.0"

MAX_ATTRIBUTES: Final = 256
HEADER_FIELDS: Final = 5
TAB: Final = "\t"
REPAIRED: Final = "repaired-delimiter"

SPELLINGS: Final = ("#011", "<009>", "\\x09", "\\t", "^", "|")
"""What stands for a TAB in messages that have none."""

VERSION_1, VERSION_2 = "1.0", "2.0"

_VERSION: Final = re.compile(r"LEEF: ?([0-9]{1,2}(?:\.[0-9]{1,2})?)\|")
_PIPE: Final = re.compile(r"(?<!\\)\|")
_HEX: Final = re.compile(r"0?[xX]([0-9A-Fa-f]{1,4})")
_KEY: Final = re.compile(r"[ ]*([A-Za-z_][A-Za-z0-9_.-]{0,62}) ?=")
_UNSAFE: Final = re.compile(r"[\t\r\n]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class LeefMessage:
    """One LEEF event.

    attributes:  (key, value) in order, keys may repeat.
    delimiter:   what stands between attributes.
    repaired:    whether that wasn't the delimiter the message says it has.
    """

    version: str = VERSION_2
    vendor: str = ""
    product: str = ""
    product_version: str = ""
    event_id: str = ""
    delimiter: str = TAB
    attributes: tuple[tuple[str, str], ...] = ()
    repaired: bool = False


def parse_leef(text: str) -> LeefMessage:
    """Read one message.

    Raises:
        MessageError: leef-version, leef-header, leef-delimiter, too-many-keys.
    """
    version = _VERSION.match(text)
    if version is None or version[1] not in {"1", "1.0", "2", "2.0"}:
        raise MessageError("leef-version", document=DOCUMENT, detail=text[:20])
    fields: list[str] = []
    at = version.end()
    while len(fields) < HEADER_FIELDS - 1:
        pipe = _PIPE.search(text, at)
        if pipe is None:
            raise MessageError("leef-header", offset=at, document=DOCUMENT, detail=f"{len(fields)} fields")
        fields.append(text[at : pipe.start()].replace("\\|", "|"))
        at = pipe.end()
    delimiter, at = _delimiter(text, at) if version[1].startswith("2") else (TAB, at)
    attributes, repaired = text[at:].rstrip("\r\n\x00"), False
    if delimiter == TAB and TAB not in attributes:
        delimiter = _spelling(attributes)
        repaired = delimiter != TAB
    return LeefMessage(
        version=VERSION_2 if version[1].startswith("2") else VERSION_1,
        vendor=fields[0],
        product=fields[1],
        product_version=fields[2],
        event_id=fields[3],
        delimiter=delimiter,
        attributes=_attributes(attributes, delimiter),
        repaired=repaired,
    )


def encode_leef(message: LeefMessage) -> str:
    """One line. Line breaks and the delimiter become a space within values; `|` in header fields is escaped."""
    header = (message.vendor, message.product, message.product_version, message.event_id)
    fields = "|".join(_UNSAFE.sub(" ", field).replace("|", "\\|") for field in header)
    between = "" if message.version == VERSION_1 else f"x{ord(message.delimiter):02X}|"
    attributes = (f"{key}={_UNSAFE.sub(' ', value).replace(message.delimiter, ' ')}" for key, value in message.attributes)
    return f"LEEF:{message.version}|{fields}|{between}{message.delimiter.join(attributes)}"


def _delimiter(text: str, at: int) -> tuple[str, int]:
    """(delimiter, where the attributes begin) of a version 2 message; `at` is behind the event ID."""
    pipe = text.find("|", at, at + 8)
    found = text[at:pipe] if pipe >= 0 else TAB
    if pipe < 0 or (len(found) > 1 and not _HEX.fullmatch(found)):
        return TAB, at  # the field is missing, as it may be: these are attributes
    code = _HEX.fullmatch(found)
    delimiter = (chr(int(code[1], 16)) if code else found) or TAB
    if delimiter in "=\\" or delimiter.isalnum() or not delimiter.isascii():
        raise MessageError("leef-delimiter", offset=at, document=DOCUMENT, detail=repr(delimiter))
    return delimiter, pipe + 1


def _spelling(attributes: str) -> str:
    """The delimiter of attributes in which no TAB stands: TAB, unless another one plainly separates them."""
    for spelling in SPELLINGS:
        first, found, rest = attributes.partition(spelling)
        if found and _KEY.match(first) and _KEY.match(rest):
            return spelling
    return TAB


def _attributes(text: str, delimiter: str) -> tuple[tuple[str, str], ...]:
    found: list[tuple[str, list[str]]] = []
    for piece in text.split(delimiter):
        key = _KEY.match(piece)
        if key is not None:
            if len(found) == MAX_ATTRIBUTES:
                raise MessageError("too-many-keys", document=DOCUMENT, detail=str(MAX_ATTRIBUTES))
            found.append((key[1], [piece[key.end() :]]))
        elif found:
            found[-1][1].append(piece)
    return tuple((key, delimiter.join(pieces)) for key, pieces in found)
