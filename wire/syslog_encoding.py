"""Syslog messages as we write them: RFC 5424 headers (section 6), and the frames they travel in on a stream (RFC 6587 section 3.4).

    <PRI>1 TIMESTAMP HOSTNAME APP-NAME PROCID MSGID STRUCTURED-DATA MSG

Every field is forced into its grammar, whoever wrote it: what a token may not hold is a `?`, what is too long is cut, what is empty is the
NILVALUE. So no value can end its field, and no header has a line end for non-transparent framing to trip over.

Departures from the RFC: no BOM before MSG, which receivers take for part of CEF and JSON (so MSG is MSG-ANY, though it is UTF-8); control
characters in a PARAM-VALUE are spaces (section 6.3.3 only advises against them).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from wire.event_time import format_iso
from wire.syslog_framing import Framing

NILVALUE: Final = b"-"
NS_PER_MS: Final = 1_000_000
END_MS: Final = 253_402_300_800_000
"""The year 10000, which RFC 3339 can't write."""

MAX_HOSTNAME: Final = 255
MAX_APP_NAME: Final = 48
MAX_PROCID: Final = 128
MAX_MSGID: Final = 32
MAX_SD_NAME: Final = 32

_NOT_PRINTUSASCII: Final = re.compile(r"[^!-~]")
_NOT_IN_SD_NAME: Final = re.compile(r"[^!#-<>-\\^-~]")
_CONTROL: Final = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_ESCAPED: Final = re.compile(r'(["\\\]])')


@dataclass(frozen=True, slots=True)
class Element:
    """An SD-ELEMENT (section 6.3): its SD-ID, and its parameters by name."""

    identity: str
    parameters: Mapping[str, str] = field(default_factory=dict)


def encode_header(
    *, pri: int, time_ms: int | None = None, hostname: str = "", app_name: str = "", procid: str = "", msgid: str = "", data: Sequence[Element] = ()
) -> bytes:
    """A header, with the space that MSG follows.

    Args:
        pri: facility * 8 + severity, 0 to 191.
        time_ms: ms since the Unix epoch; None where the time isn't known; before 1970 and from 10000 on it isn't either.
        hostname: any text; what may not stand there doesn't.
        app_name: likewise.
        procid: likewise.
        msgid: likewise.
        data: elements of distinct identities.
    """
    return b"<%d>1 %b %b %b %b %b %b " % (
        pri,
        NILVALUE if time_ms is None or not 0 <= time_ms < END_MS else format_iso(time_ms * NS_PER_MS, 3).encode(),
        _token(hostname, MAX_HOSTNAME),
        _token(app_name, MAX_APP_NAME),
        _token(procid, MAX_PROCID),
        _token(msgid, MAX_MSGID),
        b"".join(map(_element, data)) or NILVALUE,
    )


def encode_frame(message: bytes, framing: Framing) -> bytes:
    """A message as it stands on a stream. Non-transparent framing ends it with LF, which it must not contain.

    Args:
        message: header and payload.
        framing: octet counting (RFC 6587 section 3.4.1), or non-transparent (section 3.4.2).
    """
    return b"%b\n" % message if framing is Framing.NON_TRANSPARENT else b"%d %b" % (len(message), message)


def _token(text: str, longest: int) -> bytes:
    return _NOT_PRINTUSASCII.sub("?", text[:longest]).encode("ascii") or NILVALUE


def _element(element: Element) -> bytes:
    parameters = b"".join(b' %b="%b"' % (_sd_name(name), _value(value)) for name, value in element.parameters.items())
    return b"[%b%b]" % (_sd_name(element.identity), parameters)


def _sd_name(text: str) -> bytes:
    return _NOT_IN_SD_NAME.sub("?", text[:MAX_SD_NAME]).encode("ascii") or NILVALUE


def _value(text: str) -> bytes:
    return _ESCAPED.sub(r"\\\1", _CONTROL.sub(" ", text)).encode("utf-8", "replace")
