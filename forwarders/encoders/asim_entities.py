"""ASIM's entities, "The Device entity" and "The User entity": the columns that a device or a user has, whatever its role in the event."""

from __future__ import annotations

from typing import Final

from forwarders.encoders.crosswalk import Read, Record, account, number, text

Rows = tuple[tuple[str, Read], ...]
"""(column, where a record has its value)."""

SYSTEM: Final = 3
_USER_TYPES: Final = {1: "Regular", 2: "Admin", 3: "System", 4: "Service"}


def host(prefix: str, *paths: str) -> Rows:
    """A device's name in the columns for it: the first label, the rest, and the whole where there is a domain."""
    read = text(*paths)

    def split(record: Record) -> tuple[str | None, str | None]:
        name = read(record)
        label, _, rest = (name or "").partition(".")
        return (name, None) if label == "" or label.isdecimal() else (label, rest or None)  # an address has no domain

    return (
        (f"{prefix}Hostname", lambda record: split(record)[0]),
        (f"{prefix}Domain", lambda record: split(record)[1]),
        (f"{prefix}DomainType", lambda record: None if split(record)[1] is None else "FQDN"),
        (f"{prefix}FQDN", lambda record: None if split(record)[1] is None else read(record)),
    )


def username(column: str, path: str) -> Rows:
    """A name with its domain, or else a distinguished name, and which of ASIM's kinds of name that is."""
    whole, dn, name, domain = account(f"{path}.name", f"{path}.domain"), text(f"{path}.ldap_person.ldap_dn"), text(f"{path}.name"), text(f"{path}.domain")

    def kind(record: Record) -> str | None:
        bare = name(record)
        if bare is None:
            return None if dn(record) is None else "DN"
        return "Windows" if domain(record) else "UPN" if "@" in bare else "Simple"

    return ((column, lambda record: whole(record) or dn(record)), (f"{column}Type", kind))


def identity(column: str, path: str) -> Rows:
    """A SID, and that it is one."""
    sid = text(f"{path}.uid")
    return ((column, sid), (f"{column}Type", where(sid, "SID")))


def user(prefix: str, path: str) -> Rows:
    """A user in the columns for one."""
    name, type_id = text(f"{path}.name"), number(f"{path}.type_id")

    def user_type(record: Record) -> str | None:
        found = type_id(record)
        return "Machine" if found == SYSTEM and (name(record) or "").endswith("$") else _USER_TYPES.get(found or 0)

    return (
        *identity(f"{prefix}UserId", path),
        *username(f"{prefix}Username", path),
        (f"{prefix}UserType", user_type),
        (f"{prefix}OriginalUserType", text(f"{path}.type")),
    )


def where(read: Read, then: str) -> Read:
    return lambda record: None if read(record) is None else then
