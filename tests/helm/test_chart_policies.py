"""What every rendered pod keeps to, whatever the values."""

import math
import re

import pytest
from chart import (
    CASES,
    COMPONENTS,
    NAMESPACE,
    PROFILES,
    VERSIONS,
    components,
    containers,
    main_container,
    of_kind,
    pod,
    rendered,
    workloads,
)

PODS = [(case, name) for case in CASES for name in components(case)]
UNITS = {"Mi": 2**20, "Gi": 2**30, "Ti": 2**40}


def amount(quantity: str) -> float:
    """A quantity of bytes."""
    return int(quantity[:-2]) * UNITS[quantity[-2:]]


@pytest.mark.parametrize("case", CASES)
def test_every_server_is_a_workload_of_its_own(case: str) -> None:
    kinds = {name: one["kind"] for name, one in workloads(rendered(case)).items()}
    assert kinds == {**dict.fromkeys(components(case), "Deployment"), "gateway": "StatefulSet"}


@pytest.mark.parametrize(("case", "name"), PODS)
def test_no_container_has_rights(case: str, name: str) -> None:
    one = workloads(rendered(case))[name]
    context = pod(one)["securityContext"]
    assert context["runAsNonRoot"] and context["runAsUser"] > 0
    assert context["seccompProfile"] == {"type": "RuntimeDefault"}
    assert pod(one)["automountServiceAccountToken"] is (name == "gateway")
    for container in containers(one):
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }


@pytest.mark.parametrize(("case", "name"), PODS)
def test_every_container_has_requests_and_limits(case: str, name: str) -> None:
    for container in containers(workloads(rendered(case))[name]):
        resources = container["resources"]
        assert {"cpu", "memory"} <= resources["requests"].keys() & resources["limits"].keys()
        assert amount(resources["requests"]["memory"]) <= amount(resources["limits"]["memory"])


@pytest.mark.parametrize(("case", "name"), PODS)
def test_every_server_is_probed_and_gets_time_to_start_and_to_drain(case: str, name: str) -> None:
    one = workloads(rendered(case))[name]
    container = main_container(one)
    start = container["startupProbe"]
    assert {"readinessProbe", "livenessProbe"} <= container.keys()
    assert start["periodSeconds"] * start["failureThreshold"] >= 10
    pause = int(container["lifecycle"]["preStop"]["exec"]["command"][1])
    assert pod(one)["terminationGracePeriodSeconds"] > grace(container) + pause


def grace(container: dict) -> float:
    """How long a server may take after SIGTERM, by its own configuration [s]."""
    told = [str(entry.get("value")) for entry in container["env"] if entry["name"].endswith("_GRACE_SECONDS")]
    told += [
        text.partition("=")[2]
        for text in container.get("args", [])
        if re.match("--(exit-timeout-secs|shutdown-timeout)=", text)
    ]
    (seconds,) = told
    return float(seconds)


@pytest.mark.parametrize(("case", "name"), PODS)
def test_probes_ask_ports_that_the_container_opens(case: str, name: str) -> None:
    container = main_container(workloads(rendered(case))[name])
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        if "grpc" in container[probe]:
            assert container[probe]["grpc"]["port"] == ports.get("health", ports["grpc"])
        else:
            assert container[probe]["httpGet"]["port"] in ports


@pytest.mark.parametrize(("case", "name"), PODS)
def test_every_mount_has_its_volume_and_every_volume_a_limit(case: str, name: str) -> None:
    one = workloads(rendered(case))[name]
    volumes = {volume["name"]: volume for volume in pod(one)["volumes"]}
    claims = {claim["metadata"]["name"] for claim in one["spec"].get("volumeClaimTemplates", [])}
    mounted = {mount["name"] for container in containers(one) for mount in container.get("volumeMounts", [])}
    assert mounted == volumes.keys() | claims
    assert all("sizeLimit" in volume["emptyDir"] for volume in volumes.values() if "emptyDir" in volume)


@pytest.mark.parametrize(
    ("case", "name"), [(case, name) for case, name in PODS if name in ("part_dit", "texture", "vllm")]
)
def test_what_talks_through_it_has_shared_memory_within_its_memory_limit(case: str, name: str) -> None:
    one = workloads(rendered(case))[name]
    (volume,) = [volume for volume in pod(one)["volumes"] if volume.get("emptyDir", {}).get("medium") == "Memory"]
    assert {"name": volume["name"], "mountPath": "/dev/shm"} in main_container(one)["volumeMounts"]
    assert amount(volume["emptyDir"]["sizeLimit"]) < amount(main_container(one)["resources"]["limits"]["memory"]) / 2


@pytest.mark.parametrize("case", CASES)
def test_the_gateway_may_see_endpoints_and_nobody_has_another_right(case: str) -> None:
    objects = rendered(case)
    (role,), (binding,) = of_kind(objects, "Role"), of_kind(objects, "RoleBinding")
    endpoints = {"apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"], "verbs": ["list"]}
    assert role["rules"] == [endpoints]  # what gateway/cluster.py asks for
    assert binding["roleRef"]["name"] == role["metadata"]["name"]
    gateway = pod(workloads(objects)["gateway"])["serviceAccountName"]
    assert binding["subjects"] == [{"kind": "ServiceAccount", "name": gateway, "namespace": NAMESPACE}]
    assert of_kind(objects, "ClusterRole", "ClusterRoleBinding") == []


@pytest.mark.parametrize("case", CASES)
def test_each_server_has_an_account_of_its_own(case: str) -> None:
    objects = rendered(case)
    accounts = {one["metadata"]["name"] for one in of_kind(objects, "ServiceAccount")}
    used = [pod(one)["serviceAccountName"] for one in workloads(objects).values()]
    assert sorted(used) == sorted(accounts)


@pytest.mark.parametrize("case", CASES)
def test_no_secret_is_written_out(case: str) -> None:
    assert of_kind(rendered(case), "Secret") == []


@pytest.mark.parametrize("profile", PROFILES)
def test_every_server_may_be_disrupted_one_at_a_time(profile: str) -> None:
    budgets = of_kind(rendered(profile), "PodDisruptionBudget")
    assert len(budgets) == len(COMPONENTS)
    assert {budget["spec"]["maxUnavailable"] for budget in budgets} == {1}


def test_gpus_are_asked_for_where_the_profile_names_them() -> None:
    for name, one in workloads(rendered("gpu")).items():
        limits = main_container(one)["resources"]["limits"]
        assert limits.get("nvidia.com/gpu") == (None if name == "gateway" else "1")


def test_production_survives_a_node() -> None:
    for name, one in workloads(rendered("vllm in production")).items():
        spread = {entry["topologyKey"]: entry["whenUnsatisfiable"] for entry in pod(one)["topologySpreadConstraints"]}
        assert spread.keys() == {"kubernetes.io/hostname", "topology.kubernetes.io/zone"}
        assert pod(one)["priorityClassName"] == f"spark-{'gateway' if name == 'gateway' else 'models'}"
    scaled = of_kind(rendered("vllm in production"), "ScaledObject")
    assert len(scaled) == len(COMPONENTS) + 1
    assert min(one["spec"]["minReplicaCount"] for one in scaled) >= 2


def test_a_start_may_last_as_long_as_the_values_say() -> None:
    start = main_container(workloads(rendered("production"))["vlm"])["startupProbe"]
    assert math.isclose(start["periodSeconds"] * start["failureThreshold"], 900)


@pytest.mark.parametrize(
    ("case", "kind"),
    [
        ("everything", "hostPath"),
        ("weights on a claim", "persistentVolumeClaim"),
        ("weights in the pod", "emptyDir"),
    ],
)
def test_fetched_weights_lie_where_the_cache_is(case: str, kind: str) -> None:
    for name in ("vlm", "part_dit", "texture"):
        (volume,) = [one for one in pod(workloads(rendered(case))[name])["volumes"] if one["name"] == "weights"]
        assert kind in volume


def test_weights_are_fetched_by_digest_and_only_written_by_what_fetches_them() -> None:
    one = workloads(rendered("everything"))["part_dit"]
    fetching, *_ = pod(one)["initContainers"]
    assert fetching["args"] == [f"{version['url']}={version['digest']}" for version in VERSIONS]
    (mount,) = [mount for mount in main_container(one)["volumeMounts"] if mount["name"] == "weights"]
    assert mount["readOnly"] is True


def test_weights_in_the_image_need_no_start_container() -> None:
    assert [name for name, one in workloads(rendered("default")).items() if pod(one).get("initContainers")] == []
