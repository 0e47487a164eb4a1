"""Accounts, security identifiers ([MS-DTYP] section 2.4) and logon sessions."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from normalizers.plan import Options, Values, Written

USER, ADMIN, SYSTEM, SERVICE = 1, 2, 3, 4

_SID: Final = re.compile(r"[sS]-1((?:-[0-9]+)+)")
_WRAPPED: Final = re.compile(r"%\{([^{}]*)\}")
_ADMINISTRATOR: Final = re.compile(r"S-1-5-21-(?:[0-9]+-)*500")
_LOGON_ID: Final = re.compile(r"0[xX]0*[0-9a-fA-F]{1,16}")

NOBODY: Final = "S-1-0-0"
SYSTEM_SIDS: Final = ("S-1-5-18", "S-1-5-19", "S-1-5-20")

# [MS-DTYP] section 2.4.2.4: well-known SIDs that are groups
GROUP_SIDS: Final = frozenset(("S-1-1-0", "S-1-2-0", "S-1-5-2", "S-1-5-4", "S-1-5-6", "S-1-5-9", "S-1-5-11"))
GROUP_RIDS: Final = frozenset(map(str, (498, *range(512, 518), *range(518, 523), 525, 526, 527, 553, 571, 572)))
_BUILTIN_GROUP: Final = re.compile(r"S-1-5-32-5[0-9]{2}")
_DOMAIN_SID: Final = re.compile(r"S-1-5-21-(?:[0-9]+-)+([0-9]+)")


def account(values: Values, _options: Options) -> Written | None:
    r"""(name, domain): `DOMAIN\name` is split at its first backslash, a domain of its own field wins. Writes `name` and `domain`."""
    whole, explicit = values[0], values[1] if len(values) > 1 else None
    domain, _, short = str(whole or "").partition("\\")
    if not (domain and short):
        domain, short = "", str(whole or "")
    domain = str(explicit or domain)
    return {key: part for key, part in (("name", short), ("domain", domain)) if part}


def realm_account(values: Values, options: Options) -> Written | None:
    r"""User-Name and, if told, its domain: as `account`, but `name@realm` is split at its last `@`, as a network access identifier is (RFC 7542 section 2.2).

    A domain without a name is refused.
    """
    if values[0] is None:
        return None
    name = str(values[0])
    explicit = _without_ident(str(values[1]), name) if len(values) > 1 and values[1] is not None else None
    short, _, realm = name.rpartition("@")
    if not short or not realm or "\\" in short:
        return account((name, explicit), options)
    return {"name": short, "domain": explicit or realm}


def _without_ident(domain: str, name: str) -> str:
    """MS-CHAP-Domain starts with an octet that matches requests with replies (RFC 2548 section 2.1.4), which some servers leave out.

    It is told by what no name begins with, or by the domain in User-Name.
    """
    if domain[:1] < " " or domain[:1] in "\x7f\ufffd" or name.startswith(f"{domain[1:]}\\"):
        return domain[1:]
    return domain


def _parse_sid(text: str) -> str | None:
    wrapped = _WRAPPED.fullmatch(text)
    found = _SID.fullmatch(wrapped[1] if wrapped else text)
    return f"S-1{found[1]}" if found else None


def sid(values: Values, _options: Options) -> Written | None:
    """A SID's text, out of `%{...}`. The null SID is nobody."""
    found = _parse_sid(str(values[0]))
    if found is None:
        return None
    return {} if found == NOBODY else {"": found}


def group_sid(value: str, _among: Sequence[str]) -> bool:
    """Test `group_sid`: whether a member is known to be a group by its SID alone."""
    found = _parse_sid(value)
    if found is None:
        return False
    domain = _DOMAIN_SID.fullmatch(found)
    return found in GROUP_SIDS or _BUILTIN_GROUP.fullmatch(found) is not None or (domain is not None and domain[1] in GROUP_RIDS)


def user_type(values: Values, options: Options) -> Written:
    """OCSF user.type_id of (SID, name): the SID's rules first, then a name ending in `$`, then the row's default."""
    uid, name = str(values[0] or ""), str(values[1] or "")
    if uid in SYSTEM_SIDS:
        return {"": SYSTEM}
    if uid.startswith("S-1-5-80-"):
        return {"": SERVICE}
    if _ADMINISTRATOR.fullmatch(uid):
        return {"": ADMIN}
    return {"": options.dollar if name.endswith("$") else options.default}


def logon_id(values: Values, _options: Options) -> Written | None:
    """A LUID in lower-case hexadecimal; 0x0 is no session."""
    text = str(values[0])
    if not _LOGON_ID.fullmatch(text):
        return None
    return {"": text.lower()} if int(text, 16) else {}
