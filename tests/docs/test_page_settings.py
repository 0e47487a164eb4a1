"""Every configuration that a page shows can be used: alone, or where it is a part of one, with what it leaves out."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from support.pages import PAGES, Block, read_blocks

from gateway.config import load
from gateway.config_errors import UnusableConfig
from normalizers.profiles import load_profile
from pipeline.errors import ConfigError

BLOCKS = [block for page in PAGES for block in read_blocks(page) if block.language == "toml"]
REFERENCE = re.compile(r'"(file|env|credential):([^"]+)"')
SECRETS = {"eventhub.connection": "Endpoint=sb://contoso.servicebus.windows.net/;SharedAccessKeyName=send;SharedAccessKey=c2VjcmV0;EntityPath=identity"}
"""What a reference leads to, where it can't be any text."""


def problems_of(path: Path) -> tuple[ConfigError, ...]:
    try:
        load(path, {})
    except UnusableConfig as unusable:
        return unusable.problems
    return ()


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block.where)
def test_it_loads(block: Block, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    for kind, name in REFERENCE.findall(block.text):
        if kind == "env":
            monkeypatch.setenv(name, "0" * 48)
        else:
            (tmp_path / name).write_text(SECRETS.get(name, "0" * 48))
    tree = tomllib.loads(block.text)
    if tree.keys() & {"event", "profiles"}:
        (tmp_path / "profile.toml").write_text(block.text)
        load_profile(tmp_path / "profile.toml")
        return
    text = block.text if "gateway" in tree else f'{block.text}\n[gateway]\nstate_dir = "state"\n'
    path = tmp_path / "gateway.toml"
    path.write_text(text)
    assert [problem for problem in problems_of(path) if "gateway" in tree or problem.why != "missing"] == []
