"""`credential:NAME` is a file that systemd laid for us, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from pipeline.settings import FilePath, Secret, Settings


class Table(Settings):
    key: FilePath | None = None
    secret: Secret | None = None


@pytest.fixture
def credentials(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    return tmp_path


def test_a_path_and_a_secret(credentials: Path) -> None:
    (credentials / "radius").write_bytes(b"octets\r\n")
    table = Table.model_validate({"key": "credential:server.key", "secret": "credential:radius"}, context={"folder": "/etc/tidegate"})
    assert table.key == credentials / "server.key"
    assert table.secret is not None
    assert table.secret.get_secret_value() == b"octets"


@pytest.mark.parametrize("key", ["key", "secret"])
@pytest.mark.parametrize("name", ["", ".", "..", "../passwd", "/etc/passwd", "a/b"])
def test_a_name_has_no_folder(credentials: Path, key: str, name: str) -> None:
    with pytest.raises(ValidationError, match="name without a folder"):
        Table.model_validate({key: f"credential:{name}"})


@pytest.mark.parametrize("key", ["key", "secret"])
def test_none_are_passed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, key: str) -> None:
    (tmp_path / "name").write_text("of the working directory")
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValidationError, match="systemd passes credentials"):
        Table.model_validate({key: "credential:name"})
