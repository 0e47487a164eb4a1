"""Answers of HTTP servers, and whose fault their status says a failure is: a table, with rows of a profile's own on top.

Documents: RFC 9110 section 15 (statuses) and 10.2.3 (Retry-After), RFC 6585 (428, 429, 431, 511), RFC 4918 section 11 (422, 423, 424, 507).

    status                                  what follows
    200 to 205                              taken
    408, 409, 423, 424, 425, 429, 5xx       RETRY: the same may be taken later
    413                                     TOO_LARGE: fewer at once may be
    400, 422                                REFUSED: one of the records is meant, or all of them, which the loop tells apart
    every other one                         DENIED: redirects, keys that aren't taken, paths that aren't there, what no server answers to records

No status gives a record up: what nobody has heard of waits for the operator.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC
from email.utils import parsedate_to_datetime
from types import MappingProxyType
from typing import Final

import orjson

from pipeline.errors import Fault

LONGEST_WORDS: Final = 200
LONGEST_BODY: Final = 64 << 10
LONGEST_RETRY_AFTER: Final = 64
DELAY_DIGITS: Final = 9

FAULTS: Final[Mapping[int, Fault]] = MappingProxyType(
    {
        400: Fault.REFUSED,
        408: Fault.RETRY,
        409: Fault.RETRY,
        413: Fault.TOO_LARGE,
        422: Fault.REFUSED,
        423: Fault.RETRY,
        424: Fault.RETRY,
        425: Fault.RETRY,
        429: Fault.RETRY,
        501: Fault.DENIED,
        505: Fault.DENIED,
        511: Fault.DENIED,
    }
)
TAKEN: Final = frozenset({200, 201, 202, 203, 204, 205})
SERVER_ERROR: Final = 500


@dataclass(frozen=True, slots=True)
class Answer:
    """One response.

    status:   its code.
    headers:  fields by lower-case name, the first of each.
    body:     as it came, still encoded.
    whole:    whether that is all of it: it ended in time, and before the limit.
    """

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    whole: bool = True

    def text(self, limit: int) -> bytes | None:
        """The body without its Content-Encoding, at most `limit` octets; None where it is longer, cut off, or encoded as nobody asked for."""
        if not self.whole:
            return None
        match self.headers.get("content-encoding", "identity").strip().lower():
            case "identity" | "":
                return self.body if len(self.body) <= limit else None
            case "gzip" | "x-gzip":
                return _gunzip(self.body, limit)
        return None


def _gunzip(octets: bytes, limit: int) -> bytes | None:
    decoder = zlib.decompressobj(zlib.MAX_WBITS | 16)
    try:
        text = decoder.decompress(octets, limit + 1)
    except zlib.error:
        return None
    return text if decoder.eof and len(text) <= limit else None


@dataclass(frozen=True, slots=True)
class Statuses:
    """A profile's reading of statuses.

    taken:  those that say that records were taken.
    own:    whose fault another one is, where FAULTS says otherwise. What neither lists is RETRY from 500 on, else DENIED.
    """

    taken: frozenset[int] = TAKEN
    own: Mapping[int, Fault] = field(default_factory=dict)

    def fault(self, status: int) -> Fault | None:
        """None if the records were taken."""
        if status in self.taken:
            return None
        return self.own.get(status) or FAULTS.get(status) or (Fault.RETRY if status >= SERVER_ERROR else Fault.DENIED)


GENERIC: Final = Statuses()


def what_it_says(answer: Answer) -> str:
    """An answer in words, for the operator: its status, where it sends us, the beginning of its body."""
    said = words(answer.text(LONGEST_BODY) or answer.body)
    location = answer.headers.get("location")
    if location is not None:
        said = f"sends us to {words(location.encode('utf-8', 'replace'))}, where we don't follow; {said}"
    return f"{answer.status} {said}".rstrip("; ")


def parse_object(answer: Answer) -> dict[str, object] | None:
    """The JSON object that an answer is; None if it isn't one."""
    try:
        found = orjson.loads(answer.text(LONGEST_BODY) or b"")
    except orjson.JSONDecodeError:
        return None
    return found if isinstance(found, dict) else None


def words(octets: bytes) -> str:
    """The beginning of what a server says, on one line that a terminal can show."""
    text = " ".join(octets[: 4 * LONGEST_WORDS].decode("utf-8", "replace").split())
    return "".join(character if character.isprintable() else "?" for character in text)[:LONGEST_WORDS]


def retry_after(headers: Mapping[str, str], now: float) -> float | None:
    """Seconds until the server wants to be asked again, None where it doesn't say or nobody can read it; never negative."""
    said = headers.get("retry-after", "").strip()[:LONGEST_RETRY_AFTER]
    if said.isascii() and said.isdecimal():
        return float(said[:DELAY_DIGITS])
    try:
        at = parsedate_to_datetime(said)
        return max(0.0, at.replace(tzinfo=at.tzinfo or UTC).timestamp() - now)
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
