"""Columns of the Sentinel tables that records go to, by type: what isn't there is dropped by Azure unsaid.

Sources: for the ASim tables those that Microsoft's own tests of Sentinel content have (Azure/Azure-Sentinel, .script/tests/KqlvalidationsTests/
CustomTables), for WindowsEvent the Azure Monitor Logs reference. NetworkDuration is of the Network Session schema, those tests' table lacks it.
Columns that Azure fills itself (`_ItemId`, `TenantId`, `Type` ...) are left out: nobody may send them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

MAX_INT, MAX_LONG = 2**31 - 1, 2**63 - 1

_COMMON: Final = """
    EventMessage EventType EventSubType EventResult EventResultDetails EventOriginalUid EventOriginalType EventOriginalSubType EventSeverity
    EventOriginalSeverity EventProduct EventProductVersion EventVendor EventSchemaVersion EventReportUrl DvcIpAddr DvcHostname DvcDomain
    DvcDomainType DvcFQDN DvcId DvcIdType DvcMacAddr DvcZone DvcOs DvcOsVersion DvcAction DvcOriginalAction DvcInterface
    SrcIpAddr SrcHostname SrcDomain SrcDomainType SrcFQDN SrcDvcId SrcDvcIdType SrcDeviceType SrcGeoCountry SrcGeoRegion SrcGeoCity
"""
_ACTOR: Final = """
    EventOriginalResultDetails EventOwner DvcDescription DvcScopeId DvcScope ActorUserId ActorUserIdType ActorScopeId ActorScope ActorUsername
    ActorUsernameType ActorUserType ActorOriginalUserType ActorSessionId ActingAppId ActingAppName ActingAppType HttpUserAgent SrcDescription
    SrcDvcScopeId SrcDvcScope SrcOriginalRiskLevel
"""
_TARGET_USER: Final = """
    TargetUserId TargetUserIdType TargetScopeId TargetScope TargetUsername TargetUsernameType TargetUserType TargetOriginalUserType
"""
_TARGET_SYSTEM: Final = """
    TargetAppId TargetAppName TargetAppType TargetUrl TargetIpAddr TargetHostname TargetDomain TargetDomainType TargetFQDN TargetDescription
    TargetDvcId TargetDvcIdType TargetDvcScopeId TargetDvcScope TargetDeviceType TargetDvcOs
"""
_DATES: Final = "TimeGenerated EventStartTime EventEndTime"

_TEXTS: Final = {
    "ASimUserManagementActivityLogs": _COMMON
    + _ACTOR
    + _TARGET_USER
    + "GroupId GroupIdType GroupName GroupNameType GroupType GroupOriginalType PreviousPropertyValue NewPropertyValue",
    "ASimAuthenticationEventLogs": _COMMON + _ACTOR + _TARGET_USER + _TARGET_SYSTEM + "TargetSessionId SrcIsp SrcDvcOs LogonMethod LogonProtocol",
    "ASimAuditEventLogs": _COMMON + _ACTOR + _TARGET_SYSTEM + "Operation ObjectId Object ObjectType OldValue NewValue ValueType",
    "ASimNetworkSessionLogs": _COMMON
    + """
    Dvc DvcSubscriptionId DvcInboundInterface DvcOutboundInterface NetworkApplicationProtocol NetworkProtocol NetworkProtocolVersion
    NetworkDirection NetworkConnectionHistory NetworkSessionId NetworkRuleName DstZone DstInterfaceName DstInterfaceGuid DstMacAddr DstVlanId
    DstUserId DstUserIdType DstUsername DstUsernameType DstUserType DstOriginalUserType DstAppName DstAppId DstAppType DstIpAddr DstHostname
    DstDomain DstDomainType DstFQDN DstDvcId DstDvcIdType DstDeviceType DstNatIpAddr SrcZone SrcInterfaceName SrcInterfaceGuid SrcMacAddr SrcVlanId
    SrcUserId SrcUserIdType SrcUsername SrcUsernameType SrcUserType SrcOriginalUserType SrcAppName SrcAppId SrcAppType SrcNatIpAddr
    """,
    "WindowsEvent": "Channel Computer Correlation EventLevelName EventOriginId EventRecordId Keywords Opcode Provider RawEventData SystemUserId",
}
_INTS: Final = {
    "ASimNetworkSessionLogs": "EventCount NetworkDuration SrcPortNumber DstPortNumber",
    "WindowsEvent": "EventID EventLevel SystemProcessId SystemThreadId Task Version",
}
_LONGS: Final = {"ASimNetworkSessionLogs": "SrcBytes DstBytes NetworkBytes SrcPackets DstPackets NetworkPackets"}
_DYNAMICS: Final = {"WindowsEvent": "EventData"}

COLUMNS: Final[Mapping[str, Mapping[str, str]]] = {
    table: {
        **dict.fromkeys(texts.split(), "string"),
        **dict.fromkeys(("TimeGenerated" if table == "WindowsEvent" else _DATES).split(), "datetime"),
        **dict.fromkeys(_INTS.get(table, "EventCount SrcPortNumber").split(), "int"),
        **dict.fromkeys(_LONGS.get(table, "").split(), "long"),
        **dict.fromkeys(_DYNAMICS.get(table, "AdditionalFields").split(), "dynamic"),
    }
    for table, texts in _TEXTS.items()
}


def complaints(table: str, row: Mapping[str, Any]) -> list[str]:
    """What of a row Azure Monitor would drop or null."""
    columns = COLUMNS[table]
    found = [f"{table} has no column {column}" for column in row if column not in columns]
    return found + [f"{column} is no {columns[column]}: {item!r}" for column, item in row.items() if column in columns and not _fits(columns[column], item)]


def _fits(kind: str, item: object) -> bool:
    if kind in ("int", "long"):
        return isinstance(item, int) and not isinstance(item, bool) and abs(item) <= (MAX_INT if kind == "int" else MAX_LONG)
    if kind == "dynamic":
        return isinstance(item, dict)
    if kind == "datetime":
        return isinstance(item, str) and len(item) == len("2024-03-15T12:00:00.123Z") and item.endswith("Z")
    return isinstance(item, str) and item != ""
