"""Tags: what is found, by what, and that both engines make the same octets of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from support.engines import ORIGIN, Engines
from support.events import DOMAIN, SAMPLES, required_events
from support.ocsf import check

from normalizers.encoder import encode_record
from normalizers.normalizer import Normalizer
from normalizers.settings import NormalizeSettings
from normalizers.tag_settings import TagSettings
from normalizers.tags import Tags
from wire.event import WindowsEvent
from wire.event_xml import encode_event

DECOY = f"{DOMAIN}-1105"
PLAIN = Engines("aatp-2020")


def engines(**lists: Any) -> Engines:
    return Engines("aatp-2020", NormalizeSettings(tags=TagSettings(**lists)))


def with_data(event: WindowsEvent, **values: str) -> bytes:
    return encode_event(replace(event, data=tuple((name, values.get(name, text)) for name, text in event.data)))


def records(batch: Any) -> list[dict[str, Any]]:
    for entry in batch.index:
        assert json.loads(batch.records[entry.start : entry.end])["class_uid"] == entry.class_uid
    found = [json.loads(line) for line in batch.records.splitlines()]
    for record in found:
        check(record)
    return found


def tags(record: Mapping[str, Any]) -> list[tuple[str, str, str, str]]:
    return [(tag["type"], tag["name"], tag["data"]["matched"], tag["data"]["entry"]) for tag in record.get("enrichments", [])]


HONEYTOKENS = {
    "subject by SID": ("4728", {}, DECOY, [("honeytoken", "actor.user.uid", "sid", DECOY)]),
    "SID in small letters": ("4728", {}, DECOY.lower(), [("honeytoken", "actor.user.uid", "sid", DECOY)]),
    "subject by account, case aside": ("4728", {}, "contoso\\AMIR", [("honeytoken", "actor.user.name", "account", "contoso\\AMIR")]),
    "subject by name": ("4728", {}, "amir", [("honeytoken", "actor.user.name", "name", "amir")]),
    "another domain": ("4728", {}, "FABRIKAM\\amir", []),
    "member by SID": ("4728", {"MemberSid": f"{DOMAIN}-1999"}, f"{DOMAIN}-1999", [("honeytoken", "user.uid", "sid", f"{DOMAIN}-1999")]),
    "deleted account": ("4726", {"TargetUserName": "svc-old"}, "CONTOSO\\svc-old", [("honeytoken", "user.name", "account", "CONTOSO\\svc-old")]),
    "4776 tells no domain": ("4776", {"TargetUserName": "SVC-old"}, "CONTOSO\\svc-old", [("honeytoken", "user.name", "name", "CONTOSO\\svc-old")]),
    "4776 by UPN, entry is the name": ("4776", {"TargetUserName": "svc-old@contoso.example"}, "svc-old", [("honeytoken", "user.name", "name", "svc-old")]),
    "4776 by UPN, entry is it": (
        "4776",
        {"TargetUserName": "svc-old@contoso.example"},
        "svc-old@CONTOSO.example",
        [("honeytoken", "user.name", "account", "svc-old@CONTOSO.example")],
    ),
    "4776 by UPN of elsewhere": ("4776", {"TargetUserName": "svc-old@fabrikam.example"}, "svc-old@contoso.example", []),
    "8004": ("8004", {"UserName": "svc-old", "DomainName": "CONTOSO"}, "CONTOSO\\svc-old", [("honeytoken", "user.name", "account", "CONTOSO\\svc-old")]),
    "service account": (
        "7045",
        {"AccountName": "CONTOSO\\Svc-Old"},
        "contoso\\svc-old",
        [("honeytoken", "win_service.service_start_name", "account", "contoso\\svc-old")],
    ),
    "local service account": ("7045", {"AccountName": ".\\svc-old"}, "svc-old", [("honeytoken", "win_service.service_start_name", "name", "svc-old")]),
    "part of a name": ("4776", {"TargetUserName": "svc-older"}, "svc-old", []),
    "quotation mark in it": ("4776", {"TargetUserName": 'a"b'}, 'A"b', [("honeytoken", "user.name", "name", 'A"b')]),
    "not ASCII": ("4776", {"TargetUserName": "jürgen"}, "JüRGEN", [("honeytoken", "user.name", "name", "JüRGEN")]),
}


@pytest.mark.parametrize(("event_id", "values", "entry", "expected"), HONEYTOKENS.values(), ids=HONEYTOKENS)
def test_honeytokens_are_tagged_wherever_accounts_stand(event_id: str, values: dict[str, str], entry: str, expected: list[Any]) -> None:
    batch = engines(honeytokens=(entry,), sensitive_groups=False).agree_on_events([with_data(SAMPLES[event_id], **values)])
    (record,) = records(batch)
    assert tags(record) == expected


GROUPS = {
    "Domain Admins": (f"{DOMAIN}-512", {}, ("group.uid", "sid", "Domain Admins")),
    "Administrators": ("S-1-5-32-544", {}, ("group.uid", "sid", "Administrators")),
    "Enterprise Read-only Domain Controllers": (f"{DOMAIN}-498", {}, ("group.uid", "sid", "Enterprise Read-only Domain Controllers")),
    "any other group": (f"{DOMAIN}-1512", {}, None),
    "Remote Desktop Users, which isn't one since 2018": ("S-1-5-32-555", {}, None),
    "512 behind another authority": ("S-1-5-80-1-2-3-512", {}, None),
    "named by the operator": (f"{DOMAIN}-1512", {"groups": ("Tier 0",)}, ("group.name", "name", "Tier 0")),
    "told by the operator": (f"{DOMAIN}-1512", {"groups": (f"{DOMAIN}-1512",)}, ("group.uid", "sid", f"{DOMAIN}-1512")),
    "without a SID": ("-", {}, None),
    "switched off": (f"{DOMAIN}-512", {"sensitive_groups": False}, None),
}


@pytest.mark.parametrize(("sid", "lists", "expected"), GROUPS.values(), ids=GROUPS)
def test_sensitive_groups_are_tagged(sid: str, lists: dict[str, Any], expected: tuple[str, str, str] | None) -> None:
    batch = engines(**lists).agree_on_events([with_data(SAMPLES["4728"], TargetSid=sid, TargetUserName="Tier 0")])
    (record,) = records(batch)
    assert tags(record) == ([("sensitive-group", *expected)] if expected else [])


def test_an_english_name_counts_where_no_sid_is_told() -> None:
    batch = engines().agree_on_events([with_data(SAMPLES["4728"], TargetSid="-", TargetUserName="domain admins")])
    (record,) = records(batch)
    assert tags(record) == [("sensitive-group", "group.name", "name", "Domain Admins")]


def test_a_sensitive_group_that_joins_another_is_tagged() -> None:
    message = with_data(SAMPLES["4732"], MemberSid=f"{DOMAIN}-512", MemberName="-", TargetSid=f"{DOMAIN}-1700")
    (record,) = records(engines().agree_on_events([message]))
    assert tags(record) == [("sensitive-group", "subgroup.uid", "sid", "Domain Admins")]


def test_without_the_table_nothing_is_tagged() -> None:
    message = with_data(SAMPLES["4728"], TargetSid=f"{DOMAIN}-512")
    assert "enrichments" not in records(PLAIN.agree_on_events([message]))[0]


def test_explain_shows_tags() -> None:
    normalizer = Normalizer(settings=NormalizeSettings(tags=TagSettings()))
    explained = json.loads(normalizer.explain(with_data(SAMPLES["4728"], TargetSid=f"{DOMAIN}-512"), ORIGIN).record)
    assert tags(explained) == [("sensitive-group", "group.uid", "sid", "Domain Admins")]


@pytest.mark.parametrize("entry", ["", " ", "\\", "CONTOSO\\", "\\x", "S-1-5-x", "S-1-5", "a\nb", "x" * 600, "@"])
def test_entries_that_mean_nothing_are_refused(entry: str) -> None:
    with pytest.raises(ValidationError):
        TagSettings(honeytokens=(entry,))


@given(st.lists(required_events(), min_size=1, max_size=6), st.data())
def test_a_batch_is_what_each_record_would_be_by_itself(events: list[WindowsEvent], data: st.DataObject) -> None:
    """The short cut to records that may have a tag misses none, and says nothing of others."""
    messages = [encode_event(event) for event in events]
    plain = PLAIN.agree_on_events(messages)
    said = [text for line in plain.records.splitlines() for text in _names(json.loads(line))]
    entries = data.draw(st.lists(st.sampled_from(said), max_size=3)) if said else []
    found = Tags(_lists(entries))
    batch = found.tag_batch(plain)
    assert batch.records == b"".join(encode_record(found.tag(orjson.loads(line))) + b"\n" for line in plain.records.splitlines())
    assert batch.index.uids == plain.index.uids
    records(batch)


def _lists(entries: list[str]) -> TagSettings:
    kept = []
    for entry in entries:
        try:
            kept.append(TagSettings(honeytokens=(entry,)).honeytokens[0])
        except ValidationError:
            continue
    return TagSettings(honeytokens=tuple(kept))


def _names(record: dict[str, Any]) -> list[str]:
    accounts = (record.get("user", {}), record.get("actor", {}).get("user", {}))
    return [account[leaf] for account in accounts for leaf in ("name", "uid") if leaf in account]
