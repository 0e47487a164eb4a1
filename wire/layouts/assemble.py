"""One event out of the texts that a layout found: what LEEF, Snare, classic Splunk and the JSON layouts judge alike.

    text         becomes
    event ID     the low 16 bits of a decimal number (EventIDCode of the classic API has more)
    provider     System/Provider/@Name, for display names too (`wire.providers`)
    keywords     0x and sixteen hex digits (`wire.keywords`)
    level        0 to 5, for names too
    time         None where it can't be read; its text is kept
    channel      its provider's only one, where none was delivered (`no-channel`)
    data         as delivered, at most 128 names and 1,024 values; what an event should have and wasn't delivered is read out of the rendered text

Facts about a sender are warnings in both modes (`no-milliseconds`, `localised-text`); repairs are refused in strict mode.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Final, TypeAlias

from pipeline.errors import MessageError
from wire.event import EventTime, WindowsEvent
from wire.keywords import audit_result, parse_keywords
from wire.layouts.envelope import MILLISECOND_DIGITS, read_event_id
from wire.layouts.layout import Mode, Reading
from wire.layouts.payload import WHITE_SPACE
from wire.message_texts import MESSAGE_TEXTS, labelled_names
from wire.providers import CHANNELS, canonical_provider
from wire.rendered_text import LOCALISED, TRUNCATED, RenderedText, read_message

Pairs: TypeAlias = tuple[tuple[str, str], ...]

MAX_NAMES: Final = 128
MAX_VALUES: Final = 1024

LEVELS: Final = {
    "logalways": "0",
    "critical": "1",
    "error": "2",
    "warning": "3",
    "information": "4",
    "informational": "4",
    "info": "4",
    "verbose": "5",
    "debug": "5",
}
"""Names of levels in ASCII lower case (winmeta.xml, and the short ones of agents)."""

_SID: Final = re.compile(r"[sS]-1(?:-[0-9]{1,15}){1,16}")


def assemble(
    fields: Mapping[str, str],
    data: Iterable[tuple[str, str]],
    *,
    read_time: Callable[[str], EventTime | None],
    reading: Reading,
    document: str,
    warnings: Iterable[str] = (),
    repairs: Iterable[str] = (),
) -> WindowsEvent:
    """Make the event.

    Args:
        fields: texts by the names of `WindowsEvent`, `time_text` for the time.
        data: (name, text) as delivered.
        read_time: reads `time_text`.
        reading: its mode decides about repairs.
        document: where the layout is specified, for errors.
        warnings: facts about the sender, kept in both modes.
        repairs: departures that were mended: refused in strict mode.

    Raises:
        MessageError: missing-key:EventID, bad-event-id; in strict mode also the repairs' names, bad-time, no-time, truncated,
            too-many-names, no-channel.
    """
    facts, mended = list(warnings), list(repairs)
    event_id = fields.get("event_id", "").strip(WHITE_SPACE)
    if not event_id:
        raise MessageError("missing-key:EventID", document=document)
    event_id = read_event_id(event_id, document)
    time_text = fields.get("time_text", "").strip(WHITE_SPACE)
    time = read_time(time_text) if time_text else None
    if time is None:
        mended.append("bad-time" if time_text else "no-time")
    elif time.digits < MILLISECOND_DIGITS:
        facts.append("no-milliseconds")
    message, provider = fields.get("message", ""), canonical_provider(fields.get("provider", ""))
    channel = fields.get("channel", "") or CHANNELS.get(provider, "")
    if channel and not fields.get("channel"):
        mended.append("no-channel")
    pairs = _bounded(data, mended)
    if message:
        rendered = completion(pairs, event_id, provider, message)
        pairs += rendered.data
        facts += [warning for warning in rendered.warnings if warning != TRUNCATED]
        mended += [warning for warning in rendered.warnings if warning == TRUNCATED]
    if mended and reading.mode is Mode.STRICT:
        raise MessageError(mended[0], document=document)
    envelope = dict(fields)
    envelope.update(
        event_id=event_id,
        channel=channel,
        provider=provider,
        keywords=parse_keywords(fields.get("keywords", "")),
        time_text=time_text,
        level=level_number(fields.get("level", ""), fields.get("keywords", "")),
    )
    return WindowsEvent(**envelope, time=time, data=pairs, warnings=(*facts, *mended))


def level_number(name: str, keywords: str = "") -> str:
    """`Information` to `4`; audit events are level 0 in fact, whatever agents call them (information, or error for a failure)."""
    level = LEVELS.get(name.strip(WHITE_SPACE).lower())
    if level is None:
        return name
    return "0" if audit_result(parse_keywords(keywords)) else level


def user_fields(text: str) -> dict[str, str]:
    r"""`DOMAIN\name`, `name` or a SID as the fields of `WindowsEvent`; nothing for `N/A` and `-`."""
    text = text.strip(WHITE_SPACE)
    if text in {"", "-", "N/A", "NOT_TRANSLATED"}:
        return {}
    if _SID.fullmatch(text):
        return {"user_sid": text}
    domain, backslash, name = text.partition("\\")
    return {"user_domain": domain, "user_name": name} if backslash else {"user_name": text}


def missing_data(fields: Mapping[str, str], data: Iterable[tuple[str, str]]) -> Pairs:
    """What the rendered text of a known event says and `data` doesn't."""
    text, provider = MESSAGE_TEXTS.get(fields.get("event_id", "")), canonical_provider(fields.get("provider", ""))
    if text is None or provider not in text.providers:
        return ()
    rendered = read_message(fields["event_id"], fields.get("message", ""), provider)
    known = {name for name, _ in data}
    return () if LOCALISED in rendered.warnings else tuple(pair for pair in rendered.data if pair[0] not in known)


def completion(pairs: Pairs, event_id: str, provider: str, message: str) -> RenderedText:
    """What the text says of names that are missing from the data; nothing where the data say enough."""
    names, known = labelled_names(event_id, provider), {name for name, _ in pairs}
    if pairs and names <= known:
        return RenderedText(())
    rendered = read_message(event_id, message, provider)
    if names & known and names.isdisjoint(name for name, _ in rendered.data):
        return RenderedText(())  # another language: the data stand for themselves
    return RenderedText(tuple(pair for pair in rendered.data if pair[0] not in known), rendered.warnings)


def _bounded(data: Iterable[tuple[str, str]], mended: list[str]) -> Pairs:
    """The values of the first 128 names, 1,024 at most."""
    names: set[str] = set()
    kept: list[tuple[str, str]] = []
    for name, text in data:
        if len(kept) == MAX_VALUES or (name not in names and len(names) == MAX_NAMES):
            if "too-many-names" not in mended:
                mended.append("too-many-names")
            continue
        names.add(name)
        kept.append((name, text))
    return tuple(kept)
