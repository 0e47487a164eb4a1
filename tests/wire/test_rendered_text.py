"""Rendered text both ways: a table of texts from the field's agents, the round trip in lines and flat, and what hostile values can't do."""

from __future__ import annotations

import time
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.required_events import hostile_values, required_events

from wire.event import WindowsEvent
from wire.message_texts import MESSAGE_TEXTS
from wire.rendered_text import AMBIGUOUS, LOCALISED, TRUNCATED, RenderedText, parse_message, read_message, render_message

NTLM: Final = "The computer attempted to validate the credentials for an account."
ADDED: Final = "A member was added to a security-enabled universal group."
SERVICE: Final = "A service was installed in the system."
AUDIT: Final = "Domain Controller Blocked Audit: Audit NTLM authentication to this domain controller."

GERMAN: Final = "Der Computer hat versucht, ein Konto zu bestätigen. Anmeldekonto: dana"

MEMBER_LINES: Final = (
    f"{ADDED}\r\n\r\nSubject:\r\n\tSecurity ID:\t\tCONTOSO\\dadmin\r\n\tAccount Name:\t\tdadmin\r\n\tAccount Domain:\t\tCONTOSO\r\n"
    "\tLogon ID:\t\t0x30D5F\r\n\r\n"
    "Member:\r\n\tSecurity ID:\t\tS-1-5-21-1-2-3-1150\r\n\tAccount Name:\t\tCN=a Group: x,DC=contoso,DC=example\r\n\r\n"
    "Group:\r\n\tSecurity ID:\t\tS-1-5-21-1-2-3-1201\r\n\tAccount Name:\t\tPayroll\r\n\tAccount Domain:\t\tCONTOSO\r\n\r\n"
    "Additional Information:\r\n\tPrivileges:\t\tSeA\r\n\t\t\tSeB\r\n\tExpiration time:\t\t(null)"
)
MEMBER: Final = (
    ("SubjectUserSid", "CONTOSO\\dadmin"),
    ("SubjectUserName", "dadmin"),
    ("SubjectDomainName", "CONTOSO"),
    ("SubjectLogonId", "0x30D5F"),
    ("MemberSid", "S-1-5-21-1-2-3-1150"),
    ("MemberName", "CN=a Group: x,DC=contoso,DC=example"),
    ("TargetSid", "S-1-5-21-1-2-3-1201"),
    ("TargetUserName", "Payroll"),
    ("TargetDomainName", "CONTOSO"),
)

USER_DELETED: Final = (
    "A user account was deleted. Subject: Security ID: S-1-5-18 Account Name: Privileges Account Domain: C Logon ID: 0x3E7 "
    "Target Account: Security ID: S-1-5-21-1-2-3-4 Account Name: x Account Domain: C Additional Information: Privileges -"
)
NTLM_AUDIT: Final = f"{AUDIT}\r\nSecure Channel name: FS1\r\nUser name: dana\r\nDomain name: NULL\r\nWorkstation name: WS\r\nSecure Channel type: 2"
ADVICE: Final = "\r\n\r\nAudit NTLM authentication requests within the domain CONTOSO that would be blocked if ..."
INSTALLED: Final = (
    f"{SERVICE}  Service Name:  upd Service File Name:  C:\\u.exe -k Service Type: x Service Type:  user mode service "
    "Service Start Type:  auto start Service Account:  "
)

#   event ID, text, data, warnings, why
TEXTS: Final = [
    (
        "4776",
        f"{NTLM}\r\n\r\nAuthentication Package:\tNTLM\r\nLogon Account:\tdana\r\nSource Workstation:\tWS\r\nError Code:\t0xC0000064",
        (("PackageName", "NTLM"), ("TargetUserName", "dana"), ("Workstation", "WS"), ("Status", "0xC0000064")),
        (),
        "lines, as Windows writes them",
    ),
    (
        "4776",
        f"{NTLM} Authentication Package: NTLM Logon Account: dana smith Source Workstation:  Error Code: 0x0",
        (("PackageName", "NTLM"), ("TargetUserName", "dana smith"), ("Workstation", ""), ("Status", "0x0")),
        (),
        "flat, single spaces, an empty value",
    ),
    (
        "4776",
        f"{NTLM}    Authentication Package: NTLM  Logon Account: dana  Source Workstation: WS  Error Code: 0x0",
        (("PackageName", "NTLM"), ("TargetUserName", "dana"), ("Workstation", "WS"), ("Status", "0x0")),
        (),
        "flat, as many spaces as there were octets of line breaks",
    ),
    (
        "4776",
        "logon account: dana error code: 0x0",
        (("TargetUserName", "dana"), ("Status", "0x0")),
        (),
        "no sentence, other case, labels missing in the middle",
    ),
    ("4776", f"{NTLM}\r\n\r\nAuthentication Package:\tNTLM\r\nLogon Acc", (("PackageName", "NTLM\r\nLogon Acc"),), (TRUNCATED,), "the datagram was cut"),
    ("4776", NTLM[:30], (("Message", NTLM[:30]),), (TRUNCATED,), "cut in the sentence"),
    ("4776", GERMAN, (("Message", GERMAN),), (LOCALISED,), "German"),
    ("4776", " \r\n", (), (), "no text at all"),
    (
        "4776",
        f"{NTLM} Authentication Package: NTLM Logon Account: x Error Code: 0x0 Source Workstation: WS Error Code: 0xC000006A",
        (("PackageName", "NTLM"), ("TargetUserName", "x Error Code: 0x0"), ("Workstation", "WS"), ("Status", "0xC000006A")),
        (AMBIGUOUS,),
        "flat, a client's name that looks like the result",
    ),
    (
        "4776",
        f"{NTLM}\r\n\r\nAuthentication Package:\tNTLM\r\nLogon Account:\tx\r\nError Code:\t0x0\r\nSource Workstation:\tWS\r\nError Code:\t0xC000006A",
        (("PackageName", "NTLM"), ("TargetUserName", "x\r\nError Code:\t0x0"), ("Workstation", "WS"), ("Status", "0xC000006A")),
        (AMBIGUOUS,),
        "lines, a client's name with line breaks",
    ),
    ("4756", MEMBER_LINES, (*MEMBER, ("PrivilegeList", "SeA\r\n\t\t\tSeB"), ("MembershipExpirationTime", "(null)")), (), "version 1, a heading inside a name"),
    (
        "4756",
        " ".join(MEMBER_LINES.split()),
        (*MEMBER, ("PrivilegeList", "SeA SeB"), ("MembershipExpirationTime", "(null)")),
        (AMBIGUOUS,),
        "the same flat",
    ),
    (
        "4756",
        MEMBER_LINES.replace("\t", "").replace("\r\n", "\n") + "\nRequest ID:\t7",
        (*MEMBER, ("PrivilegeList", "SeA\nSeB"), ("MembershipExpirationTime", "(null)"), ("Additional Information.Request ID", "7")),
        (),
        "tabs lost, LF, a label that is new",
    ),
    (
        "4726",
        USER_DELETED,
        (
            ("SubjectUserSid", "S-1-5-18"),
            ("SubjectUserName", "Privileges"),
            ("SubjectDomainName", "C"),
            ("SubjectLogonId", "0x3E7"),
            ("TargetSid", "S-1-5-21-1-2-3-4"),
            ("TargetUserName", "x"),
            ("TargetDomainName", "C"),
            ("PrivilegeList", "-"),
        ),
        (AMBIGUOUS,),
        "a label without colon, and a user of that name",
    ),
    (
        "7045",
        INSTALLED,
        (
            ("ServiceName", "upd"),
            ("ImagePath", "C:\\u.exe -k Service Type: x"),
            ("ServiceType", "user mode service"),
            ("StartType", "auto start"),
            ("AccountName", ""),
        ),
        (AMBIGUOUS,),
        "a path that looks like a type, an account that is empty",
    ),
    (
        "8004",
        NTLM_AUDIT + ADVICE,
        (("SChannelName", "FS1"), ("UserName", "dana"), ("DomainName", "NULL"), ("WorkstationName", "WS"), ("SChannelType", "2")),
        (),
        "advice after the data",
    ),
    (
        "8004",
        " ".join((NTLM_AUDIT + ADVICE[:60]).split("\r\n")),
        (("SChannelName", "FS1"), ("UserName", "dana"), ("DomainName", "NULL"), ("WorkstationName", "WS"), ("SChannelType", "2")),
        (),
        "advice, flat and cut",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("event_id", "text", "data", "warnings"), [case[:4] for case in TEXTS], ids=[case[4] for case in TEXTS])
def test_texts(event_id: str, text: str, data: tuple[tuple[str, str], ...], warnings: tuple[str, ...]) -> None:
    assert read_message(event_id, text) == RenderedText(data, warnings)


def test_another_providers_event_of_the_same_id_is_read_without_the_table() -> None:
    text = "x.exe was prevented from running.\r\n\r\nUser name:\tdana"
    assert read_message("8004", text, "Microsoft-Windows-AppLocker").data == (("Message", "x.exe was prevented from running."), ("User name", "dana"))


@pytest.mark.parametrize("event_id", sorted(MESSAGE_TEXTS))
def test_an_event_without_values_is_written_as_windows_does(event_id: str) -> None:
    text, absent = render_message(event_id, ()), MESSAGE_TEXTS[event_id].absent
    assert text.startswith(MESSAGE_TEXTS[event_id].sentence)
    assert {value for _, value in parse_message(event_id, text)} == {absent}


@pytest.mark.parametrize("flat", [False, True], ids=["lines", "flat"])
@given(event=required_events())
def test_what_is_written_is_read(flat: bool, event: WindowsEvent) -> None:  # noqa: FBT001 - a parameter of the test
    read = read_message(event.event_id, render_message(event.event_id, event.data, flat=flat))
    absent = MESSAGE_TEXTS[event.event_id].absent
    expected = {name: value or absent for name, value in event.data if value or name != "MembershipExpirationTime"}
    assert {name: value.lower() for name, value in read.data} == {name: value.lower() for name, value in expected.items()}
    assert TRUNCATED not in read.warnings


@pytest.mark.parametrize("flat", [False, True], ids=["lines", "flat"])
@given(event=required_events(), at=st.integers(0, 100), hostile=hostile_values)
def test_a_written_value_never_becomes_another_field(flat: bool, event: WindowsEvent, at: int, hostile: str) -> None:  # noqa: FBT001 - a parameter of the test
    victim = event.data[at % len(event.data)][0]
    attacked = tuple((name, hostile if name == victim else value) for name, value in event.data)
    clean = dict(parse_message(event.event_id, render_message(event.event_id, event.data, flat=flat)))
    read = dict(parse_message(event.event_id, render_message(event.event_id, attacked, flat=flat)))
    assert {name: value for name, value in read.items() if name != victim} == {name: value for name, value in clean.items() if name != victim}


@given(event=required_events(), flat=st.booleans(), cut=st.integers(0, 2000))
def test_a_text_cut_anywhere_is_read_as_far_as_it_goes(event: WindowsEvent, flat: bool, cut: int) -> None:  # noqa: FBT001 - drawn
    text = render_message(event.event_id, event.data, flat=flat)[:cut]
    read = read_message(event.event_id, text)
    assert all(value in text for _, value in read.data)


@given(event_id=st.sampled_from([*sorted(MESSAGE_TEXTS), "4624", ""]), text=st.text(max_size=400))
def test_any_text_is_read(event_id: str, text: str) -> None:
    read = read_message(event_id, text)
    assert bool(read.data) == bool(text.strip(" \t\r\n"))


HOSTILE_TEXTS: Final = [
    "Error Code:",
    " Error Code: ",
    "\nError Code:",
    "Group: Security ID: ",
    "\r\n",
    " ",
    "\t",
    "Privileges ",
    "A:",
    "A: \n",
    "Logon Account",
    "\n\n a:b",
]


@pytest.mark.parametrize("piece", HOSTILE_TEXTS)
@pytest.mark.parametrize("event_id", ["4776", "4726", "4756", "8004", "4624"])
def test_the_longest_hostile_text_is_read_in_linear_time(event_id: str, piece: str) -> None:
    text = (piece * (1 + (1 << 18) // len(piece)))[: 1 << 18]
    began = time.process_time()
    read_message(event_id, text)
    assert time.process_time() - began < 3
