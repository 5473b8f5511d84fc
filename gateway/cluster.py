"""Where the replicas of a Kubernetes service listen, by the cluster's API."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import structlog
from kubernetes import client as kubernetes
from kubernetes import config as kubernetes_config
from urllib3.exceptions import HTTPError
from urllib3.util.retry import Retry

from gateway.replicas import split
from serving.errors import ClusterForbidden, SparkError, Unavailable

PEER = "kubernetes"
NAMESPACE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
PORT_NAME = "grpc"
"""Of the chart's services: the port whose endpoints are wanted where a slice has several."""
FRESH_SECONDS = 2.0
"""How long an answer of the API counts."""
TIMEOUT_SECONDS = (2.0, 5.0)
"""Of one request to the API: to connect, and to be answered."""

_log = structlog.get_logger(__name__)


class KubernetesReplicas:
    """The ready endpoints of the Kubernetes services that the addresses name.

    Where the API does not answer, the last answer counts on; before the first one, the service's own address.

    Args:
        api: a client of the cluster's API.
        namespace: of the services.
    """

    def __init__(self, api: kubernetes.ApiClient, namespace: str) -> None:
        self._slices = kubernetes.DiscoveryV1Api(api)
        self._namespace = namespace
        self._known: dict[str, tuple[float, tuple[str, ...]]] = {}

    @classmethod
    def in_cluster(cls) -> KubernetesReplicas:
        """By the rights of the pod's service account, in the pod's namespace."""
        configuration = kubernetes.Configuration()
        kubernetes_config.load_incluster_config(client_configuration=configuration)
        return cls(api_client(configuration), NAMESPACE.read_text().strip())

    async def find(self, address: str, *, fresh: bool = False) -> tuple[str, ...]:
        found = await asyncio.gather(*(self._endpoints(service, fresh) for service in split(address)))
        return tuple(dict.fromkeys(one for endpoints in found for one in endpoints))

    async def _endpoints(self, service: str, fresh: bool) -> tuple[str, ...]:
        asked, known = self._known.get(service, (0.0, (service,)))
        if not fresh and time.monotonic() - asked < FRESH_SECONDS:
            return known
        name, _, port = service.rpartition(":")
        try:
            known = await asyncio.to_thread(self._ask, name.split(".")[0], int(port)) or (service,)
        except SparkError as error:
            if fresh:
                raise
            _log.warning("replicas are not known anew", service=service, error=error.message)
        self._known[service] = (time.monotonic(), known)
        return known

    def _ask(self, service: str, port: int) -> tuple[str, ...]:
        found = _answer(
            lambda: self._slices.list_namespaced_endpoint_slice(
                self._namespace,
                label_selector=f"kubernetes.io/service-name={service}",
                _request_timeout=TIMEOUT_SECONDS,
            )
        )
        return tuple(sorted(one for part in found.items for one in _addresses(part, port)))


def api_client(configuration: kubernetes.Configuration) -> kubernetes.ApiClient:
    """A client that asks once: whoever needs the answer asks again."""
    configuration.retries = Retry(0)
    return kubernetes.ApiClient(configuration)


def _addresses(part: Any, port: int) -> list[str]:
    """Of one EndpointSlice: addresses that are ready, at the port of the model's API."""
    ports = [one.port for one in part.ports or [] if one.name == PORT_NAME] or [port]
    form = "[{}]:{}" if part.address_type == "IPv6" else "{}:{}"
    return [
        form.format(address, ports[0])
        for endpoint in part.endpoints or []
        if endpoint.conditions is None or endpoint.conditions.ready is not False
        for address in endpoint.addresses
    ]


def _answer(call: Callable[[], Any]) -> Any:
    """What the API answers; anything else than an answer as one of our errors.

    Raises:
        ClusterForbidden: it denies the request (401, 403).
        Unavailable: it is busy (409, 429), failing (5xx) or silent.
    """
    try:
        return call()
    except kubernetes.ApiException as error:
        if error.status in (401, 403):
            raise ClusterForbidden(
                f"the Kubernetes API answers {error.status}: the gateway may not list endpointslices",
                metadata={"status": str(error.status)},
            ) from error
        after = (error.headers or {}).get("Retry-After", "")
        raise Unavailable(
            f"the Kubernetes API answers {error.status}",
            metadata={"peer": PEER, "status": str(error.status)},
            retry_after=timedelta(seconds=int(after)) if after.isdecimal() else None,
        ) from error
    except (HTTPError, OSError) as error:
        raise Unavailable("the Kubernetes API does not answer", metadata={"peer": PEER}) from error
