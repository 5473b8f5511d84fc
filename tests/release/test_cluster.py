"""Replicas by the Kubernetes API: the real client against a server that tells the truth, refuses, or hangs."""

from collections.abc import Iterator
from datetime import timedelta
from urllib.parse import unquote

import pytest
from kubernetes_api import NAMESPACE, KubernetesApi, kubernetes_api

from gateway import cluster
from gateway.cluster import KubernetesReplicas, api_client
from serving.errors import ClusterForbidden, Unavailable

ADDRESS = "spark-part-dit:8001"


@pytest.fixture
def server() -> Iterator[tuple[KubernetesApi, KubernetesReplicas]]:
    with kubernetes_api() as (api, configuration):
        api.endpoints = {"spark-part-dit": {"10.0.0.7": True, "10.0.0.5": True, "10.0.0.6": False}}
        yield api, KubernetesReplicas(api_client(configuration), NAMESPACE)


async def test_replicas_are_the_ready_endpoints_at_the_port_of_the_api(server) -> None:
    api, replicas = server
    assert await replicas.find(ADDRESS) == ("10.0.0.5:8001", "10.0.0.7:8001")
    assert unquote(api.requests[0]).endswith("?labelSelector=kubernetes.io/service-name=spark-part-dit")


async def test_the_full_name_of_a_service_and_ipv6_are_understood(server) -> None:
    api, replicas = server
    api.endpoints["spark-part-dit"] = {"fd00::5": True}
    assert await replicas.find("spark-part-dit.robots.svc:8001") == ("[fd00::5]:8001",)


async def test_an_answer_counts_for_a_moment_and_fresh_ones_are_asked_for(server) -> None:
    api, replicas = server
    await replicas.find(ADDRESS)
    await replicas.find(ADDRESS)
    assert len(api.requests) == 1
    api.endpoints["spark-part-dit"] = {"10.0.0.9": True}
    assert await replicas.find(ADDRESS, fresh=True) == ("10.0.0.9:8001",)


async def test_a_service_without_endpoints_is_asked_itself(server) -> None:
    api, replicas = server
    api.endpoints = {}
    assert await replicas.find(ADDRESS) == (ADDRESS,)


@pytest.mark.parametrize("status", [401, 403])
async def test_a_denial_says_what_is_missing(server, status: int) -> None:
    api, replicas = server
    api.status = status
    with pytest.raises(ClusterForbidden, match="may not list endpointslices") as caught:
        await replicas.find(ADDRESS, fresh=True)
    assert caught.value.metadata == {"status": str(status)}


@pytest.mark.parametrize("status", [409, 429, 500, 503])
async def test_a_busy_or_failing_server_is_unavailable_and_asked_once(server, status: int) -> None:
    api, replicas = server
    api.status, api.headers = status, {"Retry-After": "3"}
    with pytest.raises(Unavailable) as caught:
        await replicas.find(ADDRESS, fresh=True)
    assert caught.value.metadata == {"peer": "kubernetes", "status": str(status)}
    assert caught.value.retry_after == timedelta(seconds=3)
    assert len(api.requests) == 1


async def test_a_server_that_hangs_is_given_up(server, monkeypatch: pytest.MonkeyPatch) -> None:
    api, replicas = server
    monkeypatch.setattr(cluster, "TIMEOUT_SECONDS", (1.0, 0.3))
    api.hangs = True
    with pytest.raises(Unavailable, match="does not answer"):
        await replicas.find(ADDRESS, fresh=True)


async def test_a_server_that_is_gone_is_unavailable() -> None:
    with kubernetes_api() as (_, configuration):
        replicas = KubernetesReplicas(api_client(configuration), NAMESPACE)
    with pytest.raises(Unavailable, match="does not answer"):
        await replicas.find(ADDRESS, fresh=True)


@pytest.mark.parametrize("status", [403, 429, 500])
async def test_jobs_go_on_with_the_last_answer(server, monkeypatch: pytest.MonkeyPatch, status: int) -> None:
    api, replicas = server
    known = await replicas.find(ADDRESS)
    monkeypatch.setattr(cluster, "FRESH_SECONDS", 0.0)
    api.status = status
    assert await replicas.find(ADDRESS) == known
    assert len(api.requests) == 2
