"""The policies allow the arrows that the code draws, and nothing else."""

from collections.abc import Mapping
from itertools import product
from urllib.parse import urlsplit

import pytest
from chart import CASES, components, environment, main_container, of_kind, render, rendered, workloads

from gateway.settings import Settings
from services.refinement.settings import RefinementSettings
from services.vlm.settings import VlmSettings

Arrow = tuple[str, str, int]
"""Who calls whom, at which port."""


def selected(selector: Mapping, labels: Mapping) -> bool:
    return all(labels.get(key) == value for key, value in selector.get("matchLabels", {}).items())


def labels(case: str, name: str) -> dict[str, str]:
    found: dict[str, str] = workloads(rendered(case))[name]["spec"]["template"]["metadata"]["labels"]
    return found


def lets(rules: list[dict], peers: str, other: Mapping, port: int) -> bool:
    """Whether rules of one direction let a pod of this namespace through at a port."""
    return any(
        port in [entry["port"] for entry in rule["ports"]]
        and any("podSelector" in peer and selected(peer["podSelector"], other) for peer in rule.get(peers, []))
        for rule in rules
    )


def allowed(case: str, caller: str, called: str, port: int) -> bool:
    policies = [one["spec"] for one in of_kind(rendered(case), "NetworkPolicy")]
    out = [one for one in policies if selected(one["podSelector"], labels(case, caller))]
    into = [one for one in policies if selected(one["podSelector"], labels(case, called))]
    assert out and into, "a pod without a policy is open"
    return any(lets(one["egress"], "to", labels(case, called), port) for one in out) and any(
        lets(one["ingress"], "from", labels(case, caller), port) for one in into
    )


def service_of(case: str, caller: str, address: str) -> Arrow:
    """The component and container port behind a Service's address, and who calls it."""
    host, _, port = address.partition(":")
    (service,) = [one for one in of_kind(rendered(case), "Service") if one["metadata"]["name"] == host]
    (target,) = [one["targetPort"] for one in service["spec"]["ports"] if one["port"] == int(port)]
    (name,) = [
        name for name in components(case) if selected({"matchLabels": service["spec"]["selector"]}, labels(case, name))
    ]
    ports = {one["name"]: one["containerPort"] for one in main_container(workloads(rendered(case))[name])["ports"]}
    return caller, name, ports[target]


def arrows(case: str) -> set[Arrow]:
    """Who calls whom, by the variables that the gateway and the vlm server are given."""
    variables = environment(workloads(rendered(case))["gateway"])
    own = {"SPARK_GATEWAY_ADDRESS", "SPARK_GATEWAY_ADMIN_ADDRESS"}
    addresses = [value for key, value in variables.items() if key.endswith("_ADDRESS") and key not in own]
    found = {service_of(case, "gateway", address) for address in addresses}
    if url := environment(workloads(rendered(case))["vlm"]).get("SPARK_VLM_PLAN_SERVER"):
        found.add(service_of(case, "vlm", str(urlsplit(url).netloc)))
    return found


@pytest.mark.parametrize("case", CASES)
def test_model_releases_are_for_those_who_may_forward_a_port(case: str) -> None:
    address = environment(workloads(rendered(case))["gateway"])["SPARK_GATEWAY_ADMIN_ADDRESS"]
    host, _, port = address.partition(":")
    assert host == "127.0.0.1"
    services = of_kind(rendered(case), "Service")
    assert int(port) not in {one["port"] for service in services for one in service["spec"]["ports"]}


def test_the_gateway_is_told_where_every_service_is_that_its_settings_name() -> None:
    fields = {name for name in Settings.model_fields if name.endswith("_address")} - {"triton_address"}
    told = {
        key.removeprefix("SPARK_GATEWAY_").lower() for key in environment(workloads(rendered("default"))["gateway"])
    }
    assert fields <= told  # triton_address is for models without a server of their own


@pytest.mark.parametrize("settings", [VlmSettings, RefinementSettings])
def test_services_call_nobody_but_model_servers(settings: type) -> None:
    called = [name for name in settings.model_fields if name.endswith(("address", "url", "_server"))]
    assert called == ["address", *(["plan_server", "editor_server"] if settings is VlmSettings else [])]


@pytest.mark.parametrize("case", CASES)
def test_exactly_the_arrows_of_the_code_are_open(case: str) -> None:
    real = arrows(case)
    assert {called for _, called, _ in real} == {*components(case)} - {"gateway"}
    ports = {
        (name, port["containerPort"])
        for name in components(case)
        for port in main_container(workloads(rendered(case))[name])["ports"]
    }
    pairs = [(caller, called, port) for caller, (called, port) in product(components(case), ports) if caller != called]
    assert {arrow for arrow in pairs if allowed(case, *arrow)} == real


@pytest.mark.parametrize("case", CASES)
def test_model_servers_reach_nothing_unless_they_call_or_fetch_weights(case: str) -> None:
    for policy in of_kind(rendered(case), "NetworkPolicy"):
        name = policy["metadata"]["labels"]["app.kubernetes.io/component"]
        fetches = "initContainers" in workloads(rendered(case))[name]["spec"]["template"]["spec"]
        asks = "SPARK_VLM_EDITOR_SERVER" in environment(workloads(rendered(case))[name])
        assert policy["spec"]["policyTypes"] == ["Ingress", "Egress"]
        if name != "gateway":
            calls = name in {caller for caller, _, _ in arrows(case)}
            assert bool(policy["spec"]["egress"]) == (fetches or calls or asks)


def test_the_vlm_reaches_its_editor_server_and_its_name_and_nothing_else() -> None:
    server = {"port": 8080, "to": [{"podSelector": {"matchLabels": {"app": "vllm-omni"}}}]}
    objects = render(
        values={"vlm": {"editorServer": {"url": "http://edits:8080"}}, "networkPolicy": {"editorServer": server}}
    )
    (policy,) = [one for one in of_kind(objects, "NetworkPolicy") if one["metadata"]["name"] == "spark-vlm"]
    edits, names = policy["spec"]["egress"]
    assert edits == {"ports": [{"protocol": "TCP", "port": 8080}], "to": server["to"]}
    assert [port["port"] for port in names["ports"]] == [53, 53]


def test_only_the_named_clients_call_the_gateway_in_production() -> None:
    (policy,) = [
        one for one in of_kind(rendered("production"), "NetworkPolicy") if one["metadata"]["name"] == "spark-gateway"
    ]
    (rule,) = [one for one in policy["spec"]["ingress"] if one["ports"][0]["port"] == 50050]
    assert rule["from"] == [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "gateway-system"}}}]
