"""Who speaks TLS with which certificate, as the chart lays it out."""

import pytest
from chart import (
    CASES,
    COMPONENTS,
    MODEL_SERVERS,
    component,
    environment,
    main_container,
    of_kind,
    pod,
    rendered,
    workloads,
)

WITH_TLS = [case for case in CASES if of_kind(rendered(case), "Certificate")]


def test_production_has_it_and_nothing_else_needs_cert_manager() -> None:
    assert "production" in WITH_TLS
    assert {"default", "local", "gpu"}.isdisjoint(WITH_TLS)


@pytest.mark.parametrize("case", WITH_TLS)
def test_each_server_mounts_the_secret_of_its_own_certificate(case: str) -> None:
    secrets = {component(one): one["spec"]["secretName"] for one in of_kind(rendered(case), "Certificate")}
    assert secrets.keys() == set(COMPONENTS)
    for name in COMPONENTS:  # vLLM speaks no TLS
        one = workloads(rendered(case))[name]
        (volume,) = [volume for volume in pod(one)["volumes"] if volume["name"] == "tls"]
        assert volume["secret"]["secretName"] == secrets[name]
        assert {"name": "tls", "mountPath": "/tls", "readOnly": True} in main_container(one)["volumeMounts"]


@pytest.mark.parametrize("case", WITH_TLS)
def test_certificates_bear_the_names_under_which_they_are_called(case: str) -> None:
    names = {component(one): one["spec"]["dnsNames"] for one in of_kind(rendered(case), "Certificate")}
    variables = environment(workloads(rendered(case))["gateway"])
    for name in MODEL_SERVERS:
        assert variables[f"SPARK_GATEWAY_{name.upper()}_ADDRESS"].partition(":")[0] in names[name]


@pytest.mark.parametrize("case", WITH_TLS)
def test_every_model_server_asks_for_the_callers_certificate(case: str) -> None:
    for name in COMPONENTS:
        one = workloads(rendered(case))[name]
        if name in ("part_dit", "texture"):
            assert {"--grpc-use-ssl-mutual=true", "--grpc-root-cert=/tls/ca.crt"} <= set(main_container(one)["args"])
        elif name != "gateway":
            assert environment(one)[f"SPARK_{name.upper()}_TLS_CLIENT_CA"] == "/tls/ca.crt"
        else:
            assert environment(one)["SPARK_GATEWAY_PEER_CERTIFICATE"] == "/tls/tls.crt"


def test_the_public_api_speaks_tls_where_nothing_before_it_ends_it() -> None:
    behind, open_to_all = (environment(workloads(rendered(case))["gateway"]) for case in ("production", "public TLS"))
    assert "SPARK_GATEWAY_TLS_CERTIFICATE" not in behind
    assert open_to_all["SPARK_GATEWAY_TLS_CLIENT_CA"] == "/tls/ca.crt"
    (gateway,) = [one for one in of_kind(rendered("public TLS"), "Certificate") if component(one) == "gateway"]
    assert "spark.example.com" in gateway["spec"]["dnsNames"]


@pytest.mark.parametrize("case", CASES)
def test_services_do_not_call_tls_plaintext(case: str) -> None:
    for one in of_kind(rendered(case), "Service"):
        for port in one["spec"]["ports"]:
            if port["name"] == "grpc":
                container = main_container(workloads(rendered(case))[component(one)])
                flags = [*environment(workloads(rendered(case))[component(one)]), *container.get("args", [])]
                secure = any("_TLS_CERTIFICATE" in flag or "use-ssl" in flag for flag in flags)
                assert ("appProtocol" in port) != secure
