"""Normalizer: a pure function from Frames to Batch, one message after the other.

    message ─ header ─ layout ─ key ─ filter ─ parse ─ filter ─ map ─ encode ─▶ record
                 │        │                       │
              control  unknown-format          the layout's rules

An event's key is looked for before the event is parsed (`wire.event_xml_scan`): found and unwanted is filtered, whatever follows. A known layout that
breaks its rules is rejected by the rule's name (unless an ID that nobody wants can still be told in it), anything else as `unknown-format`; a message
that carries no event at all is control. A record whose text was cut or isn't English carries the label `parse:partial`.

Events that come as such, from Windows Event Forwarding, have no header and one layout, event XML. Whether their sender may speak for the computer they
name is judged once they are parsed. Event 111 of Windows' forwarder is control: it tells where the forwarder begins, and nothing of what happened.

RADIUS accounting has a way of its own (`normalizers.radius`).
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Final

from normalizers.encoder import encode_record
from normalizers.engine import map_event
from normalizers.judgement import Explanation, Judgement, Verdict, explain_fields
from normalizers.profiles import Profile, load_profile
from normalizers.radius import judge_accounting, session_change
from normalizers.settings import NormalizeSettings
from normalizers.source import windows_source
from normalizers.tags import Tags
from normalizers.tally import Tally
from pipeline.errors import MessageError
from pipeline.model import Batch, Frames, Origin, SessionChange, Trust
from wire import event_xml
from wire.event import EventKey
from wire.event_xml_scan import looks_like_event, scan_event_key
from wire.json_carrier import unwrap
from wire.layouts.detect import detect
from wire.layouts.layout import Layout, Reading
from wire.rendered_text import LOCALISED, TRUNCATED
from wire.syslog_header import SyslogHeader, parse_header

UNKNOWN_FORMAT: Final = "unknown-format"
MAX_DETAIL: Final = 200
ALIAS: Final = 16
REFERENCE_TURN: Final = 64 << 10
MARKS: Final = (b"", b"-- MARK --", b"--MARK--")
BLANK: Final = b" \t\r\n\x00"
POSITION_REPORT: Final = ("Microsoft-Windows-EventForwarder", "111")
MISMATCH_RULE: Final = "identity-mismatch"
MISMATCH_LABEL: Final = "identity:mismatch"
MAX_CARRIERS: Final = 3
NO_HEADER: Final = SyslogHeader()
PARTLY_READ: Final = frozenset({LOCALISED, TRUNCATED})
PARTIAL_LABEL: Final = "parse:partial"
NOT_OURS: Final = "not-a-windows-event"
BELIEVED: Final = Trust()


class Normalizer:
    """Keeps what a profile wants and maps it.

    Args:
        profile: a Profile, or what `load_profile` takes.
        settings: switches of the output.
        reading: how payloads are read.
        keep_all: map what the profile doesn't want too, to Base Event where no mapping exists.

    Raises:
        ConfigError: the profile can't be loaded.
    """

    def __init__(
        self,
        profile: Profile | str | Path = "aatp-2020",
        settings: NormalizeSettings | None = None,
        *,
        reading: Reading | None = None,
        keep_all: bool = False,
    ) -> None:
        self.profile = profile if isinstance(profile, Profile) else load_profile(profile)
        self.settings = settings or NormalizeSettings()
        self.reading = reading or Reading()
        self.keep_all = keep_all
        self._tags: Final = Tags(self.settings.tags) if self.settings.tags else None

    @property
    def turn_octets(self) -> int:
        """How much to hand to one call, so that it takes a few milliseconds and whoever else waits for this thread gets his turn."""
        return REFERENCE_TURN

    def normalize(self, frames: Frames) -> Batch:
        """Judge every message and write what is kept. Never raises for what a peer sent."""
        tally = Tally()
        for start, end in frames.pairs():
            message = frames.buffer[start:end]
            tally.add(message, self.judge(message, frames.origin))
        return self._tagged(tally.batch(frames))

    def normalize_events(self, frames: Frames) -> Batch:
        """As `normalize`, for messages that are one event's XML each, with no header before it. All rejects are in the batch."""
        tally = Tally(max_rejects=len(frames))
        for start, end in frames.pairs():
            message = frames.buffer[start:end]
            tally.add(message, self.judge_event(message, frames.origin, frames.trust))
        return self._tagged(tally.batch(frames))

    def normalize_radius(self, frames: Frames, vendor: str = "") -> Batch:
        """As `normalize`, for verified packets of RADIUS accounting (`normalizers.radius`), all of which are wanted; `vendor` made the server that sends them.

        The batch has all rejects, what each record says of a session, and of each record the alias and, if it is to be kept, the packet.
        """
        tally, aliases, originals, sessions = Tally(max_rejects=len(frames)), bytearray(), list[bytes](), list[SessionChange | None]()
        for number, (start, end) in enumerate(frames.pairs()):
            message = frames.buffer[start:end]
            judgement = judge_accounting(self.profile.plans, self.settings, message, frames, vendor)
            tally.add(message, judgement)
            if judgement.mapped is not None:
                aliases += frames.aliases[ALIAS * number : ALIAS * (number + 1)]
                sessions.append(session_change(judgement.mapped))
                if frames.keep:
                    originals.append(message)
        batch = replace(tally.batch(frames), aliases=bytes(aliases), originals=tuple(originals), sessions=tuple(sessions))
        return self._tagged(batch)

    def _tagged(self, batch: Batch) -> Batch:
        return self._tags.tag_batch(batch) if self._tags else batch

    def explain(self, message: bytes, origin: Origin) -> Explanation:
        """Judge one message and say what it was judged by."""
        judgement = self.judge(message, origin)
        mapped = judgement.mapped
        record = (self._tags.tag(mapped.record) if self._tags else mapped.record) if mapped else None
        return Explanation(judgement=judgement, fields=explain_fields(message, judgement), record=encode_record(record) if record else b"")

    def judge(self, message: bytes, origin: Origin, depth: int = 0) -> Judgement:
        """One message's way. Never raises for what a peer sent; `depth` counts the JSON that carried it."""
        header = parse_header(message)
        payload = message[header.payload_start :]
        if payload.strip(BLANK) in MARKS:
            return Judgement(verdict=Verdict.CONTROL, header=header, warnings=header.defects)
        layout = event_xml.LAYOUT if looks_like_event(payload) else detect(payload)
        carried = unwrap(payload, beside_an_event=layout is not None) if depth < MAX_CARRIERS else None
        if carried is not None:
            judgement = self.judge(carried, origin, depth + 1)
            if layout is None or judgement.verdict is not Verdict.REJECTED:
                return replace(judgement, header=header, offset=header.payload_start, warnings=header.defects + judgement.warnings)
        if layout is None:
            return Judgement(verdict=Verdict.REJECTED, header=header, rule=UNKNOWN_FORMAT, offset=header.payload_start, warnings=header.defects)
        return self._judge_payload(message, header, layout, origin, BELIEVED)

    def judge_event(self, message: bytes, origin: Origin, trust: Trust) -> Judgement:
        """One event's way, which came without header. Never raises for what a peer sent."""
        judgement = self._judge_payload(message, NO_HEADER, event_xml.LAYOUT, origin, trust)
        if judgement.key is not None and judgement.key[1:] == POSITION_REPORT:
            return Judgement(verdict=Verdict.CONTROL, header=NO_HEADER, layout=event_xml.LAYOUT, key=judgement.key)
        return judgement

    def _judge_payload(self, message: bytes, header: SyslogHeader, layout: Layout, origin: Origin, trust: Trust) -> Judgement:
        payload = message[header.payload_start :]
        key = scan_event_key(payload) if layout is event_xml.LAYOUT else None
        try:
            if key is not None and self._unwanted(key):
                return Judgement(verdict=Verdict.FILTERED, header=header, layout=layout, key=key, warnings=header.defects)
            return self._read(message, header, layout, origin, trust)
        except MessageError as error:
            event_id = layout.scan_event_id(payload)
            if event_id and error.rule != NOT_OURS and not self.keep_all and not self.profile.may_want(event_id):
                return Judgement(verdict=Verdict.FILTERED, header=header, layout=layout, key=EventKey("", "", event_id), warnings=header.defects)
            return Judgement(
                verdict=Verdict.REJECTED,
                header=header,
                layout=layout,
                key=key,
                rule=error.rule,
                offset=header.payload_start + error.offset,
                document=error.document,
                detail=error.detail[:MAX_DETAIL],
                warnings=header.defects,
            )

    def _unwanted(self, key: EventKey) -> bool:
        """Whether an event is filtered. One of an ID that is kept, which can't be told for want of a channel or provider, is refused instead.

        Raises:
            MessageError: missing-key:Channel, missing-key:Provider.
        """
        if self.keep_all or self.profile.wants(key):
            return False
        missing = "Channel" if not key.channel else "Provider" if not key.provider else ""
        if missing and self.profile.may_want(key.event_id):
            raise MessageError(f"missing-key:{missing}", detail=f"event {key.event_id}")
        return True

    def _read(self, message: bytes, header: SyslogHeader, layout: Layout, origin: Origin, trust: Trust) -> Judgement:
        payload = message[header.payload_start :]
        event = layout.parse_event(payload, replace(self.reading, headed=header.headed))
        key, warnings = event.key, header.defects + event.warnings
        if self._unwanted(key):
            return Judgement(verdict=Verdict.FILTERED, header=header, layout=layout, key=key, event=event, warnings=warnings)
        labels = trust.labels if PARTLY_READ.isdisjoint(event.warnings) else (*trust.labels, PARTIAL_LABEL)
        if trust.speaks_for is not None and not trust.speaks_for(event.computer):
            if trust.refuse:
                raise MessageError(MISMATCH_RULE, detail=f"Computer {event.computer} from {origin.identity or origin.peer}")
            labels, warnings = (*labels, MISMATCH_LABEL), (*warnings, MISMATCH_RULE)
        source = windows_source(event, log_format=layout.log_format, arrival_ms=origin.received_at_ms, labels=labels)
        raw = payload if layout is event_xml.LAYOUT else message
        mapped = map_event(self.profile.plans, self.profile.plan(key), source, self.settings, raw)
        return Judgement(verdict=Verdict.NORMALIZED, header=header, layout=layout, key=key, event=event, mapped=mapped, warnings=warnings)
