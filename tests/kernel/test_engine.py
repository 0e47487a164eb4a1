"""The engine that runs unless somebody asks for the other is the native one, and it really is native."""

from __future__ import annotations

import types

import pytest

import kernel
from kernel import Engine
from wire import syslog_framing


@pytest.mark.parametrize("name", ["scan_counted", "scan_trailed", "compress", "decompress"])
def test_the_kernel_is_native(name: str) -> None:
    assert isinstance(getattr(kernel, name), types.BuiltinFunctionType)


def test_each_engine_runs_its_own_twin() -> None:
    assert syslog_framing.TWINS[Engine.NATIVE] == (kernel.scan_counted, kernel.scan_trailed)
    assert syslog_framing.TWINS[Engine.REFERENCE] == (syslog_framing.scan_counted, syslog_framing.scan_trailed)
    assert set(syslog_framing.TWINS) == set(Engine)
