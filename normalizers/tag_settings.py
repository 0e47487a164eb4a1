"""`[normalize.tags]`: which accounts are honeytokens and which groups are sensitive. Without the table no record is tagged."""

from __future__ import annotations

import re
from typing import Annotated, Final

from pydantic import AfterValidator

from pipeline.settings import Settings

MAX_ENTRIES: Final = 100_000
MAX_ENTRY: Final = 512

_SID: Final = re.compile(r"S-1(?:-[0-9]{1,20}){2,16}", re.ASCII)
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")


def is_sid(entry: str) -> bool:
    """Whether an entry is a SID rather than a name."""
    return _SID.fullmatch(entry) is not None


def check_entry(entry: str) -> str:
    r"""A SID, `name`, `DOMAIN\name` or `name@domain`; a SID with a small `s` is written with a large one."""
    stripped = entry.strip()
    if re.match(r"s-1-[0-9]", stripped, re.IGNORECASE | re.ASCII):
        stripped = stripped.upper()
        if not is_sid(stripped):
            raise ValueError(f"{entry!r} is no SID; write it as in 'S-1-5-21-3623811015-3361044348-30300820-1105'")
    domain, backslash, name = stripped.rpartition("\\")
    if len(stripped) > MAX_ENTRY or _CONTROL.search(stripped) or not name.strip("@") or (backslash and not domain):
        raise ValueError(f"{entry[:MAX_ENTRY]!r} is no account or group; write a SID, 'name', 'DOMAIN\\name' or 'name@domain'")
    return stripped


def check_entries(entries: tuple[str, ...]) -> tuple[str, ...]:
    """Not more than can be looked up without a thought for memory."""
    if len(entries) > MAX_ENTRIES:
        raise ValueError(f"more than {MAX_ENTRIES} entries")
    return entries


Entries = Annotated[tuple[Annotated[str, AfterValidator(check_entry)], ...], AfterValidator(check_entries)]


class TagSettings(Settings):
    r"""What is tagged in `enrichments` of the records it occurs in.

    honeytokens:       accounts that nobody should ever use: SIDs, `name`, `DOMAIN\name`, `name@domain`.
    sensitive_groups:  tag the groups that Windows itself makes powerful, by SID.
    groups:            further groups to tag as sensitive, written likewise.
    """

    honeytokens: Entries = ()
    sensitive_groups: bool = True
    groups: Entries = ()
