"""Every kernel entry is a fuzz target, and every target is declared; `make fuzz` runs them, `make lint` checks their types."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from support.fuzz_seeds import seeds_of, write_documents

from kernel import _native

FUZZ = Path(__file__).parents[2] / "kernel" / "fuzz"
TARGETS = {path.stem: path.read_text("utf-8") for path in (FUZZ / "fuzz_targets").glob("*.rs")}
RESULTS = {"NativeAccounting", "NativeBatch"}
"""What entries hand back, and nobody calls."""


def test_every_entry_has_a_target() -> None:
    heads = [" ".join(re.findall(r"^//! ?(.*)", text, re.MULTILINE)).partition(". ")[0] for text in TARGETS.values()]
    named = {name for head in heads for name in re.findall(r"`(\w+)(?:\.\w+)?`", head)}
    assert set(_native.__all__) - RESULTS <= named


@pytest.mark.parametrize("name", sorted(TARGETS))
def test_every_target_says_its_entry(name: str) -> None:
    assert re.match(r"//! Entr(y|ies): `\w", TARGETS[name])


def test_every_target_is_declared() -> None:
    manifest = tomllib.loads((FUZZ / "Cargo.toml").read_text("utf-8"))
    assert {(each["name"], each["path"]) for each in manifest["bin"]} == {(name, f"fuzz_targets/{name}.rs") for name in TARGETS}


def test_seeds_are_of_targets(tmp_path: Path) -> None:
    write_documents(tmp_path)
    seeds = seeds_of(tmp_path)
    assert seeds.keys() <= TARGETS.keys()
    assert all(seeds.values())
