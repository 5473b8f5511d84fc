"""A local server with a model hub's protocol, that can be told to fail as networks and hubs do."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

COMMIT = "c0ffee" + 34 * "0"
LARGE = ".safetensors"


@dataclass
class HubServer:
    """One repository on one hub.

    Attributes:
        files: path to bytes.
        fail_after: bytes of a file after which each answer breaks off; None is never.
        wrong: paths that are sent with one byte changed.
        token: asked for, if any.
        sent: path to bytes sent of it.
        seen_tokens: authorization headers by path, as they arrived.
    """

    files: dict[str, bytes]
    address: str = ""
    fail_after: int | None = None
    wrong: set[str] = field(default_factory=set)
    token: str = ""
    redirect: str = ""
    sent: dict[str, int] = field(default_factory=dict)
    seen_tokens: dict[str, str | None] = field(default_factory=dict)

    def listing(self) -> dict[str, object]:
        siblings = []
        for path, data in self.files.items():
            blob = hashlib.sha1(f"blob {len(data)}\0".encode() + data).hexdigest()
            item: dict[str, object] = {"rfilename": path, "size": len(data), "blobId": blob}
            if path.endswith(LARGE):
                item["lfs"] = {"sha256": hashlib.sha256(data).hexdigest(), "size": len(data)}
            siblings.append(item)
        return {"sha": COMMIT, "siblings": siblings}


@contextmanager
def hub_server(files: dict[str, bytes], name: str = "owner/model") -> Iterator[HubServer]:
    """Serve a repository on loopback until the block ends."""
    hub = HubServer(files)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = urlsplit(self.path).path
            hub.seen_tokens[path] = self.headers.get("authorization")
            if hub.token and path.startswith("/api") and self.headers.get("authorization") != f"Bearer {hub.token}":
                self.send_error(401)
            elif path in (f"/api/models/{name}/revision/{COMMIT}", f"/api/models/{name}/revision/main"):
                self._send(json.dumps(hub.listing()).encode())
            elif path.startswith(f"/{name}/resolve/{COMMIT}/"):
                file = path.removeprefix(f"/{name}/resolve/{COMMIT}/")
                if file.endswith(LARGE) and hub.redirect:
                    self.send_response(302)
                    self.send_header("location", f"{hub.redirect}/store/{file}")
                    self.send_header("content-length", "0")
                    self.end_headers()
                else:
                    self._send_file(file)
            elif path.startswith("/store/"):
                self._send_file(path.removeprefix("/store/"))
            else:
                self.send_error(404)

        def _send(self, data: bytes) -> None:
            self.send_response(200)
            self.send_header("content-length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def _send_file(self, path: str) -> None:
            data = hub.files[path]
            if path in hub.wrong:
                data = bytes([data[0] ^ 1]) + data[1:]
            begin = 0
            if asked := self.headers.get("range"):
                begin = int(asked.removeprefix("bytes=").removesuffix("-"))
                self.send_response(206)
                self.send_header("content-range", f"bytes {begin}-{len(data) - 1}/{len(data)}")
            else:
                self.send_response(200)
            rest = data[begin:]
            self.send_header("content-length", str(len(rest)))
            self.end_headers()
            piece = rest if hub.fail_after is None else rest[: hub.fail_after]
            self.wfile.write(piece)
            hub.sent[path] = hub.sent.get(path, 0) + len(piece)
            self.close_connection = True

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    hub.address = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
