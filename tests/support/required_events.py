"""Hypothesis strategies for the fifteen required events: values as a domain controller writes them, and as an attacker would choose them.

`required_events()` draws a WindowsEvent. Values are what every text layout can carry: no TAB, CR or LF, no white space around them, no label of
an event's text inside. `hostile_values` are the others; tests that use them say what they expect.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from hypothesis import strategies as st

from wire.event import EventTime, WindowsEvent
from wire.event_time import format_iso
from wire.keywords import AUDIT_FAILURE, AUDIT_SUCCESS
from wire.message_texts import MESSAGE_TEXTS

CHANNELS: Final = {"7045": "System", "8004": "Microsoft-Windows-NTLM/Operational"}
DOMAIN_SID: Final = "S-1-5-21-1004336348-1177238915-682003330"
FIRST_NS: Final = 946_684_800_000_000_000
LAST_NS: Final = 4_102_444_800_000_000_000

# colons would make labels, backslashes a domain; white space is added inside only
_LETTERS: Final = st.characters(exclude_categories=("Cc", "Cs", "Cn", "Zs", "Zl", "Zp"), exclude_characters=":\\\ufeff\ufffd\ufffe\uffff")
words: Final = st.text(_LETTERS, min_size=1, max_size=8)
texts: Final = st.lists(words, min_size=1, max_size=4).map(" ".join)

sids: Final = st.sampled_from(["S-1-5-18", "S-1-5-32-544", "S-1-5-80-1", f"{DOMAIN_SID}-500", f"{DOMAIN_SID}-512", f"{DOMAIN_SID}-1104", "CONTOSO\\alice", "-"])
account_names: Final = st.one_of(
    texts, st.sampled_from(["alice", "DC01$", "-", "", "svc sql", "a=b", "x|y", "tab\\u", "Ωmega", "HealthMailbox1@contoso.example"])
)
domains: Final = st.sampled_from(["CONTOSO", "contoso.example", "Builtin", "-", ""])
hosts: Final = st.one_of(words, st.sampled_from(["WS042", "\\\\WS042", "192.0.2.7", "2001:db8::7", "-", ""]))
member_names: Final = st.one_of(
    st.sampled_from(["-", "CN=Eve\\, Adams,OU=Staff,DC=contoso,DC=example", "cn=a\\+b,dc=contoso,dc=example", "CONTOSO\\eve"]),
    words.filter(lambda word: not set(word) & set('\\,+"<>;=#')).map(lambda word: f"CN={word},DC=contoso,DC=example"),
)
logon_ids: Final = st.integers(1, 0xFFFFFFFF).map(hex)
statuses: Final = st.sampled_from(["0x0", "0xc0000064", "0xC000006A", "0xc0000234", "0xc00000bb"])
privileges: Final = st.sampled_from(["-", "SeSecurityPrivilege", "SeSecurityPrivilege SeBackupPrivilege"])

VALUES: Final[Mapping[str, st.SearchStrategy[str]]] = {
    "SubjectUserSid": sids,
    "MemberSid": sids,
    "TargetSid": sids,
    "SubjectUserName": account_names,
    "TargetUserName": account_names,
    "UserName": account_names,
    "SubjectDomainName": domains,
    "TargetDomainName": domains,
    "DomainName": domains,
    "SubjectLogonId": logon_ids,
    "MemberName": member_names,
    "PrivilegeList": privileges,
    "MembershipExpirationTime": st.sampled_from(["", "132514560000000000", "(null)"]),
    "PackageName": st.sampled_from(["MICROSOFT_AUTHENTICATION_PACKAGE_V1_0", "Negotiate", "-"]),
    "Workstation": hosts,
    "WorkstationName": hosts,
    "SChannelName": hosts,
    "SChannelType": st.sampled_from(["2", "3", "4", "6"]),
    "Status": statuses,
    "ServiceName": texts,
    "ImagePath": st.one_of(texts, st.sampled_from(['"C:\\Program Files\\a b\\c.exe" -k a=b', "C:\\Windows\\x.sys", "%COMSPEC% /c echo a > \\\\.\\pipe\\b"])),
    "ServiceType": st.sampled_from(["user mode service", "kernel mode driver", "file system driver", "Benutzermodusdienst", ""]),
    "StartType": st.sampled_from(["auto start", "demand start", "boot start", "system start", "disabled", "Manuell starten"]),
    "AccountName": st.sampled_from(["LocalSystem", "", "CONTOSO\\svc"]),
}
"""EventData name to what it may hold."""

hostile_values: Final = st.one_of(
    st.sampled_from(
        [
            "x Error Code: 0x0",
            "x\r\nError Code:\t0x0",
            "x\tEventID=4726",
            "x\r\nEventCode=4726\r\nMessage=A user account was deleted.",
            "x\nRsaSA",
            "x duser=y cs4=0x0 cs4Label=Reason or Error Code",
            "x|y\\|z\\",
            " padded ",
            "Group: Security ID: S-1-5-32-544",
            "Message=",
        ]
    ),
    st.text(max_size=64),
)
"""What a client may put into a name it sends."""

times: Final = st.integers(FIRST_NS // 100, LAST_NS // 100).map(lambda ticks: EventTime(ticks * 100, format_iso(ticks * 100), 7))
computers: Final = st.sampled_from(["dc01.contoso.example", "DC02.fabrikam.example", "WIN-5SB1"])


def data_names(event_id: str) -> tuple[str, ...]:
    """The EventData names that the event's text labels."""
    return tuple(label.name for section in MESSAGE_TEXTS[event_id].sections for label in section.labels)


@st.composite
def required_events(draw: st.DrawFn, event_ids: frozenset[str] = frozenset(MESSAGE_TEXTS)) -> WindowsEvent:
    event_id = draw(st.sampled_from(sorted(event_ids)))
    installed = event_id == "7045"
    return WindowsEvent(
        event_id=event_id,
        channel=CHANNELS.get(event_id, "Security"),
        provider=MESSAGE_TEXTS[event_id].providers[0],
        computer=draw(computers),
        time=(time := draw(times)),
        time_text=time.text,
        record_id=str(draw(st.integers(1, 2**63))),
        version="0",
        level="4" if event_id in CHANNELS else "0",
        task="0",
        opcode="0",
        keywords="0x8000000000000000" if event_id in CHANNELS else draw(st.sampled_from([AUDIT_SUCCESS, AUDIT_FAILURE])),
        user_sid=draw(st.sampled_from(["", f"{DOMAIN_SID}-1104"])) if installed else "",
        data=tuple((name, draw(VALUES[name])) for name in data_names(event_id)),
    )
