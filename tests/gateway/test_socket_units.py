"""Socket units are read as systemd reads them, ours alone; and who holds a port is seen in proc."""

from __future__ import annotations

import errno
import os
import socket
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.check.examinations import examine
from gateway.check.findings import Finding, Level
from gateway.check.socket_units import SocketUnit, held_by_systemd, read_units
from gateway.config import load
from pipeline.errors import ConfigError
from pipeline.settings import SocketAddress

ROOT = Path(__file__).parents[2]
STREAM, DATAGRAM = socket.SOCK_STREAM, socket.SOCK_DGRAM


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, ...]:
    made = tuple(tmp_path / name for name in ("etc", "run", "lib"))
    for folder in made:
        folder.mkdir()
    return made


def enable(folder: Path, name: str) -> None:
    (folder / "sockets.target.wants").mkdir(exist_ok=True)
    (folder / "sockets.target.wants" / name).symlink_to(folder / name)


def test_the_units_of_this_repository(folders: tuple[Path, ...]) -> None:
    for path in (ROOT / "systemd").glob("*.socket"):
        (folders[0] / path.name).write_text(path.read_text())
    enable(folders[0], "tidegate-syslog.socket")
    units = {unit.name: unit for unit in read_units(folders)}
    syslog = units["tidegate-syslog.socket"]
    assert syslog.enabled
    assert syslog.receive_buffer == 16 << 20
    assert len(syslog.places) == 4
    assert syslog.listens(DATAGRAM, SocketAddress("::", 514))
    assert not syslog.listens(STREAM, SocketAddress("127.0.0.1", 514))
    assert not syslog.listens(STREAM, SocketAddress("gateway.contoso.example", 514))
    assert not units["tidegate-wef.socket"].enabled


def test_what_overrides_what(folders: tuple[Path, ...]) -> None:
    """The first folder wins, drop-ins come after, an empty value takes back; another service's unit isn't ours."""
    etc, _, lib = folders
    (etc / "tidegate-a.socket").write_text("[Socket]\n# ListenStream=1\nListenStream=600\n")
    (lib / "tidegate-a.socket").write_text("[Socket]\nListenStream=700\n")
    (lib / "tidegate-a.socket.d").mkdir()
    (lib / "tidegate-a.socket.d/x.conf").write_text("[Unit]\nListenStream=1\n[Socket]\nListenStream=\nListenStream=[::1]:800\nReceiveBuffer=64K\n")
    (etc / "ours.socket").write_text("[Socket]\nListenDatagram=192.0.2.1:514\nListenStream=/run/x.sock\nService=tidegate@1.service\n")
    (etc / "tidegate-not.socket").write_text("[Socket]\nListenStream=900\nService=other.service\n")
    assert read_units(folders) == (
        SocketUnit("ours.socket", ((DATAGRAM, SocketAddress("192.0.2.1", 514)),), 0, enabled=False),
        SocketUnit("tidegate-a.socket", ((STREAM, SocketAddress("::1", 800)),), 64 << 10, enabled=False),
    )


def test_no_systemd(tmp_path: Path) -> None:
    assert read_units((tmp_path / "nowhere",) * 4) == ()


@given(st.binary(max_size=300))
def test_arbitrary_octets(octets: bytes) -> None:
    with TemporaryDirectory() as name:
        (Path(name) / "tidegate.socket").write_bytes(b"[Socket]\n" + octets)
        read_units((Path(name), Path(name)))


@pytest.fixture
def process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A process 1 called systemd that holds nothing."""
    made = tmp_path / "1"
    (made / "fd").mkdir(parents=True)
    (made / "comm").write_text("systemd\n")
    monkeypatch.setattr("gateway.check.socket_units.PROCESS_1", made)
    return made


@pytest.mark.parametrize(
    ("family", "kind", "host"),
    [(socket.AF_INET, STREAM, "127.0.0.1"), (socket.AF_INET, DATAGRAM, "127.0.0.1"), (socket.AF_INET6, STREAM, "::1"), (socket.AF_INET, STREAM, "0.0.0.0")],
)
def test_who_holds_a_port(process: Path, family: socket.AddressFamily, kind: socket.SocketKind, host: str) -> None:
    with socket.socket(family, kind) as held:
        held.bind((host, 0))
        if kind == STREAM:
            held.listen()
        address = SocketAddress(host, held.getsockname()[1])
        assert held_by_systemd(kind, address) is False
        (process / "fd/7").symlink_to(f"socket:[{os.fstat(held.fileno()).st_ino}]")
        assert held_by_systemd(kind, address) is True
        (process / "comm").write_text("init\n")
        assert held_by_systemd(kind, address) is False
        (process / "comm").unlink()
        assert held_by_systemd(kind, address) is None


CONFIG = '[gateway]\nstate_dir = "state"\n[listeners.syslog]\n{}\n'


def addresses(
    folder: Path, port: int, units: tuple[SocketUnit, ...], monkeypatch: pytest.MonkeyPatch, listener: str = 'tcp = ["127.0.0.1:{}"]'
) -> list[Finding]:
    for module in ("addresses", "machine"):
        monkeypatch.setattr(f"gateway.check.{module}.read_units", lambda: units)
    (folder / "gateway.toml").write_text(CONFIG.format(listener.format(port)))
    return [one for one in examine(load(folder / "gateway.toml", {}), None) if one.check in ("addresses", "socket-units", "receive-buffer")]


def unit_at(port: int, *, enabled: bool, kind: socket.SocketKind = STREAM, buffer: int = 0) -> SocketUnit:
    return SocketUnit("tidegate-syslog.socket", ((kind, SocketAddress("127.0.0.1", port)),), buffer, enabled)


@pytest.mark.parametrize(("held", "level"), [(True, Level.OK), (None, Level.OK), (False, Level.ERROR)])
def test_an_address_in_use_that_is_passed_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, held: bool | None, level: Level) -> None:  # noqa: FBT001 - a case
    monkeypatch.setattr("gateway.check.addresses.held_by_systemd", lambda *_: held)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        found = addresses(tmp_path, port, (unit_at(port, enabled=True),), monkeypatch)
    assert [(one.level, one.check) for one in found] == [(level, "addresses"), (Level.OK, "socket-units")]
    assert "tidegate-syslog.socket" in found[0].why


def test_an_address_that_will_be_passed_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody holds it yet, and this user could or couldn't bind it: no matter."""
    for number in (0, errno.EACCES):
        refusal = ConfigError("w", "refused", "f")
        refusal.__cause__ = OSError(number, "refused")
        monkeypatch.setattr("gateway.check.addresses._try", lambda *_, error=refusal if number else None: error)
        found = addresses(tmp_path, 1, (unit_at(1, enabled=True),), monkeypatch)
        assert found[0].why == "passed in by systemd (tidegate-syslog.socket)"
        found = addresses(tmp_path, 1, (unit_at(1, enabled=False),), monkeypatch)
        assert (found[0].level, "enable --now" in found[0].fix) == ((Level.ERROR, True) if number else (Level.OK, False))


@pytest.mark.parametrize(("held", "level"), [(True, Level.OK), (None, Level.UNKNOWN), (False, Level.ERROR)])
def test_an_address_in_use_that_a_unit_has(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, held: bool | None, level: Level) -> None:  # noqa: FBT001 - a case
    monkeypatch.setattr("gateway.check.addresses.held_by_systemd", lambda *_: held)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        (found,) = addresses(tmp_path, port, (unit_at(port, enabled=False),), monkeypatch)
    assert found.level is level
    assert found.fix or level is Level.OK


def test_a_unit_that_no_listener_is_configured_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    units = (unit_at(1, enabled=True),)
    found = [one for one in addresses(tmp_path, 0, units, monkeypatch) if one.check == "socket-units"]
    assert [(one.level, "127.0.0.1:1" in one.why) for one in found] == [(Level.ERROR, True)]


def test_a_unit_that_gives_the_receive_buffer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "rmem_max").write_text("212992\n")
    (tmp_path / "status").write_text("CapEff:\t0000000000000000\n")
    monkeypatch.setattr("gateway.check.machine.RMEM_MAX", tmp_path / "rmem_max")
    monkeypatch.setattr("gateway.check.machine.CAPABILITIES", tmp_path / "status")
    for buffer, level in ((16 << 20, Level.OK), (1 << 20, Level.WARNING)):
        units = (unit_at(1514, enabled=True, kind=DATAGRAM, buffer=buffer),)
        found = addresses(tmp_path, 1514, units, monkeypatch, 'udp = ["127.0.0.1:{}"]')
        assert [one.level for one in found if one.check == "receive-buffer"] == [level]
    (tmp_path / "rmem_max").unlink()
    found = addresses(tmp_path, 1514, (), monkeypatch, 'udp = ["127.0.0.1:{}"]')
    assert [one.level for one in found if one.check == "receive-buffer"] == [Level.UNKNOWN]
