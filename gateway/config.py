"""The configuration: every table's settings composed, and where they are read from.

Which file, the first that is named or there (design [C]): `--config`, `$TIDEGATE_CONFIG`, `/etc/tidegate/tidegate.toml`, else a built-in one:
syslog on 127.0.0.1:5514 and a file forwarder. Which value: flag over environment over file.

    TIDEGATE_GATEWAY__STATE_DIR=/srv/tidegate        [gateway] state_dir
    TIDEGATE_LISTENERS__SYSLOG__TCP='["[::]:514"]'   [listeners.syslog] tcp
    TIDEGATE_ENGINE=reference                        [gateway] engine

A variable's double underscore is the dot of a key, its value a TOML array or inline table, or else a text. Variables without a double
underscore aren't settings. Relative paths are relative to the file's folder, wherever they are written. What version a file is written in, and how an older
one is read: `gateway.config_version`.
"""

from __future__ import annotations

import contextlib
import os
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final, Literal, Self

from pydantic import BeforeValidator, Field, PrivateAttr, ValidationError, ValidationInfo, field_validator, model_validator

from forwarders.settings import ForwarderSettings
from gateway.check.settings import CheckSettings
from gateway.config_errors import explain_errors
from gateway.config_version import STEPS, VERSION, Tree, upgrade
from kernel import Engine
from listeners.radius.settings import RadiusSettings
from listeners.syslog.settings import SyslogSettings
from listeners.wef.settings import WefSettings
from normalizers.settings import NormalizeSettings
from pipeline.errors import ConfigError
from pipeline.log import LogSettings
from pipeline.settings import Address, Duration, FilePath, Settings, resolve_path
from pipeline.spool.settings import SpoolSettings

SYSTEM_FILE: Final = Path("/etc/tidegate/tidegate.toml")
MAX_FILE: Final = 4 << 20
PREFIX: Final = "TIDEGATE_"
SEPARATOR: Final = "__"
ENGINE_VARIABLE: Final = "TIDEGATE_ENGINE"


def _resolve_profile(value: object, info: ValidationInfo) -> object:
    """A profile by its name stays as it is; the path of a file is relative to the configuration's folder."""
    return str(resolve_path(value, info)) if isinstance(value, str) and ("/" in value or value.endswith(".toml")) else value


class GatewaySettings(Settings):
    """[gateway].

    name:       what this gateway calls itself in its log.
    state_dir:  spool, lock, control socket: everything that has to survive.
    profile:    which events are kept: `aatp-2020`, `mdi-current`, or the path of a profile file.
    keep:       `wanted` by the profile, or `all`: the rest becomes Base Events.
    engine:     `native`, or `reference`: the readable specification, slower.
    drain:      how long forwarders get to catch up when the gateway is asked to stop.
    """

    name: str = "tidegate"
    state_dir: FilePath
    profile: Annotated[str, BeforeValidator(_resolve_profile)] = "aatp-2020"
    keep: Literal["wanted", "all"] = "wanted"
    engine: Engine = Engine.NATIVE
    drain: Annotated[Duration, Field(ge=0)] = 10.0


class ListenersSettings(Settings):
    """[listeners]: one table per way in."""

    syslog: SyslogSettings | None = None
    wef: WefSettings | None = None
    radius: RadiusSettings | None = None


class MetricsSettings(Settings):
    """[metrics].

    address:  where GET /metrics, /livez and /readyz are answered.
    """

    address: Address


class Config(Settings):
    """The whole of it.

    version:  that the file is written in; once it is loaded, the newest that this Tidegate reads. Only a file says it.
    """

    version: int = Field(default=VERSION, strict=True)
    gateway: GatewaySettings
    normalize: NormalizeSettings = NormalizeSettings()
    spool: SpoolSettings = SpoolSettings()
    listeners: ListenersSettings = ListenersSettings()
    forwarders: tuple[ForwarderSettings, ...] = ()
    metrics: MetricsSettings | None = None
    log: LogSettings = LogSettings()
    check: CheckSettings = CheckSettings()
    _outdated: tuple[str, ...] = PrivateAttr(())

    @property
    def outdated(self) -> tuple[str, ...]:
        """What to write in the file, a line each, so that it is of this version; it was read as it was meant."""
        return self._outdated

    @field_validator("forwarders")
    @classmethod
    def name_forwarders_apart(cls, forwarders: tuple[ForwarderSettings, ...]) -> tuple[ForwarderSettings, ...]:
        """A name is a cursor: two forwarders can't share one."""
        names = [forwarder.name for forwarder in forwarders]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"two forwarders are named {', '.join(twice)}; give each its own name, which is its place in the spool")
        return forwarders

    @model_validator(mode="after")
    def relay_is_there(self) -> Self:
        """Whoever waits for a next hop waits for one there is."""
        relay = self.listeners.radius.relay if self.listeners.radius else None
        if relay is not None and relay not in self.relays:
            raise ValueError(f'listeners.radius.relay: {relay} is no forwarder that passes RADIUS on; name one of kind = "sensor" and layout = "radius"')
        return self

    @property
    def relays(self) -> tuple[str, ...]:
        """Names of the forwarders that pass RADIUS packets on."""
        return tuple(table.name for table in self.forwarders if table.kind == "sensor" and table.layout == "radius")


@dataclass(frozen=True, slots=True)
class Override:
    """A value from elsewhere than the file.

    source:  the variable or flag, for errors.
    path:    its key, `("gateway", "state_dir")`.
    text:    its value, as written.
    """

    source: str
    path: tuple[str, ...]
    text: str


def locate(named: Path | None, environ: Mapping[str, str]) -> Path | None:
    """The file to read; None for the built-in configuration."""
    if named is not None:
        return named
    if environ.get("TIDEGATE_CONFIG"):
        return Path(environ["TIDEGATE_CONFIG"])
    return SYSTEM_FILE if SYSTEM_FILE.exists() else None


def load(source: Path | None, environ: Mapping[str, str], flags: Sequence[Override] = ()) -> Config:
    """Read, compose and check a configuration; what it points to is `gateway.check`'s business.

    Args:
        source: what `locate` found.
        environ: the environment, for overrides and defaults.
        flags: overrides of the command line.

    Raises:
        UnusableConfig: with every mistake in it.
        ConfigError: the file can't be read.
    """
    folder = resolve_folder(source)
    tree = builtin(environ) if source is None else _read(source)
    name = "built-in configuration" if source is None else str(source)
    outdated = upgrade(tree, name, STEPS)
    for override in (*_variables(environ), *flags):
        _apply(tree, override)
    _table(tree, ("gateway",), name).setdefault("state_dir", str(default_state_dir(environ)))
    try:
        config = Config.model_validate(tree, context={"folder": folder})
    except ValidationError as error:
        raise explain_errors(name, Config, error) from None  # its own text would show values
    config._outdated = outdated  # noqa: SLF001 - no key that a file could have
    return config


def read_state_dir(source: Path | None, environ: Mapping[str, str]) -> Path:
    """[gateway] state_dir alone: where to find the gateway that runs, whatever else its configuration says by now.

    Raises:
        ConfigError: the file can't be read.
    """
    tree = {} if source is None else _read(source)
    for override in _variables(environ):
        _apply(tree, override)
    named = _table(tree, ("gateway",), str(source)).get("state_dir", default_state_dir(environ))
    return resolve_folder(source) / str(named)


def resolve_folder(source: Path | None) -> Path:
    """The folder that a configuration's paths are relative to."""
    return Path.cwd() if source is None else Path(os.path.abspath(source)).parent  # noqa: PTH100 - resolve() would follow a symlink away from its folder


def builtin(environ: Mapping[str, str]) -> Tree:
    """What runs where no file is."""
    return {
        "listeners": {"syslog": {"udp": ["127.0.0.1:5514"], "tcp": ["127.0.0.1:5514"]}},
        "forwarders": [{"name": "file", "kind": "file", "path": str(default_state_dir(environ) / "events.ndjson"), "start": "beginning"}],
    }


def default_state_dir(environ: Mapping[str, str]) -> Path:
    """Where systemd says (StateDirectory=), else by the XDG Base Directory Specification."""
    if environ.get("STATE_DIRECTORY"):
        return Path(environ["STATE_DIRECTORY"].partition(":")[0])
    state_home = Path(environ.get("XDG_STATE_HOME", ""))
    return (state_home if state_home.is_absolute() else Path(environ.get("HOME") or Path.home()) / ".local/state") / "tidegate"


def parse_flag(text: str) -> Override:
    """`--set KEY=VALUE` to an override.

    Raises:
        ConfigError: it has no `=`.
    """
    key, equals, value = text.partition("=")
    if not equals or not key.strip("."):
        raise ConfigError(f"--set {text}", "names no key and value", "write it as gateway.name=gw2")
    return Override(f"--set {key}", tuple(key.split(".")), value)


def _read(source: Path) -> Tree:
    try:
        with source.open("rb") as file:
            octets = file.read(MAX_FILE + 1)
    except OSError as error:
        raise ConfigError(str(source), f"can't be read: {error.strerror}", "name another file with --config") from error
    if len(octets) > MAX_FILE:
        raise ConfigError(str(source), "is larger than any configuration", "name another file with --config")
    try:
        return tomllib.loads(octets.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise ConfigError(str(source), f"octet {error.start} is not UTF-8", "save it as UTF-8") from None
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise ConfigError(str(source), f"is not TOML: {str(error) or 'nested too deeply'}", "https://toml.io says how to write it") from None


def _variables(environ: Mapping[str, str]) -> list[Override]:
    found = [
        Override(name, tuple(part.lower() for part in name.removeprefix(PREFIX).split(SEPARATOR)), text)
        for name, text in sorted(environ.items())
        if name.startswith(PREFIX) and SEPARATOR in name
    ]
    engine = environ.get(ENGINE_VARIABLE)
    return [*found, Override(ENGINE_VARIABLE, ("gateway", "engine"), engine)] if engine else found


def _apply(tree: Tree, override: Override) -> None:
    value: object = override.text
    if override.text.startswith(("[", "{")):
        with contextlib.suppress(tomllib.TOMLDecodeError):  # then it is a text, as "[::1]:514" is
            value = tomllib.loads(f"value = {override.text}")["value"]
    _table(tree, override.path[:-1], override.source)[override.path[-1]] = value


def _table(tree: Tree, path: Sequence[str], source: str) -> Tree:
    """The table at `path`, made where it isn't there yet."""
    for part in path:
        inner = tree.setdefault(part, {})
        if not isinstance(inner, dict):
            raise ConfigError(f"{source}: {'.'.join(path)}", "is not a table", "write it as [table] or leave it out")
        tree = inner
    return tree
