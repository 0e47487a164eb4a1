"""The units and what belongs to them, judged by systemd's own tools, and by the gateway that is to take their sockets."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from support import peers

from gateway.addresses import addresses
from gateway.app import METRICS
from gateway.config import Config, load
from pipeline.model import Transport
from pipeline.settings import parse_address

FOLDER = Path(__file__).parents[2] / "systemd"
UNIT = FOLDER / "tidegate.service"
SOCKETS = sorted(FOLDER.glob("*.socket"))
PROGRAM = "/opt/tidegate/bin/tidegate"
EXPOSURE = 1.5


def analyze(*arguments: str) -> subprocess.CompletedProcess[str]:
    peer = peers.systemd_analyze()
    return subprocess.run([*peer.command, *arguments], env=peer.environment, capture_output=True, text=True, check=False)


class Unit:
    """A unit file, whose keys may stand there more than once and are case-sensitive."""

    def __init__(self, path: Path) -> None:
        self.lines = path.read_text().splitlines()

    def all(self, key: str) -> list[str]:
        """Every value of a key."""
        return [line.partition("=")[2] for line in self.lines if line.startswith(f"{key}=")]


def test_the_units_are_valid(tmp_path: Path) -> None:
    program = tmp_path / "tidegate"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    for path in (UNIT, *SOCKETS):
        (tmp_path / path.name).write_text(
            path.read_text().replace(PROGRAM, str(program)).replace("User=tidegate", "User=root").replace("/bin/kill", str(program))
        )
    judged = analyze("verify", "--man=no", "--recursive-errors=no", *(str(tmp_path / path.name) for path in (UNIT, *SOCKETS)))
    assert (judged.returncode, judged.stderr) == (0, "")


def test_the_unit_exposes_little() -> None:
    judged = analyze("security", "--offline=true", "--no-pager", str(UNIT))
    exposure = re.search(r"exposure level for tidegate\.service: ([0-9.]+)", judged.stdout)
    assert exposure is not None, judged.stderr
    assert float(exposure[1]) <= EXPOSURE


def test_it_has_no_capability() -> None:
    assert (Unit(UNIT).all("AmbientCapabilities"), Unit(UNIT).all("CapabilityBoundingSet")) == ([""], [""])


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Config:
    """The one beside the units, with credentials as the unit would have loaded them."""
    (tmp_path / "radius.secret").write_text("correct horse battery\n")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    return load(FOLDER / "tidegate.toml", {})


KINDS = {Transport.UDP: "ListenDatagram"}


def listened(config: Config, name: str) -> set[tuple[str, str]]:
    return {(KINDS.get(transport, "ListenStream"), str(address)) for listener, transport, address in addresses(config) if listener == name}


def test_the_sockets_are_those_of_the_configuration_beside_them(config: Config) -> None:
    units = [Unit(path) for path in SOCKETS]
    for listener in {name for name, _, _ in addresses(config)} - {METRICS}:
        bound = [
            (kind, at) for unit in units if unit.all("FileDescriptorName") == [listener] for kind in ("ListenDatagram", "ListenStream") for at in unit.all(kind)
        ]
        assert sorted(bound) == sorted(listened(config, listener))


@pytest.mark.parametrize("path", SOCKETS, ids=lambda path: path.stem)
def test_a_socket_unit_passes_what_the_gateway_takes(path: Path) -> None:
    unit = Unit(path)
    assert unit.all("Service") == [UNIT.name]
    assert unit.all("BindIPv6Only") == ["ipv6-only"], "what takes both protocols is refused"
    assert unit.all("Accept") == [], "no is the default; with yes connections would be passed"
    assert unit.all("FlushPending") == ["no"]
    assert bool(unit.all("ReceiveBuffer")) == bool(unit.all("ListenDatagram"))
    assert all(parse_address(at).port for kind in ("ListenDatagram", "ListenStream") for at in unit.all(kind))


def test_credentials_are_the_files_that_systemd_has_laid(config: Config, tmp_path: Path) -> None:
    syslog, radius = config.listeners.syslog, config.listeners.radius
    assert syslog is not None
    assert syslog.tls is not None
    assert radius is not None
    assert syslog.tls.key == tmp_path / "server.key"
    assert syslog.tls.certificate == FOLDER / "server.pem"
    assert [client.secret.get_secret_value() for client in radius.clients if client.secret] == [b"correct horse battery"]


def run_tool(name: str, root: Path, *arguments: str) -> Sequence[str]:
    peer = peers.systemd_tool(name)
    done = subprocess.run([*peer.command, f"--root={root}", *arguments], env=peer.environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_the_user_and_the_folders_are_made(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    run_tool("systemd-sysusers", tmp_path, str(FOLDER / "tidegate.sysusers.conf"))
    user = next(line.split(":") for line in (tmp_path / "etc/passwd").read_text().splitlines() if line.startswith("tidegate:"))
    assert user[5:] == ["/var/lib/tidegate", "/usr/sbin/nologin"]
    if os.geteuid() == 0:
        run_tool("systemd-tmpfiles", tmp_path, "--create", str(FOLDER / "tidegate.tmpfiles.conf"))
        made = {folder: (tmp_path / folder).stat() for folder in ("etc/tidegate", "var/lib/tidegate", "var/log/tidegate")}
        assert {folder: oct(stat.st_mode & 0o777) for folder, stat in made.items()} == modes()
        assert [stat.st_uid for stat in made.values()] == [0, int(user[2]), int(user[2])]


def modes() -> Mapping[str, str]:
    """As the unit makes them where they aren't there yet."""
    unit = Unit(UNIT)
    folders = {"etc": "Configuration", "var/lib": "State", "var/log": "Logs"}
    return {f"{parent}/{unit.all(f'{name}Directory')[0]}": oct(int(unit.all(f"{name}DirectoryMode")[0], 8)) for parent, name in folders.items()}
