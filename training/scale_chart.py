"""What the rendered chart says of scaling: each component's ScaledObject, GPUs and places, without Kubernetes."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

CHART = Path(__file__).parents[1] / "helm/spark"
COMPONENTS = ("gateway", "vlm", "part_dit", "texture", "refinement")


class NoScaling(ValueError):
    """The values leave a component without a ScaledObject."""


@dataclass(frozen=True)
class Policy:
    """How many replicas may come or go within a period: a number, or a share of those there are."""

    pods: int
    percent: float
    seconds: float


@dataclass(frozen=True)
class Scaling:
    """One component as the chart scales it.

    Attributes:
        fewest: replicas without demand.
        most: replicas at any demand.
        target: demand for each replica.
        polling: between two looks at the demand [s].
        cooldown: without demand before the last replica goes [s]; where `fewest` is 0.
        up, down: policies; the one that changes most counts.
        stabilisation: how long demand must have been lower before replicas go [s].
        gpus: of one replica.
        places: what one replica works on at once.
    """

    fewest: int
    most: int
    target: float
    polling: float
    cooldown: float
    up: tuple[Policy, ...]
    down: tuple[Policy, ...]
    stabilisation: float
    gpus: int
    places: int


def scalings(values: Sequence[Path]) -> dict[str, Scaling]:
    """Every component of the chart under these files of values.

    Raises:
        NoScaling: one of them has no ScaledObject.
        subprocess.CalledProcessError: Helm refuses the values; it says why on standard error.
    """
    helm = shutil.which("helm", path=f"{Path(sys.executable).parent}") or "helm"
    files = [argument for path in values for argument in ("-f", str(path))]
    command = [helm, "template", "spark", str(CHART), *files]
    text = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
    objects = [one for one in yaml.safe_load_all(text) if one]
    found = {}
    for name in COMPONENTS:
        mine = {one["kind"]: one for one in objects if _component(one) == name}
        if "ScaledObject" not in mine:
            raise NoScaling(f"{name}.autoscaling.enabled is false: there is nothing to simulate")
        workload = mine.get("StatefulSet") or mine["Deployment"]
        found[name] = _scaling(mine["ScaledObject"]["spec"], workload["spec"]["template"]["spec"]["containers"][0])
    return found


def _component(one: Mapping[str, Any]) -> str:
    return str(one["metadata"]["labels"].get("app.kubernetes.io/component", ""))


def _scaling(spec: Mapping[str, Any], container: Mapping[str, Any]) -> Scaling:
    behaviour = spec["advanced"]["horizontalPodAutoscalerConfig"]["behavior"]
    variables = {entry["name"]: entry.get("value", "") for entry in container["env"]}
    places = [int(value) for name, value in variables.items() if name.endswith("_CONCURRENCY")]
    return Scaling(
        fewest=spec["minReplicaCount"],
        most=spec["maxReplicaCount"],
        target=float(spec["triggers"][0]["metadata"]["threshold"]),
        polling=spec["pollingInterval"],
        cooldown=spec["cooldownPeriod"],
        up=_policies(behaviour["scaleUp"]),
        down=_policies(behaviour["scaleDown"]),
        stabilisation=behaviour["scaleDown"]["stabilizationWindowSeconds"],
        gpus=sum(int(count) for name, count in container["resources"]["limits"].items() if "/" in name),
        places=places[0] if places else 1,
    )


def _policies(rules: Mapping[str, Any]) -> tuple[Policy, ...]:
    return tuple(
        Policy(
            pods=one["value"] if one["type"] == "Pods" else 0,
            percent=one["value"] / 100 if one["type"] == "Percent" else 0.0,
            seconds=one["periodSeconds"],
        )
        for one in rules["policies"]
    )
