"""SECURITY.md and the page on disasters name what holds each claim: the settings, metrics and tests they name are there."""

from __future__ import annotations

import re
import typing
from pathlib import Path

import pytest
from pydantic import BaseModel

from gateway.config import Config
from pipeline.metrics import Metrics

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "SECURITY.md", ROOT / "docs/operate/disaster.md"]


def settings(model: type[BaseModel], seen: set[type[BaseModel]]) -> set[str]:
    """Every key that a configuration may have."""
    if model in seen:
        return set()
    seen.add(model)
    inner = [each for field in model.model_fields.values() for each in models(field.annotation)]
    return {field.alias or name for name, field in model.model_fields.items()}.union(*(settings(each, seen) for each in inner))


def models(annotation: object) -> list[type[BaseModel]]:
    found = [annotation] if isinstance(annotation, type) and issubclass(annotation, BaseModel) else []
    return found + [each for argument in typing.get_args(annotation) for each in models(argument)]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_tests_that_are_named_are_there(page: Path) -> None:
    named = set(re.findall(r"`(test_\w+\.py)`", page.read_text()))
    assert named
    assert named - {path.name for path in (ROOT / "tests").rglob("test_*.py")} == set()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_metrics_that_are_named_are_there(page: Path) -> None:
    families = {sample.name for family in Metrics().registry.collect() for sample in family.samples} | {
        f"{family.name}_total" if family.type == "counter" else family.name for family in Metrics().registry.collect()
    }
    assert set(re.findall(r"tidegate_[a-z_]+", page.read_text())) - families == set()


def test_settings_that_answer_an_attack_are_there() -> None:
    table = (ROOT / "SECURITY.md").read_text().partition("what answers it")[2].partition("\n## ")[0]
    rows = [line.strip("|").split("|") for line in table.splitlines() if line.startswith("|")]
    named = {key.rpartition(".")[2] for row in rows[1:] for key in re.findall(r"`([a-z_.]+)`", row[2])}
    assert len(named) > 15
    assert named - settings(Config, set()) == set()
