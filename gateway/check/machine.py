"""Whether the machine is what a gateway needs: cores, memory, the spool's file system, receive buffers, open files."""

from __future__ import annotations

import resource
import socket
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from gateway.bench.host import read_host
from gateway.check.findings import Finding, Level, Subject
from gateway.check.places import mib, nearest
from gateway.check.socket_units import SocketUnit, read_units
from gateway.size.capacity import load_capacity
from pipeline.settings import SocketAddress

RMEM_MAX: Final = Path("/proc/sys/net/core/rmem_max")
CAPABILITIES: Final = Path("/proc/self/status")
CAP_NET_ADMIN: Final = 1 << 12  # capabilities(7): may go past rmem_max (SO_RCVBUFFORCE)
OTHER_FILES: Final = 128
OF_NETWORKS: Final = frozenset({"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "ceph", "lustre", "glusterfs"})
"""https://sqlite.org/wal.html: "All processes using a database must be on the same host computer; WAL does not work over a network filesystem"."""


def check_machine(subject: Subject) -> Iterator[Finding]:
    """Cores and memory, as far as a control group leaves them; and what the spool would lie on."""
    host, least = read_host(nearest(subject.config.gateway.state_dir)), load_capacity().gateway
    measure = "`tidegate bench` measures what this machine takes in, `tidegate size` what is needed"
    if host.cores < least.cores:
        yield Finding(Level.WARNING, "cores", f"{host.cores:g}, gateways are planned with {least.cores} or more", measure)
    else:
        yield Finding(Level.OK, "cores", f"{host.cores:g}")
    if not host.memory_mb:
        yield Finding(Level.UNKNOWN, "memory", "/proc/meminfo can't be read", f"see that there are {least.memory_mb} MiB or more")
    elif host.memory_mb < least.memory_mb:
        yield Finding(Level.WARNING, "memory", f"{host.memory_mb:,} MiB, gateways are planned with {least.memory_mb:,} or more", measure)
    else:
        yield Finding(Level.OK, "memory", f"{host.memory_mb:,} MiB")
    yield _check_filesystem(host.filesystem, in_memory=host.in_memory)


def _check_filesystem(found: str, *, in_memory: bool) -> Finding:
    what = "file system of the state directory"
    if not found:
        return Finding(Level.UNKNOWN, what, "/proc/self/mountinfo doesn't say", "see that it is a local disk: findmnt -T STATE_DIR")
    if in_memory:
        return Finding(Level.WARNING, what, f"{found}: what is acknowledged is gone with the power", "put state_dir on a disk")
    if found in OF_NETWORKS:
        return Finding(Level.WARNING, what, f"{found}: SQLite's write-ahead log doesn't work over a network", "put state_dir on a local disk")
    if found == "overlay":
        return Finding(Level.WARNING, what, "overlay: what is acknowledged is gone with the container", "mount a volume at state_dir")
    return Finding(Level.OK, what, found)


def check_receive_buffer(subject: Subject) -> Iterator[Finding]:
    """Of every listener of datagrams."""
    syslog, radius = subject.config.listeners.syslog, subject.config.listeners.radius
    if syslog and syslog.udp:
        yield _check_room("listeners.syslog.receive_buffer", syslog.receive_buffer, syslog.udp)
    if radius and radius.addresses:
        yield _check_room("listeners.radius.receive_buffer", radius.receive_buffer, radius.addresses)


def _check_room(what: str, asked: int, addresses: Sequence[SocketAddress]) -> Finding:
    units = read_units()
    passed = [_passes(units, address, asked) for address in addresses]
    if all(passed):
        return Finding(Level.OK, what, f"{mib(asked)}, by ReceiveBuffer= of {', '.join(sorted({str(name) for name in passed}))}")
    try:
        limit = int(RMEM_MAX.read_text(encoding="ascii"))
    except (OSError, ValueError):  # a container's network, and ProcSubset=pid, don't show it
        return Finding(Level.UNKNOWN, what, f"{RMEM_MAX} can't be read here", f"see on the host that `sysctl net.core.rmem_max` is {asked} or more")
    if limit >= asked or _may_force():
        return Finding(Level.OK, what, mib(asked))
    why = f"{mib(asked)} is more than net.core.rmem_max, {limit} octets: a burst of datagrams may be dropped"
    return Finding(Level.WARNING, what, why, f"sysctl -w net.core.rmem_max={asked}, or grant CAP_NET_ADMIN")


def _passes(units: Sequence[SocketUnit], address: SocketAddress, asked: int) -> str | None:
    """The unit that passes this address in with as much as is asked for."""
    names = (unit.name for unit in units if unit.enabled and unit.receive_buffer >= asked and unit.listens(socket.SOCK_DGRAM, address))
    return next(names, None)


def _may_force() -> bool:
    lines = dict(line.split(":", 1) for line in CAPABILITIES.read_text(encoding="ascii").splitlines() if ":" in line)
    return bool(int(lines.get("CapEff", "0"), 16) & CAP_NET_ADMIN)


def check_open_files(subject: Subject) -> Iterator[Finding]:
    """Each connection is one."""
    listeners = subject.config.listeners
    syslog, wef, radius = listeners.syslog, listeners.wef, listeners.radius
    connections = syslog.connections if syslog and (syslog.tcp or syslog.tls) else 0
    connections += wef.connections if wef else 0
    connections += radius.tls.connections if radius and radius.tls else 0
    if not connections:
        return
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = connections + OTHER_FILES
    if hard != resource.RLIM_INFINITY and hard < needed:
        yield Finding(Level.WARNING, "open files", f"the limit is {hard}, {connections} connections need {needed}", "raise LimitNOFILE= or `ulimit -Hn`")
    else:
        yield Finding(Level.OK, "open files", f"{connections} connections and the rest fit")
