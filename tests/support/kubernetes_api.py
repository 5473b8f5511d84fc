"""A few endpoints of a Kubernetes API server over HTTP, for the real client; it can be told to misbehave."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from kubernetes import client

NAMESPACE = "robots"


class KubernetesApi:
    """What the server knows and how it behaves.

    Attributes:
        endpoints: by service, the addresses of its pods and whether each is ready.
        status: what it answers with; 200 is the truth.
        headers: of its refusals.
        hangs: it takes requests and never answers.
        requests: paths that were asked for.
    """

    def __init__(self) -> None:
        self.endpoints: dict[str, dict[str, bool]] = {}
        self.status = 200
        self.headers: dict[str, str] = {}
        self.hangs = False
        self.requests: list[str] = []
        self.released = threading.Event()

    def slices(self, service: str) -> list[dict[str, Any]]:
        """One EndpointSlice for each pod, as the API shows them."""
        return [
            {
                "apiVersion": "discovery.k8s.io/v1",
                "kind": "EndpointSlice",
                "metadata": {"name": f"{service}-{index}", "namespace": NAMESPACE},
                "addressType": "IPv6" if ":" in address else "IPv4",
                "endpoints": [{"addresses": [address], "conditions": {"ready": ready}}],
                "ports": [
                    {"name": "metrics", "port": 8002, "protocol": "TCP"},
                    {"name": "grpc", "port": 8001, "protocol": "TCP"},
                ],
            }
            for index, (address, ready) in enumerate(self.endpoints.get(service, {}).items())
        ]


@contextmanager
def kubernetes_api() -> Iterator[tuple[KubernetesApi, client.Configuration]]:
    """A server on loopback, and the configuration of a client that asks it."""
    api = KubernetesApi()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            api.requests.append(self.path)
            if api.hangs:
                api.released.wait(30)
                return
            url = urlsplit(self.path)
            selector = parse_qs(url.query).get("labelSelector", [""])[0]
            content: dict[str, Any] = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": api.status}
            if url.path != f"/apis/discovery.k8s.io/v1/namespaces/{NAMESPACE}/endpointslices":
                self._answer(404, content | {"code": 404})
            elif api.status != 200:
                self._answer(api.status, content)
            else:
                items = api.slices(selector.removeprefix("kubernetes.io/service-name="))
                kind = {"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSliceList"}
                self._answer(200, kind | {"metadata": {"resourceVersion": "1"}, "items": items})

        def _answer(self, status: int, content: dict[str, Any]) -> None:
            body = json.dumps(content).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            for name, value in api.headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *unused: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield api, client.Configuration(host=f"http://127.0.0.1:{server.server_port}")
    finally:
        api.released.set()
        server.shutdown()
        server.server_close()
