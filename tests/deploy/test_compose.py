"""compose.yaml: what it mounts is there, what it names exists, its gateway may do little, and its parts meet at the same ports."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any, Final

import pytest
import yaml
from support import peers
from support.gateway_process import running_gateway
from typer.main import get_command

from gateway.addresses import addresses
from gateway.cli import main
from gateway.cli.application import application
from gateway.config import load
from pipeline.model import Transport
from pipeline.settings import parse_duration

DEPLOY: Final = Path(__file__).parents[2] / "deploy"


@pytest.fixture(scope="module")
def compose() -> Any:
    return yaml.safe_load((DEPLOY / "compose.yaml").read_text())


def test_what_is_mounted_is_there(compose: Any) -> None:
    for service in compose["services"].values():
        for mount in service.get("volumes", ()):
            source = mount.split(":")[0]
            assert (DEPLOY / source).is_file() if source.startswith(".") else source in compose["volumes"]


def test_what_is_depended_on_is_a_service(compose: Any) -> None:
    for service in compose["services"].values():
        assert set(service.get("depends_on", ())) <= set(compose["services"])


def test_the_gateway_may_do_little(compose: Any) -> None:
    gateway = compose["services"]["tidegate"]
    assert gateway["read_only"] is True
    assert gateway["cap_drop"] == ["ALL"]
    assert gateway["security_opt"] == ["no-new-privileges:true"]
    assert "user" not in gateway
    assert "privileged" not in gateway


def test_the_published_ports_are_the_listeners(compose: Any) -> None:
    published = {(port.rpartition("/")[2], int(port.partition("/")[0].split(":")[-1])) for port in compose["services"]["tidegate"]["ports"]}
    listening = {(transport.value, address.port) for name, transport, address in addresses(load(DEPLOY / "tidegate.toml", {})) if name == "listeners.syslog"}
    assert published == listening


def test_a_stop_has_the_time_it_needs(compose: Any) -> None:
    grace = parse_duration(compose["services"]["tidegate"]["stop_grace_period"].replace("s", " s"))
    assert grace > load(DEPLOY / "tidegate.toml", {}).gateway.drain


def test_images_are_pinned(compose: Any) -> None:
    for service in compose["services"].values():
        image = service.get("image", "tidegate")
        assert image == "tidegate" or (":" in image and not image.endswith(":latest"))


def test_the_simulated_controllers_know_their_command(compose: Any) -> None:
    command = get_command(application())
    arguments = list(compose["services"]["domain-controllers"]["command"])
    while hasattr(command, "commands"):
        command = command.commands[arguments.pop(0)]
    parsed = command.make_context("tidegate", arguments).params
    assert parsed["target"] == "tcp://siem:514"


def test_the_siem_s_configuration_is_one(tmp_path: Path) -> None:
    peer = peers.rsyslogd()
    conf = tmp_path / "siem.conf"
    text = (DEPLOY / "siem/rsyslog.conf").read_text()
    conf.write_text(text.replace("/var/spool/rsyslog", str(tmp_path)))
    judged = subprocess.run([*peer.command, "-N1", "-f", str(conf)], env=peer.environment, capture_output=True, text=True, check=False)
    assert judged.returncode == 0, judged.stderr
    ports = [address.port for _, transport, address in addresses(load(DEPLOY / "tidegate.toml", {})) if transport is Transport.TCP]
    assert [f'target="tidegate" port="{port}"' for port in ports if f'target="tidegate" port="{port}"' in text]


def test_grafana_is_given_what_it_provisions(compose: Any) -> None:
    mounts = {target: source for source, target, _ in (mount.split(":") for mount in compose["services"]["grafana"]["volumes"])}
    home = compose["services"]["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    [provider] = yaml.safe_load((DEPLOY / "grafana/dashboards.yaml").read_text())["providers"]
    assert Path(home).parent == Path(provider["options"]["path"])
    assert mounts[home] == "./grafana/tidegate.json"
    [source] = yaml.safe_load((DEPLOY / "grafana/datasources.yaml").read_text())["datasources"]
    assert source["url"] == "http://prometheus:9090"


def test_what_the_controllers_send_comes_out_of_the_gateway(compose: Any, tmp_path: Path) -> None:
    """The chain on this machine: simulated controllers, a real rsyslog with the SIEM's configuration, the gateway with its own."""
    config = tmp_path / "tidegate.toml"
    config.write_text(re.sub(r"0\.0\.0\.0:[0-9]+", "127.0.0.1:0", (DEPLOY / "tidegate.toml").read_text()).replace("/var/lib/tidegate", str(tmp_path)))
    arguments = compose["services"]["domain-controllers"]["command"]
    with running_gateway(config, ready=3) as gateway:
        _, port = gateway.address("listeners.syslog", "tcp")
        text = (DEPLOY / "siem/rsyslog.conf").read_text().replace("/var/spool/rsyslog", str(tmp_path))
        text = text.replace('port="514"', f'port="0" listenPortFileName="{tmp_path}/port"').replace(
            'target="tidegate" port="5514"', f'target="127.0.0.1" port="{port}"'
        )
        (tmp_path / "siem.conf").write_text(text)
        peer = peers.rsyslogd()
        with subprocess.Popen([*peer.command, "-n", "-f", str(tmp_path / "siem.conf"), "-i", str(tmp_path / "pid")], env=peer.environment) as siem:
            try:
                while not ((tmp_path / "port").exists() and (tmp_path / "port").read_text().strip()):
                    assert siem.poll() is None
                target = f"tcp://127.0.0.1:{(tmp_path / 'port').read_text().strip()}"
                sent = [target if argument == "tcp://siem:514" else argument for argument in arguments]
                assert main([*sent, "--count", "20", "--rate", "max"]) == 0
                gateway.await_received(20)
                assert gateway.counters("rejected_total") == {}
                gateway.await_delivered(20)
            finally:
                siem.terminate()
        assert gateway.stop() == 0
