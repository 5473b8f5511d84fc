"""Variables of the pods are settings that the code reads, with values that it takes."""

import json
from pathlib import Path

import pytest
import trustme
from chart import CASES, CHART, containers, environment, main_container, rendered, workloads
from pydantic_settings import BaseSettings

from gateway.settings import Settings
from services.refinement.settings import RefinementSettings
from services.vlm.settings import VlmSettings

SETTINGS: dict[str, type[BaseSettings]] = {"gateway": Settings, "vlm": VlmSettings, "refinement": RefinementSettings}
TLS = {"tls_certificate", "tls_key", "tls_client_ca", "health_port"}
SET_BY_THE_CHART = {
    "gateway": TLS | {
        "peer_ca", "peer_certificate", "peer_key",
        "address", "metrics_port", "data_folder", "database_url", "store_url", "executor_id", "vlm_address",
        "part_dit_address", "texture_address", "refinement_address", "triton_shared_memory", "admin_address",
        "replicas",
    },
    "vlm": TLS | {
        "address", "metrics_port", "plan_folder", "editor_folder", "device",
        "plan_server", "plan_model", "plan_digest", "plan_api_key",
        "editor_server", "editor_model", "editor_digest", "editor_api_key",
    },
    "refinement": TLS | {"address", "metrics_port", "device"},
}  # fmt: skip
WITHOUT_USE = {"gateway": {"triton_address", "triton_repository"}}
"""Each Triton has a place of its own, and a repository that no gateway sees."""


def prefix(name: str) -> str:
    return str(SETTINGS[name].model_config["env_prefix"])


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what cert-manager writes into a secret."""
    folder, authority = tmp_path_factory.mktemp("tls"), trustme.CA()
    leaf = authority.issue_cert("spark-gateway")
    (folder / "tls.crt").write_bytes(leaf.cert_chain_pems[0].bytes())
    (folder / "tls.key").write_bytes(leaf.private_key_pem.bytes())
    (folder / "ca.crt").write_bytes(authority.cert_pem.bytes())
    return folder


@pytest.mark.parametrize(("case", "name"), [(case, name) for case in CASES for name in SETTINGS])
def test_the_code_takes_every_variable(
    case: str, name: str, monkeypatch: pytest.MonkeyPatch, certificate: Path
) -> None:
    variables = environment(workloads(rendered(case))[name])
    ours = {key: value for key, value in variables.items() if key.startswith("SPARK_")}
    ours = {key: value.replace("/tls/", f"{certificate}/") for key, value in ours.items()}
    fields = SETTINGS[name].model_fields.keys()
    assert {key.removeprefix(prefix(name)).lower() for key in ours} <= fields
    for key, value in ours.items():
        monkeypatch.setenv(key, value)
    read = SETTINGS[name]()
    for key, value in ours.items():
        assert str(getattr(read, key.removeprefix(prefix(name)).lower())).lower() in (value.lower(), f"{value}.0")


@pytest.mark.parametrize("case", CASES)
def test_no_container_is_given_a_variable_of_another(case: str) -> None:
    for name, one in workloads(rendered(case)).items():
        for container in containers(one):
            own = {entry["name"] for entry in container.get("env", []) if entry["name"].startswith("SPARK_")}
            assert not own or all(key.startswith(prefix(name)) for key in own)


@pytest.mark.parametrize("name", SETTINGS)
def test_every_setting_is_the_charts_or_the_operators(name: str) -> None:
    schema = json.loads((CHART / "values.schema.json").read_text())
    offered = schema["properties"][name]["properties"]["settings"]["properties"].keys()
    assert offered.isdisjoint(SET_BY_THE_CHART[name])
    assert offered | SET_BY_THE_CHART[name] | WITHOUT_USE.get(name, set()) == SETTINGS[name].model_fields.keys()


def test_what_operators_keep_secret_comes_by_reference() -> None:
    one = workloads(rendered("production"))["gateway"]
    (container,) = containers(one)
    url = next(entry for entry in container["env"] if entry["name"] == "SPARK_GATEWAY_DATABASE_URL")
    assert url["valueFrom"] == {"secretKeyRef": {"name": "spark-postgres", "key": "url"}}
    assert container["envFrom"] == [{"secretRef": {"name": "spark-s3"}}]


def test_the_key_of_the_editor_server_comes_by_reference() -> None:
    container = main_container(workloads(rendered("everything"))["vlm"])
    key = next(entry for entry in container["env"] if entry["name"] == "SPARK_VLM_EDITOR_API_KEY")
    assert key["valueFrom"] == {"secretKeyRef": {"name": "edits", "key": "api-key"}}


def test_a_replica_keeps_its_name_over_a_crash() -> None:
    one = workloads(rendered("production"))["gateway"]
    (container,) = containers(one)
    name = next(entry for entry in container["env"] if entry["name"] == "SPARK_GATEWAY_EXECUTOR_ID")
    assert one["kind"] == "StatefulSet"
    assert name["valueFrom"] == {"fieldRef": {"fieldPath": "metadata.name"}}
