"""The keys of the gateway's services: every endpoint's keytabs merged into one private file, which MIT's library is pointed to once.

The library takes one keytab for a process (KRB5_KTNAME), operators have one for each domain; so the gateway writes `state_dir/kerberos/keytab`, 0600, anew
whenever one of the originals changes. What the file holds counts from the next connection on; contexts already established don't need it. Beside it lies
the cache that replays are found by (KRB5RCACHENAME), which lets no token be used twice, not even across a restart.

Only keys of HTTP, HOST and WSMAN are taken over: a ticket for another service on this host is no ticket for this gateway.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator, MutableMapping
from pathlib import Path
from typing import Final

from listeners.file_stamp import stamp
from pipeline.errors import ConfigError, WireError
from pipeline.log import Log
from wire.keytab import Key, encode_keytab, parse_keytab

SERVICES: Final = frozenset({"http", "host", "wsman"})
"""Windows asks for HTTP, Windows Server 2025 for HOST (`spn_prefix` of winrm/config/client), WSMAN by hand."""

MAX_KEYTAB: Final = 1 << 20
FOLDER: Final = "kerberos"
MAKE_ONE: Final = "docs/listeners/wef.md says how to make a keytab on a domain controller (ktpass)"


class Keyring:
    """The merged keys, and the file that holds them.

    keys:  of all keytabs, as they are in the file.

    Args:
        keytabs: the originals.
        state_dir: below which the merged file lies.
        environ: the process', for the library: KRB5_KTNAME and KRB5RCACHENAME are set here, once.
        log: says when they were read again, and why they couldn't be.

    Raises:
        ConfigError: a keytab can't be read or has no key for us, or the merged one can't be written.
    """

    def __init__(self, keytabs: Iterable[Path], state_dir: Path, environ: MutableMapping[str, str], log: Log) -> None:
        self._keytabs: Final = tuple(dict.fromkeys(keytabs))
        self._folder: Final = state_dir / FOLDER
        self._log: Final = log
        self._stamp = stamp(self._keytabs)
        self.keys: tuple[Key, ...] = self._merge()
        environ["KRB5_KTNAME"] = f"FILE:{self._folder / 'keytab'}"
        environ["KRB5RCACHENAME"] = f"file2:{self._folder / 'replays'}"

    def refresh(self) -> None:
        """Look whether a keytab has changed, and take it over; where it can't be used the former keys stay."""
        now = stamp(self._keytabs)
        if now == self._stamp:
            return
        self._stamp = now
        try:
            self.keys = self._merge()
        except ConfigError as error:
            self._log.error("keytab not reloaded, the former keys stay", error=str(error))
        else:
            self._log.info("keytab reloaded", keys=len(self.keys))

    def _merge(self) -> tuple[Key, ...]:
        keys = tuple(dict.fromkeys(key for path in self._keytabs for key in read_keytab(path)))
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            with _replacing(self._folder / "keytab") as descriptor:
                os.write(descriptor, encode_keytab(keys))
        except OSError as error:
            raise ConfigError(str(self._folder / "keytab"), f"can't be written: {error.strerror}", "check the state directory's owner and mode") from error
        return keys


def read_keytab(path: Path) -> tuple[Key, ...]:
    """The keys of one keytab that are ours.

    Raises:
        ConfigError: it can't be read, is none, or has none.
    """
    try:
        with path.open("rb") as file:
            octets = file.read(MAX_KEYTAB + 1)
        keys = parse_keytab(octets)
    except OSError as error:
        raise ConfigError(f"keytab {path}", f"can't be read: {error.strerror}", MAKE_ONE) from error
    except WireError as error:
        raise ConfigError(f"keytab {path}", f"is no keytab: {error}", MAKE_ONE) from error
    if len(octets) > MAX_KEYTAB:
        raise ConfigError(f"keytab {path}", "is larger than any keytab", MAKE_ONE)
    ours = tuple(key for key in keys if key.components[0].lower() in SERVICES)
    if not ours:
        found = ", ".join(sorted({key.service for key in keys})[:4])
        raise ConfigError(f"keytab {path}", f"has no key of HTTP or HOST{f', but of {found}' if found else ''}", MAKE_ONE)
    return ours


@contextlib.contextmanager
def _replacing(path: Path) -> Iterator[int]:
    """A descriptor of a new private file, which takes `path`'s place when all went well."""
    draft = path.with_name(f"{path.name}.new")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        yield descriptor
    finally:
        os.close(descriptor)
    draft.replace(path)
