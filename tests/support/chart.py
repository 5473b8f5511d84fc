"""The chart as Helm renders it: objects of a profile, or of any values."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

CHART = Path(__file__).parents[2] / "helm/spark"
HELM = Path(sys.executable).parent / "helm"
NAMESPACE = "robots"
RELEASE = "spark"
PROFILES = ("local", "gpu", "production")
MODEL_SERVERS = ("vlm", "part_dit", "texture", "refinement")
COMPONENTS = ("gateway", *MODEL_SERVERS)
SOURCE = {"url": "s3://weights/full/plan-8b", "digest": "a" * 64}
EDITOR_SERVER = "http://vllm-omni.models.svc:8000/"
VERSIONS = [
    {"version": "1", "url": "s3://weights/full/part-1", "digest": "b" * 64},
    {"version": "3", "url": "s3://weights/full/part-3", "digest": "c" * 64},
]

Values = dict[str, Any]
Object = dict[str, Any]


class ChartRefused(Exception):
    """Helm's message about values that it does not take."""


def helm(*arguments: str, values: Values | None = None) -> str:
    """Run helm on the chart.

    Raises:
        ChartRefused: it ends with an error.
    """
    command = [str(HELM), *arguments, *(["-f", "-"] if values is not None else [])]
    done = subprocess.run(command, input=json.dumps(values), capture_output=True, text=True, check=False)
    if done.returncode:
        raise ChartRefused(done.stdout + done.stderr)
    return done.stdout


def render(profile: str = "", values: Values | None = None, release: str = RELEASE) -> list[Object]:
    """All objects of a profile with values on top."""
    profiles = ["-f", str(CHART / f"values-{profile}.yaml")] if profile else []
    text = helm("template", release, str(CHART), "-n", NAMESPACE, *profiles, values=values or {})
    return [one for one in yaml.load_all(text, yaml.CSafeLoader) if one]


@lru_cache
def rendered(case: str) -> tuple[Object, ...]:
    """The objects of a named case, rendered once; do not change them."""
    return tuple(render(*CASES[case]))


def everything(cache: Values) -> Values:
    """Values on top of production that switch on what no profile does."""
    return {
        "vlm": {
            "weights": {"plan": SOURCE, "editor": SOURCE},
            "editorServer": {"url": EDITOR_SERVER, "digest": "d" * 64, "secret": "edits"},
            "autoscaling": {"min": 0},
        },
        "part_dit": {"weights": VERSIONS, "autoscaling": {"min": 0}},
        "texture": {"weights": VERSIONS[:1]},
        "weights": {"cache": cache},
        "images": {"pullSecrets": ["registry"], "prefix": "registry.example.com/spark/"},
        "route": {"kind": "HTTPRoute"},
    }


VLLM: Values = {"enabled": True, "weights": SOURCE, "apiKey": {"secret": "vllm", "key": "key"}}
WITH_VLLM: Values = {"vllm": VLLM, "vlm": {"weights": {"editor": SOURCE}}}

CASES: Mapping[str, tuple[str, Values]] = {
    "default": ("", {}),
    **{profile: (profile, {}) for profile in PROFILES},
    "everything": ("production", everything({"kind": "node"})),
    "weights on a claim": ("production", everything({"kind": "claim", "claim": "weights"})),
    "weights in the pod": ("production", everything({"kind": "pod"})),
    "public TLS": (
        "production",
        {"tls": {"public": "mutual", "dnsNames": ["spark.example.com"]}, "route": {"enabled": False}},
    ),
    "vllm": ("", {"vllm": VLLM}),
    "vllm in production": ("production", WITH_VLLM),
}


def components(case: str) -> tuple[str, ...]:
    """What a case deploys."""
    return (*COMPONENTS, "vllm") if case.startswith("vllm") else COMPONENTS


def of_kind(objects: tuple[Object, ...] | list[Object], *kinds: str) -> list[Object]:
    return [one for one in objects if one["kind"] in kinds]


def workloads(objects: tuple[Object, ...] | list[Object]) -> dict[str, Object]:
    """Deployments and the StatefulSet by component."""
    return {component(one): one for one in of_kind(objects, "Deployment", "StatefulSet")}


def component(one: Object) -> str:
    return str(one["metadata"]["labels"]["app.kubernetes.io/component"])


def pod(one: Object) -> Object:
    """The pod's spec of a workload."""
    spec: Object = one["spec"]["template"]["spec"]
    return spec


def containers(one: Object) -> Iterator[Object]:
    """A workload's containers, those that only start it included."""
    yield from pod(one).get("initContainers", [])
    yield from pod(one)["containers"]


def main_container(one: Object) -> Object:
    """The one container that stays."""
    (only,) = pod(one)["containers"]
    assert isinstance(only, dict)
    return only


def environment(one: Object) -> dict[str, str]:
    """Plain variables of a workload's main container; "" where a reference stands."""
    return {entry["name"]: entry.get("value", "") for entry in main_container(one).get("env", [])}
