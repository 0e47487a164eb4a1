"""Versions of a configuration: a later one is refused by name, an older one is read as it was meant and says what to write."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.check.examinations import examine
from gateway.check.findings import Level
from gateway.config import load
from gateway.config_version import STEPS, VERSION, Step, Tree, renamed, upgrade
from pipeline.errors import ConfigError

ROOT = Path(__file__).parents[2]


def dropped(tree: Tree) -> Iterator[str]:
    if tree.pop("compat", None) is not None:
        yield "leave compat out"


LATER: tuple[Step, ...] = (renamed("spool", "limit", "max_bytes"), renamed("forwarders", "target", "path"), dropped)
"""Steps as later versions might have them."""

OLD: Tree = {
    "compat": True,
    "spool": {"limit": "1 GiB"},
    "forwarders": [{"name": "a", "target": "x"}, {"name": "b", "path": "y"}, {"name": "c", "target": "z"}],
}


@pytest.mark.parametrize("version", [0, -1, "1", 1.0, True, [1]], ids=repr)
def test_what_is_no_version_is_refused(version: object) -> None:
    with pytest.raises(ConfigError) as refused:
        upgrade({"version": version}, "gateway.toml")
    assert refused.value.fix == f"write version = {VERSION}"


def test_a_later_version_is_refused_before_anything_in_it(tmp_path: Path) -> None:
    path = tmp_path / "gateway.toml"
    path.write_text(f"version = {VERSION + 1}\n[what_later_versions_have]\nkey = 1\n")
    with pytest.raises(ConfigError) as refused:
        load(path, {"HOME": str(tmp_path)})
    assert refused.value.what == f"{path}: version"
    assert refused.value.why == f"{VERSION + 1}, that of a newer Tidegate (this one reads up to {VERSION})"


def test_the_first_version_is_brought_through_every_step() -> None:
    tree = copy.deepcopy(OLD)
    assert upgrade(tree, "gateway.toml", LATER) == (
        "write spool.max_bytes instead of spool.limit",
        "write forwarders[0].path instead of forwarders[0].target",
        "write forwarders[2].path instead of forwarders[2].target",
        "leave compat out",
        "write version = 4",
    )
    assert tree == {
        "version": 4,
        "spool": {"max_bytes": "1 GiB"},
        "forwarders": [{"name": "a", "path": "x"}, {"name": "b", "path": "y"}, {"name": "c", "path": "z"}],
    }


@given(st.integers(1, 4))
def test_a_version_is_spared_the_steps_it_has_had(version: int) -> None:
    tree = copy.deepcopy(OLD) | {"version": version}
    advice = upgrade(tree, "gateway.toml", LATER)
    assert tree["version"] == 4
    assert ("limit" in tree["spool"]) == (version > 1)  # type: ignore[operator]
    assert len(advice) == {1: 5, 2: 4, 3: 2, 4: 0}[version]
    assert upgrade(tree, "gateway.toml", LATER) == ()


def test_a_key_by_both_its_names_is_left_to_be_refused() -> None:
    tree: Tree = {"spool": {"limit": 1, "max_bytes": 2}}
    assert upgrade(tree, "gateway.toml", LATER) == ()
    assert tree["spool"] == {"limit": 1, "max_bytes": 2}


@given(
    st.recursive(
        st.none() | st.integers() | st.text(max_size=5),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["spool", "limit", "forwarders", "target", "name"]), inner, max_size=3),
    )
)
def test_whatever_stands_there_a_step_only_passes_by(value: object) -> None:
    for name in ("spool", "forwarders"):
        upgrade({name: copy.deepcopy(value)}, "gateway.toml", LATER)


def test_an_older_file_works_and_check_says_what_to_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.config.STEPS", LATER)
    path = tmp_path / "gateway.toml"
    path.write_text('[gateway]\nstate_dir = "state"\n[spool]\nlimit = "1 MiB"\n')
    config = load(path, {})
    assert config.spool.max_bytes == 1 << 20
    assert config.outdated == ("write spool.max_bytes instead of spool.limit", "write version = 4")
    warnings = [f"{finding.what}: {finding.why}; {finding.fix}" for finding in examine(config, path) if finding.level is Level.WARNING]
    assert [line for line in warnings if "is of an older version" in line] == [
        f"configuration {path}: is of an older version, and read as it was meant; {line}" for line in config.outdated
    ]


def test_what_the_environment_says_is_of_this_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.config.STEPS", LATER)
    path = tmp_path / "gateway.toml"
    path.write_text('[gateway]\nstate_dir = "state"\n')
    with pytest.raises(ConfigError, match="unknown key"):
        load(path, {"TIDEGATE_SPOOL__LIMIT": "1 MiB"})


@pytest.mark.parametrize("name", ["deploy/tidegate.toml", "systemd/tidegate.toml"])
def test_files_we_ship_say_their_version(name: str) -> None:
    assert f"version = {VERSION}" in (ROOT / name).read_text().splitlines()


def test_the_version_is_the_number_of_steps_and_one() -> None:
    assert len(STEPS) + 1 == VERSION
