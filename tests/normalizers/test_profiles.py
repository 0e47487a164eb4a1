"""Profiles and mapping files: what ships compiles, an operator's file adds to it, and every mistake in one is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from normalizers.compiler import compile_plans
from normalizers.document import read_document, shipped_texts
from normalizers.normalizer import Normalizer
from normalizers.profiles import load_profile
from pipeline.errors import ConfigError
from wire.event import EventKey

AUDITING = "Microsoft-Windows-Security-Auditing"
FIFTEEN = {"4726", "4728", "4729", "4730", "4732", "4733", "4743", "4753", "4756", "4757", "4758", "4763", "4776", "7045", "8004"}


def test_the_default_profile_is_the_fifteen() -> None:
    profile = load_profile()
    assert profile.name == "aatp-2020"
    assert {key.event_id for key in profile.keys} == FIFTEEN
    assert profile.wants(EventKey("Microsoft-Windows-NTLM/Operational", "Microsoft-Windows-NTLM", "8004"))
    assert not profile.wants(EventKey("Security", AUDITING, "4734")), "a neighbour is no member"


def test_mdi_current_adds_three() -> None:
    assert {key.event_id for key in load_profile("mdi-current").keys} == FIFTEEN | {"4662", "4741", "5136"}


@pytest.mark.parametrize("name", ["aatp-2020", "mdi-current"])
def test_what_is_kept_has_a_mapping_of_its_own(name: str) -> None:
    profile = load_profile(name)
    assert {key for key in profile.keys if profile.plan(key).key != key} == set()


OWN = f"""
[profiles.ours]
base = "aatp-2020"
[[profiles.ours.keep]]
channel = "Security"
providers = ["{AUDITING}"]
ids = ["4624", "4720"]
[[profiles.ours.keep]]
channel = "Application"
providers = ["*"]
ids = ["*"]

[[event]]
id = "4720"
like = "security"
class = "account_change"
activity = 1
message = "A user account was created."
use = ["windows", "audited", "subject", "target_user"]
rows = [{{ as = "user_type", from = ["=user.uid", "=user.name"], to = "user.type_id", default = 1 }}]
"""


def own(tmp_path: Path, text: str = OWN) -> Path:
    path = tmp_path / "ours.toml"
    path.write_text(text, "utf-8")
    return path


def test_an_operators_file_keeps_and_maps_more(tmp_path: Path) -> None:
    profile = load_profile(own(tmp_path))
    assert profile.name == "ours"
    assert FIFTEEN | {"4624", "4720", "*"} == {key.event_id for key in profile.keys}
    assert profile.wants(EventKey("Application", "Anybody", "1"))
    assert profile.plan(EventKey("Security", AUDITING, "4720")).ocsf_class.uid == 3001
    assert profile.plan(EventKey("Security", AUDITING, "4624")).ocsf_class.uid == 0
    assert Normalizer(str(own(tmp_path))).profile == profile


MISTAKES = [
    ("[profiles.a]\n[profiles.b]", "2 [profiles.NAME]", "two profiles"),
    ("", "0 [profiles.NAME]", "none"),
    ("[profiles.a", "is no TOML", "no TOML"),
    ("[profiles.a]\nbasis = 'x'", "basis", "an unknown key"),
    ("[profiles.a]\nbase = 'x'", "is unknown", "an unknown base"),
    ("[profiles.a]\nbase = 'a'", "its own base", "its own base"),
    (OWN.replace("account_change", "account_changes"), "class 'account_changes'", "an unknown class"),
    (OWN.replace('"subject", ', '"subjects", '), "part 'subjects'", "an unknown part"),
    (OWN.replace("user_type", "user_kind"), "transform 'user_kind'", "an unknown transform"),
    (OWN.replace('like = "security"', ""), "no channel or no provider", "no key"),
    (OWN.replace('id = "4720"', 'id = "4726"'), "mapped twice", "an event that is mapped already"),
    (OWN.replace("activity = 1", "activity = 2"), "activity 2", "an activity the class doesn't have"),
    (OWN.replace("activity = 1", ""), "activity None", "no activity"),
    (OWN + "[parts.subject]\n", "parts.subject is defined twice", "a part that exists"),
    (OWN + "[parts.loop]\nuse = ['loop']\n[[event]]\nid = '1'\nlike = 'security'\nclass = 'base_event'\nactivity = 0\nuse = ['loop']", "uses itself", "a loop"),
]


@pytest.mark.parametrize(("text", "said"), [case[:2] for case in MISTAKES], ids=[case[2] for case in MISTAKES])
def test_a_mistake_is_named(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ConfigError) as refused:
        load_profile(own(tmp_path, text))
    assert said in str(refused.value)


def test_an_unknown_profile_names_the_nearest() -> None:
    with pytest.raises(ConfigError, match="aatp-2020"):
        load_profile("aatp2020")
    with pytest.raises(ConfigError, match="cannot be read"):
        load_profile("nowhere/ours.toml")


def test_captions_and_classes_cover_what_rows_can_write() -> None:
    """Whatever number a table may write has a caption, and every observable type has one."""
    document = read_document(shipped_texts())
    plans = compile_plans(document)
    assert {type_id for _, type_id in plans.observables} <= plans.captions["observables.type_id"].keys()
    for path, table in {
        "win_service.service_type_id": "service_type",
        "win_service.service_category_id": "service_category",
        "win_service.service_start_type_id": "start_type",
        "auth_protocol_id": "auth_package",
    }.items():
        assert set(document.tables[table].values()) <= plans.captions[path].keys()
