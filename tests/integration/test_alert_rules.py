"""The Prometheus rules that ship: they parse, fire when they should, and name metrics that exist."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from prometheus_client import CollectorRegistry, generate_latest

from transom.model.alert import AlertKind
from transom.observe.exits import ExitMetrics
from transom.observe.machines import MachineMetrics

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


def test_they_name_metrics_that_exist() -> None:
    registry = CollectorRegistry()
    ExitMetrics(registry)
    MachineMetrics(registry)
    exported = set(re.findall(r"^# TYPE (\w+)", generate_latest(registry).decode(), re.M))
    named = set(
        re.findall(r"\b(transom_\w+)", "\n".join(re.findall(r"expr:(?:.|\n)+?labels", RULES.read_text())))
    )
    assert named and named <= exported, named - exported
    kinds = set(re.findall(r'kind="(\w+)"', RULES.read_text()))
    assert kinds <= {kind.value for kind in AlertKind}
