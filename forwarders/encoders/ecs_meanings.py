"""What ECS calls an event: its category, type and action (ECS 8.11, "ECS Categorization Fields").

Where Elastic's pipeline for the Security log has the event ID, these are its words; 7045 has those of 4697, which is the same fact in another log.
8004 and RADIUS accounting are in none of Elastic's pipelines: the words are ours, within what ECS allows.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from forwarders.encoders.crosswalk import Kind


class Meaning(NamedTuple):
    """What ECS calls an event: `event.category`, `event.type`, `event.action`."""

    category: tuple[str, ...] = ()
    type: tuple[str, ...] = ("info",)
    action: str = ""


_ADDED: Final = Meaning(("iam",), ("group", "change"), "added-member-to-group")
_REMOVED: Final = Meaning(("iam",), ("group", "change"), "removed-member-from-group")
_GROUP_DELETED: Final = Meaning(("iam",), ("group", "deletion"), "deleted-group-account")
_LIST_DELETED: Final = Meaning(("iam",), ("group", "deletion"), "deleted-distribution-group-account")

MEANINGS: Final[Mapping[tuple[Kind, str], Meaning]] = {
    (Kind.ACCOUNT_CHANGE, "4726"): Meaning(("iam",), ("user", "deletion"), "deleted-user-account"),
    (Kind.ACCOUNT_CHANGE, "4741"): Meaning(("iam",), ("creation", "admin"), "added-computer-account"),
    (Kind.ACCOUNT_CHANGE, "4743"): Meaning(("iam",), ("deletion", "admin"), "deleted-computer-account"),
    **{(Kind.GROUP_MANAGEMENT, code): _ADDED for code in ("4728", "4732", "4756")},
    **{(Kind.GROUP_MANAGEMENT, code): _REMOVED for code in ("4729", "4733", "4757")},
    **{(Kind.GROUP_MANAGEMENT, code): _GROUP_DELETED for code in ("4730", "4758")},
    **{(Kind.GROUP_MANAGEMENT, code): _LIST_DELETED for code in ("4753", "4763")},
    (Kind.AUTHENTICATION, "4776"): Meaning(("authentication",), ("start",), "credential-validated"),
    (Kind.AUTHENTICATION, "8004"): Meaning(("authentication",), ("info",), "ntlm-audited"),
    (Kind.SERVICE_ACTIVITY, "7045"): Meaning(("iam", "configuration"), ("admin", "change"), "service-installed"),
    (Kind.TUNNEL_ACTIVITY, "Start"): Meaning(("session", "network"), ("start", "connection"), "accounting-start"),
    (Kind.TUNNEL_ACTIVITY, "Stop"): Meaning(("session", "network"), ("end", "connection"), "accounting-stop"),
    (Kind.TUNNEL_ACTIVITY, "Interim-Update"): Meaning(("session", "network"), ("info", "connection"), "accounting-interim-update"),
    (Kind.TUNNEL_ACTIVITY, "Accounting-On"): Meaning(("session", "network"), ("info",), "accounting-on"),
    (Kind.TUNNEL_ACTIVITY, "Accounting-Off"): Meaning(("session", "network"), ("info",), "accounting-off"),
}
"""By the record's class and event code."""

ACTIVITIES: Final[Mapping[tuple[Kind, int], Meaning]] = {
    (Kind.ACCOUNT_CHANGE, 1): Meaning(("iam",), ("user", "creation")),
    (Kind.ACCOUNT_CHANGE, 6): Meaning(("iam",), ("user", "deletion")),
    (Kind.GROUP_MANAGEMENT, 5): Meaning(("iam",), ("group", "deletion")),
    (Kind.AUTHENTICATION, 1): Meaning(("authentication",), ("start",)),
    (Kind.TUNNEL_ACTIVITY, 1): Meaning(("session", "network"), ("start", "connection")),
    (Kind.TUNNEL_ACTIVITY, 2): Meaning(("session", "network"), ("end", "connection")),
}
"""By the record's class and activity, for event codes that have no row: an operator's own mappings make some."""

FALLBACKS: Final[Mapping[Kind, Meaning]] = {
    Kind.ACCOUNT_CHANGE: Meaning(("iam",), ("user", "change")),
    Kind.GROUP_MANAGEMENT: Meaning(("iam",), ("group", "change")),
    Kind.AUTHENTICATION: Meaning(("authentication",)),
    Kind.SERVICE_ACTIVITY: Meaning(("configuration",)),
    Kind.TUNNEL_ACTIVITY: Meaning(("session", "network")),
    Kind.BASE_EVENT: Meaning(),
}
"""For activities that have none either."""


def meaning_of(kind: Kind, code: str, activity: int) -> Meaning:
    """The closest there is for an event of this class, code and activity."""
    return MEANINGS.get((kind, code)) or ACTIVITIES.get((kind, activity)) or FALLBACKS[kind]
