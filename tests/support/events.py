"""Windows events for tests: one hand-written sample of each required event, and Hypothesis strategies for events like them.

Names are invented (contoso.example); the shapes are those that controllers write: fields in schema order, `-` for what is absent.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from hypothesis import strategies as st

from wire.event import EventTime, WindowsEvent
from wire.event_time import format_iso

SECURITY_GUID: Final = "{54849625-5478-4994-A5BA-3E3B0328C30D}"
SERVICES_GUID: Final = "{555908D1-A6D7-4695-8E1E-26931D2012F4}"
NETLOGON_GUID: Final = "{E5BA83F6-07D0-46B1-8BC7-7E669A1D31DC}"

DOMAIN: Final = "S-1-5-21-3623811015-3361044348-30300820"
SUBJECT: Final = {"SubjectUserSid": f"{DOMAIN}-1105", "SubjectUserName": "amir", "SubjectDomainName": "CONTOSO", "SubjectLogonId": "0x30d5f"}
TARGET: Final = ("TargetUserName", "TargetDomainName", "TargetSid")

MEMBER_CHANGE: Final = ("4728", "4729", "4732", "4733", "4756", "4757")
GROUP_DELETED: Final = ("4730", "4753", "4758", "4763")
ACCOUNT_DELETED: Final = ("4726", "4743")
REQUIRED: Final = (*MEMBER_CHANGE, *GROUP_DELETED, *ACCOUNT_DELETED, "4776", "7045", "8004")

FIELDS: Final[Mapping[str, tuple[str, ...]]] = {
    **dict.fromkeys(MEMBER_CHANGE, ("MemberName", "MemberSid", *TARGET, *SUBJECT, "PrivilegeList")),
    **dict.fromkeys((*GROUP_DELETED, *ACCOUNT_DELETED), (*TARGET, *SUBJECT, "PrivilegeList")),
    "4776": ("PackageName", "TargetUserName", "Workstation", "Status"),
    "7045": ("ServiceName", "ImagePath", "ServiceType", "StartType", "AccountName"),
    "8004": ("SChannelName", "UserName", "DomainName", "WorkstationName", "SChannelType"),
}
"""EventData names of each required event, in schema order."""

TASKS: Final = {
    **dict.fromkeys(REQUIRED, "13826"),
    "4726": "13824",
    "4743": "13825",
    "4753": "13827",
    "4763": "13827",
    "4776": "14336",
    "7045": "0",
    "8004": "2",
}


def at(text_or_ns: int, digits: int = 7) -> EventTime:
    """A time as Windows writes it."""
    step = 10 ** (9 - digits)
    return EventTime(text_or_ns // step * step, format_iso(text_or_ns, digits), digits)


NOON: Final = at(1_710_504_000_123_456_700)  # 2024-03-15T12:00:00.1234567Z


def security(event_id: str, data: Mapping[str, str], *, record_id: str = "88100", failed: bool = False) -> WindowsEvent:
    """An event of the Security channel."""
    return WindowsEvent(
        event_id=event_id,
        channel="Security",
        provider="Microsoft-Windows-Security-Auditing",
        provider_guid=SECURITY_GUID,
        computer="DC01.contoso.example",
        time=NOON,
        time_text=NOON.text,
        record_id=record_id,
        version="0",
        level="0",
        task=TASKS.get(event_id, "0"),
        opcode="0",
        keywords="0x8010000000000000" if failed else "0x8020000000000000",
        process_id="644",
        thread_id="4128",
        data=tuple(data.items()),
    )


def service_installed(data: Mapping[str, str], *, user_sid: str = f"{DOMAIN}-1105", record_id: str = "5012") -> WindowsEvent:
    """7045, which the Service Control Manager writes to System."""
    return WindowsEvent(
        event_id="7045",
        channel="System",
        provider="Service Control Manager",
        provider_guid=SERVICES_GUID,
        event_source_name="Service Control Manager",
        qualifiers="16384",
        computer="DC01.contoso.example",
        time=NOON,
        time_text=NOON.text,
        record_id=record_id,
        version="0",
        level="4",
        task="0",
        opcode="0",
        keywords="0x8080000000000000",
        process_id="620",
        thread_id="712",
        user_sid=user_sid,
        data=tuple(data.items()),
    )


def ntlm_audit(data: Mapping[str, str], *, record_id: str = "9921") -> WindowsEvent:
    """8004, which Netlogon writes to the NTLM channel."""
    return WindowsEvent(
        event_id="8004",
        channel="Microsoft-Windows-NTLM/Operational",
        provider="Microsoft-Windows-Security-Netlogon",
        provider_guid=NETLOGON_GUID,
        computer="DC01.contoso.example",
        time=NOON,
        time_text=NOON.text,
        record_id=record_id,
        version="0",
        level="4",
        task="2",
        opcode="0",
        keywords="0x8000000000000000",
        process_id="644",
        thread_id="2212",
        user_sid="S-1-5-18",
        data=tuple(data.items()),
    )


def _group(name: str, rid: int) -> dict[str, str]:
    return {"TargetUserName": name, "TargetDomainName": "CONTOSO", "TargetSid": f"{DOMAIN}-{rid}"}


_MEMBER: Final = {"MemberName": "CN=Dana Levi,OU=Staff,DC=contoso,DC=example", "MemberSid": f"{DOMAIN}-1142"}
_BARE_MEMBER: Final = {"MemberName": "-", "MemberSid": f"{DOMAIN}-1142"}
_END: Final = {**SUBJECT, "PrivilegeList": "-"}

SAMPLES: Final[Mapping[str, WindowsEvent]] = {
    "4726": security("4726", {**_group("temp.worker", 1190), **_END, "PrivilegeList": "SeTakeOwnershipPrivilege\r\n\t\t\tSeBackupPrivilege"}),
    "4728": security("4728", {**_MEMBER, **_group("Payroll", 1201), **_END}),
    "4729": security("4729", {**_MEMBER, **_group("Payroll", 1201), **_END}),
    "4730": security("4730", {**_group("Old Project", 1202), **_END}),
    "4732": security("4732", {**_BARE_MEMBER, "TargetUserName": "Administrators", "TargetDomainName": "Builtin", "TargetSid": "S-1-5-32-544", **_END}),
    "4733": security("4733", {**_BARE_MEMBER, **_group("DnsAdmins", 1101), **_END}),
    "4743": security("4743", {**_group("WKS-042$", 1310), **_END}),
    "4753": security("4753", {**_group("All Hands", 1210), **_END}),
    "4756": security("4756", {**_MEMBER, **_group("Exchange Trusted", 1220), **_END}),
    "4757": security("4757", {**_MEMBER, **_group("Exchange Trusted", 1220), **_END}),
    "4758": security("4758", {**_group("Exchange Trusted", 1220), **_END}),
    "4763": security("4763", {**_group("Newsletter", 1230), **_END}),
    "4776": security(
        "4776",
        {"PackageName": "MICROSOFT_AUTHENTICATION_PACKAGE_V1_0", "TargetUserName": "dana", "Workstation": "WKS-042", "Status": "0xc000006a"},
        failed=True,
    ),
    "7045": service_installed(
        {
            "ServiceName": "Contoso Agent",
            "ImagePath": '"C:\\Program Files\\Contoso\\agent.exe" --service',
            "ServiceType": "user mode service",
            "StartType": "auto start",
            "AccountName": "LocalSystem",
        }
    ),
    "8004": ntlm_audit({"SChannelName": "FILESRV01", "UserName": "dana", "DomainName": "CONTOSO", "WorkstationName": "WKS-042", "SChannelType": "2"}),
}
"""One of each required event."""


# ---- strategies ----

LINE: Final = st.text(st.characters(exclude_categories=["Cc", "Cs", "Cn", "Zl", "Zp"]), min_size=1, max_size=20)
"""Text on one line, any script."""

NAMES: Final = st.text(
    st.characters(exclude_categories=["Cc", "Cs", "Cn", "Zl", "Zp", "Zs"], exclude_characters='"/\\[]:;|=,+*?<>@'), min_size=1, max_size=20
).filter(lambda name: name not in ("-", "NULL"))
"""Account and group names, by what Windows forbids in them."""

HOSTS: Final = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9-]{0,13}[A-Za-z0-9]", fullmatch=True)
SIDS: Final = st.builds("S-1-5-21-{}-{}-{}-{}".format, *[st.integers(0, 2**32 - 1)] * 3, st.integers(500, 99_999))
WELL_KNOWN_SIDS: Final = st.sampled_from(["S-1-5-18", "S-1-5-19", "S-1-5-20", "S-1-5-11", "S-1-1-0", "S-1-5-32-544", "S-1-5-80-1-2-3-4-5"])
TIMES: Final = st.builds(at, st.integers(1_262_304_000 * 10**7, 4_102_444_800 * 10**7).map(lambda ticks: ticks * 100))
DNS: Final = st.builds("CN={},OU=Staff,DC=contoso,DC=example".format, NAMES)

VALUES: Final[Mapping[str, st.SearchStrategy[str]]] = {
    "MemberName": st.just("-") | DNS,
    "MemberSid": SIDS | WELL_KNOWN_SIDS,
    "TargetUserName": NAMES | NAMES.map("{}$".format),
    "TargetDomainName": HOSTS | st.just("Builtin"),
    "TargetSid": SIDS | WELL_KNOWN_SIDS,
    "SubjectUserSid": SIDS | WELL_KNOWN_SIDS,
    "SubjectUserName": NAMES,
    "SubjectDomainName": HOSTS,
    "SubjectLogonId": st.integers(1, 2**64 - 1).map(hex),
    "PrivilegeList": st.sampled_from(["-", "SeBackupPrivilege", "SeTcbPrivilege SeDebugPrivilege"]),
    "PackageName": st.just("MICROSOFT_AUTHENTICATION_PACKAGE_V1_0"),
    "Workstation": HOSTS | st.just("") | st.ip_addresses().map(str),
    "Status": st.sampled_from(["0x0", "0xc000006a", "0xc0000064", "0xc0000234", "0xc0000199", "0xc0aaaaaa"]),
    "ServiceName": NAMES,
    "ImagePath": st.builds("C:\\{}\\{}.exe -k".format, NAMES, NAMES) | st.builds("%SystemRoot%\\System32\\drivers\\{}.sys".format, NAMES),
    "ServiceType": st.sampled_from(["user mode service", "kernel mode driver", "file system driver"]),
    "StartType": st.sampled_from(["auto start", "demand start", "boot start", "system start", "disabled"]),
    "AccountName": st.sampled_from(["LocalSystem", "NT AUTHORITY\\LocalService", ""]),
    "SChannelName": HOSTS,
    "UserName": NAMES,
    "DomainName": HOSTS | st.just("NULL"),
    "WorkstationName": HOSTS,
    "SChannelType": st.sampled_from("234567"),
}
"""What each field of a required event holds in the field."""


@st.composite
def required_events(draw: st.DrawFn, ids: tuple[str, ...] = REQUIRED, values: Mapping[str, st.SearchStrategy[str]] = VALUES) -> WindowsEvent:
    """An event of the required ones with its own values, time, computer and record ID."""
    event_id = draw(st.sampled_from(ids))
    data = {name: draw(values[name]) for name in FIELDS[event_id]}
    record_id = str(draw(st.integers(1, 2**63)))
    match event_id:
        case "7045":
            event = service_installed(data, user_sid=draw(SIDS), record_id=record_id)
        case "8004":
            event = ntlm_audit(data, record_id=record_id)
        case "4776":
            event = security(event_id, data, record_id=record_id, failed=data["Status"] != "0x0")
        case _:
            event = security(event_id, data, record_id=record_id)
    return with_time(replace(event, computer=draw(HOSTS) + ".contoso.example"), draw(TIMES))


def with_time(event: WindowsEvent, time: EventTime) -> WindowsEvent:
    """The event at another time."""
    return replace(event, time=time, time_text=time.text)


HOSTILE: Final = st.text(max_size=40) | st.sampled_from(
    [
        "",
        "-",
        " ",
        "N/A",
        "%%1793",
        "NULL",
        "S-1-0-0",
        "0x0",
        "\\",
        "\\\\",
        "a\\b",
        "CN=",
        "CN=a\\,b,DC=x",
        '"',
        "::1%eth0",
        "\ud800",
        "x$",
        "=",
        "</Data>",
        "\x00",
    ]
)


@st.composite
def hostile_events(draw: st.DrawFn) -> WindowsEvent:
    """An event with a required key and anything at all in every other field."""
    event_id = draw(st.sampled_from(REQUIRED))
    sample = SAMPLES[event_id]
    names = st.sampled_from(FIELDS[event_id]) | HOSTILE.filter(bool)
    return WindowsEvent(
        event_id=event_id,
        channel=sample.channel,
        provider=sample.provider,
        data=tuple(draw(st.lists(st.tuples(names, HOSTILE | draw(st.sampled_from([st.just("-"), *VALUES.values()]))), max_size=12))),
        time=draw(st.none() | TIMES),
        time_text=draw(HOSTILE),
        computer=draw(HOSTILE),
        record_id=draw(HOSTILE),
        version=draw(HOSTILE),
        level=draw(HOSTILE),
        keywords=draw(HOSTILE),
        activity_id=draw(HOSTILE),
        user_sid=draw(HOSTILE),
        user_name=draw(HOSTILE),
        user_domain=draw(HOSTILE),
    )
