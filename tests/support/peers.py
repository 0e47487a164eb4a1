"""Programs nobody here wrote, for tests to talk to: rsyslogd, loggen, logger, systemd-analyze, FreeRADIUS and its radclient
(started in support.freeradius and support.radclient; a Kerberos realm: support.kdc).

`make test-setup` unpacks their Debian packages below .cache/apt/root (tests/support/unpack-peers). Nothing is installed: a
package's scripts never run, so no service on the machine is started or replaced. A test starts a peer with its command and
environment and ends it itself:

    peer = peers.rsyslogd()
    await trio.run_process([*peer.command, "-n", "-f", conf, "-i", pid_file], env=peer.environment)
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2] / ".cache" / "apt" / "root"


@dataclass(frozen=True, slots=True)
class Peer:
    """How to start a program.

    command:      program and the arguments without which it doesn't find its own parts; append yours.
    environment:  the whole environment to start it in.
    """

    command: tuple[str, ...]
    environment: dict[str, str]


def rsyslogd() -> Peer:
    """rsyslogd with its module folder (imtcp, omfwd, lmnsd_ossl ... load by name); add -n -f CONFIGURATION -i PIDFILE."""
    return Peer((_program("usr/sbin/rsyslogd"), f"-M{rsyslog_modules()}"), unpacked_environment())


def rsyslog_modules() -> Path:
    """The folder of rsyslog's loadable modules, lmnsd_ossl.so (TLS by OpenSSL) among them."""
    return next(ROOT.glob("usr/lib/*/rsyslog/lmnsd_ossl.so")).parent


def loggen() -> Peer:
    """syslog-ng's load generator: --inet --stream or --dgram, --use-ssl, -P for RFC 5424, --rate, --number, HOST PORT."""
    return Peer((_program("usr/bin/loggen"),), unpacked_environment() | {"SYSLOGNG_PREFIX": str(ROOT / "usr")})


def syslog_ng() -> Peer:
    """syslog-ng with its module folder; add --syntax-only -f CONFIGURATION, and -R, -c and -p for files of its own."""
    modules = next(ROOT.glob("usr/lib/syslog-ng/*"))
    environment = unpacked_environment() | {"SYSLOGNG_PREFIX": str(ROOT / "usr")}
    return Peer((_program("usr/sbin/syslog-ng"), "--no-caps", f"--module-path={modules}"), environment)


def logger() -> Peer:
    """util-linux's logger: --server HOST --port PORT, --udp or --tcp, --rfc5424, --octet-count."""
    return Peer((_installed("logger"),), dict(os.environ))


def systemd_analyze() -> Peer:
    """systemd-analyze: `verify UNIT`, `security --offline=true UNIT`; it knows the stock units of its own package."""
    return Peer((_program("usr/bin/systemd-analyze"),), unpacked_environment() | {"SYSTEMD_UNIT_PATH": str(ROOT / "lib/systemd/system")})


def systemd_tool(name: str) -> Peer:
    """systemd-sysusers or systemd-tmpfiles, for another root: --root=FOLDER --dry-run or --create, FILE."""
    return Peer((_program(f"usr/bin/{name}"),), unpacked_environment())


def radclient() -> Peer:
    """FreeRADIUS' client with its dictionary: -S SECRETFILE -f PACKETS -s for a summary, HOST:PORT acct."""
    return Peer((_program("usr/bin/radclient"), "-D", str(radius_dictionary())), unpacked_environment())


def freeradius() -> Peer:
    """FreeRADIUS' server with its dictionary; add -d FOLDER -n NAME -f -l stdout for FOLDER/NAME.conf in the foreground."""
    return Peer((_program("usr/sbin/freeradius"), "-D", str(radius_dictionary())), unpacked_environment())


def freeradius_modules() -> Path:
    """The folder of FreeRADIUS' loadable modules, its `libdir`."""
    return ROOT / "usr/lib/freeradius"


def radius_dictionary() -> Path:
    """FreeRADIUS' dictionaries, one file per RFC and vendor."""
    return ROOT / "usr/share/freeradius"


def _program(path: str) -> str:
    for found in (ROOT / path, ROOT / Path(path).relative_to("usr")):  # a package may ship /bin or /usr/bin
        if found.exists():
            return str(found)
    raise FileNotFoundError(f"{ROOT / path}: run `make test-setup`")


def _installed(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        raise FileNotFoundError(f"{name}: not installed, though Debian's base system has it")
    return found


def unpacked_environment() -> dict[str, str]:
    """Ours, and where the unpacked libraries are."""
    folders = {library.parent for pattern in ("lib", "usr/lib") for library in ROOT.glob(f"{pattern}/**/lib*.so*")}
    libraries = sorted(str(folder) for folder in folders if folder.name != "loggen")
    return dict(os.environ) | {"LD_LIBRARY_PATH": ":".join(libraries)}
