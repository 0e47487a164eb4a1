"""Tags: honeytokens and sensitive groups, looked up in a finished batch and written to `enrichments` of the records they occur in (docs/enrichment.md).

Both engines make the same batch, and this is done to it, so that tags know no engine. A record is read only if it may have one: where its class has groups, or
where one of its names or SIDs stands in the list. So it costs what is looked for, and nothing where nothing is configured.

    tag              of                                       by
    honeytoken       user, actor.user, a service's account    SID; name and domain, without case (ASCII)
    sensitive-group  group, subgroup                          SID; name where the record tells no SID, or where an operator named it

A domain counts where both sides tell one: 4776 never does, and a decoy must not be missed for that.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Final, NamedTuple

import orjson

from normalizers.encoder import encode_record
from normalizers.plan import Json
from normalizers.sensitive_groups import NAMES, well_known_group
from normalizers.tag_settings import TagSettings, is_sid
from pipeline.model import Batch
from pipeline.rewrite import rewrite

HONEYTOKEN: Final = "honeytoken"
SENSITIVE_GROUP: Final = "sensitive-group"
PROVIDER: Final = "Tidegate"
ACCOUNTS: Final = ("user", "actor.user")
GROUPS: Final = ("group", "subgroup")
SERVICE: Final = "win_service"
SERVICE_ACCOUNT: Final = "service_start_name"
GROUP_MANAGEMENT: Final = 3006
SERVICE_ACTIVITY: Final = 201004

_NAMED: Final = re.compile(rb'"(?:name|uid)":"([^"@]*)')


class Match(NamedTuple):
    """What was found: the member of the object it was found by (`uid` or `name`), the list's entry, and how they match: `sid`, `account` or `name`."""

    leaf: str
    entry: str
    by: str


class _Names:
    """Accounts or groups by SID and by name."""

    def __init__(self, entries: Iterable[str]) -> None:
        self._sids: Final[dict[str, str]] = {}
        self._names: Final[dict[str, list[tuple[str, str]]]] = {}
        for entry in entries:
            if is_sid(entry):
                self._sids[entry] = entry
            else:
                name, domain = _account(entry)
                self._names.setdefault(name, []).append((domain, entry))

    def __bool__(self) -> bool:
        return bool(self._sids or self._names)

    def spellings(self) -> frozenset[bytes]:
        """What _NAMED would find of every SID and name, in small letters (ASCII)."""
        found = (_NAMED.match(b'"name":' + orjson.dumps(text).lower()) for text in (*self._sids, *self._names))
        return frozenset(match[1] for match in found if match)

    def find(self, sid: object, name: object, domain: object) -> Match | None:
        """The entry that an account or group stands under."""
        if isinstance(sid, str) and sid in self._sids:
            return Match("uid", self._sids[sid], "sid")
        if not isinstance(name, str):
            return None
        said = _fold(domain) if isinstance(domain, str) else ""
        local, _, realm = _fold(name).rpartition("@")
        for bare, of in ((_fold(name), said), (local, realm)):
            for domain_wanted, entry in self._names.get(bare, ()) if bare else ():
                if not domain_wanted or not of or domain_wanted == of:
                    return Match("name", entry, "account" if domain_wanted and of else "name")
        return None


class Tags:
    """What is tagged, ready to be looked up.

    Args:
        settings: the lists.
    """

    def __init__(self, settings: TagSettings) -> None:
        self._well_known: Final = settings.sensitive_groups
        self._honeytokens: Final = _Names(settings.honeytokens)
        self._groups: Final = _Names(settings.groups)
        self._english: Final = _Names(NAMES if settings.sensitive_groups else ())
        self._spellings: Final = self._honeytokens.spellings()
        classes = {GROUP_MANAGEMENT: bool(self._groups) or self._well_known, SERVICE_ACTIVITY: bool(self._honeytokens)}
        self._classes: Final = frozenset(class_uid for class_uid, holds in classes.items() if holds)

    def tag_batch(self, batch: Batch) -> Batch:
        """The batch, its records tagged."""
        changed: dict[int, bytes] = {}
        offsets = batch.index.offsets
        for place in sorted(self._candidates(batch)):
            record = orjson.loads(batch.records[offsets[place] : offsets[place + 1] - 1])
            found = self.tag(record)
            if found is not record:
                changed[place] = encode_record(found)
        if not changed:
            return batch
        records, index = rewrite(batch.records, batch.index, changed)
        return replace(batch, records=records, index=index)

    def tag(self, record: Mapping[str, Json]) -> Mapping[str, Json]:
        """A record with its tags; itself where it has none."""
        found: list[Json] = [*self._tags(record)]
        return {**record, "enrichments": found} if found else record

    def _candidates(self, batch: Batch) -> set[int]:
        """Places of the records that may have a tag."""
        places = {place for place, class_uid in enumerate(batch.index.class_uids) if class_uid in self._classes} if self._classes else set[int]()
        if self._spellings:
            offsets, records = batch.index.offsets, batch.records.lower()
            if not self._spellings.isdisjoint(_NAMED.findall(records)):
                places.update(bisect_right(offsets, found.start()) - 1 for found in _NAMED.finditer(records) if found[1] in self._spellings)
        return places

    def _tags(self, record: Mapping[str, Json]) -> Iterator[Json]:
        if self._honeytokens:
            for path in ACCOUNTS:
                account = _object(record, path)
                match = self._honeytokens.find(account.get("uid"), account.get("name"), account.get("domain"))
                if match:
                    yield _enrichment(HONEYTOKEN, f"{path}.{match.leaf}", account[match.leaf], match)
            text = _object(record, SERVICE).get(SERVICE_ACCOUNT)
            if isinstance(text, str):
                name, domain = _account(text)
                match = self._honeytokens.find(None, name, "" if domain == "." else domain)
                if match:
                    yield _enrichment(HONEYTOKEN, f"{SERVICE}.{SERVICE_ACCOUNT}", text, match)
        for path in GROUPS:
            group = _object(record, path)
            match = self._group(group)
            if match:
                yield _enrichment(SENSITIVE_GROUP, f"{path}.{match.leaf}", group[match.leaf], match)

    def _group(self, group: Mapping[str, Json]) -> Match | None:
        sid, name, domain = group.get("uid"), group.get("name"), group.get("domain")
        english = well_known_group(sid) if self._well_known and isinstance(sid, str) else None
        if english is not None:
            return Match("uid", english, "sid")
        return self._groups.find(sid, name, domain) or (None if isinstance(sid, str) else self._english.find(None, name, None))


def _enrichment(tag: str, path: str, value: Json, match: Match) -> Json:
    """OCSF 1.8.0, object Enrichment."""
    return {"data": {"entry": match.entry, "matched": match.by}, "name": path, "provider": PROVIDER, "type": tag, "value": str(value)}


def _object(record: Mapping[str, Json], path: str) -> Mapping[str, Json]:
    found: object = record
    for name in path.split("."):
        found = found.get(name) if isinstance(found, dict) else None
    return found if isinstance(found, dict) else {}


def _account(text: str) -> tuple[str, str]:
    """(name, domain) of an account as people write it, folded; no domain is an empty one."""
    domain, backslash, name = _fold(text).rpartition("\\")
    if backslash:
        return name, domain
    local, at, realm = name.rpartition("@")
    return (local, realm) if at else (name, "")


def _fold(text: str) -> str:
    return text.encode("utf-8", "surrogatepass").lower().decode("utf-8", "surrogatepass")
