"""Every rendered object against the published schemas of its kind."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from chart import CASES, rendered
from kubernetes_schemas import VERSIONS, problems

CRDS = Path(__file__).parent / "crds"
FOREIGN = ("keda.sh", "monitoring.coreos.com", "gateway.networking.k8s.io", "cert-manager.io")
"""API groups that come with operators, not with Kubernetes."""


def distinct(foreign: bool) -> list[dict]:
    """The objects of all cases, foreign ones or Kubernetes' own, each once."""
    found = {json.dumps(one): one for case in CASES for one in rendered(case)}
    return [one for one in found.values() if (one["apiVersion"].partition("/")[0] in FOREIGN) == foreign]


@pytest.mark.parametrize("version", VERSIONS)
def test_kubernetes_takes_every_object(version: str) -> None:
    assert [problem for one in distinct(foreign=False) for problem in problems(one, version)] == []


def test_a_field_that_kubernetes_does_not_know_is_found() -> None:
    (service, *_) = [one for one in rendered("default") if one["kind"] == "Service"]
    wrong = {**service, "spec": {**service["spec"], "selectors": {}}}
    assert any("selectors" in problem for problem in problems(wrong, VERSIONS[0]))


@pytest.mark.skipif(not shutil.which("node") or not (CRDS / "node_modules").exists(), reason="make crd-models first")
def test_the_operators_models_take_every_object() -> None:
    objects = distinct(foreign=True)
    kinds = {one["kind"] for one in objects}
    assert kinds == {"ScaledObject", "ServiceMonitor", "PrometheusRule", "GRPCRoute", "HTTPRoute", "Certificate"}
    command = ["node", str(CRDS / "validate.mjs")]
    done = subprocess.run(command, input=json.dumps(objects), capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == []


@pytest.mark.parametrize("case", CASES)
def test_no_object_has_another_ones_name(case: str) -> None:
    names = [(one["kind"], one["metadata"]["name"]) for one in rendered(case)]
    assert len(names) == len(set(names))
