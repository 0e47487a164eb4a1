"""Socket units of systemd that pass their sockets to Tidegate, as their files say (systemd.unit(5), systemd.socket(5)); and whether systemd holds a port now.

A unit is ours where its Service=, or else its own name, begins with `tidegate`. The first folder of FOLDERS that has a name wins; drop-ins of every folder are
read after it, an empty ListenStream= or ListenDatagram= takes back what came before. It is enabled where some `.wants` or `.requires` names it.

Whether systemd holds a port is told by the socket's inode: proc(5) lists it, and process 1 has it open. Only root may see the latter.
"""

from __future__ import annotations

import ipaddress
import re
import socket
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pipeline.settings import SocketAddress

FOLDERS: Final = tuple(map(Path, ("/etc/systemd/system", "/run/systemd/system", "/usr/local/lib/systemd/system", "/usr/lib/systemd/system")))
PROCESS_1: Final = Path("/proc/1")
TABLES: Final = Path("/proc/net")
OURS: Final = "tidegate"
MOST_UNITS: Final = 1000
MOST_OCTETS: Final = 64 << 10
LISTENS: Final = "0A"
KINDS: Final = {"ListenStream": socket.SOCK_STREAM, "ListenDatagram": socket.SOCK_DGRAM}
NAMES: Final = {socket.SOCK_STREAM: "tcp", socket.SOCK_DGRAM: "udp"}
LISTEN: Final = re.compile(r"(?:\[([0-9A-Fa-f:.%]+)\]:|([0-9.]+):)?([0-9]{1,5})", re.ASCII)
SIZE: Final = re.compile(r"([0-9]{1,12})([KMGT]?)", re.ASCII)
UNITS: Final = {"": 0, "K": 10, "M": 20, "G": 30, "T": 40}
ANY: Final = ("0.0.0.0", "::")  # noqa: S104 - compared with, never bound


@dataclass(frozen=True, slots=True)
class SocketUnit:
    """One unit.

    name:            `tidegate-syslog.socket`.
    places:          kind and address of everything it listens at, of IPv4 and IPv6.
    receive_buffer:  octets it asks for; 0 where it doesn't.
    enabled:         whether systemd starts it by itself.
    """

    name: str
    places: tuple[tuple[socket.SocketKind, SocketAddress], ...]
    receive_buffer: int
    enabled: bool

    def listens(self, kind: socket.SocketKind, address: SocketAddress) -> bool:
        """Whether it does there; a configured name is nobody's address here."""
        return any(kind == own and address.port == at.port and _same(address.host, at.host) for own, at in self.places)


def read_units(folders: Sequence[Path] = FOLDERS) -> tuple[SocketUnit, ...]:
    """Ours, by name; what can't be read isn't there."""
    files: dict[str, Path] = {}
    for folder in folders:
        with suppress(OSError):
            for path in sorted(folder.glob("*.socket"))[:MOST_UNITS]:
                files.setdefault(path.name, path)
    wanted = {link.name for folder in folders[:2] for kind in ("wants", "requires") for link in _listed(folder, f"*.{kind}/*.socket")}
    found = (_read_unit(name, path, folders, name in wanted) for name, path in sorted(files.items()))
    return tuple(unit for unit in found if unit is not None)


def _read_unit(name: str, path: Path, folders: Sequence[Path], enabled: bool) -> SocketUnit | None:  # noqa: FBT001 - its field
    service, buffer = name, 0
    places: list[tuple[socket.SocketKind, SocketAddress]] = []
    for file in (path, *(part for folder in folders for part in _listed(folder, f"{name}.d/*.conf"))):
        for key, value in _assignments(file):
            if key == "Service":
                service = value
            elif key == "ReceiveBuffer" and (size := SIZE.fullmatch(value)):
                buffer = int(size[1]) << UNITS[size[2]]
            elif key in KINDS:
                places = [*places, *_places(KINDS[key], value)] if value else []
    return SocketUnit(name, tuple(places), buffer, enabled) if service.startswith(OURS) else None


def _assignments(path: Path) -> Iterator[tuple[str, str]]:
    """Keys and values of [Socket]."""
    section = ""
    with suppress(OSError), path.open(encoding="utf-8", errors="replace") as file:
        for line in file.read(MOST_OCTETS).splitlines():
            text = line.strip()
            if text.startswith("["):
                section = text
            elif section == "[Socket]" and "=" in text and text[0] not in "#;":
                key, _, value = text.partition("=")
                yield key.strip(), value.strip()


def _places(kind: socket.SocketKind, value: str) -> Iterator[tuple[socket.SocketKind, SocketAddress]]:
    if found := LISTEN.fullmatch(value):
        hosts = (found[1] or found[2],) if found[1] or found[2] else ANY
        yield from ((kind, SocketAddress(host, int(found[3]))) for host in hosts)


def _listed(folder: Path, pattern: str) -> list[Path]:
    with suppress(OSError):
        return sorted(folder.glob(pattern))[:MOST_UNITS]
    return []


def _same(host: str, other: str) -> bool:
    with suppress(ValueError):
        return ipaddress.ip_address(host.partition("%")[0]) == ipaddress.ip_address(other.partition("%")[0])
    return False


def held_by_systemd(kind: socket.SocketKind, address: SocketAddress) -> bool | None:
    """Whether process 1 is systemd and has the socket at an address; None where that can't be seen."""
    inodes = {inode for family in ("", "6") for inode in _inodes(TABLES / f"{NAMES[kind]}{family}", kind, address)}
    try:
        if (PROCESS_1 / "comm").read_text(encoding="ascii", errors="replace").strip() != "systemd":
            return False
        held = {str(entry.readlink()) for entry in (PROCESS_1 / "fd").iterdir()}
    except OSError:
        return None
    return any(f"socket:[{inode}]" in held for inode in inodes)


def _inodes(table: Path, kind: socket.SocketKind, address: SocketAddress) -> Iterator[int]:
    """Of sockets at this port, at this address or at any."""
    with suppress(OSError, ValueError):
        for line in table.read_text(encoding="ascii", errors="replace").splitlines()[1:]:
            fields = line.split()
            host, _, port = fields[1].partition(":")
            if int(port, 16) != address.port or (kind == socket.SOCK_STREAM and fields[3] != LISTENS):
                continue
            octets = b"".join(int(host[at : at + 8], 16).to_bytes(4, sys.byteorder) for at in range(0, len(host), 8))
            if _same(address.host, bound := str(ipaddress.ip_address(octets))) or bound in ANY:
                yield int(fields[9])
