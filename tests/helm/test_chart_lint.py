"""helm lint --strict, and the chart's answers to values that are wrong."""

import re

import pytest
from chart import CHART, MODEL_SERVERS, PROFILES, SOURCE, VERSIONS, VLLM, ChartRefused, Values, helm, render

ENABLED = {"enabled": True, "min": 1, "max": 4, "target": 2}
MONITORED: Values = {"monitoring": {"serviceMonitors": True}}


@pytest.mark.parametrize("profile", ["", *PROFILES])
def test_lint_finds_nothing(profile: str) -> None:
    values = ["-f", str(CHART / f"values-{profile}.yaml")] if profile else []
    helm("lint", "--strict", str(CHART), *values)


@pytest.mark.parametrize(
    ("values", "place"),
    [
        ({"gatway": {}}, "gatway"),
        ({"vlm": {"replica": 2}}, "replica"),
        ({"vlm": {"settings": {"thread": 2}}}, "thread"),
        ({"gateway": {"settings": {"database_url": "postgres://user:password@host"}}}, "database_url"),
        ({"gateway": {"replicas": 0}}, "gateway.replicas"),
        ({"refinement": {"settings": {"renderer": "opengl"}}}, "refinement.settings.renderer"),
        ({"gateway": {"settings": {"guidance_scale": 0.5}}}, "gateway.settings.guidance_scale"),
        ({"part_dit": {"weights": [{**VERSIONS[0], "digest": "sha256:abc"}]}}, "part_dit.weights.0.digest"),
        ({"part_dit": {"weights": [{**VERSIONS[0], "version": "latest"}]}}, "part_dit.weights.0.version"),
        ({"gateway": {"store": {"environment": {"AWS_SECRET_ACCESS_KEY": "x"}}}}, "gateway.store.environment"),
        ({"texture": {"sharedMemory": "lots"}}, "texture.sharedMemory"),
        ({"vlm": {"image": {"digest": "sha256:12"}}}, "vlm.image.digest"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_value_that_the_schema_does_not_know_is_named(values: Values, place: str) -> None:
    with pytest.raises(ChartRefused, match=re.escape(place)):
        render(values=values)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"gateway": {"replicas": 2}}, "gateway.database.secret"),
        ({"gateway": {"replicas": 2, "database": {"secret": "postgres"}}}, "gateway.store.url"),
        (
            {**MONITORED, "gateway": {"autoscaling": ENABLED}},
            "gateway.autoscaling.max is more than 1: they share a Post",
        ),
        ({**MONITORED, "gateway": {"autoscaling": {**ENABLED, "min": 0, "max": 1}}}, "gateway.autoscaling.min is 0"),
        ({"gateway": {"store": {"secret": "s3"}}}, "gateway.store.url, which is empty"),
        ({"vlm": {"weights": {"plan": SOURCE}}}, "both come from the object storage"),
        ({"vlm": {"weights": {"plan": {**SOURCE, "digest": ""}, "editor": SOURCE}}}, "vlm.weights.plan needs url and"),
        ({"vllm": {"enabled": True}}, "vllm.weights.url"),
        ({"vllm": {**VLLM, "gpu": {"count": 0}}}, "vLLM's image needs a GPU"),
        ({"vllm": VLLM, "vlm": {"weights": {"plan": SOURCE, "editor": SOURCE}}}, "leave vlm.weights.plan empty"),
        ({"texture": {"weights": [VERSIONS[0], VERSIONS[0]]}}, "texture.weights names version 1 twice"),
        ({**MONITORED, "vlm": {"autoscaling": {**ENABLED, "min": 5}}}, "vlm.autoscaling.min is more than max"),
        ({**MONITORED, "part_dit": {"autoscaling": {**ENABLED, "min": 0}}}, "gateway.settings.stage_attempts"),
        ({"refinement": {"autoscaling": ENABLED}}, "monitoring.serviceMonitors"),
        ({"texture": {"weights": VERSIONS}, "weights": {"cache": {"kind": "claim"}}}, "weights.cache.claim"),
        ({"route": {"enabled": True}}, "route.parentRefs"),
        ({"tls": {"enabled": True}}, "tls.issuer.name"),
        ({"tls": {"duration": "24h", "renewBefore": "24h"}}, "tls.renewBefore is not less than tls.duration"),
        ({"tls": {"public": "server"}}, "tls.public needs tls.enabled"),
        ({"tls": {"enabled": True, "public": "server"}, "route": {"enabled": True}}, "set tls.public to none"),
        ({"priorityClasses": {"gateway": 1}}, "priorityClasses.gateway must be higher"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_values_that_contradict_each_other_are_refused(values: Values, message: str) -> None:
    with pytest.raises(ChartRefused, match=f"(?s)these values contradict each other:\n- .*{re.escape(message)}"):
        render(values=values)


def test_all_contradictions_come_in_one_message() -> None:
    with pytest.raises(ChartRefused) as refused:
        render(values={"gateway": {"replicas": 2}, "route": {"enabled": True}})
    assert str(refused.value).count("\n- ") == 3


@pytest.mark.parametrize("name", MODEL_SERVERS)
def test_where_keda_sets_the_replicas_the_deployment_does_not(name: str) -> None:
    objects = render(values={**MONITORED, name: {"autoscaling": ENABLED}})
    fixed = {one["metadata"]["name"] for one in objects if one["kind"] == "Deployment" and "replicas" in one["spec"]}
    assert len(fixed) == len(MODEL_SERVERS) - 1
    assert f"spark-{name.replace('_', '-')}" not in fixed
