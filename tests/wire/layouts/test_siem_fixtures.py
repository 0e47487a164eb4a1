"""The messages of fixtures/siem, whole datagrams: which layout each is in, and the event or the rule it ends in."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pytest

from pipeline.errors import MessageError
from wire.event import WindowsEvent
from wire.layouts.detect import detect
from wire.layouts.layout import Reading
from wire.syslog_header import parse_header

FIXTURES: Final = Path(__file__).parents[3] / "fixtures" / "siem"
TIME_MS: Final = 1_615_803_072_345
DC01: Final = "dc01.contoso.example"
SECURITY: Final = ("Security", "Microsoft-Windows-Security-Auditing")
ACTOR: Final = {"SubjectUserSid": "S-1-5-21-1004336348-1177238915-682003330-1104", "SubjectUserName": "opal", "SubjectDomainName": "CONTOSO", "SubjectLogonId": "0x30D5F"}  # fmt: skip  # noqa: E501 - one row

#   file, layout, key, computer, record ID, keywords, warnings, data
EVENTS: Final = [
    (
        "splunk-4776.txt",
        "splunk",
        (*SECURITY, "4776"),
        DC01,
        "88123",
        "0x8010000000000000",
        (),
        {"PackageName": "MICROSOFT_AUTHENTICATION_PACKAGE_V1_0", "TargetUserName": "dana.levi", "Workstation": "WKS-042", "Status": "0xC000006A"},
    ),
    (
        "splunk-4756.txt",
        "splunk",
        (*SECURITY, "4756"),
        DC01,
        "",
        "",
        (),
        ACTOR
        | {
            "MemberSid": "S-1-5-21-1004336348-1177238915-682003330-1142",
            "MemberName": "CN=Levi\\, Dana,OU=Staff,DC=contoso,DC=example",
            "TargetSid": "S-1-5-21-1004336348-1177238915-682003330-1220",
            "TargetUserName": "Exchange Trusted",
            "TargetDomainName": "CONTOSO",
            "PrivilegeList": "-",
            "MembershipExpirationTime": "(null)",
        },
    ),
    (
        "splunk-german.txt",
        "splunk",
        (*SECURITY, "4776"),
        "dc02.fabrikam.example",
        "",
        "",
        ("localised-text",),
        {"Message": "Der Computer hat versucht, die Anmeldeinformationen für ein Konto zu überprüfen.\r\n\r\nAnmeldekonto:\tdana.levi\r\nFehlercode:\t0x0"},
    ),
    (
        "qradar-7045.txt",
        "qradar",
        ("System", "Service Control Manager", "7045"),
        DC01,
        "77001",
        "",
        (),
        {
            "ServiceName": "Contoso Agent",
            "ImagePath": '"C:\\Program Files\\Contoso\\agent.exe" -k a=b',
            "ServiceType": "user mode service",
            "StartType": "auto start",
            "AccountName": "LocalSystem",
        },
    ),
    (
        "qradar-8004.txt",
        "qradar",
        ("Microsoft-Windows-NTLM/Operational", "Microsoft-Windows-Security-Netlogon", "8004"),
        DC01,
        "5501",
        "",
        (),
        {"SChannelName": "FILESRV01", "UserName": "dana.levi", "DomainName": "NULL", "WorkstationName": "WKS-042", "SChannelType": "2"},
    ),
    (
        "qradar-cut.txt",
        "qradar",
        (*SECURITY, "4776"),
        DC01,
        "77001",
        "0x8010000000000000",
        ("truncated",),
        {"PackageName": "MICROSOFT_AUTHENTICATION_PACKAGE_V1_0", "TargetUserName": "dana.levi Source Work"},
    ),
    (
        "cef-4776.txt",
        "cef",
        (*SECURITY, "4776"),
        DC01,
        "",
        "0x8010000000000000",
        (),
        {"Status": "0xC000006A", "Workstation": "WKS-042", "TargetUserName": "dana=levi", "deviceSeverity": "Audit_failure"},
    ),
    ("rsa-4776.txt", "rsa", (*SECURITY, "4776"), DC01, "", "", (), {"TargetUserName": "WKS-042$", "Workstation": "WKS-042", "Status": "0x0"}),
]

REFUSED: Final = [
    ("splunk-message-first.txt", "splunk", "message-not-last"),
    ("qradar-wincollect.txt", "qradar", "wincollect"),
    ("cef-other-product.txt", "cef", "not-a-windows-event"),
    ("rsa-4728.txt", "rsa", "event-not-in-layout"),
]


def parse(file: str) -> tuple[str, WindowsEvent]:
    message = (FIXTURES / file).read_bytes()
    header = parse_header(message)
    payload = message[header.payload_start :]
    layout = detect(payload)
    assert layout is not None
    return layout.name, layout.parse_event(payload, Reading(headed=header.headed))


@pytest.mark.parametrize(("file", "expected", "data"), [(row[0], row[1:-1], row[-1]) for row in EVENTS], ids=[row[0] for row in EVENTS])
def test_events(file: str, expected: tuple[object, ...], data: dict[str, str]) -> None:
    name, event = parse(file)
    assert (name, event.key, event.computer, event.record_id, event.keywords, event.warnings) == expected
    assert event.data == tuple(data.items())
    assert event.time is not None
    assert event.time.unix_ns // 1_000_000 in (TIME_MS, TIME_MS + 1)


@pytest.mark.parametrize(("file", "layout", "rule"), REFUSED, ids=[row[0] for row in REFUSED])
def test_refused(file: str, layout: str, rule: str) -> None:
    with pytest.raises(MessageError) as refused:
        parse(file)
    assert refused.value.rule == rule
    message = (FIXTURES / file).read_bytes()
    found = detect(message[parse_header(message).payload_start :])
    assert found is not None
    assert found.name == layout


def test_every_fixture_is_expected() -> None:
    assert {path.name for path in FIXTURES.glob("*.txt")} == {row[0] for row in (*EVENTS, *REFUSED)}
