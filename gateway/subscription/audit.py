"""`tidegate subscription audit`: what a domain controller has to be told so that it writes the events of a profile, lets them be read, and can reach us.

Everything is PowerShell to be pasted on a controller as administrator, or to be put in a policy for all of them; each step says what it is for and what shows
that it worked. Subcategories go by GUID, since their names are translated. Sources: Microsoft's "Appendix L: Events to Monitor", the audit settings
Defender for Identity asks for, "Restrict NTLM: Audit NTLM authentication in this domain".
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from listeners.wef.settings import WefSettings
from wire.event import EventKey
from wire.wef.query import SHARED_LOGS

SECURITY, NTLM = "Security", "Microsoft-Windows-NTLM/Operational"
NTLM_BYTES: Final = 128 << 20


@dataclass(frozen=True, slots=True)
class Subcategory:
    """A setting of the advanced audit policy.

    guid:     by which auditpol knows it in every language.
    failure:  whether there are events of failures too.
    ids:      event IDs it writes.
    """

    name: str
    guid: str
    failure: bool
    ids: tuple[str, ...]


SUBCATEGORIES: Final = (
    Subcategory("Account Logon > Credential Validation", "0CCE923F", True, ("4776",)),
    Subcategory("Account Management > User Account Management", "0CCE9235", True, ("4720", "4722", "4723", "4724", "4725", "4726", "4738", "4740")),
    Subcategory("Account Management > Computer Account Management", "0CCE9236", False, ("4741", "4742", "4743")),
    Subcategory(
        "Account Management > Security Group Management",
        "0CCE9237",
        False,
        ("4727", "4728", "4729", "4730", "4731", "4732", "4733", "4734", "4735", "4737", "4754", "4755", "4756", "4757", "4758"),
    ),
    Subcategory("Account Management > Distribution Group Management", "0CCE9238", False, ("4748", "4753", "4763")),
    Subcategory("DS Access > Directory Service Access", "0CCE923B", True, ("4662",)),
    Subcategory("DS Access > Directory Service Changes", "0CCE923C", False, ("5136", "5137", "5138", "5139", "5141")),
    Subcategory("Logon/Logoff > Logon", "0CCE9215", True, ("4624", "4625", "4648")),
    Subcategory("Policy Change > Audit Policy Change", "0CCE922F", False, ("4719",)),
)
GUID_TAIL: Final = "-69AE-11D9-BED3-505054503030"
WITH_ACCESS_LISTS: Final = frozenset({"4662", "5136", "5137", "5138", "5139", "5141"})


@dataclass(frozen=True, slots=True)
class Dword:
    """A registry value that a security option sets.

    option:  its name in Local Policies > Security Options.
    """

    option: str
    key: str
    name: str
    number: int


LSA: Final = r"HKLM:\SYSTEM\CurrentControlSet\Control\Lsa"
FORCE: Final = Dword("Audit: Force audit policy subcategory settings (Enabled)", LSA, "SCENoApplyLegacyAuditPolicy", 1)
NTLM_OPTIONS: Final = (
    Dword(
        "Network security: Restrict NTLM: Audit NTLM authentication in this domain (Enable all)",
        r"HKLM:\SYSTEM\CurrentControlSet\Services\Netlogon\Parameters",
        "AuditNTLMInDomain",
        7,
    ),
    Dword(
        "Network security: Restrict NTLM: Audit Incoming NTLM Traffic (Enable auditing for all accounts)",
        LSA + r"\MSV1_0",
        "AuditReceivingNTLMTraffic",
        2,
    ),
    Dword(
        "Network security: Restrict NTLM: Outgoing NTLM traffic to remote servers (Audit all)",
        LSA + r"\MSV1_0",
        "RestrictSendingNTLMTraffic",
        1,
    ),
)


def write_commands(keys: Iterable[EventKey], settings: WefSettings | None) -> str:
    """The script.

    Args:
        keys: events to be written, as a profile has them.
        settings: endpoints to be reached; None leaves that part out.
    """
    wanted: dict[str, set[str]] = {}
    for key in keys:
        wanted.setdefault(key.channel, set()).add(key.event_id)
    channels = sorted(wanted)
    lines = [
        "# Paste on a domain controller, in PowerShell as administrator. A group policy linked to the Domain Controllers OU does the same for all of them:",
        "# its settings are named beside each command, and win over what is set here at the next gpupdate.",
        "",
        *_security(wanted.get(SECURITY, set())),
        *(_ntlm() if NTLM in wanted else ()),
        *_reading(channels),
        *(_reaching(settings) if settings else ()),
        *_verifying(wanted),
    ]
    return "\n".join(lines).rstrip() + "\n"


def _security(ids: set[str]) -> Iterator[str]:
    mine = [subcategory for subcategory in SUBCATEGORIES if ids.intersection(subcategory.ids)]
    if not ids:
        return
    yield f"# Security log: {_listed(ids)}"
    yield "# Policies > Windows Settings > Security Settings > Advanced Audit Policy Configuration > Audit Policies"
    for subcategory in mine:
        failure = " /failure:enable" if subcategory.failure else ""
        of = _listed(ids.intersection(subcategory.ids))
        yield f'auditpol /set /subcategory:"{_guid(subcategory)}" /success:enable{failure}   # {subcategory.name}: {of}'
    known = {event_id for subcategory in mine for event_id in subcategory.ids}
    if ids - known:
        yield f"# {_listed(ids - known)}: see which subcategory writes them in Microsoft's documentation of each event"
    if ids & WITH_ACCESS_LISTS:
        yield f"# {_listed(ids & WITH_ACCESS_LISTS)} also need auditing entries (SACL) on the directory's objects: on the domain's root, for Everyone."
    yield "# or the legacy audit categories may win over all of these:"
    yield _set(FORCE)
    yield ""


def _ntlm() -> Iterator[str]:
    yield f"# {NTLM}: 8004 (written by Netlogon, on domain controllers alone)"
    yield "# Policies > Windows Settings > Security Settings > Local Policies > Security Options. Audit only: nothing is denied."
    for option in NTLM_OPTIONS:
        yield _set(option)
    yield "# the channel holds 1 MB as delivered, which a busy controller fills within minutes: whoever is away longer loses events"
    yield f'wevtutil sl "{NTLM}" /e:true /ms:{NTLM_BYTES}'
    yield ""


def _reading(channels: list[str]) -> Iterator[str]:
    shared = [channel for channel in channels if channel in SHARED_LOGS]
    yield "# Reading: the forwarder is the WinRM service, which runs as Network Service and may not read the Security log as delivered."
    if shared:
        yield f"# ({', '.join(shared)} needs no audit setting: it is always written.)"
    yield "# Either make it a member of Event Log Readers, which needs a restart of the controller (in other languages, by name of S-1-5-32-573 and S-1-5-20):"
    yield 'net localgroup "Event Log Readers" "NT AUTHORITY\\NETWORK SERVICE" /add'
    yield "# or let it read each channel, which needs a restart of WinRM alone:"
    for channel in channels:
        yield f'# $access = ((wevtutil gl "{channel}") -match "^channelAccess:")[0].Substring(15).Trim()'
        yield f'# if ($access -notmatch ";;;NS\\)") {{ wevtutil sl "{channel}" "/ca:$access(A;;0x1;;;NS)" }}'
    yield "Set-Service WinRM -StartupType Automatic; Restart-Service WinRM"
    yield ""


def _reaching(settings: WefSettings) -> Iterator[str]:
    yield "# Reaching the gateway: the controller connects, nothing connects to it; only outbound filtering stands in the way."
    for endpoint in settings.endpoints:
        host, port = endpoint.url.host.strip("[]"), endpoint.url.port
        yield f'# New-NetFirewallRule -DisplayName "Tidegate {port}" -Direction Outbound -Protocol TCP -RemotePort {port} -Action Allow'
        yield f"Test-NetConnection {host} -Port {port} -InformationLevel Quiet   # True"
        if endpoint.auth == "kerberos":
            yield f"klist get HTTP/{host}   # a ticket; Windows Server 2025 asks for HOST/{host} instead"
            yield "(Get-Item WSMan:\\localhost\\Client\\TrustedHosts).Value   # must not match the gateway, or NTLM may take Kerberos' place"
    if any(endpoint.auth == "certificate" for endpoint in settings.endpoints):
        yield "# the certificate it shows: client authentication, its private key readable by Network Service (certlm.msc > Manage Private Keys)"
        yield "Get-ChildItem Cert:\\LocalMachine\\My | Where-Object HasPrivateKey | Format-List Subject, Issuer, NotAfter, EnhancedKeyUsageList"
    yield ""


def _verifying(wanted: dict[str, set[str]]) -> Iterator[str]:
    yield "# Verify"
    for subcategory in SUBCATEGORIES:
        if wanted.get(SECURITY, set()).intersection(subcategory.ids):
            expected = "Success and Failure" if subcategory.failure else "Success, or Success and Failure"
            yield f'auditpol /get /subcategory:"{_guid(subcategory)}"   # {expected}'
    for option in (FORCE, *NTLM_OPTIONS) if NTLM in wanted else (FORCE,):
        yield f"Get-ItemPropertyValue '{option.key}' {option.name}   # {option.number}"
    for channel, ids in sorted(wanted.items()):
        yield f'wevtutil gl "{channel}" | Select-String "enabled|channelAccess|maxSize"'
        if all(event_id.isdigit() for event_id in ids):
            numbers = ",".join(sorted(ids, key=int))
            yield f"Get-WinEvent -FilterHashtable @{{LogName='{channel}'; Id={numbers}}} -MaxEvents 5 -ErrorAction SilentlyContinue"
    yield "# 100 subscribed, 101 a channel can't be read, 102 can't subscribe, 104 connected, 105 can't connect and why, 107 the policy's value is wrong"
    yield 'Get-WinEvent -LogName "Microsoft-Windows-Forwarding/Operational" -MaxEvents 20 | Format-List TimeCreated, Id, Message'


def _guid(subcategory: Subcategory) -> str:
    return f"{{{subcategory.guid}{GUID_TAIL}}}"


def _set(value: Dword) -> str:
    return f"Set-ItemProperty '{value.key}' {value.name} {value.number} -Type DWord   # {value.option}"


def _listed(ids: Iterable[str]) -> str:
    return ", ".join(sorted(("every event" if event_id == "*" else event_id for event_id in ids), key=lambda text: (len(text), text)))
