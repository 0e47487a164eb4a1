"""The dictionary: what its files may say, and what they have to."""

from __future__ import annotations

import tomllib
from importlib import resources

import pytest

from wire.radius.dictionary import Kind, Table, build_dictionary, dictionary
from wire.radius.named import NUMBER, TAGGED

FILES = sorted(file.name for file in resources.files("wire.radius.dictionaries").iterdir() if file.name.endswith(".toml"))


@pytest.mark.parametrize("name", FILES)
def test_a_file_is_a_table(name: str) -> None:
    text = resources.files("wire.radius.dictionaries").joinpath(name).read_text(encoding="utf-8")
    assert text.startswith("# ")  # what it holds, and where that stands
    table = tomllib.loads(text)
    assert table.keys() <= {"vendor", "attributes", "values"}
    assert isinstance(table.get("vendor", 0), int)
    assert all(isinstance(word, str) for row in table.get("attributes", {}).values() for word in row)
    assert all(number.isdigit() and isinstance(name, str) for values in table.get("values", {}).values() for number, name in values.items())


def test_it_is_read_once() -> None:
    assert dictionary() is dictionary()


def test_names_and_values_are_unmistakable() -> None:
    for entry in dictionary().by_name.values():
        assert not NUMBER.fullmatch(entry.name)
        assert not TAGGED.fullmatch(entry.name)
        assert len(set(entry.values.values())) == len(entry.values)
        assert not any(text.isdigit() for text in entry.values.values())
        assert bool(entry.values) == (entry.kind is Kind.ENUM)


STANDARD = {
    (1,): "User-Name", (4,): "NAS-IP-Address", (5,): "NAS-Port", (8,): "Framed-IP-Address", (25,): "Class", (30,): "Called-Station-Id",
    (31,): "Calling-Station-Id", (32,): "NAS-Identifier", (33,): "Proxy-State", (40,): "Acct-Status-Type", (41,): "Acct-Delay-Time",
    (44,): "Acct-Session-Id", (49,): "Acct-Terminate-Cause", (50,): "Acct-Multi-Session-Id", (52,): "Acct-Input-Gigawords", (55,): "Event-Timestamp",
    (61,): "NAS-Port-Type", (64,): "Tunnel-Type", (66,): "Tunnel-Client-Endpoint", (80,): "Message-Authenticator", (87,): "NAS-Port-Id",
    (95,): "NAS-IPv6-Address", (97,): "Framed-IPv6-Prefix", (123,): "Delegated-IPv6-Prefix", (168,): "Framed-IPv6-Address",
    (26, 311, 10): "MS-CHAP-Domain", (26, 311, 34): "MS-RAS-Client-Name", (26, 9, 1): "Cisco-AVPair", (26, 3076, 146): "ASA-TunnelGroupName",
    (26, 3076, 150): "ASA-ClientType", (26, 3076, 151): "ASA-SessionType", (26, 3375, 14): "F5-LTM-Audit-Msg", (26, 2620, 229): "CP-Gaia-User-Role",
    (26, 2636, 1): "Juniper-Local-User-Name", (26, 12356, 1): "Fortinet-Group-Name", (26, 25461, 7): "PaloAlto-Client-Source-IP",
}  # fmt: skip


@pytest.mark.parametrize(("path", "name"), STANDARD.items(), ids=STANDARD.values())
def test_names(path: tuple[int, ...], name: str) -> None:
    assert dictionary().by_path[path].name == name
    assert dictionary().by_name[name].path == path


def test_status_types_and_causes() -> None:
    statuses = dictionary().by_name["Acct-Status-Type"].values
    assert {number: statuses[number] for number in (1, 2, 3, 7, 8, 9, 14, 15)} == {
        1: "Start",
        2: "Stop",
        3: "Interim-Update",
        7: "Accounting-On",
        8: "Accounting-Off",
        9: "Tunnel-Start",
        14: "Tunnel-Link-Reject",
        15: "Failed",
    }
    causes = dictionary().by_name["Acct-Terminate-Cause"].values
    assert sorted(causes) == list(range(1, 23))
    assert (causes[1], causes[9], causes[22]) == ("User Request", "NAS Error", "Port Administratively Disabled")


WRONG: dict[str, list[Table]] = {
    "a number twice": [{"attributes": {"1": ["A", "text"]}}, {"attributes": {"1": ["B", "text"]}}],
    "a name twice": [{"attributes": {"1": ["A", "text"]}}, {"vendor": 9, "attributes": {"1": ["A", "text"]}}],
    "a value twice": [{"attributes": {"1": ["A", "enum"]}, "values": {"A": {"1": "x"}}}, {"values": {"A": {"1": "y"}}}],
    "values of nothing": [{"values": {"A": {"1": "x"}}}],
    "values of a text": [{"attributes": {"1": ["A", "text"]}, "values": {"A": {"1": "x"}}}],
    "an enum without values": [{"attributes": {"1": ["A", "enum"]}}],
    "an unknown type": [{"attributes": {"1": ["A", "string"]}}],
    "an unknown flag": [{"attributes": {"1": ["A", "text", "hidden"]}}],
}


@pytest.mark.parametrize("tables", WRONG.values(), ids=WRONG)
def test_wrong_tables(tables: list[Table]) -> None:
    with pytest.raises((ValueError, KeyError)):
        build_dictionary(tables)
