"""The manifests fit together: names, labels, ports, probes and the configuration, and the rules of the restricted pod security standard."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from gateway.addresses import addresses
from gateway.config import Config, load
from gateway.metrics_server import pages
from pipeline.metrics import Metrics
from pipeline.model import Transport
from pipeline.settings import parse_size

FOLDER: Final = Path(__file__).parents[2] / "deploy/kubernetes"

KINDS: Final = {
    "Namespace": "v1",
    "StatefulSet": "apps/v1",
    "Service": "v1",
    "PodDisruptionBudget": "policy/v1",
    "NetworkPolicy": "networking.k8s.io/v1",
    "Kustomization": "kustomize.config.k8s.io/v1beta1",
}
UNITS: Final = {"Mi": "MiB", "Gi": "GiB"}


def octets(quantity: str) -> int:
    return parse_size(f"{quantity[:-2]} {UNITS[quantity[-2:]]}")


@pytest.fixture(scope="module")
def manifests() -> list[Any]:
    return [document for path in sorted(FOLDER.glob("*.yaml")) for document in yaml.safe_load_all(path.read_text())]


def of_kind(manifests: list[Any], kind: str) -> list[Any]:
    return [manifest for manifest in manifests if manifest["kind"] == kind]


@pytest.fixture
def pod(manifests: list[Any]) -> Any:
    return of_kind(manifests, "StatefulSet")[0]["spec"]["template"]["spec"]


@pytest.fixture
def container(pod: Any) -> Any:
    [container] = pod["containers"]
    return container


@pytest.fixture
def config() -> Config:
    return load(FOLDER / "tidegate.toml", {})


def ports(container: Any) -> dict[str, tuple[str, int]]:
    return {port["name"]: (port["protocol"], port["containerPort"]) for port in container["ports"]}


def test_versions_are_those_of_the_kinds(manifests: list[Any]) -> None:
    assert {manifest["kind"]: manifest["apiVersion"] for manifest in manifests} == KINDS


def test_kustomize_has_every_file(manifests: list[Any]) -> None:
    [kustomization] = of_kind(manifests, "Kustomization")
    assert sorted([*kustomization["resources"], "kustomization.yaml"]) == sorted(path.name for path in FOLDER.glob("*.yaml"))
    assert [(generated["name"], generated["files"]) for generated in kustomization["configMapGenerator"]] == [("tidegate", ["tidegate.toml"])]


def test_everything_selects_the_pods(manifests: list[Any]) -> None:
    [stateful] = of_kind(manifests, "StatefulSet")
    labels = stateful["spec"]["template"]["metadata"]["labels"]
    assert stateful["spec"]["selector"]["matchLabels"] == labels
    assert [service["spec"]["selector"] for service in of_kind(manifests, "Service")] == [labels, labels]
    assert of_kind(manifests, "PodDisruptionBudget")[0]["spec"]["selector"]["matchLabels"] == labels
    assert of_kind(manifests, "NetworkPolicy")[0]["spec"]["podSelector"]["matchLabels"] == labels
    assert stateful["spec"]["serviceName"] in {
        service["metadata"]["name"] for service in of_kind(manifests, "Service") if service["spec"].get("clusterIP") == "None"
    }


def test_the_container_s_ports_are_where_the_gateway_listens(container: Any, config: Config) -> None:
    listening = {("UDP" if transport is Transport.UDP else "TCP", address.port) for _, transport, address in addresses(config)}
    assert set(ports(container).values()) == listening
    assert all(port > 1023 for _, port in listening), "it has no capability to bind others"


def test_services_and_policies_name_ports_of_the_container(manifests: list[Any], container: Any) -> None:
    [policy] = of_kind(manifests, "NetworkPolicy")
    named = [(port["targetPort"], port["protocol"]) for service in of_kind(manifests, "Service") for port in service["spec"]["ports"]]
    named += [(port["port"], port["protocol"]) for rule in policy["spec"]["ingress"] for port in rule["ports"]]
    assert {(name, ports(container)[name][0]) for name, _ in named} == set(named) == {(name, protocol) for name, (protocol, _) in ports(container).items()}


def test_senders_addresses_survive(manifests: list[Any]) -> None:
    [outside] = [service["spec"] for service in of_kind(manifests, "Service") if service["spec"].get("type") == "LoadBalancer"]
    assert (outside["externalTrafficPolicy"], outside["sessionAffinity"]) == ("Local", "ClientIP")


@pytest.mark.parametrize("probe", ["startupProbe", "livenessProbe", "readinessProbe"])
def test_probes_ask_for_pages_that_there_are(container: Any, probe: str) -> None:
    asked = container[probe]["httpGet"]
    assert asked["path"] == ("/readyz" if probe == "readinessProbe" else "/livez")
    assert asked["path"] in pages(Metrics(), list)
    assert asked["port"] == "metrics"


def test_the_pod_is_restricted(pod: Any, container: Any) -> None:
    """https://kubernetes.io/docs/concepts/security/pod-security-standards/, Restricted."""
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"] == {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}
    assert not {"hostNetwork", "hostPID", "hostIPC"} & set(pod)
    assert all({"configMap", "emptyDir"} & set(volume) for volume in pod["volumes"])


def test_its_user_is_the_image_s(pod: Any) -> None:
    dockerfile = (FOLDER.parents[1] / "Dockerfile").read_text()
    assert f"\nUSER {pod['securityContext']['runAsUser']}:{pod['securityContext']['runAsGroup']}\n" in dockerfile


def test_a_stop_has_the_time_it_needs(pod: Any, config: Config) -> None:
    assert pod["terminationGracePeriodSeconds"] > config.gateway.drain


def test_the_volume_has_room_for_the_spool(manifests: list[Any], container: Any, config: Config) -> None:
    [stateful] = of_kind(manifests, "StatefulSet")
    [claim] = stateful["spec"]["volumeClaimTemplates"]
    mounts = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
    assert str(config.gateway.state_dir).startswith(mounts[claim["metadata"]["name"]])
    assert octets(claim["spec"]["resources"]["requests"]["storage"]) > config.spool.max_bytes


def test_what_is_mounted_is_a_volume(manifests: list[Any], pod: Any, container: Any) -> None:
    claims = {claim["metadata"]["name"] for claim in of_kind(manifests, "StatefulSet")[0]["spec"]["volumeClaimTemplates"]}
    assert {mount["name"] for mount in container["volumeMounts"]} == claims | {volume["name"] for volume in pod["volumes"]}


def test_an_eviction_leaves_one(manifests: list[Any]) -> None:
    assert of_kind(manifests, "PodDisruptionBudget")[0]["spec"]["maxUnavailable"] < of_kind(manifests, "StatefulSet")[0]["spec"]["replicas"]
