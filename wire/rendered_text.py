r"""The English rendered text of the required events, both ways: `Message=` of a SIEM to EventData and back.

A text is a sentence, then labelled lines, some under headings (`wire.message_texts` is the table). Labels repeat between sections,
so a value is found by (section, label). Two shapes arrive:

    lines    real line breaks, a label begins its line (Splunk, NXLog, Winlogbeat)
    flat     every break has become one or more spaces, a label may stand anywhere (QRadar, Snare)

Flat text can't say whether ` Error Code: 0x0` is a field or part of a name that a client sent. Windows writes what clients
send before what it finds out itself, so headings and labels are looked for from the end: of two, the last one counts, and the other
remains part of the value before it (`ambiguous-text`). Lines win over flat where both are possible.

Read, but not understood: a label Windows didn't have when the table was written is kept as `Section.Label`; a text in which no
label of its event is found is kept whole as `Message` (`localised-text`); a text that ends before the event's last label is
`truncated`. An event that isn't in the table is read by `wire.labelled_text`.

A SID that the machine has resolved (`CONTOSO\alice`) is kept as it stands: it is no SID, and mappings refuse it.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Final

from wire.event import WindowsEvent
from wire.labelled_text import FREE_TEXT, parse_labels
from wire.message_texts import MESSAGE_TEXTS, Label, MessageText

LOCALISED: Final = "localised-text"
TRUNCATED: Final = "truncated"
AMBIGUOUS: Final = "ambiguous-text"

Pairs = tuple[tuple[str, str], ...]

_WHITE: Final = " \t\r\n"
_BREAK: Final = re.compile(r"[\r\n]")
_BREAKS: Final = re.compile(r"[\t\r\n]+")
_STRANGER: Final = re.compile(r"[\r\n][ \t]*([A-Za-z][^:\r\n]{1,62}):(?![\\/])", re.ASCII)
_HEX: Final = re.compile(r"0x[0-9a-f]{1,16}")


@dataclass(frozen=True, slots=True)
class RenderedText:
    """What a text said.

    data:      (EventData name, value) in the text's order; values trimmed, `-` and empty ones included.
    warnings:  `localised-text`, `truncated`, `ambiguous-text`.
    """

    data: Pairs
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Field:
    """A label that was found, in characters of the text: its line begins at `start`, its value is from `value` to `end`."""

    label: Label
    heading: str
    start: int
    value: int
    end: int


@dataclass(frozen=True, slots=True)
class _Grammar:
    """How one event's headings and labels are found, compiled once."""

    lines: re.Pattern[str]
    flat: re.Pattern[str]
    words: frozenset[str]


def parse_message(event_id: str, text: str) -> Pairs:
    """The data of `read_message`, for layouts that have no use for its warnings."""
    return read_message(event_id, text).data


def read_message(event_id: str, text: str, provider: str = "") -> RenderedText:
    """EventData out of an event's rendered text. Total and linear: no text is refused, none is lost.

    Args:
        event_id: decimal text; an ID outside the table is read without knowing the event.
        text: lines or flat.
        provider: whose event it is, if that is known: other providers have other events of the same ID.
    """
    template = MESSAGE_TEXTS.get(event_id)
    if template is not None and provider and provider not in template.providers:
        template = None
    if not text.strip(_WHITE):
        return RenderedText(())
    if template is None:
        return RenderedText(parse_labels(text))
    grammar = _grammar(event_id)
    in_lines = _BREAK.search(text) is not None
    fields, spare = _find(template, grammar.lines, text) if in_lines else ((), 0)
    if len(fields) < 2:  # noqa: PLR2004 - one label at a line's start is no proof of lines: a relay may flatten all but the first break
        in_lines, (fields, spare) = False, _find(template, grammar.flat, text)
    if not fields:
        cut = template.sentence.startswith(text.strip(_WHITE)) or text.lstrip(_WHITE).startswith(template.sentence)
        return RenderedText(((FREE_TEXT, text.strip(_WHITE)),), (TRUNCATED if cut else LOCALISED,))
    data = tuple(_line_values(template, grammar, text, fields) if in_lines else ((field.label.name, _value(template, field, text)) for field in fields))
    last = [label for section in template.sections for label in section.labels if not label.optional][-1]
    whole = any(field.label is last for field in fields)
    return RenderedText(data, ((AMBIGUOUS,) if spare else ()) + (() if whole else (TRUNCATED,)))


def render_event(event: WindowsEvent, *, flat: bool = False) -> str:
    """The text of any event: as Windows writes it for one of the table, else as it was delivered, else its data line by line."""
    if event.event_id in MESSAGE_TEXTS:
        return render_message(event.event_id, event.data, flat=flat)
    return event.message or ("  " if flat else "\r\n").join(f"{name}:  {value}" for name, value in event.data)


def render_message(event_id: str, data: Iterable[tuple[str, str]], *, flat: bool = False) -> str:
    """The text Windows writes for an event of the table.

    Args:
        event_id: one of `MESSAGE_TEXTS`.
        data: (EventData name, value); of a repeated name the first, names without a label are left out.
        flat: one line with single spaces for breaks, as QRadar sends it; otherwise CR LF and TAB.

    TAB, CR and LF in values become one space. In flat text a value that contains one of the event's labels has that label's
    colon written as a semicolon, or it would be read as a field.
    """
    template, grammar = MESSAGE_TEXTS[event_id], _grammar(event_id)
    values: dict[str, str] = {}
    for name, value in data:
        values.setdefault(name, value)
    paragraphs = [[template.sentence]]
    for section in template.sections:
        lines = [f"{section.headings[0]}:"] if section.headings else []
        for label in section.labels:
            if label.optional and not values.get(label.name):
                continue
            value = _BREAKS.sub(" ", values.get(label.name, "")).strip(_WHITE) or template.absent
            if label.name in {"SubjectLogonId", "Status"} and _HEX.fullmatch(value):
                value = f"0x{value[2:].upper()}"  # as the event log renders HexInt32 and HexInt64
            if flat:
                value = grammar.flat.sub(lambda found: f"{found[1]};", value)
            indent, colon = "\t" if section.headings and not flat else "", ":" if label.colon else ""
            lines.append(f"{indent}{label.spellings[0]}{colon}{' ' if flat else template.gap}{value}")
        paragraphs.append(lines)
    if flat:
        return " ".join(line for lines in paragraphs for line in lines).rstrip(" ")
    return "\r\n\r\n".join("\r\n".join(lines) for lines in paragraphs).rstrip(_WHITE)


@cache
def _grammar(event_id: str) -> _Grammar:
    sections = MESSAGE_TEXTS[event_id].sections
    labels = [label for section in sections for label in section.labels]
    words = {heading for section in sections for heading in section.headings} | {word for label in labels for word in label.spellings}
    bare = {word for label in labels if not label.colon for word in label.spellings}
    closed = "|".join(sorted(map(re.escape, words), key=len, reverse=True))
    opened = rf"|(?:{'|'.join(map(re.escape, bare))})(?=[ \t\r\n]|\Z)" if bare else ""
    token = rf"((?:{closed})(?=[ \t]*:){opened})(?:[ \t]*:)?"
    return _Grammar(
        lines=re.compile(rf"(?<![^\r\n])[ \t]*{token}", re.ASCII | re.IGNORECASE),
        flat=re.compile(rf"(?<![^ \t\r\n]){token}", re.ASCII | re.IGNORECASE),
        words=frozenset(word.lower() for word in words),
    )


def _find(template: MessageText, pattern: re.Pattern[str], text: str) -> tuple[tuple[_Field, ...], int]:
    """(fields in the text's order, how many headings and labels stand in the text beyond those)."""
    tokens: dict[str, list[tuple[int, int]]] = {}
    for found in pattern.finditer(text):
        tokens.setdefault(found[1].lower(), []).append(found.span())
    spare = sum(map(len, tokens.values()))
    fields: list[_Field] = []
    limit = len(text)
    for section in reversed(template.sections):
        heading = _last(tokens, section.headings, 0, limit)
        if heading is None and section.headings:
            continue
        floor = heading[1] if heading else 0
        for label in reversed(section.labels):
            token = _last(tokens, label.spellings, floor, limit)
            if token is not None:
                fields.append(_Field(label, section.headings[0] if section.headings else "", token[0], token[1], limit))
                limit = token[0]
        if heading:
            limit = heading[0]
            spare -= 1
    return tuple(reversed(fields)), spare - len(fields)


def _last(tokens: dict[str, list[tuple[int, int]]], spellings: tuple[str, ...], floor: int, limit: int) -> tuple[int, int] | None:
    """The last of these words that begins between `floor` and `limit`."""
    best: tuple[int, int] | None = None
    for word in spellings:
        places = tokens.get(word.lower(), [])
        at = bisect_left(places, (limit,)) - 1
        if at >= 0 and places[at][0] >= floor and (best is None or places[at] > best):
            best = places[at]
    return best


def _value(template: MessageText, field: _Field, text: str) -> str:
    """The text up to the next field; behind the last one, up to the advice."""
    value = text[field.value : field.end].strip(_WHITE)
    if template.advice and field.label is template.sections[-1].labels[-1]:
        value = value[: value.find(template.advice)].strip(_WHITE) if template.advice in value else value
    return value


def _line_values(template: MessageText, grammar: _Grammar, text: str, fields: tuple[_Field, ...]) -> Iterator[tuple[str, str]]:
    """Values that may run over several lines, and the lines among them whose label the table doesn't know."""
    for field in fields:
        value = _value(template, field, text)
        stranger = next((found for found in _STRANGER.finditer(value) if found[1].lower() not in grammar.words), None)
        if stranger is None:
            yield field.label.name, value
        else:
            yield field.label.name, value[: stranger.start()].strip(_WHITE)
            yield from parse_labels(value[stranger.start() :].lstrip("\r\n"), field.heading)
