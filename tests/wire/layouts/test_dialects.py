"""The same event in the dialects of agents and relays that write a layout their own way: one reading of all of them."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import MessageError
from wire.event import WindowsEvent
from wire.layouts import splunk_classic
from wire.layouts.detect import detect
from wire.layouts.layout import Mode, Reading
from wire.providers import SECURITY_AUDITING
from wire.syslog_header import parse_header

DATA = (("PackageName", "NTLM"), ("TargetUserName", "dana levi"), ("Workstation", "WKS1"), ("Status", "0xc000006a"))
LABELS = ("Authentication Package", "Logon Account", "Source Workstation", "Error Code")
SENTENCE = "The computer attempted to validate the credentials for an account."
LINES = "\n".join([SENTENCE, "", *(f"{label}:\t{value}" for label, (_, value) in zip(LABELS, DATA, strict=True))])
FLAT = "  ".join([SENTENCE, *(f"{label}:  {value}" for label, (_, value) in zip(LABELS, DATA, strict=True))])
SECONDS = 1_615_803_072

CLASSIC = (
    "03/15/2021 10:11:12 AM\nLogName=Security\nSourceName=Microsoft Windows security auditing.\nEventCode=4776\nEventType=0\nType=Information\n"
    f"ComputerName=dc01\nTaskCategory=Credential Validation\nOpCode=Info\nRecordNumber=7\nKeywords=Audit Failure\nMessage={LINES}"
)
WMI = (
    "20210315101112.345678\nCategory=14336\nComputerName=dc01\nEventCode=4776\nEventIdentifier=4776\nEventType=5\nLogfile=Security\nRecordNumber=7\n"
    f"SourceName={SECURITY_AUDITING}\nTimeGenerated=20210315101112.345678-000\nType=Audit Failure\nUser=NULL\nwmi_type=WinEventLog:Security\nMessage={LINES}"
)
SNARE = f"MSWinEventLog\t1\tSecurity\t3\tMon Mar 15 10:11:12 2021\t4776\t{SECURITY_AUDITING}\tN/A\tN/A\tFailure Audit\tdc01\tCredential Validation\t\t{FLAT}\t7"
LEEF = (
    f"LEEF:1.0|NXLog|in|5.6|unknown|EventTime=2021-03-15T10:11:12Z\tHostname=dc01\tEventType=AUDIT_FAILURE\tEventID=4776\tSourceName={SECURITY_AUDITING}\t"
    "Channel=Security\tRecordNumber=7\t" + "\t".join(f"{name}={value}" for name, value in DATA)
)
LEEF_TEXT = (
    f"LEEF:1.0|Microsoft|Windows|2019|4776|devTime=2021-03-15T10:11:12Z\tresource=dc01\tComputer=dc01\tKeywords=Audit Failure\tSource={SECURITY_AUDITING}\t"
    f"RecordNumber=7\tMessage={FLAT}"
)
CEF = (
    f"CEF:0|NXLog|NXLog|5.6|0|-|7|end=1615803072000 Hostname=dc01 EventType=AUDIT_FAILURE EventID=4776 SourceName={SECURITY_AUDITING} Channel=Security "
    "RecordNumber=7 " + " ".join(f"{name}={value}" for name, value in DATA)
)
CEF_TEXT = (
    f"CEF:0|Microsoft|Microsoft Windows||{SECURITY_AUDITING}:4776|x|Low|externalId=4776 cat=Security rt=1615803072000 dvchost=dc01 "
    f"deviceSeverity=Audit_failure msg={FLAT}"
)

DIALECTS = {
    "classic": CLASSIC,
    "classic, lines ended by a relay's escapes": CLASSIC.replace("\n", "#012").replace("\t", "#011"),
    "classic, on one line": CLASSIC.replace("\n", " ").replace("\t", " "),
    "classic, dated in ISO 8601": CLASSIC.replace("03/15/2021 10:11:12 AM", "2021-03-15 10:11:12"),
    "WMI": WMI,
    "Snare": SNARE,
    "Snare, TABs as rsyslog writes them": SNARE.replace("\t", "#011"),
    "Snare, TABs in print": SNARE.replace("\t", "\\t"),
    "Snare, TABs in hex": SNARE.replace("\t", "\\x09"),
    "Snare, TABs as carets": SNARE.replace("\t", "^I"),
    "Snare, as NXLog names the event's type": SNARE.replace("Failure Audit", "AUDIT_FAILURE"),
    "Snare, with a host and a TAB before it": f"dc01\t{SNARE}",
    "LEEF of NXLog": LEEF,
    "LEEF, the text alone": LEEF_TEXT,
    "CEF of NXLog": CEF,
    "CEF, the text alone": CEF_TEXT,
}


def read(message: str, mode: Mode = Mode.LENIENT) -> WindowsEvent:
    octets = message.encode()
    payload = octets[parse_header(octets).payload_start :]
    layout = detect(payload)
    assert layout is not None
    return layout.parse_event(payload, Reading(mode=mode))


@pytest.mark.parametrize("header", ["", "<13>Mar 16 00:00:00 relay "], ids=["bare", "behind a header"])
@pytest.mark.parametrize("message", DIALECTS.values(), ids=DIALECTS.keys())
def test_one_reading_of_every_dialect(message: str, header: str) -> None:
    event = read(header + message)
    assert event.key == ("Security", SECURITY_AUDITING, "4776")
    assert (event.computer, event.keywords) == ("dc01", "0x8010000000000000")
    assert event.record_id == ("" if message == CEF_TEXT else "7")
    assert event.time is not None
    assert event.time.unix_ns // 1_000_000_000 == SECONDS
    assert set(DATA) <= set(event.data)


@pytest.mark.parametrize(
    ("message", "rule"),
    [
        pytest.param(CLASSIC.replace("\n", " "), "separators", id="classic, on one line"),
        pytest.param(SNARE.replace("\t", "^I"), "escaped-controls", id="Snare, TABs as carets"),
        pytest.param(CEF, "not-a-windows-event", id="CEF of NXLog"),
        pytest.param(LEEF_TEXT, "no-channel", id="LEEF without its channel"),
    ],
)
def test_strict_mode_refuses_them(message: str, rule: str) -> None:
    with pytest.raises(MessageError) as refused:
        read(message, Mode.STRICT)
    assert refused.value.rule == rule


@given(st.lists(st.sampled_from(["03/15/2021 10:11:12 AM", "LogName=a", "EventCode=1", "User=", "Message=", " ", "#012", "\n", "\t", "x"]), max_size=12))
def test_pieces_of_classic_blocks_are_read_or_refused(pieces: list[str]) -> None:
    with contextlib.suppress(MessageError):
        splunk_classic.LAYOUT.parse_event("".join(["03/15/2021 10:11:12 AM LogName=a EventCode=1 ", *pieces]).encode(), Reading())


def test_a_flat_block_without_a_message_is_read() -> None:
    event = read("03/15/2021 10:11:12 AM LogName=Security EventCode=4776 RecordNumber=7")
    assert (event.channel, event.event_id, event.record_id) == ("Security", "4776", "7")


def test_wmi_says_nothing_of_a_user_it_does_not_know() -> None:
    assert read(WMI).user_name == ""


def test_arcsights_keys_of_an_installed_service() -> None:
    event = read(
        "CEF:0|Microsoft|Service Control Manager||Service Control Manager:7045|x|Low|externalId=7045 cat=System rt=1615803072000 dhost=dc01 "
        "destinationServiceName=Updater filePath=C:\\\\upd.exe cs1=auto start cs1Label=Service Start Type"
    )
    assert dict(event.data) == {"ImagePath": "C:\\upd.exe", "ServiceName": "Updater", "StartType": "auto start"}


def test_arcsights_ids_of_actor_and_member() -> None:
    event = read(
        f"CEF:0|Microsoft|Microsoft Windows||{SECURITY_AUDITING}:4728|x|Low|externalId=4728 cat=Security rt=1615803072000 dhost=dc01 duser=CN\\=a "
        "suid=0x3e7 duid=S-1-5-21-1-2-3-4 cs6=Payroll cs6Label=Group Name"
    )
    assert {"SubjectLogonId": "0x3e7", "MemberSid": "S-1-5-21-1-2-3-4", "TargetUserName": "Payroll"}.items() <= dict(event.data).items()
