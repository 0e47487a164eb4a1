"""The dashboard and the alerts ask for metrics that there are, with labels they have."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from gateway.config import load
from pipeline.condition import State
from pipeline.metrics import Metrics

DEPLOY: Final = Path(__file__).parents[2] / "deploy"
DASHBOARD: Final = DEPLOY / "grafana/tidegate.json"
ALERTS: Final = DEPLOY / "prometheus/alerts.yaml"

SUFFIXES: Final = {"counter": ("_total",), "gauge": ("",), "histogram": ("_bucket", "_sum", "_count")}
OF_PROMETHEUS: Final = frozenset({"instance", "job", "le"})


def known() -> Mapping[str, frozenset[str]]:
    """Labels of every series, by its name."""
    series = {}
    for attribute in vars(Metrics()).values():
        for kind, suffixes in SUFFIXES.items():
            if getattr(attribute, "_type", None) == kind:
                series.update({f"{attribute._name}{suffix}": frozenset(attribute._labelnames) for suffix in suffixes})
    return series


def loaded(path: Path) -> Any:
    return yaml.safe_load(path.read_text())


def queries() -> Iterator[tuple[str, str, str]]:
    """(where, expression, text that names labels) of every query there is."""
    dashboard = json.loads(DASHBOARD.read_text())
    for panel in dashboard["panels"]:
        for target in panel.get("targets", ()):
            yield panel["title"], target["expr"], " ".join(re.findall(r"{{\s*(\w+)\s*}}", target["legendFormat"]))
    for variable in dashboard["templating"]["list"]:
        if variable["type"] == "query":
            yield variable["name"], variable["definition"].removeprefix("label_values(").partition(",")[0], ""
    for group in loaded(ALERTS)["groups"]:
        for rule in group["rules"]:
            yield rule["alert"], rule["expr"], " ".join(re.findall(r"\$labels\.(\w+)", json.dumps(rule["annotations"])))


QUERIES: Final = [pytest.param(expression, shown.split(), id=where) for where, expression, shown in queries()]


@pytest.mark.parametrize(("expression", "shown"), QUERIES)
def test_a_query_is_about_series_and_labels_that_exist(expression: str, shown: list[str]) -> None:
    series = known()
    named = re.findall(r"\btidegate_\w+", expression.replace('job="tidegate"', ""))
    assert set(named) <= set(series)
    assert named or expression.startswith("up{")
    labels = set(OF_PROMETHEUS).union(*(series[name] for name in named))
    selected = {label for selector in re.findall(r"{([^}]*)}", expression) for label in re.findall(r"(\w+)\s*[=!]", selector)}
    grouped = {label.strip() for group in re.findall(r"\bby \(([^)]*)\)", expression) for label in group.split(",")}
    assert selected | grouped | set(shown) <= labels
    if grouped:
        assert set(shown) <= grouped, "a label that the sum has dropped is empty"
    assert expression.count("(") == expression.count(")")


def test_rates_are_of_counters_and_gauges_are_not() -> None:
    for parameters in QUERIES:
        expression = str(parameters.values[0])
        for function, name in re.findall(r"\b(rate|increase)?\(?(tidegate_\w+)", expression):
            assert bool(function) == name.endswith(("_total", "_bucket")), f"{name} in {expression}"


def test_states_in_alerts_are_states() -> None:
    listed = re.findall(r'tidegate_destination_state{state=~"([^"]*)"}', ALERTS.read_text())
    assert listed
    assert {state for text in listed for state in text.split("|")} <= set(State)


def test_every_alert_says_what_to_do() -> None:
    names = []
    for rule in loaded(ALERTS)["groups"][0]["rules"]:
        names.append(rule["alert"])
        assert rule["labels"]["severity"] in ("warning", "critical")
        assert set(rule["annotations"]) == {"summary", "action"}
    assert len(set(names)) == len(names)


def test_the_documentation_has_every_alert() -> None:
    page = (DEPLOY.parent / "docs/operate/container.md").read_text()
    assert [rule["alert"] for rule in loaded(ALERTS)["groups"][0]["rules"]] == re.findall(r"^\| `(Tidegate\w+)`", page, re.MULTILINE)


def test_panels_have_ids_and_places_of_their_own() -> None:
    panels = json.loads(DASHBOARD.read_text())["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    cells = [(x, y) for panel in panels for at in [panel["gridPos"]] for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])]
    assert len(set(cells)) == len(cells)
    assert max(x for x, _ in cells) < 24


def test_prometheus_scrapes_the_gateway_of_compose() -> None:
    metrics = load(DEPLOY / "tidegate.toml", {}).metrics
    assert metrics is not None
    [job] = loaded(DEPLOY / "prometheus/prometheus.yaml")["scrape_configs"]
    assert job["job_name"] == "tidegate"
    assert job["static_configs"] == [{"targets": [f"tidegate:{metrics.address.port}"]}]
