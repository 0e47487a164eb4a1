"""LEEF: what we write is one event to everybody, and its values are the record's, as far as a format without escapes can have them."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from support import records

from forwarders.encoders.leef import encode_leef
from wire.leef import parse_leef


def read_by_hand(line: str) -> tuple[list[str], list[tuple[str, str]]]:
    """(header, attributes), as a receiver would that has never heard of escapes."""
    assert line.startswith("LEEF:2.0|")
    *header, delimiter, attributes = line.split("|", 6)
    assert delimiter == "x09"
    pairs = []
    for piece in attributes.split("\t"):
        key, equals, value = piece.partition("=")
        assert equals
        assert re.fullmatch(r"[A-Za-z][A-Za-z0-9]*", key, re.ASCII)
        pairs.append((key, value))
    return header[1:], pairs


@given(records.good | records.hostile())
def test_two_parsers_read_the_same(record: records.Record) -> None:
    line = encode_leef(record).decode()
    assert line.splitlines() == [line]
    parsed = parse_leef(line)
    header, attributes = read_by_hand(line)
    assert header == [parsed.vendor, parsed.product, parsed.product_version, parsed.event_id]
    assert tuple(attributes) == parsed.attributes
    assert len({key for key, _ in attributes}) == len(attributes)
    assert not parsed.repaired


@given(records.hostile())
def test_values_come_back(record: records.Record) -> None:
    attributes = dict(parse_leef(encode_leef(record).decode()).attributes)
    for key, found in (("uid", record["metadata"]["uid"]), ("message", record.get("message", "")), ("deviceHostName", record["device"].get("hostname", ""))):
        expected = "".join(one if one.isprintable() or one == "\u00a0" else " " for one in found)
        assert attributes.get(key, "") == expected


@given(records.broken())
def test_nothing_escapes(record: records.Record) -> None:
    line = encode_leef(record).decode()
    assert line.splitlines() == [line]
    read_by_hand(line)
    parse_leef(line)


def test_an_event() -> None:
    header, attributes = read_by_hand(encode_leef(records.fixture_record("events/8004")).decode())
    assert header == ["Microsoft", "Microsoft Windows", "0", "8004"]
    assert attributes == [
        ("cat", "Authentication"),
        ("devTime", "Mar 15 2024 12:00:00.123 GMT"),
        ("devTimeFormat", "MMM dd yyyy HH:mm:ss.SSS z"),
        ("sev", "1"),
        ("uid", "7b8c3b38-ae38-5757-b41b-2e1ed92c038c"),
        ("recordId", "9921"),
        ("action", "Logon"),
        ("outcome", "unknown"),
        ("reason", "AUDIT_ONLY"),
        ("deviceHostName", "DC01.contoso.example"),
        ("channel", "Microsoft-Windows-NTLM/Operational"),
        ("provider", "Microsoft-Windows-Security-Netlogon"),
        ("message", "Domain controller NTLM audit: NTLM authentication to this domain controller."),
        ("usrName", "dana"),
        ("proto", "NTLM"),
        ("src", "192.0.2.7"),
        ("dstHostName", "FILESRV01"),
        ("SChannelType", "2"),
    ]


@pytest.mark.parametrize(("name", "flag"), [("radius/rras-start", "isLoginEvent"), ("radius/asa-stop", "isLogoutEvent")])
def test_a_session_says_whose_address_it_is(name: str, flag: str) -> None:
    attributes = dict(parse_leef(encode_leef(records.fixture_record(name)).decode()).attributes)
    assert attributes[flag] == "true"
    assert attributes["identSrc"].startswith("10.")
    assert attributes["usrName"]
