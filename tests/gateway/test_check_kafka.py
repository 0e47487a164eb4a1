"""Check looks whether the package for Kafka is installed."""

from __future__ import annotations

from pathlib import Path

import pytest

from forwarders import kafka_client
from gateway.check.examinations import examine
from gateway.check.findings import Level
from gateway.config import load

TEXT = """
[gateway]
state_dir = "state"
[[forwarders]]
name = "kafka"
kind = "kafka"
servers = ["127.0.0.1:9092"]
topic = "identity"
"""


def wrong(folder: Path) -> list[str]:
    path = folder / "gateway.toml"
    path.write_text(TEXT)
    return [finding.fix for finding in examine(load(path, {}), path) if finding.level is Level.ERROR]


def test_the_package_is_there(tmp_path: Path) -> None:
    assert wrong(tmp_path) == []


def test_the_package_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(_: str) -> None:
        return None

    monkeypatch.setattr(kafka_client, "find_spec", missing)
    assert wrong(tmp_path) == ["pip install 'tidegate[kafka]'"]
