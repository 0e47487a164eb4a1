"""Judging RADIUS accounting: a verified packet's way to a record, and what that record says of a session.

    rule                                 the packet
    radius-short, radius-attribute ...   isn't one (`wire.radius.packet`)
    missing-attribute:Acct-Status-Type   doesn't say what it tells of (RFC 2866 section 5.1)
    malformed-attribute:Acct-Status-Type says it in another length than four octets
    missing-attribute:Acct-Session-Id    doesn't say whose session (RFC 2866 section 5.5); Accounting-On and -Off tell of none and need none

Everything else may be missing or broken: what isn't understood stays in `unmapped`. Packets are always wanted, whatever the profile. A status type without
rows of its own has those of `*`. Of several Acct-Status-Types, which RFC 2866 section 5.13 rules out, the first counts. An Acct-Session-Id of octets that are
no text is read in hex.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final

from normalizers.engine import Mapped, map_event
from normalizers.judgement import Judgement, Verdict
from normalizers.plan import ANY, Json, Plans
from normalizers.settings import NormalizeSettings
from normalizers.source import radius_source
from pipeline.errors import MessageError
from pipeline.model import Frames, SessionChange, SessionEvent
from wire.event import EventKey
from wire.radius.named import named_attributes
from wire.radius.packet import Packet, parse_packet
from wire.syslog_header import SyslogHeader

CHANNEL: Final = "RADIUS Accounting"
PROVIDER: Final = "RADIUS"
ACCT_STATUS_TYPE: Final = 40
ACCT_SESSION_ID: Final = 44
INTEGER: Final = 4
NO_HEADER: Final = SyslogHeader()

SESSION_EVENTS: Final[Mapping[str, SessionEvent]] = {
    "Start": SessionEvent.START,
    "Interim-Update": SessionEvent.UPDATE,
    "Stop": SessionEvent.STOP,
    "Accounting-On": SessionEvent.RESTART,
    "Accounting-Off": SessionEvent.RESTART,
}
"""Tunnels (RFC 2867) are no sessions: their status types say nothing of one."""

_CONTROL: Final = re.compile("[\\x00-\\x1f\\x7f-\\x9f\u2028\u2029]")


def judge_accounting(plans: Plans, settings: NormalizeSettings, message: bytes, frames: Frames, vendor: str) -> Judgement:
    """One packet's way. Never raises for what a peer sent.

    Args:
        plans: all plans.
        settings: switches of the output.
        message: a whole packet that a holder of the secret sent.
        frames: where it is from: origin, and labels of its trust.
        vendor: who made the server, as configured.
    """
    try:
        packet = parse_packet(message)
        status_type = _status_type(packet)
        attributes = _attributes(packet)
        origin, raw = frames.origin, raw_text(attributes) if settings.raw_data else b""
        source = radius_source(
            attributes, status_type=status_type, peer=origin.peer, arrival_ms=origin.received_at_ms, vendor=vendor, labels=frames.trust.labels
        )
        key = EventKey(CHANNEL, PROVIDER, str(status_type))
        mapped = map_event(plans, plans.by_key.get(key) or plans.by_key[EventKey(CHANNEL, PROVIDER, ANY)], source, settings, raw)
        _check_session(mapped)
    except MessageError as error:
        return Judgement(verdict=Verdict.REJECTED, header=NO_HEADER, rule=error.rule, offset=error.offset, document=error.document, detail=error.detail)
    return Judgement(verdict=Verdict.NORMALIZED, header=NO_HEADER, key=key, mapped=mapped)


def _check_session(mapped: Mapped) -> None:
    """Without a session, sessions that do the same in one second would come to one uid."""
    if not _text(mapped.record, "session", "uid") and SESSION_EVENTS.get(mapped.event_code) is not SessionEvent.RESTART:
        raise MessageError("missing-attribute:Acct-Session-Id", document="RFC 2866 section 5.5", detail=mapped.event_code)


def _status_type(packet: Packet) -> int:
    found = packet.values(ACCT_STATUS_TYPE)
    if not found:
        raise MessageError("missing-attribute:Acct-Status-Type", document="RFC 2866 section 5.1")
    if len(found[0]) != INTEGER:
        raise MessageError("malformed-attribute:Acct-Status-Type", document="RFC 2866 section 5.1", detail=f"{len(found[0])} octets")
    return int.from_bytes(found[0])


def _attributes(packet: Packet) -> tuple[tuple[str, str], ...]:
    """As named, but an Acct-Session-Id that is no text in hex: as text, different ones could look alike."""
    attributes, ids = named_attributes(packet), packet.values(ACCT_SESSION_ID)
    if not ids or _is_text(ids[0]):
        return attributes
    at = next(number for number, (name, _) in enumerate(attributes) if name == "Acct-Session-Id")
    return (*attributes[:at], ("Acct-Session-Id", ids[0].hex()), *attributes[at + 1 :])


def _is_text(octets: bytes) -> bool:
    """Whether there is something to read; a NUL behind it terminates it."""
    try:
        text = octets.rstrip(b"\0").decode()
    except UnicodeDecodeError:
        return False
    return not _CONTROL.search(text) and (text != "" or not octets)


def raw_text(attributes: Sequence[tuple[str, str]]) -> bytes:
    """An accounting packet for `raw_data`: one `Name=Value` a line, control characters and separators of lines as U+FFFD."""
    return "\n".join(f"{name}={_CONTROL.sub(chr(0xFFFD), text)}" for name, text in attributes).encode()


def session_change(mapped: Mapped) -> SessionChange | None:
    """What a record says of a session: read from the record, so that it can't say anything else."""
    event = SESSION_EVENTS.get(mapped.event_code)
    if event is None:
        return None
    record = mapped.record
    restart = event is SessionEvent.RESTART
    started = _at(record, "session", "created_time")
    return SessionChange(
        event=event,
        nas=_text(record, "device", "ip") or _text(record, "device", "hostname"),
        session_id="" if restart else _text(record, "session", "uid"),
        user=_text(record, "user", "name"),
        domain=_text(record, "user", "domain"),
        address=_text(record, "tunnel_interface", "ip"),
        client=_text(record, "src_endpoint", "ip"),
        at_ms=mapped.time_ms,
        started_at_ms=started if isinstance(started, int) else None,
    )


def _at(record: Mapping[str, Json], of: str, leaf: str) -> Json | None:
    above = record.get(of)
    return above.get(leaf) if isinstance(above, Mapping) else None


def _text(record: Mapping[str, Json], of: str, leaf: str) -> str:
    value = _at(record, of, leaf)
    return value if isinstance(value, str) else ""
