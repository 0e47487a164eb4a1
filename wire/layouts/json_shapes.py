"""The shapes in which JSON holds an event: XML that was converted, and an event inside of something else.

    what converts XML       attributes                 text           named data
    evtx_dump, Zeek         #attributes, X_attributes  #text          {"EventData": {"Name": ...}}
    xmltodict, SQL, .NET    @Name                      #text          {"Data": [{"@Name": ..., "#text": ...}]}
    xml2js                  $                          _              {"Data": [{"$": {"Name": ...}, "_": ...}]}
    Logstash, MP            Name                       content, text  {"Data": [{"Name": ..., "content": ...}]}

`plain_elements` brings them to the first row's shape. EventData that came as a text, XML or JSON within JSON (Log Analytics), is read, and values
without names become `StringInserts`. `find_event` finds the event in what carries it: `{"win": {...}}`, `{"data": {"win": {...}}}`,
`{"event": {...}}`, `{"records": [{...}]}`. What stands beside it is kept apart.

Everything is linear in the document, and bounded by `wire.json_object`'s depth.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final, TypeAlias

from pipeline.errors import MessageError
from wire.event_xml import parse_event as parse_event_xml
from wire.json_object import DOCUMENT, MAX_DEPTH, JsonObject, JsonValue, leaves, parse_object

ATTRIBUTES: Final = "#attributes"
TEXT: Final = "#text"
INSERTS: Final = "StringInserts"
CARRIER_DEPTH: Final = 4

_ATTRIBUTE_MEMBERS: Final = frozenset({ATTRIBUTES, "$", "_attributes", "@attributes"})
_TEXT_MEMBERS: Final = frozenset({TEXT, "_", "_text", "__text", "$t"})
_SUFFIX: Final = "_attributes"
_DATA: Final = frozenset({"data"})
_BLOCKS: Final = frozenset({"eventdata", "userdata"})
_NAME_MEMBERS: Final = frozenset({"name", "key"})
_VALUE_MEMBERS: Final = frozenset({TEXT, "text", "content", "value"})

Leaves: TypeAlias = tuple[tuple[str, str], ...]
Trail: TypeAlias = tuple[tuple[JsonObject, int, str], ...]
"""The objects above one, from the top: each with the member that was followed, and its own path."""


def plain_elements(value: JsonValue, depth: int = 0) -> JsonValue:
    """The same with attributes as `#attributes`, text as `#text`, and named data as members.

    Raises:
        MessageError: json-too-deep.
    """
    if depth > MAX_DEPTH:
        raise MessageError("json-too-deep", document=DOCUMENT)
    if isinstance(value, list):
        return [plain_elements(child, depth + 1) for child in value]
    if not isinstance(value, JsonObject):
        return value
    members: list[tuple[str, JsonValue]] = []
    attributes: list[tuple[str, JsonValue]] = []
    for name, child in value:
        plain = plain_elements(child, depth + 1)
        if name in _ATTRIBUTE_MEMBERS and isinstance(plain, JsonObject):
            attributes.extend(plain)
        elif name.endswith(_SUFFIX) and isinstance(plain, JsonObject):
            members.append((name.removesuffix(_SUFFIX), JsonObject(((ATTRIBUTES, plain),))))
        elif depth and name.startswith("@"):
            attributes.append((name[1:], plain))
        elif name.lower() in _DATA:
            members.extend(_named_data(name, plain))
        elif name.lower() in _BLOCKS:
            members.append(_block(name, plain))
        else:
            members.append((TEXT if name in _TEXT_MEMBERS else name, plain))
    return JsonObject((*members, *(((ATTRIBUTES, JsonObject(attributes)),) if attributes else ())))


def find_event(document: JsonObject, is_event: Callable[[JsonObject], bool]) -> tuple[JsonObject, Leaves]:
    """(the event, leaves of what stands around it): the shallowest object that is one; the document itself if none is.

    Raises:
        MessageError: several-events for an array that holds more than one, json-too-deep.
    """
    level: list[tuple[JsonObject, Trail]] = [(document, ())]
    for _ in range(CARRIER_DEPTH):
        for value, trail in level:
            if is_event(value):
                return value, tuple(pair for carrier, at, path in trail for pair in leaves(JsonObject((*carrier[:at], *carrier[at + 1 :])), path))
        level = [
            (inner, (*trail, (value, at, _path(trail))))
            for value, trail in level
            for at, (_name, child) in enumerate(value)
            if (inner := _only(child, is_event)) is not None
        ]
    return document, ()


def _path(trail: Trail) -> str:
    """The dotted path of the object that a trail leads to."""
    return ".".join(carrier[at][0] for carrier, at, _ in trail)


def _only(child: JsonValue, is_event: Callable[[JsonObject], bool]) -> JsonObject | None:
    """An object, alone or as the only item of an array."""
    if isinstance(child, list):
        if sum(isinstance(item, JsonObject) and is_event(item) for item in child) > 1:
            raise MessageError("several-events", document=DOCUMENT, detail=f"{len(child)} items")
        child = child[0] if len(child) == 1 else None
    return child if isinstance(child, JsonObject) else None


def _named_data(member: str, child: JsonValue) -> Iterable[tuple[str, JsonValue]]:
    """`Data` as one member for each element: by its name, if it has one."""
    return [_named(item) or (member, item) for item in (child if isinstance(child, list) else [child])]


def _named(item: JsonValue) -> tuple[str, JsonValue] | None:
    """The name and value of `{"Name": ..., "#text": ...}` in any convention."""
    if not isinstance(item, JsonObject):
        return None
    flat = [pair for name, child in item for pair in (child if name == ATTRIBUTES and isinstance(child, JsonObject) else ((name, child),))]
    found = next((child for name, child in flat if name.lower() in _NAME_MEMBERS and isinstance(child, str) and child), None)
    others = [(name, child) for name, child in flat if name.lower() not in _NAME_MEMBERS]
    if found is None or any(name.lower() not in _VALUE_MEMBERS for name, _ in others):
        return None
    return found, next((child for _, child in others), None)


def _block(name: str, child: JsonValue) -> tuple[str, JsonValue]:
    """EventData or UserData: as an object, whatever it was."""
    if isinstance(child, str):
        return name, _read(child)
    if isinstance(child, list) and child:
        pairs = [_named(item) for item in child]
        if all(pair is not None for pair in pairs):
            return name, JsonObject(pair for pair in pairs if pair is not None)
        if not any(isinstance(item, JsonObject | list) for item in child):
            return INSERTS, child
    return name, child


def _read(text: str) -> JsonValue:
    """A block that came as a text: event XML's element, or an object; anything else stays as it is."""
    try:
        if text.lstrip().startswith("{"):
            return plain_elements(parse_object(text.encode("utf-8", "replace"))[0], 1)
        start, end = text.find("<EventData"), text.rfind("</EventData>")
        if start >= 0 and end > start:
            element = text[start : end + len("</EventData>")]
            event = parse_event_xml(f"<Event><System><EventID>0</EventID></System>{element}</Event>".encode("utf-8", "replace"))
            return JsonObject(event.data)
    except MessageError:
        pass
    return text
