r"""ArcSight Common Event Format, its syntax alone: the header's seven fields, the extension's pairs, the escapes of both.

Source: ArcSight Common Event Format, version 26, "Header Field Definitions" and "Character Encoding".

    CEF:Version|Device Vendor|Device Product|Device Version|Signature ID|Name|Severity|key=value key=value ...

    where        escaped        as
    header       | \            \| \\
    extension    = \ LF CR      \= \\ \n \r

A value may hold spaces, so it ends where a space and the next `key=` begin. A `=` that isn't escaped is part of the value unless a
key stands before it, as several products write URLs. An escape that isn't one keeps its backslash. Keys are as seen in the wild:
`ad.field[0]`, `ad.Error_,Code`. Of an unescaped value with a line break, the break is kept. Parsing is linear.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from pipeline.errors import MessageError

DOCUMENT: Final = "ArcSight Common Event Format version 26"

HEADER_FIELDS: Final = ("Version", "Device Vendor", "Device Product", "Device Version", "Signature ID", "Name", "Severity")
MAX_KEYS: Final = 128

_FIELD: Final = re.compile(r"((?:[^|\\]|\\.?)*+)\|", re.DOTALL)
_KEY: Final = re.compile(r"(?<![^ \t\r\n])([^\s=|\\]{1,128})=")
_HEADER_ESCAPE: Final = re.compile(r"\\([\\|])")
_VALUE_ESCAPE: Final = re.compile(r"\\([\\=nr|])")
_UNESCAPED: Final = {"n": "\n", "r": "\r"}
_ESCAPES: Final = str.maketrans({"\\": "\\\\", "=": "\\=", "\n": "\\n", "\r": "\\r"})


@dataclass(frozen=True, slots=True)
class CefMessage:
    """A message's fields, unescaped.

    version:    of the format, `0` or `1`.
    signature:  what kind of event it is, by the device.
    extension:  (key, value) in the message's order; keys may repeat, white space around values is as it came.
    """

    version: str
    vendor: str
    product: str
    device_version: str
    signature: str
    name: str
    severity: str
    extension: tuple[tuple[str, str], ...] = ()


def parse_cef(text: str) -> CefMessage:
    """A message from its `CEF:` on.

    Raises:
        MessageError: missing-field:NAME for a header that ends early, bad-extension for text without a key, too-many-keys.
    """
    at = len("CEF:") if text.startswith("CEF:") else 0
    if not at:
        raise MessageError("missing-field:Version", document=DOCUMENT)
    header: list[str] = []
    for name in HEADER_FIELDS:
        found = _FIELD.match(text, at)
        if found is None:
            raise MessageError(f"missing-field:{name.replace(' ', '-')}", offset=at, document=DOCUMENT)
        header.append(_HEADER_ESCAPE.sub(r"\1", found[1]))
        at = found.end()
    version, vendor, product, device_version, signature, name, severity = header
    return CefMessage(version.strip(" "), vendor, product, device_version, signature, name, severity, parse_extension(text, at))


def parse_extension(text: str, at: int = 0) -> tuple[tuple[str, str], ...]:
    """The pairs from `at` on.

    Raises:
        MessageError: bad-extension, too-many-keys.
    """
    extension = text[at:]
    keys = []
    for found in _KEY.finditer(extension):
        keys.append(found)
        if len(keys) > MAX_KEYS:
            raise MessageError("too-many-keys", offset=at + found.start(), document=DOCUMENT, detail=str(MAX_KEYS))
    before = extension[: keys[0].start() if keys else len(extension)]
    if before.strip(" \t\r\n"):
        raise MessageError("bad-extension", offset=at, document=DOCUMENT, detail=before[:64])
    ends = [found.start() - 1 for found in keys[1:]] + [len(extension)]
    return tuple((found[1], _unescape(extension[found.end() : end])) for found, end in zip(keys, ends, strict=False))


def encode_cef(message: CefMessage) -> str:
    """The inverse of `parse_cef` for keys that hold neither white space nor `=`, `|`, a backslash."""
    header = (message.version, message.vendor, message.product, message.device_version, message.signature, message.name, message.severity)
    escaped = (field.replace("\\", "\\\\").replace("|", "\\|") for field in header)
    return f"CEF:{'|'.join(escaped)}|{' '.join(f'{key}={value.translate(_ESCAPES)}' for key, value in message.extension)}"


def _unescape(value: str) -> str:
    return _VALUE_ESCAPE.sub(lambda found: _UNESCAPED.get(found[1], found[1]), value)
