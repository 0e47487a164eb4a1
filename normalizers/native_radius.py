"""What the native engine has to know of RADIUS accounting besides the plans, as data: the dictionary, and what records say of sessions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from normalizers.plan import ANY, Plans
from normalizers.radius import ACCT_SESSION_ID, ACCT_STATUS_TYPE, CHANNEL, PROVIDER, SESSION_EVENTS
from pipeline.model import SessionEvent
from pipeline.state.changes import EVENTS
from wire.event import EventKey
from wire.radius.dictionary import dictionary

ANY_STATUS: Final = EventKey(CHANNEL, PROVIDER, ANY)

SESSION: Final[Mapping[str, str]] = {
    "nas": "device.ip",
    "nas_name": "device.hostname",
    "id": "session.uid",
    "user": "user.name",
    "domain": "user.domain",
    "address": "tunnel_interface.ip",
    "client": "src_endpoint.ip",
    "started": "session.created_time",
}
"""Where a record says what `normalizers.radius.session_change` reads."""


def encode_accounting(plans: Plans) -> dict[str, Any] | None:
    """That part of the document: JSON, which has no other type. None where no plan is for packets of any status type."""
    if ANY_STATUS not in plans.by_key:
        return None
    numbers = {key: number for number, key in enumerate(plans.by_key)}
    own = {key.event_id: number for key, number in numbers.items() if key[:2] == (CHANNEL, PROVIDER)}
    return {
        "dictionary": [
            {
                "path": entry.path,
                "name": entry.name,
                "kind": entry.kind,
                "values": sorted(entry.values.items()),
                "tagged": entry.tagged,
                "secret": entry.secret,
                "pair": entry.pair,
            }
            for entry in dictionary().by_path.values()
        ],
        "status_type": ACCT_STATUS_TYPE,
        "session_id": ACCT_SESSION_ID,
        "plans": [(int(status), number) for status, number in own.items() if status != ANY],
        "any": numbers[ANY_STATUS],
        "events": [(name, EVENTS.index(event) + 1) for name, event in SESSION_EVENTS.items()],
        "restart": EVENTS.index(SessionEvent.RESTART) + 1,
    }
