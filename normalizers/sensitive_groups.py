"""The groups that Windows itself makes powerful, by SID: names are localised and can be changed, SIDs can't.

Microsoft Defender for Identity calls these sensitive; numbers are those of [MS-DTYP] section 2.4.2.4. Remote Desktop Users aren't among them. The groups of
Exchange have no well-known SID: an operator names them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

BUILTIN: Final = "S-1-5-32-"

ALIASES: Final[Mapping[str, str]] = {
    "544": "Administrators",
    "547": "Power Users",
    "548": "Account Operators",
    "549": "Server Operators",
    "550": "Print Operators",
    "551": "Backup Operators",
    "552": "Replicator",
    "556": "Network Configuration Operators",
    "557": "Incoming Forest Trust Builders",
}
"""The last number of a SID of BUILTIN."""

RIDS: Final[Mapping[str, str]] = {
    "498": "Enterprise Read-only Domain Controllers",
    "512": "Domain Admins",
    "516": "Domain Controllers",
    "518": "Schema Admins",
    "519": "Enterprise Admins",
    "520": "Group Policy Creator Owners",
    "521": "Read-only Domain Controllers",
}
"""The last number of a domain's SID."""

NAMES: Final = (*ALIASES.values(), *RIDS.values())
"""For the records that tell no SID."""

_DOMAIN_SID: Final = re.compile(r"S-1-5-21-[0-9]{1,10}-[0-9]{1,10}-[0-9]{1,10}-([0-9]{1,10})", re.ASCII)


def well_known_group(sid: str) -> str | None:
    """The English name of a sensitive group; None if the SID is of no such group."""
    if sid.startswith(BUILTIN):
        return ALIASES.get(sid.removeprefix(BUILTIN))
    domain = _DOMAIN_SID.fullmatch(sid)
    return RIDS.get(domain[1]) if domain else None
