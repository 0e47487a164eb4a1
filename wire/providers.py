"""Event providers by the names that SIEM agents show for them, brought back to the names in System/Provider/@Name.

Agents that take the provider from the rendered text, not from the event, deliver its display name: Splunk's classic
`SourceName=Microsoft Windows security auditing.`, or a RenderingInfo's `Microsoft-Windows-Service Control Manager`. An event's
key is made of System/Provider/@Name, so every layout brings its provider through `canonical_provider`.
"""

from __future__ import annotations

from typing import Final

SECURITY_AUDITING: Final = "Microsoft-Windows-Security-Auditing"
SERVICE_CONTROL_MANAGER: Final = "Service Control Manager"
SECURITY_NETLOGON: Final = "Microsoft-Windows-Security-Netlogon"

DISPLAY_NAMES: Final = {
    "microsoft windows security auditing.": SECURITY_AUDITING,
    "microsoft windows security auditing": SECURITY_AUDITING,
    "security-auditing": SECURITY_AUDITING,
    "microsoft-windows-service control manager": SERVICE_CONTROL_MANAGER,
    "security-netlogon": SECURITY_NETLOGON,
}
"""Display name in ASCII lower case to the provider's name."""

CHANNELS: Final = {
    SECURITY_AUDITING: "Security",
    SERVICE_CONTROL_MANAGER: "System",
    SECURITY_NETLOGON: "Microsoft-Windows-NTLM/Operational",
}
"""Provider to the one channel that its events go to, for senders that don't say it."""

_NAMES: Final = {name.lower(): name for name in (SECURITY_AUDITING, SERVICE_CONTROL_MANAGER, SECURITY_NETLOGON)}


def display_names() -> dict[str, str]:
    """Every name that `canonical_provider` knows, in ASCII lower case, to the provider's name."""
    return _NAMES | DISPLAY_NAMES


def canonical_provider(name: str) -> str:
    """The provider's name as System/Provider/@Name spells it; a name not in the tables is returned as it came."""
    lowered = name.strip(" \t\r\n").lower() if name.isascii() else name
    return DISPLAY_NAMES.get(lowered) or _NAMES.get(lowered, name)
