"""The bill of materials: CycloneDX by its own schema, nothing missing that is pinned, and only licences that Tidegate may be given away with."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any, Final

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from license_expression import get_spdx_licensing

ROOT: Final = Path(__file__).parents[2]

ALLOWED: Final = {
    "0BSD", "any-OSI", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "ISC", "MIT", "MIT-0", "PSF-2.0", "Unicode-3.0", "Unlicense",
    "Apache-2.0 WITH LLVM-exception",
    "MPL-2.0",  # of files: orjson's own, which we don't change
}  # fmt: skip


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("sbom") / "dist" / "tidegate.cdx.json"
    subprocess.run([sys.executable, str(ROOT / "requirements/write_sbom.py"), str(path)], check=True, capture_output=True)
    return path.read_text()


@pytest.fixture(scope="module")
def bill(text: str) -> Any:
    return json.loads(text)


def parts(bill: Any, kind: str) -> dict[str, Any]:
    return {f"{each['name']}@{each['version']}": each for each in bill["components"] if each["purl"].startswith(f"pkg:{kind}/")}


def expressions(component: Any) -> list[str]:
    return [each.get("expression") or each["license"].get("id") or each["license"]["name"] for each in component["licenses"]]


@cache
def spdx() -> Any:
    return get_spdx_licensing()


def may(expression: Any) -> bool:
    """Whether an SPDX expression leaves us a licence that is allowed."""
    if str(expression) in ALLOWED:
        return True
    inner = [may(each) for each in expression.args]
    return bool(inner) and {" OR ": any, " AND ": all}[f" {expression.operator.strip()} "](inner)


def test_it_is_what_its_schema_says(text: str) -> None:
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None


def test_everything_that_may_be_installed_on_linux_is_in_it(bill: Any) -> None:
    locks = "".join((ROOT / "requirements" / f"{name}.txt").read_text() for name in ("run", "kerberos", "kafka"))
    pinned = {f"{name}@{version}" for name, version in re.findall(r"^([a-z0-9-]+)==(\S+)", locks, re.MULTILINE)}
    left_out = pinned - parts(bill, "pypi").keys()
    assert parts(bill, "pypi").keys() <= pinned
    assert {each.partition("@")[0] for each in left_out} <= {"colorama", "httpx2-jsfetch", "sspilib"}, "of Windows and browsers"


def test_what_the_kernel_is_linked_from_is_in_it(bill: Any) -> None:
    names = {each["name"] for each in parts(bill, "cargo").values()}
    assert {"tidegate-core", "tidegate-binding", "pyo3"} <= names
    assert not {"proptest"} & names, "tests alone need it"


def test_hashes_are_those_that_installing_asks_for(bill: Any) -> None:
    locks = "".join((ROOT / "requirements" / f"{name}.txt").read_text() for name in ("run", "kerberos", "kafka"))
    crates = (ROOT / "kernel/Cargo.lock").read_text()
    for component in bill["components"]:
        hashes = [each["content"] for each in component.get("hashes", ())]
        ours = component["name"].startswith("tidegate-")
        assert bool(hashes) != ours, component["name"]
        assert all(each in (locks if component["purl"].startswith("pkg:pypi/") else crates) for each in hashes)


def test_licences_are_allowed(bill: Any) -> None:
    found = {f"{each['name']}: {text}" for each in bill["components"] for text in expressions(each) if not may(spdx().parse(text, validate=True))}
    assert found == set()
    assert all(expressions(each) for each in bill["components"])


@pytest.mark.parametrize("text", ["GPL-3.0-only", "MIT AND GPL-2.0-or-later", "Apache-2.0 WITH Classpath-exception-2.0", "GPL-3.0-only OR AGPL-3.0-only"])
def test_licences_that_are_not_would_show(text: str) -> None:
    assert not may(spdx().parse(text))


def test_everything_is_reached_from_tidegate(bill: Any) -> None:
    edges = {each["ref"]: each.get("dependsOn", []) for each in bill["dependencies"]}
    reached, ahead = set(), [bill["metadata"]["component"]["bom-ref"]]
    while ahead:
        at = ahead.pop()
        if at not in reached:
            reached.add(at)
            ahead += edges[at]
    assert {each["bom-ref"] for each in bill["components"]} <= reached
