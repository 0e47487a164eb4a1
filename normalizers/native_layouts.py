"""What layouts look up, as tables for the native engine: a part of the document that it loads (`kernel/core/src/layouts/tables.rs`).

The tables are the twins' own, in the order in which the native twins search them.
"""

from __future__ import annotations

from collections.abc import Mapping

from wire.event_data_names import EVENT_DATA_NAMES, spelled_names
from wire.layouts import cef_windows, flat_json, nxlog_json, winlogbeat_json
from wire.layouts.json_fields import Members
from wire.message_texts import MESSAGE_TEXTS, MessageText
from wire.providers import CHANNELS, SECURITY_AUDITING, display_names

Part = dict[str, object]


def layout_tables() -> Part:
    """The tables as JSON's values."""
    return {
        "providers": list(display_names().items()),
        "channels": list(CHANNELS.items()),
        "texts": [_text(event_id, text) for event_id, text in MESSAGE_TEXTS.items()],
        "cef": _cef(),
        "event_data": [_event_data(event_id, names) for event_id, names in EVENT_DATA_NAMES.items()],
        "spelled": list(spelled_names().items()),
        "json": {
            "winlogbeat": _members(winlogbeat_json.MEMBERS),
            "nxlog": _members(nxlog_json.WITHOUT_USER),
            "nxlog_with_user": _members(nxlog_json.WITH_USER),
            "flat": _members(flat_json.MEMBERS, folded=True),
        },
    }


def _text(event_id: str, text: MessageText) -> Part:
    """One event's text, its headings and labels as numbers of words."""
    labels = [label for section in text.sections for label in section.labels]
    spellings = {word.lower() for section in text.sections for word in section.headings} | {word.lower() for label in labels for word in label.spellings}
    bare = {word.lower() for label in labels if not label.colon for word in label.spellings}
    words = sorted(spellings, key=lambda word: (-len(word), word))
    number = {word: at for at, word in enumerate(words)}
    return {
        "event_id": event_id,
        "providers": text.providers,
        "sentence": text.sentence,
        "advice": text.advice,
        "sections": [
            {
                "headings": [number[word.lower()] for word in section.headings],
                "labels": [
                    {"name": label.name, "words": [number[word.lower()] for word in label.spellings], "optional": label.optional} for label in section.labels
                ],
            }
            for section in text.sections
        ],
        "words": [{"text": word, "bare": word in bare} for word in words],
    }


def _cef() -> Part:
    return {
        "columns": [[event_id, _cef_column(names)] for event_id, names in cef_windows.column_names().items()],
        "result_of": cef_windows.NTLM_VALIDATION,
        "installers": cef_windows.INSTALLERS,
    }


def _cef_column(names: Mapping[str, str]) -> Part:
    keys = tuple(reversed(tuple(names)))
    return {"names": [names[key] for key in keys], "rows": [[key, row] for row, key in enumerate(keys)]}


def _event_data(event_id: str, names: tuple[str, ...]) -> Part:
    text = MESSAGE_TEXTS.get(event_id)
    return {"event_id": event_id, "providers": text.providers if text else (SECURITY_AUDITING,), "names": names}


def _members(members: Members, *, folded: bool = False) -> Part:
    return {
        "fields": [[path, [rank, members.fields[path]]] for path, rank in members.ranks.items()],
        "data": members.data,
        "ignored": [[path, True] for path in sorted(members.ignored)],
        "ignored_below": members.ignored_below,
        "open": members.open,
        "folded": folded,
    }
