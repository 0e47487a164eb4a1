"""What another configuration changes, by name and never by value; and which of it a running gateway can take over, as the page says."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from gateway.config import Config
from gateway.config_errors import UnusableConfig, _tables
from gateway.reload_changes import LIVE, changes, refuse_fixed

PAGE = Path(__file__).parents[2] / "docs/operate/reload.md"
SECRET = "a secret of sixteen octets or more"
ENDPOINT = {
    "address": "127.0.0.1:5986",
    "url": "https://gateway.contoso.example",
    "auth": "certificate",
    "certificate": "s.pem",
    "key": "s.key",
    "client_ca": ["ca.pem"],
}
TREE: dict[str, Any] = {
    "gateway": {"state_dir": "state"},
    "listeners": {
        "syslog": {"tcp": ["127.0.0.1:514"], "tls": {"addresses": ["127.0.0.1:6514"], "certificate": "s.pem", "key": "s.key"}},
        "wef": {"endpoints": [{**ENDPOINT}, {**ENDPOINT}], "subscriptions": [{"name": "identity"}]},
        "radius": {"addresses": ["127.0.0.1:1813"], "clients": [{"name": "vpn1", "cidr": "192.0.2.1", "secret": SECRET.encode()}]},
    },
    "forwarders": [{"name": name, "kind": "file", "path": f"/srv/{name}"} for name in ("archive", "second")],
}
Case = tuple[tuple[str | int, ...], object, tuple[str, ...], bool]

#   where, and what is put there              changes this                                       while it runs
CASES: list[Case] = [
    ((), {}, (), True),
    (("gateway", "profile"), "mdi-current", ("gateway.profile",), True),
    (("gateway", "state_dir"), "elsewhere", ("gateway.state_dir",), False),
    (("gateway", "engine"), "reference", ("gateway.engine",), False),
    (("normalize",), {"raw_data": True, "labels": ["a"]}, ("normalize.raw_data", "normalize.labels"), True),
    (("normalize",), {"tags": {"honeytokens": ["svc-honey"]}}, ("normalize.tags",), True),
    (("log",), {"level": "debug"}, ("log.level",), True),
    (("log",), {"format": "console"}, ("log.format",), False),
    (("metrics",), {"address": "127.0.0.1:9464"}, ("metrics",), False),
    (("spool",), {"max_bytes": 1 << 30}, ("spool.max_bytes",), False),
    (("listeners", "syslog"), None, ("listeners.syslog",), False),
    (("listeners", "syslog", "tls"), None, ("listeners.syslog.tls",), False),
    (("listeners", "syslog", "allow"), ["10.0.0.0/8"], ("listeners.syslog.allow",), True),
    (("listeners", "syslog", "tcp"), ["127.0.0.1:515"], ("listeners.syslog.tcp",), False),
    (("listeners", "wef", "endpoints", 1, "key"), "t.key", ("listeners.wef.endpoints[1].key",), True),
    (("listeners", "wef", "endpoints", 1, "address"), "127.0.0.1:1", ("listeners.wef.endpoints[1].address",), False),
    (("listeners", "wef", "endpoints"), [ENDPOINT], ("listeners.wef.endpoints",), False),
    (("listeners", "wef", "subscriptions", 0, "heartbeat"), 60.0, ("listeners.wef.subscriptions.identity.heartbeat",), True),
    (("listeners", "wef", "subscriptions", 0, "name"), "other", ("listeners.wef.subscriptions.identity", "listeners.wef.subscriptions.other"), True),
    (("listeners", "radius", "clients", 0, "secret"), SECRET.upper().encode(), ("listeners.radius.clients.vpn1.secret",), True),
    (("forwarders", 1, "path"), "/srv/moved", ("forwarders.second.path",), True),
    (("forwarders", 1), {"name": "second", "kind": "stdout"}, ("forwarders.second",), True),
    (("forwarders",), TREE["forwarders"][:1], ("forwarders.second",), True),
    (("forwarders",), TREE["forwarders"][::-1], (), True),
]


def with_value(place: tuple[str | int, ...], value: object) -> Config:
    tree: Any = copy.deepcopy(TREE)
    inner = tree
    for part in place[:-1]:
        inner = inner[part]
    if place:
        inner[place[-1]] = value
    return Config.model_validate(tree)


@pytest.mark.parametrize(("place", "value", "expected", "live"), CASES, ids=[" and ".join(case[2]) or f"nothing {at}" for at, case in enumerate(CASES)])
def test_a_change_is_named_and_judged(place: tuple[str | int, ...], value: object, expected: tuple[str, ...], *, live: bool) -> None:
    old, new = with_value((), {}), with_value(place, value)
    found = changes(old, new)
    assert tuple(change.place for change in found) == expected
    assert tuple(sorted(change.place for change in changes(new, old))) == tuple(sorted(expected))
    assert all(change.is_live is live for change in found)
    if live:
        refuse_fixed(found)
        return
    with pytest.raises(UnusableConfig) as refused:
        refuse_fixed(found)
    assert [problem.what for problem in refused.value.problems] == list(expected)


@given(st.sampled_from(CASES), st.sampled_from(CASES))
def test_a_change_back_is_as_large(one: Case, other: Case) -> None:
    old, new = with_value(one[0], one[1]), with_value(other[0], other[1])
    there, back = changes(old, new), changes(new, old)
    assert {change.place for change in there} == {change.place for change in back}
    assert changes(old, old) == changes(new, new) == ()
    assert {change.place for change in there} <= {*one[2], *other[2]} | {change.place for change in changes(old, with_value((), {}))}


def keys(model: type[BaseModel], prefix: str = "") -> Iterator[str]:
    for name, field in model.model_fields.items():
        yield f"{prefix}{name}"
        for table in _tables(field.annotation):
            yield from keys(table, f"{prefix}{name}.")


def test_what_is_live_is_there() -> None:
    assert set(LIVE) <= set(keys(Config))


def test_the_page_has_it_all() -> None:
    section = PAGE.read_text().partition("## What can change")[2].partition("\n## ")[0]
    rows = [line.strip("| ").split(" | ") for line in section.splitlines() if line.startswith("| `")]
    assert {key.strip("`"): when for key, when in rows} == {("[[forwarders]]" if key == "forwarders" else key): when for key, when in LIVE.items()}
