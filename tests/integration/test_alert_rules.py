"""The Prometheus rules and the Grafana dashboard that ship: they parse, fire when they should, name what exists."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

from prometheus_client import generate_latest

from transom.model.alert import AlertKind
from transom.observe.exits import ExitMetrics
from transom.observe.machines import MachineMetrics
from transom.observe.metrics import Metrics
from transom.observe.quality import QualityMetrics

FOLDER = Path(__file__).resolve().parents[2] / "deploy" / "prometheus"
RULES = FOLDER / "transom.rules.yml"


def promtool(*words: str) -> None:
    ran = subprocess.run(["promtool", *words], cwd=FOLDER, capture_output=True, text=True, timeout=120)
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_the_rules_are_rules() -> None:
    promtool("check", "rules", RULES.name)


def test_they_fire_when_they_should_and_not_before() -> None:
    promtool("test", "rules", "transom.rules.test.yml")


def test_every_rule_is_tested() -> None:
    alerts = set(re.findall(r"- alert: (\w+)", RULES.read_text()))
    tested = set(re.findall(r"alertname: (\w+)", (FOLDER / "transom.rules.test.yml").read_text()))
    assert alerts == tested


def exported() -> set[str]:
    """Names that Prometheus has of `GET /metrics`."""
    metrics = Metrics()
    ExitMetrics(metrics.registry)
    MachineMetrics(metrics.registry)
    QualityMetrics(metrics.registry)
    types = re.findall(r"^# TYPE (\w+) (\w+)", generate_latest(metrics.registry).decode(), re.M)
    parts = {
        name + end for name, kind in types if kind == "histogram" for end in ("_bucket", "_sum", "_count")
    }
    return {name for name, _ in types} | parts


def test_they_name_metrics_that_exist() -> None:
    named = set(
        re.findall(r"\b(transom_\w+)", "\n".join(re.findall(r"expr:(?:.|\n)+?labels", RULES.read_text())))
    )
    assert named and named <= exported(), named - exported()
    kinds = set(re.findall(r'kind="(\w+)"', RULES.read_text()))
    assert kinds <= {kind.value for kind in AlertKind}


def test_the_dashboard_names_metrics_that_exist() -> None:
    dashboard = json.loads((FOLDER.parent / "grafana" / "transom.json").read_text())
    asked = [target["expr"] for panel in dashboard["panels"] for target in panel.get("targets", [])]
    named = set(re.findall(r"\b(transom_\w+)", "\n".join(asked)))
    assert len(asked) >= 10 and named <= exported(), named - exported()
    places = [tuple(panel["gridPos"].values()) for panel in dashboard["panels"]]
    assert len(set(places)) == len(places)
    assert len({panel["id"] for panel in dashboard["panels"]}) == len(places)
