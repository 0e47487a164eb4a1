"""JSON objects with everything their sender wrote (RFC 8259): member order, repeated names, and numbers as they are spelled.

An event log's values are texts, so numbers stay texts: `1.0`, `-9214364837600034816` and 2**64 arrive as written, which a parser
to machine numbers can't promise. Reading is bounded: 256 KiB a text, 32 levels.

Departures tolerated: control characters within strings (agents copy TABs and line breaks raw), octets that aren't UTF-8 (U+FFFD
takes their place, as it does for a lone surrogate), NUL and white space around the object. NaN and Infinity are no JSON.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Final, NoReturn, TypeAlias

from pipeline.errors import MessageError
from wire.layouts.payload import encode_payload

DOCUMENT: Final = "RFC 8259"
MAX_OCTETS: Final = 256 * 1024
MAX_DEPTH: Final = 32
NOT_UTF_8: Final = "not-utf-8"

_AROUND: Final = b" \t\r\n\x00"
_SURROGATE: Final = re.compile(r"\\u[dD][89a-fA-F]")
_ESCAPE: Final = re.compile(
    r"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(?P<lone>\\u[dD][89a-fA-F][0-9a-fA-F]{2})|\\.",
    re.DOTALL,
)
_LITERALS: Final = {True: "true", False: "false", None: ""}


class JsonObject(tuple[tuple[str, "JsonValue"], ...]):
    """(name, value) of each member, in order; a name may repeat."""

    __slots__ = ()


JsonValue: TypeAlias = "str | bool | list[JsonValue] | JsonObject | None"
"""A number is its text, so it is a str as well."""


def _no_json(name: str) -> NoReturn:
    raise MessageError("json-not-well-formed", document="RFC 8259 section 6", detail=name)


_DECODER: Final = json.JSONDecoder(object_pairs_hook=JsonObject, parse_int=str, parse_float=str, parse_constant=_no_json, strict=False)


def parse_object(payload: bytes) -> tuple[JsonObject, tuple[str, ...]]:
    """The one object that `payload` is, and the warnings.

    Raises:
        MessageError: event-too-large, json-not-well-formed, json-not-an-object, json-too-deep.
    """
    if len(payload) > MAX_OCTETS:
        raise MessageError("event-too-large", document=DOCUMENT, detail=str(len(payload)))
    octets = payload.strip(_AROUND).removeprefix(b"\xef\xbb\xbf")
    warnings: tuple[str, ...] = ()
    try:
        text = octets.decode()
    except UnicodeDecodeError:
        text, warnings = octets.decode(errors="replace"), (NOT_UTF_8,)
    if _SURROGATE.search(text):
        text = _paired(text)
    try:
        value: JsonValue = _DECODER.decode(text)
    except json.JSONDecodeError as error:
        raise MessageError("json-not-well-formed", offset=len(text[: error.pos].encode()), document=DOCUMENT, detail=error.msg[:80]) from error
    except RecursionError as error:
        raise MessageError("json-too-deep", document=DOCUMENT) from error
    if not isinstance(value, JsonObject):
        raise MessageError("json-not-an-object", document=DOCUMENT)
    return value, warnings


def leaves(value: JsonValue, path: str = "", depth: int = 0) -> Iterator[tuple[str, str]]:
    """(dotted path, text) of every scalar, in order; members of an array repeat its path, null is an empty text.

    Raises:
        MessageError: json-too-deep.
    """
    if depth > MAX_DEPTH:
        raise MessageError("json-too-deep", document=DOCUMENT, detail=path[:80])
    if isinstance(value, JsonObject):
        for name, child in value:
            yield from leaves(child, f"{path}.{name}" if path else name, depth + 1)
    elif isinstance(value, list):
        for child in value:
            yield from leaves(child, path, depth + 1)
    else:
        yield path, value if isinstance(value, str) else _LITERALS[value]


def merge(pairs: Iterable[tuple[str, str]]) -> dict[str, str | list[str]]:
    """Pairs as members of one object: a name that repeats becomes an array of its values, at the place of the first."""
    values: dict[str, list[str]] = {}
    for name, value in pairs:
        values.setdefault(name, []).append(value)
    return {name: found[0] if len(found) == 1 else found for name, found in values.items()}


def encode_object(members: Mapping[str, object]) -> bytes:
    """One line of JSON: no octet of it is a line end, whatever the values hold."""
    return encode_payload(json.dumps(members, ensure_ascii=False, separators=(",", ":")))


def _paired(text: str) -> str:
    """The same with U+FFFD for every escape of a lone surrogate, which no UTF-8 could carry on (RFC 8259 section 8.2)."""
    return _ESCAPE.sub(lambda found: "\\ufffd" if found["lone"] else found[0], text)
