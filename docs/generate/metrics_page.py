"""docs/reference/metrics.md: every metric, its labels and what it counts, as `pipeline/metrics.py` registers them; and the alerts on them."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import yaml
from cells import code

from pipeline.metrics import Metrics

ALERTS: Final = Path(__file__).parents[2] / "deploy/prometheus/alerts.yaml"
SECTIONS: Final = {"received": "What came in", "received_bytes": "The doors", "committed": "The spool", "delivered": "The destinations"}
"""Before which metric a section begins."""

HEAD: Final = """\
# Metrics

`GET /metrics` at the address of `[metrics]`, in Prometheus' text format. Counters begin at 0 with each start, labels have few values, and none names a host
or a user.

For each listener, at every moment: `received` = `normalized` + `duplicate` + `filtered` + `rejected` + `control`.
"""

ALERTING: Final = """\
## Alerts

`deploy/prometheus/alerts.yaml`; what each means and what to do is on [In a container](../operate/container.md#alerts).

| alert | for | when |
|---|---|---|
"""


def write_page() -> str:
    """The whole page."""
    lines = [HEAD.rstrip("\n")]
    for metric in Metrics().registry.collect():
        name = metric.name.removeprefix("tidegate_")
        if name in SECTIONS:
            lines += ["", f"## {SECTIONS[name]}", "", "| metric | kind | labels | |", "|---|---|---|---|"]
        shown = f"{metric.name}_total" if metric.type == "counter" else metric.name
        lines.append(f"| `{shown}` | {metric.type} | {' '.join(f'`{label}`' for label in _labels(shown))} | {metric.documentation} |")
    lines += ["", ALERTING.rstrip("\n")]
    for group in yaml.safe_load(ALERTS.read_text())["groups"]:
        lines += [_alert(rule) for rule in group["rules"] if "alert" in rule]
    return "\n".join(lines) + "\n"


def _labels(name: str) -> tuple[str, ...]:
    found = Metrics().registry._names_to_collectors[name]  # noqa: SLF001 - a metric without a sample shows its labels nowhere else
    return tuple(found._labelnames)  # type: ignore[attr-defined]  # noqa: SLF001 - as above


def _alert(rule: dict[str, Any]) -> str:
    return f"| `{rule['alert']}` | {rule.get('for', 'at once')} | {code(' '.join(rule['expr'].split()))} |"
