"""CEF: what we write is one event to everybody, and its values are the record's."""

from __future__ import annotations

import re
import unicodedata
from typing import Any, Final

import pytest
from hypothesis import given
from support import records

from forwarders.encoders.cef import encode_cef
from wire.cef import parse_cef

ESCAPES: Final = {"\\\\": "\\", "\\=": "=", "\\n": "\n", "\\r": "\r"}
BREAKS: Final = "\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029"


def read_by_hand(line: str) -> tuple[list[str], dict[str, str]]:
    """(header, extension) of a line, one character at a time and strict: an escape that CEF doesn't have is an error, so is a key that comes again."""
    assert line.startswith("CEF:")
    header: list[str] = []
    field, at = "", 4
    while len(header) < 7:
        if line[at] == "\\":
            assert line[at + 1] in "\\|"
            field, at = field + line[at + 1], at + 2
        elif line[at] == "|":
            header, field, at = [*header, field], "", at + 1
        else:
            field, at = field + line[at], at + 1
    extension: dict[str, str] = {}
    before, *pieces = re.split(r"(?:^|(?<= ))([A-Za-z0-9]+)=", line[at:])
    assert before == ""
    keys, values = pieces[::2], pieces[1::2]
    assert all(value.endswith(" ") for value in values[:-1])
    for key, value in zip(keys, [value[:-1] for value in values[:-1]] + values[-1:], strict=True):
        plain, inside = "", 0
        while inside < len(value):
            assert value[inside] != "="
            width = 2 if value[inside] == "\\" else 1
            plain += ESCAPES[value[inside : inside + 2]] if width == 2 else value[inside]
            inside += width
        assert key not in extension
        extension[key] = plain
    return header, extension


def with_breaks(text: str) -> str:
    """A value as a CEF event may have it: written here a second time."""
    kept = "".join("\n" if one in BREAKS else one for one in text.replace("\r\n", "\n"))
    return "".join(one if one in "\t\n" or unicodedata.category(one) not in {"Cc", "Cs", "Zl", "Zp"} else " " for one in kept)


@given(records.good | records.hostile())
def test_two_parsers_read_the_same(record: records.Record) -> None:
    line = encode_cef(record).decode()
    assert line.splitlines() == [line]
    parsed = parse_cef(line)
    header, extension = read_by_hand(line)
    assert header == [parsed.version, parsed.vendor, parsed.product, parsed.device_version, parsed.signature, parsed.name, parsed.severity]
    assert tuple(extension.items()) == parsed.extension


@given(records.hostile())
def test_values_come_back(record: records.Record) -> None:
    extension = dict(parse_cef(encode_cef(record).decode()).extension)
    for key, path in (("externalId", ("metadata", "uid")), ("dvchost", ("device", "hostname")), ("duser", ("user", "name")), ("cat", ("metadata", "log_name"))):
        found: Any = record
        for part in path:
            found = found.get(part, {})
        if key in extension:
            assert extension[key] == with_breaks(found)
        else:
            assert found in ({}, "") or key == "duser"
    expected = [with_breaks(", ".join(item) if isinstance(item, list) else item) for item in record["unmapped"].values() if item]
    assert list(extension.values())[len(extension) - len(expected) :] == expected


@given(records.broken())
def test_nothing_escapes(record: records.Record) -> None:
    line = encode_cef(record).decode()
    assert line.splitlines() == [line]
    parse_cef(line)


@pytest.mark.parametrize("name", records.NAMES)
def test_every_label_has_its_field(name: str) -> None:
    extension = dict(parse_cef(encode_cef(records.fixture_record(name)).decode()).extension)
    assert {key.removesuffix("Label") for key in extension if key.endswith("Label")} == {key for key in extension if re.fullmatch(r"(?:cs|cn|c6a)[1-6]", key)}


def test_an_event() -> None:
    assert encode_cef(records.fixture_record("events/4728")).decode() == (
        "CEF:0|Microsoft|Microsoft Windows|0|Microsoft-Windows-Security-Auditing:4728|A member was added to a security-enabled global group.|1|"
        "rt=1710504000123 externalId=0b5fbe84-4d9b-5cea-a656-0de11f6f1b13 cat=Security act=Add User outcome=success dvchost=DC01.contoso.example "
        "cn1=88010 cn1Label=Record ID suser=amir sntdom=CONTOSO suid=S-1-5-21-3623811015-3361044348-30300820-1105 cs1=0x30d5f cs1Label=Logon ID "
        "dntdom=contoso.example duid=S-1-5-21-3623811015-3361044348-30300820-1142 cs2=CONTOSO\\\\Payroll cs2Label=Group "
        "cs3=S-1-5-21-3623811015-3361044348-30300820-1201 cs3Label=Group SID cs4=Global Security Enabled cs4Label=Group Type "
        "cs5=CN\\=Levi\\\\, Dana,OU\\=Staff,DC\\=contoso,DC\\=example cs5Label=Member"
    )


def test_traffic_is_counted_from_the_source() -> None:
    """CEF's `in` flows from the source to the destination, and so does RADIUS Input."""
    extension = dict(parse_cef(encode_cef(records.fixture_record("radius/asa-stop")).decode()).extension)
    assert (extension["in"], extension["out"]) == ("1048576", "9663676416")


def test_addresses_of_version_6_have_their_own_fields() -> None:
    record = records.fixture_record("events/4776") | {"src_endpoint": {"ip": "fe80::1%eth0"}}
    extension = dict(parse_cef(encode_cef(record).decode()).extension)
    assert (extension["c6a2"], extension["c6a2Label"]) == ("fe80::1", "Source IPv6 Address")
    assert "src" not in extension


def test_names_that_become_one_word_stay_two() -> None:
    record = records.fixture_record("events/4662") | {"unmapped": {"Object-Name": "a", "Object.Name": "b"}}
    extension = parse_cef(encode_cef(record).decode()).extension
    assert extension[-2:] == (("TidegateWindowsObjectName", "a"), ("TidegateWindowsObjectName2", "b"))


def test_findings_and_labels() -> None:
    record = records.fixture_record("events/4776") | {"enrichments": [{"type": "honeytoken", "name": "user.name", "value": "svc-old", "data": {}}]}
    record["metadata"]["labels"] = ["uid:weak", "replay"]
    extension = dict(parse_cef(encode_cef(record).decode()).extension)
    assert extension["TidegateEnrichments"] == "honeytoken: user.name = svc-old"
    assert extension["TidegateLabels"] == "uid:weak, replay"
