"""The Dockerfile by rules: who it runs as, what it asks the network for, what it leaves behind, and that it finds what it copies."""

from __future__ import annotations

import json
import re
import tomllib
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Final

import pytest
from typer.main import get_command

from gateway.cli.application import application

ROOT: Final = Path(__file__).parents[2]
KNOWN: Final = {"FROM", "RUN", "COPY", "ENV", "WORKDIR", "USER", "VOLUME", "STOPSIGNAL", "ENTRYPOINT", "CMD", "HEALTHCHECK", "LABEL"}


@dataclass(frozen=True)
class Instruction:
    """One of them, its continuation lines joined."""

    name: str
    text: str


def instructions() -> list[Instruction]:
    lines = [line for line in (ROOT / "Dockerfile").read_text().splitlines() if not line.startswith("#")]
    joined = "\n".join(lines).replace("\\\n", " ")
    return [Instruction(*line.split(maxsplit=1)) for line in joined.splitlines() if line.strip()]


def stages() -> list[list[Instruction]]:
    found: list[list[Instruction]] = []
    for instruction in instructions():
        if instruction.name == "FROM":
            found.append([])
        found[-1].append(instruction)
    return found


def of_last(name: str) -> list[str]:
    return [instruction.text for instruction in stages()[-1] if instruction.name == name]


def test_instructions_are_known() -> None:
    assert {instruction.name for instruction in instructions()} <= KNOWN, "ADD fetches and unpacks, SHELL and ONBUILD surprise"


def test_images_have_a_version() -> None:
    for stage in stages():
        image = stage[0].text.split()[0]
        assert ":" in image
        assert not image.endswith(":latest")


def test_built_and_run_on_the_same_python() -> None:
    assert {stage[0].text.split()[0] for stage in stages()[1:]} == {stages()[-1][0].text}


def test_it_runs_as_a_number_that_is_not_root() -> None:
    [user] = of_last("USER")
    assert re.fullmatch(r"[1-9][0-9]{3,}:[1-9][0-9]{3,}", user)
    [volume] = of_last("VOLUME")
    assert any(f"install -d -o {user.replace(':', ' -g ')} -m 0700 {volume}" in run for run in of_last("RUN"))


def test_nothing_runs_after_root_is_given_up() -> None:
    names = [instruction.name for instruction in stages()[-1]]
    assert not {"RUN", "COPY"} & set(names[names.index("USER") :])


def test_package_lists_are_fetched_and_forgotten_in_one_layer() -> None:
    for stage in stages():
        for run in (instruction.text for instruction in stage if instruction.name == "RUN" and "apt-get" in instruction.text):
            assert run.startswith("apt-get update -qq && apt-get install -y -qq --no-install-recommends ")
    assert all(run.endswith("rm -rf /var/lib/apt/lists/*") for run in of_last("RUN") if "apt-get" in run)


def test_python_packages_are_pinned_by_hash() -> None:
    for run in (instruction.text for instruction in instructions() if instruction.name == "RUN"):
        for command in re.split(r"&&", run):
            if "pip install" in command:
                assert "--require-hashes" in command or ("--no-index" in command and "--no-deps" in command)


def test_the_run_time_has_no_compiler_and_no_pip() -> None:
    assert all(word not in run for run in of_last("RUN") for word in ("gcc", "-dev", "pip "))
    assert any("pip uninstall --quiet --yes cython setuptools pip" in instruction.text for instruction in stages()[1])


@pytest.mark.parametrize("name", ["ENTRYPOINT", "CMD"])
def test_nothing_needs_a_shell(name: str) -> None:
    assert json.loads(of_last(name)[0])


def test_the_health_check_is_a_command_of_ours() -> None:
    [check] = of_last("HEALTHCHECK")
    program, *arguments = json.loads(check.partition("CMD ")[2])
    assert program == json.loads(of_last("ENTRYPOINT")[0])[0] == "tidegate"
    command = get_command(application())
    assert command.commands[arguments[0]].make_context("check", arguments[1:]).params["live"] is True  # type: ignore[attr-defined]


def test_it_stops_by_the_signal_that_drains() -> None:
    assert of_last("STOPSIGNAL") == ["SIGTERM"]


def test_what_is_copied_is_let_in() -> None:
    rules = (ROOT / ".dockerignore").read_text().split()
    assert rules[0] == "*", "nothing but what is named"
    named = [rule.removeprefix("!") for rule in rules if rule.startswith("!")]
    assert all((ROOT / name).exists() for name in named)
    build = (ROOT / "pyproject.toml").read_text()
    packages = json.loads(re.search(r"python-packages = (\[[^\]]*\])", build)[1])  # type: ignore[index]
    assert {*packages, "pyproject.toml", "requirements", "README.md", "LICENSE"} <= set(named)
    assert not any(fnmatch(name, "*.key") or name in ("tests", ".git", ".venv") for name in named)


def test_it_carries_its_bill_of_materials_and_says_where() -> None:
    [label] = of_last("LABEL")
    path = re.search(r'tidegate.sbom="([^"]+)"', label)[1]  # type: ignore[index]
    assert path.startswith("/opt/tidegate/"), "what is copied into the last stage"
    assert any(f"requirements/write_sbom.py {path} " in instruction.text for instruction in stages()[1])


def test_it_has_what_every_endpoint_and_destination_needs() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    installed = set(re.findall(r"bin/pip install [^&]*-r requirements/(\S+)\.txt", " ".join(run.text for run in stages()[1])))
    assert extras.keys() - {"dev"} <= installed


def test_requirements_it_installs_are_there() -> None:
    named = re.findall(r"-r (requirements/\S+)", (ROOT / "Dockerfile").read_text())
    assert named
    assert all((ROOT / name).is_file() for name in named)
