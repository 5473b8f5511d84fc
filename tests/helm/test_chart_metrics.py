"""Queries of autoscaling, alerts and dashboard ask for series that the servers really show."""

import json
import re
import shutil
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from chart import COMPONENTS, Object, component, of_kind, render, rendered, workloads
from prometheus_client import REGISTRY
from triton_server import MODELS, triton_server

import gateway.demand
import gateway.workflow
import serving.admission
import serving.interceptors
from serving.errors import Reason

TOY = """
class TritonPythonModel:
    def initialize(self, args):
        pass

    def execute(self, requests):
        return []
"""
HISTOGRAMS = (serving.interceptors.SECONDS, gateway.workflow.STAGE_SECONDS)
GAUGES = (serving.admission.PENDING, gateway.workflow.STAGE_OPERATIONS, gateway.demand.OPERATIONS)
STAGES = {"vlm": "plan|guide", "part_dit": "shape", "texture": "texture", "refinement": "refine"}
SERIES = re.compile(r"\b((?:spark|nv|process)_[a-z_]+|up)\b(?:\{([^}]*)\})?")
LABEL = re.compile(r'([a-z_]+)(?:=~|!~|!=|=)"([^"]*)"')
OF_PROMETHEUS = {"namespace", "service", "job", "pod"}
"""Labels that the Prometheus operator adds to every series."""


def shown(text: str) -> dict[str, set[str]]:
    """Series of a page of metrics, and their labels."""
    found: dict[str, set[str]] = {}
    for line in text.splitlines():
        if match := re.match(r"([a-z]\w*)(?:\{([^}]*)\})? ", line):
            found.setdefault(match[1], set()).update(name for name, _ in LABEL.findall(match[2] or ""))
    return found


def _page(url: str) -> str:
    """What a server shows that has just said that it starts to listen."""
    deadline = time.monotonic() + 30
    while True:
        try:
            with urllib.request.urlopen(url) as page:
                return str(page.read().decode())
        except urllib.error.URLError:
            assert time.monotonic() < deadline
            time.sleep(0.1)


@pytest.fixture(scope="module")
def series(tmp_path_factory: pytest.TempPathFactory) -> dict[str, set[str]]:
    """Every series that a server of ours shows: of the Python ones by their registry, of Triton by its metrics page."""
    ours = {
        f"{metric.describe()[0].name}_{part}": {*metric._labelnames, *(["le"] if part == "bucket" else [])}
        for metric in HISTOGRAMS
        for part in ("sum", "count", "bucket")
    } | {metric.describe()[0].name: set(metric._labelnames) for metric in GAUGES}
    own = {name: set() for collector in REGISTRY.collect() for name in [collector.name] if name.startswith("process_")}
    folder = tmp_path_factory.mktemp("repository")
    (folder / "part_dit/1").mkdir(parents=True)
    shutil.copy(MODELS / "part_dit/config.pbtxt", folder / "part_dit")
    (folder / "part_dit/1/model.py").write_text(TOY)
    with triton_server(folder, ["part_dit"], tmp_path_factory.mktemp("triton")) as server:
        server.wait_for_log("Started Metrics Service")
        (port,) = re.findall(r"Started Metrics Service at [\d.]+:(\d+)", server.log.read_text())
        triton = shown(_page(f"http://127.0.0.1:{port}/metrics"))
    return {**ours, **own, **triton, "up": set()}


def scaled() -> list[Object]:
    """ScaledObjects of every server, model servers from zero."""
    values = {
        name: {"autoscaling": {"enabled": True, "min": int(name == "gateway"), "max": 4, "target": 2}}
        for name in COMPONENTS
    }
    return of_kind(render("production", values), "ScaledObject")


def alerts() -> list[Object]:
    (rule,) = of_kind(rendered("production"), "PrometheusRule")
    found: list[Object] = rule["spec"]["groups"][0]["rules"]
    return found


def panels() -> list[Object]:
    (page,) = of_kind(rendered("production"), "ConfigMap")
    found: list[Object] = json.loads(page["data"]["spark.json"])["panels"]
    return found


def queries() -> Iterator[str]:
    for one in scaled():
        yield from (trigger["metadata"]["query"] for trigger in one["spec"]["triggers"])
    yield from (alert["expr"] for alert in alerts())
    yield from (target["expr"] for panel in panels() for target in panel["targets"])


def test_every_series_and_label_is_shown(series: dict[str, set[str]]) -> None:
    for query in queries():
        asked = SERIES.findall(query)
        assert asked, query
        for name, selector in asked:
            assert name in series, query
            assert {label for label, _ in LABEL.findall(selector)} <= series[name] | OF_PROMETHEUS, query


def test_every_model_server_scales_on_its_own_requests_and_wakes_on_the_gateways() -> None:
    for one in scaled():
        queries = {trigger["name"]: trigger["metadata"]["query"] for trigger in one["spec"]["triggers"]}
        if component(one) == "gateway":
            assert queries.keys() == {"demand"} and "spark_operations" in queries["demand"]
        else:
            assert one["metadata"]["name"] in queries["demand"]
            assert f'spark-gateway-pods",stage=~"{STAGES[component(one)]}"' in queries["operations"]


def test_the_thing_that_scales_exists_and_names_no_replicas_itself() -> None:
    objects = rendered("production")
    scaled = [one["spec"]["scaleTargetRef"] for one in of_kind(objects, "ScaledObject")]
    found = {(one["kind"], one["metadata"]["name"]): one for one in workloads(objects).values()}
    assert {(one["kind"], one["name"]) for one in scaled} == found.keys()
    assert all("replicas" not in one["spec"] for one in found.values())


def test_outcomes_are_reasons_that_the_code_gives() -> None:
    ours = {"ok", "cut off", *(reason.value for reason in Reason)}
    values = [value for query in queries() for value in re.findall(r'outcome(?:!~|=~|!=|=)"([^"]*)"', query)]
    assert {word for value in values for word in value.split("|")} <= ours


def test_every_alert_says_what_it_is_and_what_it_means() -> None:
    for alert in alerts():
        assert alert["labels"]["severity"] in ("warning", "critical")
        assert {"summary", "description"} <= alert["annotations"].keys()


def test_services_that_are_watched_exist() -> None:
    services = {one["metadata"]["name"] for one in of_kind(rendered("production"), "Service")}
    exact = {name for query in queries() for name in re.findall(r'service="([^"]*)"', query)}
    assert exact <= services


@pytest.mark.skipif(not shutil.which("promtool"), reason="promtool is not installed")
def test_promtool_takes_alerts_and_queries(tmp_path: Path) -> None:
    (rule,) = of_kind(rendered("production"), "PrometheusRule")
    (tmp_path / "alerts.yaml").write_text(yaml.safe_dump(rule["spec"]))
    recorded = [{"record": f"query:{number}", "expr": query} for number, query in enumerate(queries())]
    groups = {"groups": [{"name": "queries", "rules": recorded}]}
    (tmp_path / "queries.yaml").write_text(yaml.safe_dump(groups).replace("$namespace", "robots"))
    for name in ("alerts", "queries"):
        subprocess.run(["promtool", "check", "rules", str(tmp_path / f"{name}.yaml")], check=True, capture_output=True)
