"""The EventData names of the events that are kept, in the order of their schemas: what brings back names that a sender dropped or rewrote.

Source: the event manifests of Microsoft-Windows-Security-Auditing, Service Control Manager and Microsoft-Windows-Security-Netlogon, as the Windows
security audit documentation prints them.

    InsertionStrings, StringInserts, Properties    values by position alone (WMI, fluent-bit, Get-WinEvent)
    targetUserName                                 the first letter in lower case (Wazuh)
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from wire.message_texts import MESSAGE_TEXTS
from wire.providers import SECURITY_AUDITING

_SUBJECT: Final = ("SubjectUserSid", "SubjectUserName", "SubjectDomainName", "SubjectLogonId")
_TARGET: Final = ("TargetUserName", "TargetDomainName", "TargetSid", *_SUBJECT, "PrivilegeList")
_MEMBER: Final = ("MemberName", "MemberSid", *_TARGET, "MembershipExpirationTime")

EVENT_DATA_NAMES: Final = {
    **dict.fromkeys(("4726", "4743", "4730", "4753", "4758", "4763"), _TARGET),
    **dict.fromkeys(("4728", "4729", "4732", "4733", "4756", "4757"), _MEMBER),
    "4776": ("PackageName", "TargetUserName", "Workstation", "Status"),
    "7045": ("ServiceName", "ImagePath", "ServiceType", "StartType", "AccountName"),
    "8004": ("SChannelName", "UserName", "DomainName", "WorkstationName", "SChannelType"),
    "4662": (
        *_SUBJECT,
        *("ObjectServer", "ObjectType", "ObjectName", "OperationType", "HandleId", "AccessList", "AccessMask", "Properties", "AdditionalInfo"),
        "AdditionalInfo2",
    ),
    "5136": (
        *("OpCorrelationID", "AppCorrelationID", *_SUBJECT, "DSName", "DSType", "ObjectDN", "ObjectGUID", "ObjectClass"),
        *("AttributeLDAPDisplayName", "AttributeSyntaxOID", "AttributeValue", "OperationType"),
    ),
}
"""Event ID to names; the last one of member changes came with version 1."""

_SPELLED: Final = {name.lower(): name for names in EVENT_DATA_NAMES.values() for name in names}


def event_data_names(event_id: str, provider: str) -> tuple[str, ...]:
    """The names of an event's data; none for an event that isn't known, or another provider's of the same ID."""
    text = MESSAGE_TEXTS.get(event_id)
    providers = text.providers if text else (SECURITY_AUDITING,)
    return EVENT_DATA_NAMES.get(event_id, ()) if provider in providers else ()


def spelled_names() -> dict[str, str]:
    """Every name that is known, by its ASCII lower case."""
    return dict(_SPELLED)


def spelled_name(name: str) -> str:
    """`targetUserName` to `TargetUserName`; a name that isn't known is returned as it came."""
    return _SPELLED.get(name.lower(), name) if name.isascii() else name


def name_inserts(event_id: str, provider: str, values: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """Values by position as (name, value); those without a name are Data1, Data2 ... by position, as unnamed elements of event XML are."""
    names = event_data_names(event_id, provider)
    return tuple((names[at] if at < len(names) else f"Data{at + 1}", value) for at, value in enumerate(values))
