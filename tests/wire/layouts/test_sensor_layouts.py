"""The four layouts of the standalone sensor: tables of payloads and rules, the round trip of events, and arbitrary, mutated and hostile octets."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from typing import Any, Final

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from support.required_events import hostile_values, required_events

from pipeline.errors import MessageError
from wire.event import WindowsEvent
from wire.layouts import cef_windows, qradar, rsa, splunk
from wire.layouts.layout import Layout, Mode, Reading

TEXT: Final = "The computer attempted to validate the credentials for an account."
NTLM: Final = f"{TEXT} Authentication Package: NTLM Logon Account: dana Source Workstation: WS Error Code: 0x0"
SECURITY: Final = "Microsoft-Windows-Security-Auditing"

SPLUNK_KEYS: Final = {
    "EventCode": "4776",
    "Logfile": "Security",
    "SourceName": SECURITY,
    "TimeGenerated": "20210315101112.123456-000",
    "ComputerName": "dc01.contoso.example",
    "Message": NTLM,
}
QRADAR_KEYS: Final = {
    "AgentDevice": "WindowsLog",
    "AgentLogFile": "Security",
    "Source": SECURITY,
    "Computer": "dc01.contoso.example",
    "User": "",
    "Domain": "",
    "EventID": "4776",
    "EventIDCode": "4776",
    "EventType": "8",
    "EventCategory": "14336",
    "RecordNumber": "1961417",
    "TimeGenerated": "1615803072123",
    "TimeWritten": "1615803072123",
    "Message": NTLM,
}
CEF_HEAD: Final = f"CEF:0|Microsoft|Microsoft Windows||{SECURITY}:4776|attempted|Low|"
CEF_KEYS: Final = {
    "externalId": "4776",
    "cat": "Security",
    "rt": "1615803072123",
    "shost": "WS",
    "dhost": "dc01.contoso.example",
    "duser": "dana",
    "cs1": SECURITY,
    "cs1Label": "EventSource",
    "cs2": "0x0",
    "cs2Label": "Reason or Error Code",
}
RSA_FIELDS: Final = ("RsaSA", "2021-Mar-15 10:11:12.123", "4776", SECURITY, "Security", "dc01.contoso.example", "dana", "WS", "0x0")


def splunk_payload(separator: str = "\r\n", **changes: str | None) -> bytes:
    keys = {**SPLUNK_KEYS, **changes}
    message = keys.pop("Message", None)
    pairs = [f"{key}={value}" for key, value in keys.items() if value is not None]
    return separator.join(pairs + ([f"Message={message}"] if message is not None else [])).encode()


def qradar_payload(separator: str = "\t", **changes: str | None) -> bytes:
    keys = {**QRADAR_KEYS, **changes}
    message = keys.pop("Message", None)
    pairs = [f"{key}={value}" for key, value in keys.items() if value is not None]
    return separator.join(pairs + ([f"Message={message}"] if message is not None else [])).encode()


def cef_payload(head: str = CEF_HEAD, **changes: str | None) -> bytes:
    return (head + " ".join(f"{key}={value}" for key, value in {**CEF_KEYS, **changes}.items() if value is not None)).encode()


def rsa_payload(separator: str = "\n", **changes: str) -> bytes:
    names = ("constant", "time", "event_id", "provider", "log", "computer", "user", "source", "result")
    return separator.join(changes.get(name, field) for name, field in zip(names, RSA_FIELDS, strict=True)).encode()


Build = Callable[..., bytes]
SPLUNK, QRADAR, CEF = splunk_payload, qradar_payload, cef_payload


def without(build: Build, key: str) -> bytes:
    return build(**{key: None})


STRICT, LENIENT = Reading(mode=Mode.STRICT), Reading(mode=Mode.LENIENT)
STRICT_HEADED, LENIENT_HEADED = Reading(mode=Mode.STRICT, headed=True), Reading(mode=Mode.LENIENT, headed=True)
DANA: Final = {"TargetUserName": "dana", "Workstation": "WS", "Status": "0x0"}

#   layout, payload, reading, warnings, why
READ: Final = [
    (splunk.LAYOUT, splunk_payload(), STRICT, (), "splunk as documented"),
    (splunk.LAYOUT, b"\r\n" + splunk_payload(), STRICT_HEADED, (), "splunk, the CRLF after a header"),
    (splunk.LAYOUT, splunk_payload() + b"\n", STRICT, (), "splunk, a line end after the text"),
    (splunk.LAYOUT, splunk_payload("\n"), LENIENT, ("separators",), "splunk, LF"),
    (splunk.LAYOUT, splunk_payload("\\r\\n"), LENIENT, ("separators",), "splunk, separators in print"),
    (splunk.LAYOUT, splunk_payload("#015#012"), LENIENT, ("separators",), "splunk, escaped by rsyslog"),
    (splunk.LAYOUT, splunk_payload(SourceName="Microsoft Windows security auditing."), STRICT, (), "splunk, a provider's display name"),
    (splunk.LAYOUT, splunk_payload(TimeGenerated="20210315101112-000"), STRICT, ("no-milliseconds",), "splunk, whole seconds"),
    (splunk.LAYOUT, splunk_payload(TimeGenerated="yesterday"), LENIENT, ("bad-time",), "splunk, an unreadable time"),
    (qradar.LAYOUT, qradar_payload(), STRICT_HEADED, (), "qradar as documented"),
    (qradar.LAYOUT, qradar_payload(TimeGenerated="20210315101112.123000"), STRICT_HEADED, (), "qradar, the prose's time"),
    (qradar.LAYOUT, qradar_payload(EventID="1073746600"), STRICT_HEADED, (), "qradar, the 32-bit code as event ID"),
    (qradar.LAYOUT, qradar_payload(" "), LENIENT, ("spaces-for-tabs",), "qradar, spaces"),
    (qradar.LAYOUT, qradar_payload("#011"), LENIENT_HEADED, ("spaces-for-tabs",), "qradar, escaped by rsyslog"),
    (qradar.LAYOUT, qradar_payload() + b"\n", STRICT_HEADED, (), "qradar, a line end after the text"),
    (cef_windows.LAYOUT, cef_payload(), STRICT, (), "cef as documented"),
    (cef_windows.LAYOUT, cef_payload(cs1=None, cs1Label=None, cs6=SECURITY, cs6Label="EventSource"), STRICT, (), "cef, other numbers"),
    (cef_windows.LAYOUT, cef_payload(cs1=None, cs1Label=None), LENIENT, (), "cef, the provider in the signature"),
    (cef_windows.LAYOUT, cef_payload(cs2Label="Grund oder Fehlercode"), LENIENT, ("localised-label",), "cef, a translated label"),
    (cef_windows.LAYOUT, cef_payload(), LENIENT_HEADED, ("syslog-header",), "cef behind a header"),
    (cef_windows.LAYOUT, cef_payload(rt="Mar 15 2021 10:11:12.123 UTC"), LENIENT, (), "cef, a calendar time"),
    (cef_windows.LAYOUT, cef_payload(rt="Mar 15 2021 10:11:12"), LENIENT, ("no-milliseconds",), "cef, a calendar time without fraction or zone"),
    (cef_windows.LAYOUT, cef_payload(rt="Mar 15 2021 10:11:12 CEST"), LENIENT, ("bad-time",), "cef, a zone by an ambiguous name"),
    (rsa.LAYOUT, rsa_payload(), STRICT, (), "rsa as documented"),
    (rsa.LAYOUT, rsa_payload("\\n"), STRICT, (), "rsa, separators in print"),
    (rsa.LAYOUT, rsa_payload("\r\n") + b"\r\n", STRICT, (), "rsa, CRLF and a line end"),
    (rsa.LAYOUT, rsa_payload("#012"), STRICT, (), "rsa, escaped by rsyslog"),
    (rsa.LAYOUT, rsa_payload("\\n").replace(b"Security\\ndc01", b"Security\\dc01"), LENIENT, ("wrong-field-count",), "rsa, as printed"),
    (rsa.LAYOUT, rsa_payload(source="WS "), STRICT, (), "rsa, a space after the source host"),
]  # fmt: skip


@pytest.mark.parametrize(("layout", "payload", "reading", "warnings"), [case[:4] for case in READ], ids=[case[4] for case in READ])
def test_read(layout: Layout, payload: bytes, reading: Reading, warnings: tuple[str, ...]) -> None:
    assert layout.starts(payload)
    event = layout.parse_event(payload, reading)
    assert event.key == ("Security", SECURITY, "4776")
    assert event.computer == "dc01.contoso.example"
    assert event.warnings == warnings
    if "bad-time" in warnings:
        assert event.time is None
    else:
        assert event.time is not None
        assert event.time.unix_ns // 1_000_000_000 == 1_615_803_072
    data = dict(event.data)
    assert {name: data[name] for name in DANA} == DANA


#   layout, payload, reading, rule, why
REFUSED: Final = [
    *((splunk.LAYOUT, without(SPLUNK, key), STRICT, f"missing-key:{key}", f"splunk without {key}") for key in SPLUNK_KEYS),
    *((splunk.LAYOUT, without(SPLUNK, key), LENIENT, f"missing-key:{key}", f"splunk without {key}, lenient") for key in SPLUNK_KEYS),
    *((splunk.LAYOUT, splunk_payload(**{key: ""}), STRICT, f"missing-key:{key}", f"splunk with an empty {key}") for key in SPLUNK_KEYS),
    (splunk.LAYOUT, b"EventCode=4776\r\nMessage=x\r\nLogfile=Security", LENIENT, "message-not-last", "splunk, keys behind the text"),
    (splunk.LAYOUT, splunk_payload("\n"), STRICT, "missing-key:Logfile", "splunk, LF in strict mode"),
    (splunk.LAYOUT, splunk_payload(EventCode="x"), LENIENT, "bad-event-id", "splunk, no number"),
    (splunk.LAYOUT, splunk_payload(TimeGenerated="yesterday"), STRICT, "bad-time", "splunk, an unreadable time"),
    (splunk.LAYOUT, splunk_payload(Message=NTLM[:-15]), STRICT, "truncated", "splunk, a text cut"),
    (splunk.LAYOUT, splunk_payload(**{f"k{n}": "v" for n in range(130)}), LENIENT, "too-many-keys", "splunk, too many keys"),
    *((qradar.LAYOUT, without(QRADAR, key), LENIENT, f"missing-key:{key}", f"qradar without {key}") for key in qradar.REQUIRED),
    (qradar.LAYOUT, qradar_payload(), STRICT, "missing-header", "qradar without a header"),
    (qradar.LAYOUT, qradar_payload(" "), STRICT_HEADED, "separators", "qradar, spaces"),
    (qradar.LAYOUT, qradar_payload(PluginVersion="7.2.9"), LENIENT, "wincollect", "qradar, WinCollect's key"),
    (qradar.LAYOUT, qradar_payload(TimeGenerated="1615803072"), LENIENT, "wincollect", "qradar, WinCollect's time"),
    (qradar.LAYOUT, qradar_payload(AgentDevice="WindowsDHCP"), LENIENT, "not-a-windows-event", "qradar, another agent"),
    (qradar.LAYOUT, qradar_payload(TimeGenerated="now"), STRICT_HEADED, "bad-time", "qradar, an unreadable time"),
    (qradar.LAYOUT, b"AgentDevice=WindowsLog\tMessage=x\tAgentLogFile=Security", LENIENT, "message-not-last", "qradar, keys behind the text"),
    *((cef_windows.LAYOUT, without(CEF, key), STRICT, f"missing-key:{key}", f"cef without {key}") for key in cef_windows.STRICTLY_REQUIRED),
    *((cef_windows.LAYOUT, without(CEF, key), LENIENT, f"missing-key:{key}", f"cef without {key}, lenient") for key in cef_windows.REQUIRED),
    (cef_windows.LAYOUT, cef_payload(cs1Label=None), STRICT, "missing-key:EventSource", "cef without the provider's label"),
    (cef_windows.LAYOUT, cef_payload(cs2Label=None), STRICT, "missing-key:Reason-or-Error-Code", "cef without the result's label"),
    (cef_windows.LAYOUT, cef_payload(), STRICT_HEADED, "syslog-header", "cef behind a header"),
    (cef_windows.LAYOUT, cef_payload("CEF:0|Contoso|Guard|1|4776|x|Low|"), LENIENT, "not-a-windows-event", "cef, another vendor"),
    (cef_windows.LAYOUT, cef_payload("CEF:0|Microsoft|Azure ATP|2|Alert|x|5|"), LENIENT, "not-a-windows-event", "cef, a Microsoft product's alert"),
    (cef_windows.LAYOUT, cef_payload(rt="now"), STRICT, "bad-time", "cef, an unreadable time"),
    (rsa.LAYOUT, rsa_payload() + b"\nextra", LENIENT, "wrong-field-count", "rsa, ten fields"),
    (rsa.LAYOUT, rsa_payload().rpartition(b"\n")[0], LENIENT, "wrong-field-count", "rsa, eight fields"),
    (rsa.LAYOUT, rsa_payload(event_id="4728"), LENIENT, "event-not-in-layout", "rsa, another event"),
    (rsa.LAYOUT, rsa_payload(event_id=""), LENIENT, "bad-event-id", "rsa, no event ID"),
    (rsa.LAYOUT, rsa_payload(computer=""), LENIENT, "missing-key:computer", "rsa, no computer"),
    (rsa.LAYOUT, rsa_payload(time="15.03.2021"), STRICT, "bad-time", "rsa, an unreadable time"),
]  # fmt: skip


@pytest.mark.parametrize(("layout", "payload", "reading", "rule"), [case[:4] for case in REFUSED], ids=[case[4] for case in REFUSED])
def test_refused(layout: Layout, payload: bytes, reading: Reading, rule: str) -> None:
    with pytest.raises(MessageError) as refused:
        layout.parse_event(payload, reading)
    assert refused.value.rule == rule
    assert refused.value.document


def test_rsa_takes_the_configured_zone() -> None:
    event = rsa.LAYOUT.parse_event(rsa_payload(), Reading(zone_offset_minutes=120))
    assert event.time is not None
    assert event.time.unix_ns // 1_000_000_000 == 1_615_803_072 - 7200


def test_qradar_keeps_who_logged_it_and_the_code() -> None:
    text = "A service was installed in the system.  Service Name:  x Service File Name:  y Service Type:  z Service Start Type:  a Service Account:  b"
    payload = qradar_payload(EventID="7045", EventIDCode="1073748869", EventType="4", User="dana", Domain="CONTOSO", AgentLogFile="System", Message=text)
    event = qradar.LAYOUT.parse_event(payload, LENIENT)
    assert (event.qualifiers, event.level, event.user_domain, event.user_name) == ("16384", "4", "CONTOSO", "dana")
    assert b"EventIDCode=1073748869\t" in qradar.LAYOUT.encode_event(event)


@pytest.mark.parametrize(
    ("event_id", "changes", "data"),
    [
        ("4728", {"duser": "CN\\=a,DC\\=b", "cs2": "Payroll", "cs2Label": "Group"}, {"MemberName": "CN=a,DC=b", "TargetUserName": "Payroll"}),
        ("4730", {"duser": None, "cs2": "Payroll", "cs2Label": "Group"}, {"TargetUserName": "Payroll"}),
        ("4726", {"duser": "gone", "suser": "eve", "sntdom": "C"}, {"TargetUserName": "gone", "SubjectUserName": "eve", "SubjectDomainName": "C"}),
        ("8004", {"duser": "dana", "dntdom": "C"}, {"UserName": "dana", "DomainName": "C", "WorkstationName": "WS"}),
        ("4776", {"cs2Label": "Reason or Error Code", "cs5": "NTLM", "cs5Label": "Authentication Package Name"}, {"Status": "0x0", "PackageName": "NTLM"}),
    ],
    ids=["member added", "group deleted", "account deleted", "ntlm audit", "ntlm validation"],
)  # fmt: skip
def test_cef_columns(event_id: str, changes: dict[str, str | None], data: dict[str, str]) -> None:
    head = CEF_HEAD.replace("4776", event_id)
    event = cef_windows.LAYOUT.parse_event(cef_payload(head, externalId=event_id, **changes), LENIENT)
    assert data.items() <= dict(event.data).items()


LAYOUTS: Final = (splunk.LAYOUT, qradar.LAYOUT, cef_windows.LAYOUT, rsa.LAYOUT)
every_layout: Final = pytest.mark.parametrize("layout", LAYOUTS, ids=[layout.name for layout in LAYOUTS])


@every_layout
@given(data=st.data())
def test_what_is_written_is_read(layout: Layout, data: st.DataObject) -> None:
    event = data.draw(required_events(layout.carries or frozenset()))
    back = layout.parse_event(layout.encode_event(event), Reading(mode=Mode.STRICT, headed=layout is qradar.LAYOUT))
    assert (back.key, back.computer) == (event.key, event.computer)
    assert back.time is not None
    assert event.time is not None
    assert 0 <= event.time.unix_ns - back.time.unix_ns < 10 ** (9 - back.time.digits)
    assert back.record_id in ("", event.record_id)


@every_layout
@given(data=st.data())
def test_any_field_may_hold_anything(layout: Layout, data: st.DataObject) -> None:
    event = data.draw(required_events(layout.carries or frozenset()))
    field = data.draw(st.sampled_from(["channel", "provider", "computer", "record_id", "keywords", "level", "task", "qualifiers", "user_name", "user_domain"]))
    change: dict[str, Any] = {field: data.draw(hostile_values), "time": None}
    layout.encode_event(dataclasses.replace(event, **change))


@every_layout
@given(payload=st.binary(max_size=400), mode=st.sampled_from(Mode), headed=st.booleans())
@example(payload=b"", mode=Mode.STRICT, headed=True)
def test_arbitrary_octets_raise_nothing_but_message_errors(layout: Layout, payload: bytes, mode: Mode, headed: bool) -> None:  # noqa: FBT001 - drawn
    layout.starts(payload)
    read(layout, payload, Reading(mode=mode, headed=headed))


@every_layout
@given(data=st.data())
def test_mutated_payloads_raise_nothing_but_message_errors(layout: Layout, data: st.DataObject) -> None:
    payload = layout.encode_event(data.draw(required_events(layout.carries or frozenset())))
    for _ in range(data.draw(st.integers(1, 3))):
        start = data.draw(st.integers(0, len(payload)))
        end = data.draw(st.integers(start, min(len(payload), start + 40)))
        payload = (
            payload[:start]
            + data.draw(st.sampled_from([b"", b"\r\n", b"\t", b"=", b"\\", b"|", b"\xff", b"\x00", b"Message=", payload[start:end] * 2]))
            + payload[end:]
        )
    read(layout, payload, Reading(mode=data.draw(st.sampled_from(Mode)), headed=data.draw(st.booleans())))


def read(layout: Layout, payload: bytes, reading: Reading) -> WindowsEvent | None:
    try:
        return layout.parse_event(payload, reading)
    except MessageError:
        return None


STARTS: Final = {
    "splunk": b"EventCode=4776\r\nLogfile=S\r\n",
    "qradar": b"AgentDevice=WindowsLog\t",
    "cef": CEF_HEAD.encode(),
    "rsa": b"RsaSA\n",
}
HOSTILE: Final = [
    b"\r\n",
    b"\\r\\",
    b"\\n",
    b"a",
    b"A=",
    b"\r\nA",
    b"\tA=",
    b" User=",
    b" ",
    b"\tMessage=",
    b" Message=",
    b"\r\nMessage=",
    b"\\",
    b"|",
    b" a=",
    b"\xff",
    b"#015#012",
    b"EventCode",
]


@every_layout
@pytest.mark.parametrize("piece", HOSTILE)
def test_the_longest_hostile_payload_is_read_in_linear_time(layout: Layout, piece: bytes) -> None:
    for start in (b"", STARTS[layout.name]):
        payload = (start + piece * ((1 << 18) // len(piece)))[: 1 << 18]
        for mode in Mode:
            began = time.process_time()
            layout.starts(payload)
            read(layout, payload, Reading(mode=mode))
            assert time.process_time() - began < 3
