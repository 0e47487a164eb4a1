"""Judging OCSF records: the official JSON Schemas of 1.8.0, and what a schema can't see."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, Final

import ocsf_json_schema
from jsonschema import Draft202012Validator

VERSION: Final = "1.8.0"
CLASSES: Final = {
    0: "base_event",
    3001: "account_change",
    3002: "authentication",
    3006: "group_management",
    4014: "tunnel_activity",
    201004: "win/windows_service_activity",
}
HOST_PROFILE: Final = {0, 3001, 3002, 3006}
MISSING: Final = {"", "-", None}

Record = Mapping[str, Any]


@cache
def _export() -> Any:
    return ocsf_json_schema.get_ocsf_schema(version=VERSION)


@cache
def validator(class_uid: int) -> Draft202012Validator:
    """The official schema of a class, with the profile we use."""
    embedded = ocsf_json_schema.OcsfJsonSchemaEmbedded(_export())
    return Draft202012Validator(embedded.get_class_schema(CLASSES[class_uid], ["host"] if class_uid in HOST_PROFILE else []))


def complaints(record: Record) -> list[str]:
    """Everything wrong with a record; empty for a good one."""
    class_uid = record.get("class_uid")
    if class_uid not in CLASSES:
        return [f"class_uid {class_uid!r} is none of ours"]
    found = [f"{error.json_path}: {error.message}"[:300] for error in validator(class_uid).iter_errors(record)]
    return [*found, *_unseen(record)]


def check(record: Record) -> None:
    """Assert that a record is good."""
    assert complaints(record) == []


def _unseen(record: Record) -> Iterator[str]:
    """What JSON Schema accepts and OCSF doesn't, or our contract doesn't."""
    class_uid, activity_id = record["class_uid"], record["activity_id"]
    if record["type_uid"] != class_uid * 100 + activity_id:
        yield "type_uid isn't class_uid * 100 + activity_id"
    metadata = record["metadata"]
    if metadata["version"] != VERSION:
        yield f"metadata.version {metadata['version']!r}"
    if (metadata.get("profiles") == ["host"]) != (class_uid in HOST_PROFILE):
        yield f"metadata.profiles {metadata.get('profiles')!r}"
    for observable in record.get("observables", ()):
        if _at(record, observable["name"]) != observable["value"]:
            yield f"observable {observable['name']} resolves to something else"
        if observable.get("type") not in (None, OBSERVABLES[observable["type_id"]]):
            yield f"observable {observable['name']} is called {observable['type']!r}"
    yield from _captions(record)
    yield from _values(record, "$")


OBSERVABLES: Final = {
    1: "Hostname",
    2: "IP Address",
    3: "MAC Address",
    4: "User Name",
    7: "File Name",
    31: "User Object: uid",
    32: "Group Object: name",
    33: "Group Object: uid",
    45: "File Path",
}
_USER: Final = {0: "Unknown", 1: "User", 2: "Admin", 3: "System", 4: "Service"}
_ACTIVITIES: Final = {
    0: {0: "Unknown"},
    3001: {1: "Create", 6: "Delete"},
    3002: {1: "Logon"},
    3006: {3: "Add User", 4: "Remove User", 5: "Delete", 7: "Add Subgroup", 8: "Remove Subgroup"},
    4014: {1: "Open", 2: "Close"},
    201004: {1: "Create"},
}
_CAPTIONS: Final = {
    "severity_id": {1: "Informational"},
    "status_id": {0: "Unknown", 1: "Success", 2: "Failure"},
    "auth_protocol_id": {1: "NTLM"},
    "device.type_id": {0: "Unknown"},
    "user.type_id": _USER,
    "actor.user.type_id": _USER,
    "win_service.service_type_id": {0: "Unknown", 1: "Kernel Driver", 2: "File System Driver"},
    "win_service.service_category_id": {1: "Kernel Mode", 2: "User Mode"},
    "win_service.service_start_type_id": {1: "Boot", 2: "System", 3: "Auto", 4: "Demand", 5: "Disabled"},
    "win_service.service_file.type_id": {1: "Regular File"},
    "tunnel_interface.type_id": {1: "Wired", 2: "Wireless", 4: "Tunnel"},
    "tunnel_type_id": {0: "Unknown"},
}
"""Captions by the schema's own tables, written here by hand."""


def _captions(record: Record) -> Iterator[str]:
    for path, captions in {**_CAPTIONS, "activity_id": _ACTIVITIES[record["class_uid"]]}.items():
        number, caption = _at(record, path), _at(record, path.removesuffix("_id") if path != "activity_id" else "activity_name")
        if number == 99:
            if caption in MISSING:
                yield f"{path} 99 without its text"
        elif number is not None and (number not in captions or caption not in (None, captions[number])):
            yield f"{path} {number} is called {caption!r}"


def _values(value: Any, path: str) -> Iterator[str]:
    match value:
        case dict():
            if not value:
                yield f"{path} is empty"
            for key, inner in value.items():
                if key == "ip" and not _is_address(inner):
                    yield f"{path}.ip {inner!r} is no address"
                yield from _values(inner, f"{path}.{key}")
        case list():
            if not value:
                yield f"{path} is empty"
            for index, inner in enumerate(value):
                yield from _values(inner, f"{path}[{index}]")
        case float():
            yield f"{path} is a float"
        case _ if value in MISSING:
            yield f"{path} is {value!r}"


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _at(record: Record, path: str) -> Any:
    node: Any = record
    for step in path.split("."):
        node = node.get(step) if isinstance(node, Mapping) else None
    return node
