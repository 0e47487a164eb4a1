"""Every kind of event the simulator plays: its envelope, how often it happens, and its data names in schema order.

Names, order, versions and tasks are those of the Windows event manifests (Microsoft, "Appendix L: Events to monitor", and the
providers' own templates). The fifteen that identity sensors ask for come first; the rest is what a busy domain controller logs
beside them. Weights are relative within a table: NTLM validation dwarfs group changes, as on a real domain controller.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Final

from gateway.simulate.estate import BUILTIN_GROUPS, DOMAIN, DOMAIN_GROUPS, LOCAL_SYSTEM, NETBIOS, Account, Estate, Group

SUCCESS: Final = "0x8020000000000000"
FAILURE: Final = "0x8010000000000000"

SUBJECT: Final = ("SubjectUserSid", "SubjectUserName", "SubjectDomainName", "SubjectLogonId")
TARGET: Final = ("TargetUserName", "TargetDomainName", "TargetSid")
MEMBER_NAMES: Final = ("MemberName", "MemberSid", *TARGET, *SUBJECT, "PrivilegeList")
DELETED_NAMES: Final = (*TARGET, *SUBJECT, "PrivilegeList")

# NTSTATUS of 4776 and how often it is seen: success, bad password, no such user, locked out, disabled, expired ...
VALIDATION_STATUS: Final = (
    ("0x0", 900),
    ("0xc000006a", 55),
    ("0xc0000064", 25),
    ("0xc0000234", 8),
    ("0xc0000072", 4),
    ("0xc0000071", 3),
    ("0xc0000193", 2),
    ("0xc000006f", 1),
    ("0xc0000070", 1),
    ("0xc0000224", 1),
)

SERVICES: Final = (
    ("Contoso Backup Agent", r'"C:\Program Files\Contoso\Backup & Restore\agent.exe" --service', "user mode service", "auto start", "LocalSystem"),
    ("wkssvc-upd", r"%SystemRoot%\Temp\upd.exe -k netsvcs", "user mode service", "demand start", "LocalSystem"),
    ("ContosoFlt", r"\SystemRoot\System32\drivers\contosoflt.sys", "kernel mode driver", "boot start", ""),
    ("Prüfdienst", r"C:\Dienste\Prüfung\svc.exe", "user mode service", "auto start", rf"{NETBIOS}\svc-audit"),
)
PROCESSES: Final = (r"C:\Windows\System32\svchost.exe", r"C:\Windows\System32\lsass.exe", r"C:\Windows\System32\cmd.exe", r"C:\Windows\System32\dns.exe")
CHANNEL_TYPES: Final = ("2", "2", "2", "2", "6", "4", "3")


@dataclass(frozen=True, slots=True)
class Source:
    """Who logs an event and where: System/Channel, Provider and what comes with them."""

    channel: str
    provider: str
    guid: str
    event_source_name: str = ""


SECURITY: Final = Source("Security", "Microsoft-Windows-Security-Auditing", "{54849625-5478-4994-A5BA-3E3B0328C30D}")
SERVICE_CONTROL: Final = Source("System", "Service Control Manager", "{555908D1-A6D7-4695-8E1E-26931D2012F4}", "Service Control Manager")
NETLOGON: Final = Source("Microsoft-Windows-NTLM/Operational", "Microsoft-Windows-Security-Netlogon", "{E5BA83F6-07D0-46B1-8BC7-7E669A1D31DC}")


@dataclass(frozen=True, slots=True)
class Kind:
    """One row: an event and how it is drawn.

    names:   its data names in schema order.
    draw:    values for them, as many and in the same order.
    weight:  how often, relative to the other rows of its table.
    failed:  whether the drawn values are those of a failure; decides the audit keyword.
    """

    event_id: str
    source: Source
    version: str
    level: str
    task: str
    keywords: str
    names: tuple[str, ...]
    draw: Callable[[Random, Estate], tuple[str, ...]]
    weight: int
    qualifiers: str = ""
    user_sid: str = ""
    failed: Callable[[tuple[str, ...]], bool] = lambda _values: False


def _logon_id(random: Random) -> str:
    return hex(random.randrange(0x3E8, 1 << 32))


def _guid(random: Random) -> str:
    text = f"{random.getrandbits(128):032X}"
    return f"{{{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}}}"


def _address(random: Random) -> str:
    return f"192.0.2.{random.randrange(1, 255)}" if random.random() < 0.9 else f"2001:db8::{random.randrange(1, 0xFFFF):x}"  # noqa: PLR2004 - a share


def _subject(random: Random, estate: Estate) -> tuple[str, ...]:
    operator = random.choice(estate.operators)
    return operator.sid, operator.name, NETBIOS, _logon_id(random)


def _user(random: Random, estate: Estate) -> Account:
    return random.choice(estate.users)


def _member_changed(groups: tuple[Group, ...], *, expiry: bool = False) -> Callable[[Random, Estate], tuple[str, ...]]:
    def draw(random: Random, estate: Estate) -> tuple[str, ...]:
        member, group = random.choice((_user(random, estate), random.choice(estate.computers))), random.choice(groups)
        # many domain controllers leave the name of a local group's member out
        name = "-" if group.domain == "Builtin" and random.random() < 0.7 else member.dn  # noqa: PLR2004 - a share
        values = (name, member.sid, *group_target(group), *_subject(random, estate), "-")
        return (*values, "-") if expiry else values

    return draw


def group_target(group: Group) -> tuple[str, str, str]:
    """A group as TargetUserName, TargetDomainName, TargetSid."""
    return group.name, group.domain, group.sid


def _group_deleted(random: Random, estate: Estate) -> tuple[str, ...]:
    group = Group(f"Project {random.randrange(1000)}", NETBIOS, f"S-1-5-21-1004336348-1177238915-682003330-{random.randrange(3000, 60000)}")
    return (*group_target(group), *_subject(random, estate), "-")


def _user_deleted(random: Random, estate: Estate) -> tuple[str, ...]:
    user = _user(random, estate)
    return (user.name, NETBIOS, user.sid, *_subject(random, estate), "-")


def _computer_deleted(random: Random, estate: Estate) -> tuple[str, ...]:
    computer = random.choice(estate.computers)
    return (computer.name, NETBIOS, computer.sid, *_subject(random, estate), "-")


def _validated(random: Random, estate: Estate) -> tuple[str, ...]:
    status = random.choices([text for text, _ in VALIDATION_STATUS], [weight for _, weight in VALIDATION_STATUS])[0]
    name = _user(random, estate).name
    if random.random() < 0.02:  # noqa: PLR2004 - a share
        name = f"HealthMailbox{random.getrandbits(28):07x}@{DOMAIN}"
    workstation = random.choices((random.choice(estate.workstations), rf"\\{random.choice(estate.workstations)}", "", _address(random)), (90, 5, 3, 2))[0]
    return "MICROSOFT_AUTHENTICATION_PACKAGE_V1_0", name, workstation, status


def _service_installed(random: Random, _estate: Estate) -> tuple[str, ...]:
    return random.choice(SERVICES)


def _ntlm_audited(random: Random, estate: Estate) -> tuple[str, ...]:
    domain = random.choices((NETBIOS, "NULL", DOMAIN), (90, 5, 5))[0]
    return f"FILESRV{random.randrange(1, 9):02}", _user(random, estate).name, domain, random.choice(estate.workstations), random.choice(CHANNEL_TYPES)


def _logged_on(random: Random, estate: Estate) -> tuple[str, ...]:
    user, kerberos = _user(random, estate), random.random() < 0.8  # noqa: PLR2004 - a share
    return (
        *("S-1-0-0", "-", "-", "0x0", user.sid, user.name, NETBIOS, _logon_id(random), "3"),
        *(
            ("Kerberos", "Kerberos", "-", _guid(random), "-", "-", "0")
            if kerberos
            else ("NtLmSsp ", "NTLM", random.choice(estate.workstations), "{00000000-0000-0000-0000-000000000000}", "-", "NTLM V2", "128")
        ),
        *("0x0", "-", _address(random), str(random.randrange(49152, 65536)), "%%1833", "-", "-", "-", "%%1843", "0x0", "%%1842"),
    )


def _logon_failed(random: Random, estate: Estate) -> tuple[str, ...]:
    return (
        *("S-1-0-0", "-", "-", "0x0", "S-1-0-0", _user(random, estate).name, NETBIOS, "0xc000006d", "%%2313", "0xc000006a", "3"),
        *("NtLmSsp ", "NTLM", random.choice(estate.workstations), "-", "-", "0", "0x0", "-", _address(random), str(random.randrange(49152, 65536))),
    )


def _logged_off(random: Random, estate: Estate) -> tuple[str, ...]:
    user = _user(random, estate)
    return user.sid, user.name, NETBIOS, _logon_id(random), "3"


def _privileges_assigned(random: Random, estate: Estate) -> tuple[str, ...]:
    return (*_subject(random, estate), "SeSecurityPrivilege\n\t\t\tSeBackupPrivilege\n\t\t\tSeRestorePrivilege\n\t\t\tSeDebugPrivilege")


def _process_created(random: Random, estate: Estate) -> tuple[str, ...]:
    name = random.choice(PROCESSES)
    return (
        *("S-1-5-18", random.choice(estate.controllers).split(".")[0].upper() + "$", NETBIOS, "0x3e7", hex(random.randrange(0x100, 0x4000, 4)), name),
        *("%%1936", hex(random.randrange(0x100, 0x4000, 4)), f'"{name}" -k "a & b"', "S-1-0-0", "-", "-", "0x0"),
        *(r"C:\Windows\System32\services.exe", "S-1-16-16384"),
    )


def _ticket_granted(random: Random, estate: Estate) -> tuple[str, ...]:
    user = _user(random, estate)
    return (
        *(user.name, NETBIOS, user.sid, "krbtgt", f"{user.sid.rsplit('-', 1)[0]}-502", "0x40810010", "0x0", "0x12", "2"),
        *(f"::ffff:192.0.2.{random.randrange(1, 255)}", str(random.randrange(49152, 65536)), "", "", ""),
    )


def _service_ticket(random: Random, estate: Estate) -> tuple[str, ...]:
    computer = random.choice(estate.computers)
    return (
        *(f"{_user(random, estate).name}@{DOMAIN.upper()}", DOMAIN.upper(), computer.name, computer.sid, "0x40810000", "0x12"),
        *(f"::ffff:192.0.2.{random.randrange(1, 255)}", str(random.randrange(49152, 65536)), "0x0", _guid(random), "-"),
    )


def _connection_allowed(random: Random, _estate: Estate) -> tuple[str, ...]:
    return (
        *(str(random.randrange(4, 9000, 4)), r"\device\harddiskvolume2\windows\system32\lsass.exe", "%%14592", "198.51.100.10", "389"),
        *(_address(random), str(random.randrange(49152, 65536)), "6", str(random.randrange(60000, 90000)), "%%14610", "44", "S-1-0-0", "S-1-0-0"),
    )


def _service_state(random: Random, _estate: Estate) -> tuple[str, ...]:
    return random.choice(SERVICES)[0], random.choice(("running", "stopped"))


def _audit(event_id: str, task: str, names: tuple[str, ...], draw: Callable[[Random, Estate], tuple[str, ...]], weight: int, *, version: str = "0") -> Kind:
    return Kind(event_id, SECURITY, version, "0", task, SUCCESS, names, draw, weight)


GLOBAL_GROUPS: Final = DOMAIN_GROUPS
LOCAL_GROUPS: Final = (*BUILTIN_GROUPS, DOMAIN_GROUPS[3])

REQUIRED: Final = (
    Kind(
        "4776",
        SECURITY,
        "0",
        "0",
        "14336",
        SUCCESS,
        ("PackageName", "TargetUserName", "Workstation", "Status"),
        _validated,
        900,
        failed=lambda values: values[3] != "0x0",
    ),
    Kind(
        "8004",
        NETLOGON,
        "0",
        "4",
        "2",
        "0x8000000000000000",
        ("SChannelName", "UserName", "DomainName", "WorkstationName", "SChannelType"),
        _ntlm_audited,
        60,
        user_sid=LOCAL_SYSTEM,
    ),
    Kind(
        *("7045", SERVICE_CONTROL, "0", "4", "0", "0x8080000000000000"),
        *(("ServiceName", "ImagePath", "ServiceType", "StartType", "AccountName"), _service_installed, 4),
        qualifiers="16384",
        user_sid=LOCAL_SYSTEM,
    ),
    _audit("4726", "13824", DELETED_NAMES, _user_deleted, 3),
    _audit("4743", "13825", DELETED_NAMES, _computer_deleted, 2),
    _audit("4728", "13826", (*MEMBER_NAMES, "MembershipExpirationTime"), _member_changed(GLOBAL_GROUPS, expiry=True), 6, version="1"),
    _audit("4729", "13826", MEMBER_NAMES, _member_changed(GLOBAL_GROUPS), 5),
    _audit("4730", "13826", DELETED_NAMES, _group_deleted, 1),
    _audit("4732", "13826", MEMBER_NAMES, _member_changed(LOCAL_GROUPS), 6),
    _audit("4733", "13826", MEMBER_NAMES, _member_changed(LOCAL_GROUPS), 5),
    _audit("4753", "13827", DELETED_NAMES, _group_deleted, 1),
    _audit("4756", "13826", MEMBER_NAMES, _member_changed(GLOBAL_GROUPS), 3),
    _audit("4757", "13826", MEMBER_NAMES, _member_changed(GLOBAL_GROUPS), 2),
    _audit("4758", "13826", DELETED_NAMES, _group_deleted, 1),
    _audit("4763", "13827", DELETED_NAMES, _group_deleted, 1),
)

LOGON_NAMES: Final = (
    *("TargetUserSid", "TargetUserName", "TargetDomainName", "TargetLogonId", "LogonType", "LogonProcessName", "AuthenticationPackageName"),
    *("WorkstationName", "LogonGuid", "TransmittedServices", "LmPackageName", "KeyLength", "ProcessId", "ProcessName", "IpAddress", "IpPort"),
    *(
        "ImpersonationLevel",
        "RestrictedAdminMode",
        "TargetOutboundUserName",
        "TargetOutboundDomainName",
        "VirtualAccount",
        "TargetLinkedLogonId",
        "ElevatedToken",
    ),
)
LOGON_FAILURE_NAMES: Final = (
    *("TargetUserSid", "TargetUserName", "TargetDomainName", "Status", "FailureReason", "SubStatus", "LogonType", "LogonProcessName"),
    *("AuthenticationPackageName", "WorkstationName", "TransmittedServices", "LmPackageName", "KeyLength", "ProcessId", "ProcessName", "IpAddress", "IpPort"),
)
PROCESS_NAMES: Final = (
    *("NewProcessId", "NewProcessName", "TokenElevationType", "ProcessId", "CommandLine", "TargetUserSid", "TargetUserName", "TargetDomainName"),
    *("TargetLogonId", "ParentProcessName", "MandatoryLabel"),
)
TICKET_NAMES: Final = (
    *("TargetUserName", "TargetDomainName", "TargetSid", "ServiceName", "ServiceSid", "TicketOptions", "Status", "TicketEncryptionType"),
    *("PreAuthType", "IpAddress", "IpPort", "CertIssuerName", "CertSerialNumber", "CertThumbprint"),
)
SERVICE_TICKET_NAMES: Final = (
    *("TargetUserName", "TargetDomainName", "ServiceName", "ServiceSid", "TicketOptions", "TicketEncryptionType", "IpAddress", "IpPort"),
    *("Status", "LogonGuid", "TransmittedServices"),
)
CONNECTION_NAMES: Final = (
    *("ProcessID", "Application", "Direction", "SourceAddress", "SourcePort", "DestAddress", "DestPort", "Protocol", "FilterRTID", "LayerName", "LayerRTID"),
    *("RemoteUserID", "RemoteMachineID"),
)

NOISE: Final = (
    _audit("4624", "12544", (*SUBJECT, *LOGON_NAMES), _logged_on, 250, version="2"),
    _audit("4634", "12545", ("TargetUserSid", "TargetUserName", "TargetDomainName", "TargetLogonId", "LogonType"), _logged_off, 220),
    _audit("4672", "12548", (*SUBJECT, "PrivilegeList"), _privileges_assigned, 80),
    _audit("4769", "14337", SERVICE_TICKET_NAMES, _service_ticket, 150),
    _audit("4768", "14339", TICKET_NAMES, _ticket_granted, 60),
    _audit("5156", "12810", CONNECTION_NAMES, _connection_allowed, 180, version="1"),
    _audit("4688", "13312", (*SUBJECT, *PROCESS_NAMES), _process_created, 40, version="2"),
    Kind("4625", SECURITY, "0", "0", "12544", FAILURE, (*SUBJECT, *LOGON_FAILURE_NAMES), _logon_failed, 12),
    Kind("7036", SERVICE_CONTROL, "0", "4", "0", "0x8080000000000000", ("param1", "param2"), _service_state, 8, qualifiers="16384"),
)
