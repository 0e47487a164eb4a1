"""Authenticators: each endpoint its own, and the Kerberos packages named where an endpoint needs them and they are missing."""

from __future__ import annotations

from importlib.machinery import ModuleSpec
from pathlib import Path

import pytest
from support.wef_doors import open_door

from listeners.wef import authenticators
from listeners.wef.authenticators import require_kerberos
from listeners.wef.settings import WefSettings
from pipeline.errors import ConfigError


def test_missing_packages_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def without(name: str) -> ModuleSpec | None:
        return None if name in ("gssapi", "krb5") else ModuleSpec(name, None)

    monkeypatch.setattr(authenticators, "find_spec", without)
    endpoint = {"address": "127.0.0.1:0", "url": "http://gw.contoso.example:5985", "auth": "kerberos", "keytabs": ["http.keytab"]}
    settings = WefSettings.model_validate({"endpoints": [endpoint]}, context={"folder": tmp_path})
    with pytest.raises(ConfigError) as raised:
        open_door(settings, tmp_path)
    assert raised.value.why == "the Python package gssapi, krb5 is missing"
    assert "tidegate[kerberos]" in raised.value.fix
    assert not list(tmp_path.iterdir())


def test_packages_that_are_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(authenticators, "find_spec", lambda name: ModuleSpec(name, None))
    require_kerberos()
