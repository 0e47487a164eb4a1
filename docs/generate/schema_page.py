"""docs/reference/schema.md: which field of which event becomes which attribute of OCSF, as `normalizers/mappings` has it, with an example of each."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from normalizers.document import CaseSpec, Document, EventSpec, FillSpec, PartSpec, RowSpec, read_document, shipped_texts
from normalizers.plan import ANY
from normalizers.profiles import load_profile
from wire.event import EventKey

EXAMPLES: Final = Path(__file__).parents[2] / "fixtures/events"
RADIUS: Final = "radius"
WHERE: Final = {"@": "{} of the envelope", "?": "{}, which stays in `unmapped` too", "=": "`{}` as it was written"}

HEAD: Final = """\
# Schema

Records are [OCSF](https://schema.ocsf.io/{version}) {version}, one JSON object a line. This is what fills them: each row reads
fields of the event, in this order, and writes at or below a path. [Mapping](../mapping.md) explains the transforms, profiles, labels and what no row writes
(captions, observables, `metadata.uid` ...). What no row takes goes to `unmapped`, under its own name.

## Events

| event | | class | activity | kept by |
|---|---|---|---|---|
"""

TABLE: Final = ("", "| from | to | by |", "|---|---|---|")


def write_page() -> str:
    """The whole page."""
    document = read_document(shipped_texts())
    lines = [HEAD.format(version=document.version).rstrip("\n")]
    lines += [_overview(document, event) for event in document.event]
    lines += ["", "## What events share"]
    used = dict.fromkeys(name for event in document.event for name in _used(document, event))
    for name in used:
        lines += ["", f"### {name}", *_part(document, document.parts[name])]
    for event in document.event:
        lines += ["", f"## {_title(event)}", "", *_event(document, event)]
    return "\n".join(lines) + "\n"


def _title(event: EventSpec) -> str:
    if event.like == RADIUS:
        return event.message.rstrip(".") + (f" ({event.id})" if event.id != ANY else "")
    if event.id != ANY:
        return f"{event.id}: {event.message.rstrip('.')}"
    return f"Any other event of {event.channel}" if event.channel not in ("", ANY) else "Any other event"


def _anchor(title: str) -> str:
    return "-".join("".join(letter for letter in title.lower() if letter.isalnum() or letter in " -_").split())


def _overview(document: Document, event: EventSpec) -> str:
    found = document.classes[event.class_name]
    numbers = [event.activity] if event.activity is not None else _activities(document, event)
    activity = " or ".join(found.activities[number] for number in numbers if number is not None)
    title = _title(event)
    return f"| [{event.id}](#{_anchor(title)}) | {event.message} | {found.name} ({found.uid}) | {activity} | {_keepers(document, event)} |"


def _keepers(document: Document, event: EventSpec) -> str:
    if event.like == RADIUS:
        return "always"
    channel, providers = _sources(document, event)
    names = [name for name in document.profiles if any(load_profile(name).wants(EventKey(channel, provider, event.id)) for provider in providers)]
    return " ".join(f"`{name}`" for name in names) or '`keep = "all"`'


def _sources(document: Document, event: EventSpec) -> tuple[str, tuple[str, ...]]:
    """Its channel and its providers."""
    like = document.defaults.get(event.like)
    return event.channel or (like.channel if like else ""), event.provider or (like.provider if like else ())


def _used(document: Document, part: PartSpec) -> Iterator[str]:
    for name in (*part.use, *(name for case in part.case for name in case.use)):
        yield from _used(document, document.parts[name])
        yield name


def _activities(document: Document, part: PartSpec) -> list[int | None]:
    """Those that its cases, and those of what it uses, choose among."""
    return [number for name in part.use for number in _activities(document, document.parts[name])] + [case.activity for case in part.case]


def _event(document: Document, event: EventSpec) -> Iterator[str]:
    if event.like != RADIUS and event.id != ANY:
        channel, providers = _sources(document, event)
        yield f"Channel `{channel}`, provider {' or '.join(f'`{name}`' for name in providers)}."
    yield from _part(document, event)
    example = EXAMPLES / f"{event.id}.json"
    if example.exists():
        record = json.dumps(json.loads(example.read_text()), indent=2, ensure_ascii=False)
        yield from ("", '<details markdown="1">', "<summary>Example</summary>", "", "```json", record, "```", "", "</details>")


def _part(document: Document, part: PartSpec) -> Iterator[str]:
    """What it uses, its constants, its cases, its rows, its fills."""
    if part.use:
        yield from ("", f"First: {', '.join(f'[{name}](#{_anchor(name)})' for name in part.use)}.")
    if part.const:
        yield from ("", f"Always: {', '.join(f'`{path}` = `{json.dumps(value)}`' for path, value in part.const.items())}.")
    for case in part.case:
        yield from ("", f"- {_condition(case)}:")
        yield from (f"    - {line}" for line in _case(document, case))
    if part.rows:
        yield from TABLE
        yield from (_row(row) for row in part.rows)
    for fill in part.fill:
        wanted = f" and `{fill.when}` is there" if fill.when else ""
        yield from ("", f"Where there is no {' or '.join(f'`{path}`' for path in fill.unless)}{wanted}: {_constants(fill)}.")


def _constants(fill: FillSpec) -> str:
    return ", ".join(f"`{path}` = `{json.dumps(value)}`" for path, value in fill.constants.items())


def _condition(case: CaseSpec) -> str:
    if not case.test:
        return "Otherwise"
    words = {"in": "is", "not_in": "is none of", "group_sid": "is the SID of a well-known group or of a group of a domain"}
    values = " ".join(f"`{value}`" for value in case.values)
    return f"Where {_source(case.of)} {words[case.test]} {values}".rstrip()


def _case(document: Document, case: CaseSpec) -> Iterator[str]:
    if case.activity is not None:
        yield f"the activity is {case.activity}"
    if case.use:
        yield f"as in {', '.join(f'[{name}](#{_anchor(name)})' for name in case.use)}"
    for path, value in case.const.items():
        yield f"`{path}` = `{json.dumps(value)}`"
    for row in case.rows:
        source, to, by = (cell.strip() for cell in _row(row).strip("|").rsplit("|", 2))
        yield f"{source or 'a constant'} becomes {to or 'nothing'} by {by}"
    for fill in case.fill:
        yield f"{_constants(fill)} without {' or '.join(f'`{path}`' for path in fill.unless)}"
    for inner in case.case:
        yield _condition(inner) + ": " + "; ".join(_case(document, inner))


def _row(row: RowSpec) -> str:
    told = [f"table `{row.table}`"] if row.table else []
    told += [f"`{json.dumps(row.value)}`"] if row.value is not None else []
    told += [f"{row.default} unless told"] if row.default else []
    told += [f"not beside {' or '.join(f'`{path}`' for path in row.unless)}"] if row.unless else []
    by = " else ".join(f"`{name}`" for name in row.transforms) + (f" ({', '.join(told)})" if told else "")
    return f"| {', '.join(map(_source, row.sources))} | {f'`{row.to}`' if row.to else ''} | {by} |"


def _source(text: str) -> str:
    mark = WHERE.get(text[:1])
    if mark is None:
        return f"`{text}`"
    return mark.format(text[1:] if text[0] == "=" else f"`{text[1:]}`")
