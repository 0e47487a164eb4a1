"""Types that every wing's settings share: durations, sizes, addresses, secrets, paths (design section 6).

Each wing declares its settings beside the code that reads them, on `Settings`; `gateway.config` composes and loads them.
"""

from __future__ import annotations

import ipaddress
import os
import re
from pathlib import Path
from typing import Annotated, Final, NamedTuple

from pydantic import BaseModel, BeforeValidator, ConfigDict, SecretBytes, ValidationInfo

SIZE_UNITS: Final = {"B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}
DURATION_UNITS: Final = {"ms": 0.001, "s": 1.0, "min": 60.0, "h": 3600.0, "d": 86400.0}

LAST_PORT: Final = 65535
QUANTITY: Final = re.compile(r"\s*([0-9]+(?:\.[0-9]+)?)\s*([A-Za-z]+)\s*")


class Settings(BaseModel):
    """A table of the configuration: unknown keys are refused, values don't change after loading."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def _quantity(text: object, units: dict[str, float] | dict[str, int], example: str) -> float:
    found = QUANTITY.fullmatch(text) if isinstance(text, str) else None
    if found is None or found[2] not in units:
        raise ValueError(f"write a number and a unit of {', '.join(units)}, as in {example!r}")
    return float(found[1]) * units[found[2]]


def parse_size(text: object) -> int:
    """`"4 GiB"` to octets."""
    return int(_quantity(text, SIZE_UNITS, "64 MiB"))


def parse_duration(text: object) -> float:
    """`"60 s"` to seconds."""
    return _quantity(text, DURATION_UNITS, "60 s")


Size = Annotated[int, BeforeValidator(lambda value, info: value if type(value) is int and not info.context else parse_size(value))]
"""Octets; written `"64 MiB"`. An int only comes from code: the loader, which passes a context, lets no number without unit in."""

Duration = Annotated[float, BeforeValidator(lambda value, info: value if type(value) is float and not info.context else parse_duration(value))]
"""Seconds; written `"60 s"`. A float only comes from code, as above."""


class SocketAddress(NamedTuple):
    """A local address to bind, or a peer: host as an IP literal or name without brackets, port 0 to 65535."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def parse_address(text: object) -> SocketAddress:
    """`127.0.0.1:514`, `[::1]:514` or `name:514` to a SocketAddress."""
    found = re.fullmatch(r"(?:\[([^\]]+)\]|([^:\[\]]+)):([0-9]{1,5})", text) if isinstance(text, str) else None
    if found is None or int(found[3]) > LAST_PORT:
        raise ValueError("write host:port, IPv6 in brackets, as in '127.0.0.1:514' or '[::1]:514'")
    return SocketAddress(found[1] or found[2], int(found[3]))


Address = Annotated[SocketAddress, BeforeValidator(lambda value: value if isinstance(value, SocketAddress) else parse_address(value))]


def parse_network(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    """`192.0.2.10`, `10.0.0.0/8` or `2001:db8::/32`."""
    try:
        network = ipaddress.ip_network(text, strict=False)
    except ValueError as error:
        raise ValueError("no address and no network; write it as in '192.0.2.10', '10.0.0.0/8' or '2001:db8::/32'") from error
    try:
        return ipaddress.ip_network(text)
    except ValueError as error:
        raise ValueError(f"has host bits set behind its prefix; write '{network}' for the network, or the address alone") from error


Network = Annotated[
    ipaddress.IPv4Network | ipaddress.IPv6Network,
    BeforeValidator(lambda value: parse_network(value) if isinstance(value, str) else value),
]


def resolve_credential(name: str) -> Path:
    """Where systemd has laid what the unit loads as a credential (LoadCredential=, systemd.exec(5))."""
    folder = os.environ.get("CREDENTIALS_DIRECTORY")
    if not folder:
        raise ValueError(f"credential {name} is not there: systemd passes credentials, and it didn't start this; name a file")
    if "/" in name or name in ("", ".", ".."):
        raise ValueError(f"a credential has a name without a folder, as in LoadCredential=server.key:/etc/tidegate/server.key: not {name!r}")
    return Path(folder) / name


def resolve_path(value: object, info: ValidationInfo) -> Path:
    """A path relative to the configuration file's folder, which the loader passes as `context["folder"]`; or `credential:NAME`."""
    if isinstance(value, str) and value.startswith("credential:"):
        return resolve_credential(value.removeprefix("credential:"))
    folder = (info.context or {}).get("folder", Path())
    return Path(folder) / Path(str(value))


FilePath = Annotated[Path, BeforeValidator(resolve_path)]


def resolve_secret(value: object, info: ValidationInfo) -> object:
    """A secret by reference: `file:PATH`, `env:NAME` or `credential:NAME` (systemd's LoadCredential). Never a literal."""
    if not isinstance(value, str):
        return value
    kind, _, rest = value.partition(":")
    match kind:
        case "env":
            found = os.environ.get(rest)
            if found is None:
                raise ValueError(f"environment variable {rest} is not set; set it, or name another place")
            return found.encode()
        case "file" | "credential":
            path = resolve_credential(rest) if kind == "credential" else Path((info.context or {}).get("folder", "")) / rest
            try:
                return path.read_bytes().rstrip(b"\r\n")
            except OSError as error:
                raise ValueError(f"{kind} {rest} can't be read: {error.strerror}; name one that this user can read") from error
    raise ValueError("write where the secret is, as in 'env:NAME', 'file:PATH' or 'credential:NAME', never the secret itself")


Secret = Annotated[SecretBytes, BeforeValidator(resolve_secret)]
