"""A configuration is found, composed and refused as documented: every mistake in one line, none with a value in it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from forwarders.file_settings import FileSettings
from forwarders.sensor_settings import SensorSettings
from gateway import config
from gateway.config import Config, load, locate, parse_flag
from gateway.config_errors import _tables, explain_errors
from kernel import Engine
from pipeline.errors import ConfigError
from pipeline.settings import SocketAddress

CONTRACT = """
[gateway]
name = "gw1"
state_dir = "state"
profile = "aatp-2020"
[normalize]
observables = true
captions = true
raw_data = false
[spool]
kind = "sqlite"
max_bytes = "4 GiB"
[listeners.syslog]
udp = ["127.0.0.1:15514", "[::1]:15514"]
tcp = ["127.0.0.1:15514"]
mode = "lenient"
allow = ["127.0.0.0/8", "::1/128"]
[listeners.syslog.tls]
addresses = ["127.0.0.1:16514"]
certificate = "server.pem"
key = "server.key"
[[forwarders]]
name = "archive"
kind = "file"
path = "out/events.ndjson"
[[forwarders]]
name = "sensor"
kind = "sensor"
layout = "splunk"
address = "udp://127.0.0.1:25514"
quota = "1 GiB"
on_full = "block"
[metrics]
address = "127.0.0.1:19464"
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "gateway.toml"
    path.write_text(text)
    return path


def problems(folder: Path, text: str, environ: dict[str, str] | None = None) -> list[str]:
    """What is wrong with a file, without its name in front."""
    path = write(folder, text)
    with pytest.raises(ConfigError) as caught:
        load(path, environ or {"HOME": "/home/op"})
    return [line.removeprefix(f"{path}: ") for line in str(caught.value).splitlines()]


def test_the_contract_is_read_as_it_stands(tmp_path: Path) -> None:
    loaded = load(write(tmp_path, CONTRACT), {})
    assert loaded.gateway.state_dir == tmp_path / "state"
    assert loaded.listeners.syslog is not None
    assert loaded.listeners.syslog.udp == (SocketAddress("127.0.0.1", 15514), SocketAddress("::1", 15514))
    archive, sensor = loaded.forwarders
    assert isinstance(archive, FileSettings)
    assert archive.path == tmp_path / "out/events.ndjson"
    assert isinstance(sensor, SensorSettings)
    assert sensor.quota == 1 << 30
    assert loaded.spool.max_bytes == 4 << 30
    assert loaded.metrics is not None


def test_no_forwarders_and_no_listeners_are_valid(tmp_path: Path) -> None:
    assert load(write(tmp_path, '[gateway]\nstate_dir = "s"'), {}).forwarders == ()


def test_the_built_in_configuration() -> None:
    loaded = load(None, {"XDG_STATE_HOME": "/var/xdg"})
    assert loaded.gateway.state_dir == Path("/var/xdg/tidegate")
    assert loaded.listeners.syslog is not None
    assert loaded.listeners.syslog.udp == loaded.listeners.syslog.tcp == (SocketAddress("127.0.0.1", 5514),)
    assert [forwarder.kind for forwarder in loaded.forwarders] == ["file"]


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({"HOME": "/home/op"}, "/home/op/.local/state/tidegate"),
        ({"HOME": "/home/op", "XDG_STATE_HOME": "relative"}, "/home/op/.local/state/tidegate"),
        ({"XDG_STATE_HOME": "/xdg"}, "/xdg/tidegate"),
        ({"XDG_STATE_HOME": "/xdg", "STATE_DIRECTORY": "/var/lib/tidegate:/var/lib/other"}, "/var/lib/tidegate"),
    ],
    ids=["home", "XDG_STATE_HOME has to be absolute", "XDG_STATE_HOME", "systemd"],
)
def test_where_state_is_kept_by_default(environ: dict[str, str], expected: str) -> None:
    assert load(None, environ).gateway.state_dir == Path(expected)


def test_which_file_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    system = tmp_path / "system.toml"
    monkeypatch.setattr(config, "SYSTEM_FILE", system)
    assert locate(None, {}) is None
    system.touch()
    assert locate(None, {}) == system
    assert locate(None, {"TIDEGATE_CONFIG": "/e.toml"}) == Path("/e.toml")
    assert locate(Path("/f.toml"), {"TIDEGATE_CONFIG": "/e.toml"}) == Path("/f.toml")


def test_flag_over_environment_over_file(tmp_path: Path) -> None:
    path = write(tmp_path, '[gateway]\nname = "file"\nstate_dir = "s"\n[listeners.syslog]\ntcp = ["127.0.0.1:1"]')
    environ = {
        "TIDEGATE_GATEWAY__NAME": "variable",
        "TIDEGATE_GATEWAY__STATE_DIR": "from-variable",
        "TIDEGATE_LISTENERS__SYSLOG__TCP": '["[::]:2", "127.0.0.1:2"]',
        "TIDEGATE_METRICS__ADDRESS": "[::1]:3",
        "TIDEGATE_ENGINE": "reference",
        "TIDEGATE_CONFIG": "elsewhere.toml",
        "TIDEGATE_EXTRA_CORPUS": "/no/setting",
    }
    loaded = load(path, environ, [parse_flag("gateway.name=flag=1")])
    assert loaded.gateway.name == "flag=1"
    assert loaded.gateway.state_dir == tmp_path / "from-variable"
    assert loaded.listeners.syslog is not None
    assert loaded.listeners.syslog.tcp == (SocketAddress("::", 2), SocketAddress("127.0.0.1", 2))
    assert loaded.metrics is not None
    assert loaded.metrics.address == SocketAddress("::1", 3)
    assert loaded.gateway.engine is Engine.REFERENCE


GATEWAY = '[gateway]\nstate_dir = "s"\n'

UNKNOWN_PTH = "forwarders[0].pth: unknown key; did you mean path?"
NO_TABLE = "listeners.syslog: is not a table; write it as [listeners.syslog]"
NO_TOML = "is not TOML: Invalid value (at end of document); https://toml.io says how to write it"

#   after [gateway]                                                why                     lines that come back, in order
MISTAKES = [
    ("[listeners.syslog]\nucp = ['127.0.0.1:1']",                  "nearest name",         ["listeners.syslog.ucp: unknown key; did you mean udp?"]),
    ("[gatway]\nname = 1",                                         "nearest table",        ["gatway: unknown key; did you mean gateway?"]),
    ("[metrics]\nzzz = 1\naddress = '127.0.0.1:1'",                "nothing near",         ["metrics.zzz: unknown key; this table has address"]),
    ("[[forwarders]]\nname = 'a'\nkind = 'file'\npth = 'x'",       "in a list",            ["forwarders[0].path: missing; add it", UNKNOWN_PTH]),
    ("x = ",                                                       "no TOML",              [NO_TOML]),
    ("[log.x]\n[listeners]\nsyslog = 1",                           "a value for a table",  [NO_TABLE, "log.x: unknown key; this table has format, level"]),
]  # fmt: skip


@pytest.mark.parametrize(("text", "lines"), [(case[0], case[2]) for case in MISTAKES], ids=[case[1] for case in MISTAKES])
def test_mistakes(tmp_path: Path, text: str, lines: list[str]) -> None:
    assert problems(tmp_path, GATEWAY + text) == lines


RELAY_OVER_TCP = "[[forwarders]]\nname = 'a'\nkind = 'sensor'\nlayout = 'radius'\naddress = 'tcp://127.0.0.1:1'\nsecret = 'env:PATH'"

#   after [gateway]                                           words of the one line                                    why
REFUSED = [
    ("[spool]\nmax_bytes = 4",                           ["spool.max_bytes", "a number and a unit"],              "a size without unit"),
    ("[metrics]\naddress = ':1'",                        ["metrics.address", "host:port"],                        "no host"),
    ("[metrics]\naddress = '127.0.0.1:70000'",           ["metrics.address", "host:port"],                        "no port"),
    ("[listeners.syslog]\nudp = ['127.0.0.1:1']\nallow = ['10.0.0.1/8']", ["listeners.syslog.allow[0]", "'10.0.0.0/8'"],  "host bits in a network"),
    ("[listeners.syslog]\nudp = '127.0.0.1:1'",          ["listeners.syslog.udp", "is not a list"],               "a value for a list"),
    (RELAY_OVER_TCP, [": RADIUS is passed on over UDP"], "a reason that begins with an acronym"),
    ("[listeners.syslog]",                               ["listeners.syslog", "address"],                         "a listener without address"),
    ("[[forwarders]]\nname = 'a'\nkind = 'fiel'\npath = 'x'",    ["forwarders[0]", "did you mean 'file'?"],               "nearest kind"),
    ("[[forwarders]]\nname = 'a'",                       ["forwarders[0]", "kind"],                               "no kind"),
    ("engine = 'quick'",                                 ["gateway.engine", "native"],                            "an engine that isn't"),
    (2 * "[[forwarders]]\nname = 'a'\nkind = 'stdout'\n",        ["forwarders", "two forwarders are named a"],            "one name twice"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "words"), [case[:2] for case in REFUSED], ids=[case[2] for case in REFUSED])
def test_refused_values(tmp_path: Path, text: str, words: list[str]) -> None:
    (line,) = problems(tmp_path, GATEWAY + text)
    assert re.fullmatch(r"[^:]+: .+; .+|.+ did you mean .+", line), "what: why; what to do"
    for word in words:
        assert word in line


def test_every_mistake_is_listed(tmp_path: Path) -> None:
    assert len(problems(tmp_path, GATEWAY + "nmae = 1\n[spool]\nmax_bytes = 1\n[log]\nlevel = 'loud'")) == 3


def test_an_unknown_variable_is_an_unknown_key(tmp_path: Path) -> None:
    assert "unknown key; did you mean name?" in problems(tmp_path, GATEWAY, {"TIDEGATE_GATEWAY__NAM": "x"})[0]


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="can't be read: No such file"):
        load(tmp_path / "none.toml", {})


def test_a_flag_without_value() -> None:
    with pytest.raises(ConfigError, match="names no key and value"):
        parse_flag("gateway.name")


@given(st.text(alphabet="abcdefghij0123456789", min_size=20, max_size=30))
def test_no_line_shows_a_value(secret: str) -> None:
    for tree in (
        {"gateway": {"state_dir": "s", "name": {"x": secret}}},
        {"spool": {"max_bytes": secret}},
        {"metrics": {"address": secret}},
        {"log": {"level": secret}},
    ):
        with pytest.raises(ValidationError) as caught:
            Config.model_validate(tree)
        assert secret not in str(explain_errors("f", Config, caught.value))


@given(st.binary(max_size=100))
def test_any_octets_are_a_configuration_or_an_error(tmp_path_factory: pytest.TempPathFactory, octets: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "any.toml"
    path.write_bytes(octets)
    try:
        load(path, {"HOME": "/home/op"})
    except ConfigError:
        return


def keys(model: type[BaseModel]) -> set[str]:
    """Every key of a table and of those below it."""
    return set(model.model_fields) | {key for field in model.model_fields.values() for table in _tables(field.annotation) for key in keys(table)}


DOCUMENT = Path(__file__).parents[2] / "docs/configuration.md"


def test_every_key_is_documented() -> None:
    text = DOCUMENT.read_text()
    cells = " ".join(re.findall(r"^\| (`.*?`) \|", text, re.MULTILINE))
    headings = " ".join(re.findall(r"^##+ \[+(.*?)\]+", text, re.MULTILINE))
    assert keys(Config) <= set(re.findall(r"[a-z_]+", cells + headings.replace(".", " ")))


def test_the_documented_files_load(tmp_path: Path) -> None:
    blocks = re.findall(r"```toml\n(.*?)```", DOCUMENT.read_text() + (DOCUMENT.parents[1] / "README.md").read_text(), re.DOTALL)
    assert len(blocks) >= 2
    (tmp_path / "vpn1.secret").write_text("0123456789abcdef\n")
    for block in blocks:
        assert load(write(tmp_path, block), {"HOME": "/home/op"}).listeners
