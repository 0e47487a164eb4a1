"""VPN sessions joined to what a domain controller saw: whose account it was that came in by VPN, or whose tunnel address it came from.

    vpn-by-account   user of a logon or validation, actor.user of any other event    sessions of that account
    vpn-by-ip        src_endpoint.ip of a logon or validation                         sessions that had this tunnel address

Only sessions that were open at the event's time count. Names are compared without case (ASCII); a domain counts where both the event and the session tell one,
since 4776 never does and VPN servers often don't. A domain has two names, CONTOSO and contoso.example: those are different ones here. 4776 has a principal
name as a whole in user.name: it is looked for as it stands, and then by its two halves.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from pipeline.state.session import Session, fold_account
from pipeline.state.sessions import Sessions

BY_ACCOUNT: Final = "vpn-by-account"
BY_IP: Final = "vpn-by-ip"
PROVIDER: Final = "Tidegate"
AUTHENTICATION: Final = 3002
TUNNEL_ACTIVITY: Final = 4014
MAX_SESSIONS: Final = 4
"""Of one account that are listed, the latest ones; `count` says how many there were."""

Record = Mapping[str, Any]
Enrichment = dict[str, Any]
"""OCSF 1.8.0, object Enrichment."""


def vpn_by_account(record: Record, sessions: Sessions) -> Iterator[Enrichment]:
    """The sessions that the account had open."""
    class_uid = record.get("class_uid")
    if class_uid == TUNNEL_ACTIVITY:
        return
    path = "user" if class_uid == AUTHENTICATION else "actor.user"
    account = _object(record, path)
    name, domain = account.get("name"), account.get("domain")
    if not isinstance(name, str) or not isinstance(record.get("time"), int):
        return
    said = domain if isinstance(domain, str) else ""
    local, _, realm = name.rpartition("@")
    for bare, of in ((name, said), (local, realm)):
        if bare and (found := [session for session in sessions.of_account(bare, None, record["time"]) if _agree(session.domain, of)]):
            matched = "account" if of and all(session.domain for session in found) else "name"
            yield _enrichment(BY_ACCOUNT, f"{path}.name", name, matched, found)
            return


def vpn_by_ip(record: Record, sessions: Sessions) -> Iterator[Enrichment]:
    """The sessions that had the address which the client gives as its own."""
    address = _object(record, "src_endpoint").get("ip")
    if record.get("class_uid") != AUTHENTICATION or not isinstance(address, str) or not isinstance(record.get("time"), int):
        return
    found = sessions.of_address(address, record["time"])
    if found:
        yield _enrichment(BY_IP, "src_endpoint.ip", address, "address", found)


def _agree(one: str, other: str) -> bool:
    return not one or not other or fold_account(one) == fold_account(other)


def _object(record: Record, path: str) -> Record:
    found: Any = record
    for name in path.split("."):
        found = found.get(name) if isinstance(found, dict) else None
    return found if isinstance(found, dict) else {}


def _enrichment(join: str, path: str, value: str, matched: str, found: Sequence[Session]) -> Enrichment:
    data = {"count": len(found), "matched": matched, "sessions": [_told(session) for session in reversed(found[-MAX_SESSIONS:])]}
    return {"data": data, "name": path, "provider": PROVIDER, "type": join, "value": value}


def _told(session: Session) -> dict[str, Any]:
    """A session, without what wasn't told of it; times in ms since the Unix epoch."""
    told = {
        "address": session.address,
        "begun": session.begun_at_ms,
        "client": session.client,
        "domain": session.domain,
        "ended": session.ended_at_ms,
        "server": session.nas,
        "uid": session.session_id,
        "user": session.user,
    }
    return {name: value for name, value in told.items() if value not in ("", None)}
