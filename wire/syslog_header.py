"""Syslog headers as found in the wild (RFC 5424 section 6, RFC 3164 section 4): where a header ends and its payload begins.

    RFC 5424   <PRI>VERSION SP TIMESTAMP SP HOSTNAME SP APP-NAME SP PROCID SP MSGID SP STRUCTURED-DATA [SP MSG]
    RFC 3164   <PRI>TIMESTAMP SP HOSTNAME SP TAG[PID]: CONTENT

`parse_header` never raises and never fails: it takes what it recognizes from the left, each field with its octets, and the rest
is payload. A message without any header is normal (ArcSight's has none). Before every field it asks whether a known payload
begins there (`wire.syslog_payload`), so a header that breaks off early never swallows the beginning of an event.

Departures from the RFCs, all seen in the field:
  - PRI missing, or no priority at all (`<999>`, `<>`, `<1`, `<-1>`): passed over, `pri` None, `defects` says bad-pri;
  - TIMESTAMP of RFC 3164 with a year before or after the clock, a fraction, a day of one digit, marked `*` or `.` by routers,
    or ISO 8601 in its place; HOSTNAME or TAG missing; a TAG without its colon, or of up to four words; `@cee:` cookies;
  - RFC 5424 fields longer than their limits, a TIMESTAMP that is a date and a clock in another spelling, STRUCTURED-DATA missing or unterminated
    (then it is payload: nobody can tell an event behind it from one in a value);
  - seconds since the epoch for a TIMESTAMP; Snare's own header, a host and a TAB;
  - a relay that puts its own header before the one that came: the innermost counts, three deep;
  - a BOM before anything, white space and line ends before the payload.

Every expression is anchored and either bounded or possessive: the work is linear in the header, whoever writes it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NamedTuple

from wire.syslog_payload import BEGINNING, WHITE

MAX_PRI: Final = 191
MAX_DEPTH: Final = 3
MAX_TAG_WORDS: Final = 4
BOM: Final = b"\xef\xbb\xbf"

_MONTH: Final = rb"(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)"
_CLOCK: Final = rb"[0-9]{1,2}:[0-9]{2}:[0-9]{2}(?:[.,][0-9]{1,9})?"

PRI: Final = re.compile(rb"<([0-9]{1,3})>")
BAD_PRI: Final = re.compile(rb"<-?[0-9]{0,10}>|<-?[0-9]{1,10}(?![0-9])")
VERSION: Final = re.compile(rb"([1-9][0-9]{0,2})\x20+(?=-(?:\x20|\Z)|[0-9]{4}-)")
ODD_TIMESTAMP: Final = re.compile(
    rb"(?:[a-z]{3},?\x20)?(?:" + _MONTH + rb"\x20{1,2}[0-9]{1,2}|[0-9]{1,2}[\x20-]" + _MONTH + rb"|[0-9]{1,4}[-/.][0-9]{1,2}[-/.][0-9]{1,4})"
    rb"(?:[,\x20-]{1,2}[0-9]{4})?,?[T\x20]" + _CLOCK + rb"[^\s<]{0,8}(?:\x20(?:[ap]m|[+-]?[0-9]{4}|utc|gmt))?(?=\s|\Z)",
    re.IGNORECASE,
)
ODD_VERSION: Final = re.compile(rb"(1)\x20+(?=" + ODD_TIMESTAMP.pattern + rb")", re.IGNORECASE)
EPOCH_TIMESTAMP: Final = re.compile(rb"[0-9]{10}(?:\.[0-9]{1,9})?(?=\x20)")
SNARE_HOST: Final = re.compile(rb"([^\s\x00\[\]{}<>|=,\"\\]{1,255}+)\t(?=MSWinEventLog\t)")
ISO_TIMESTAMP: Final = re.compile(rb"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt\x20]" + _CLOCK + rb"(?:\x20?[Zz]|\x20?[+-][0-9]{2}:?[0-9]{2})?(?=[\s:]|\Z)")
BSD_TIMESTAMP: Final = re.compile(
    rb"[*.]?(?:[0-9]{4}\x20)?" + _MONTH + rb"\x20{1,2}[0-9]{1,2}(?:\x20[0-9]{4})?\x20" + _CLOCK + rb"(?:\x20[0-9]{4}(?=[\s:]|\Z))?"
    rb"(?:\x20[A-Z]{3,5}(?=:)|\x20(?:UTC|GMT)(?=\x20))?:?(?=\s|\Z)",
    re.IGNORECASE,
)
TOKEN: Final = re.compile(rb"[^\s\x00]{1,256}+(?=[\s\x00]|\Z)")
HOSTNAME: Final = re.compile(rb"[^\s\x00\[\]{}<>|=,\"\\]{1,255}+(?<!:)(?=[\s\x00]|\Z)")
TAG: Final = re.compile(rb"([^\s\x00\[\]{}<>|=:\"]{1,64}+)(?:\[([^\]\s]{0,64}+)\]:?|:)")
TAG_WORD: Final = re.compile(rb"[^\s\x00\[\]{}<>|=\"]{1,64}+(\[[^\]\s]{0,64}+\]:)?\x20")
CEE_COOKIE: Final = re.compile(rb"@cee:")
STRUCTURED_DATA: Final = re.compile(rb"-(?=\s|\Z)|(?:\[[^\s=\]\"\[]++(?:\x20++[^\s=\]\"\[]++=\x20?\"(?:[^\"\\]|\\.)*+\")*+\x20*+\])++", re.DOTALL)
UNTERMINATED: Final = re.compile(rb"\[[^\s=\]\"\[]++\x20++[^\s=\]\"\[]++=\x20?\"")
SPACES: Final = re.compile(rb"[\x20\t]*+")

TOKENS_5424: Final = ("hostname", "app_name", "procid", "msgid")
NILVALUE: Final = "-"

RELAYED: Final = frozenset({"timestamp", "hostname"})
"""Fields behind which a relay leaves the sender's header even where that has no PRI."""


class HeaderFormat(StrEnum):
    """Which document a header follows, as far as it follows one."""

    NONE = "none"
    RFC3164 = "rfc3164"
    RFC5424 = "rfc5424"


class HeaderField(NamedTuple):
    """One field as it stands in the message: octets `start` to `end`."""

    name: str
    text: str
    start: int
    end: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SyslogHeader:
    """What stood before the payload.

    format:         of the innermost header.
    pri:            facility * 8 + severity, 0 to 191; None where it is missing or no priority.
    payload_start:  octet of the message at which the payload begins; white space and BOM before it are passed over.
    fields:         everything recognized, relays' headers first, with byte ranges.
    defects:        rules that were bent: `bad-pri`, `bad-structured-data`.
    """

    format: HeaderFormat = HeaderFormat.NONE
    pri: int | None = None
    payload_start: int = 0
    fields: tuple[HeaderField, ...] = ()
    defects: tuple[str, ...] = ()

    @property
    def headed(self) -> bool:
        """Whether any header stood there at all."""
        return bool(self.fields)

    @property
    def facility(self) -> int | None:
        return None if self.pri is None else self.pri >> 3

    @property
    def severity(self) -> int | None:
        return None if self.pri is None else self.pri & 7

    @property
    def version(self) -> str:
        return self.text("version")

    @property
    def timestamp(self) -> str:
        return self.text("timestamp")

    @property
    def hostname(self) -> str:
        return self.text("hostname")

    @property
    def app_name(self) -> str:
        return self.text("app_name")

    @property
    def procid(self) -> str:
        return self.text("procid")

    @property
    def msgid(self) -> str:
        return self.text("msgid")

    @property
    def structured_data(self) -> str:
        return self.text("structured_data")

    def text(self, name: str) -> str:
        """The innermost field of that name as text; empty where it is missing or the NILVALUE `-`."""
        found = next((field.text for field in reversed(self.fields) if field.name == name), "")
        return "" if found == NILVALUE else found


class _Reader:
    """Walks a message from the left: `at` is the first octet that no field has taken."""

    __slots__ = ("at", "defects", "fields", "message")

    def __init__(self, message: bytes) -> None:
        self.message, self.at = message, 0
        self.fields: list[HeaderField] = []
        self.defects: list[str] = []

    def take(self, name: str, form: re.Pattern[bytes], group: int = 0) -> re.Match[bytes] | None:
        """Note the field and pass over it, if it stands here."""
        found = form.match(self.message, self.at)
        if found is not None:
            self.note(name, *found.span(group))
            self.at = found.end()
        return found

    def note(self, name: str, start: int, end: int) -> None:
        self.fields.append(HeaderField(name, self.message[start:end].decode("utf-8", "replace"), start, end))

    def skip(self, form: re.Pattern[bytes]) -> None:
        found = form.match(self.message, self.at)
        if found is not None:
            self.at = found.end()

    def skip_to_text(self) -> None:
        """Pass over white space and a BOM."""
        self.skip(WHITE)
        if self.message.startswith(BOM, self.at):
            self.at += len(BOM)
            self.skip(WHITE)

    def at_payload(self) -> bool:
        return self.at >= len(self.message) or BEGINNING.match(self.message, self.at) is not None


def parse_header(message: bytes) -> SyslogHeader:
    """Find where the payload of `message` begins and what stands before it. Never raises."""
    reader = _Reader(message)
    form, pri = HeaderFormat.NONE, None
    for depth in range(MAX_DEPTH):
        reader.skip_to_text()
        if reader.at_payload() or (depth and not _nested(reader)):
            break
        before = reader.at
        had_pri, this_pri = _pri(reader, tolerant=depth == 0)
        if had_pri and (version := reader.take("version", VERSION, 1) or reader.take("version", ODD_VERSION, 1)):
            form = HeaderFormat.RFC5424
            _rfc5424(reader, TOKEN if version.re is VERSION else ODD_TIMESTAMP)
        elif _rfc3164(reader, had_pri=had_pri):
            form = HeaderFormat.RFC3164
        if reader.at == before:
            break
        pri = this_pri if had_pri else pri
    reader.skip_to_text()
    return SyslogHeader(format=form, pri=pri, payload_start=reader.at, fields=tuple(reader.fields), defects=tuple(reader.defects))


def _nested(reader: _Reader) -> bool:
    """Whether what follows a header may be another one: behind a TAG or MSGID free text begins, in which only a PRI shows that."""
    return PRI.match(reader.message, reader.at) is not None or reader.fields[-1].name in RELAYED


def _pri(reader: _Reader, *, tolerant: bool) -> tuple[bool, int | None]:
    """Whether a PRI stood here, and its value if it is one; `tolerant` takes for one what only looks like it."""
    found = reader.take("pri", PRI, 1) or (reader.take("pri", BAD_PRI) if tolerant else None)
    if found is None:
        return False, None
    if found.re is PRI and int(found[1]) <= MAX_PRI:
        return True, int(found[1])
    reader.defects.append("bad-pri")
    return True, None


def _rfc5424(reader: _Reader, timestamp: re.Pattern[bytes]) -> None:
    reader.take("timestamp", timestamp)
    for name in TOKENS_5424:
        reader.skip(SPACES)
        if reader.at_payload() or not reader.take(name, TOKEN):
            return
    reader.skip(SPACES)
    if reader.at_payload():
        return
    if not reader.take("structured_data", STRUCTURED_DATA) and UNTERMINATED.match(reader.message, reader.at):
        reader.defects.append("bad-structured-data")


def _rfc3164(reader: _Reader, *, had_pri: bool) -> bool:
    """Take what there is of TIMESTAMP, HOSTNAME and TAG; whether a header stood here (a PRI alone is one)."""
    reader.skip(SPACES)
    stamped = reader.take("timestamp", BSD_TIMESTAMP) or reader.take("timestamp", ISO_TIMESTAMP)
    if not stamped and not had_pri:
        return reader.take("hostname", SNARE_HOST, 1) is not None
    stamped = stamped or reader.take("timestamp", EPOCH_TIMESTAMP)
    reader.skip_to_text()
    if stamped and not reader.at_payload() and _stamp(reader) is None and not PRI.match(reader.message, reader.at):
        reader.take("hostname", HOSTNAME)
        reader.skip_to_text()
    if not reader.at_payload() and _stamp(reader) is None:
        reader.skip(CEE_COOKIE)
        _tag(reader)
        reader.skip(SPACES)
        reader.skip(CEE_COOKIE)
    return True


def _stamp(reader: _Reader) -> re.Match[bytes] | None:
    """A second TIMESTAMP, which a relay's header stands before."""
    return BSD_TIMESTAMP.match(reader.message, reader.at) or ISO_TIMESTAMP.match(reader.message, reader.at)


def _tag(reader: _Reader) -> None:
    """Take `app[pid]:`; before a payload that is known also one bare word, or a few that end in `[pid]:`.

    No more than that: free text is not searched for payloads, or whoever can put text in a log line could forge events.
    """
    message, start = reader.message, reader.at
    found = TAG.match(message, start)
    if found is not None and (found.end() == len(message) or message[found.end()] in b" \t\r\n" or BEGINNING.match(message, found.end())):
        reader.note("app_name", *found.span(1))
        if found[2] is not None:
            reader.note("procid", *found.span(2))
        reader.at = found.end()
        return
    at = start
    for words in range(MAX_TAG_WORDS):
        word = TAG_WORD.match(message, at)
        if word is None:
            return
        at = word.end()
        if BEGINNING.match(message, at):
            if words == 0 or word[1]:
                reader.note("app_name", start, word.end() - 1)
                reader.at = at
            return
