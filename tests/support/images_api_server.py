"""A local server with vLLM-Omni's images API that draws with SPARK's compact editing model, and can misbehave.

The compact model reads no text: what it is to draw comes as the plan's boxes. So the server knows the object's plan,
and finds in the words of a prompt which of its parts is asked for, or how far each part is opened.
"""

from __future__ import annotations

import base64
import io
import json
import re
import select
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import Message
from email.parser import BytesParser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import torch
from PIL import Image

from articulation.files import png
from articulation.plan import Plan
from articulation.typing import ImageArray
from services.vlm.edit_check import CHECK_SIZE
from services.vlm.edit_prompt import EditTask, PlanTensors, outlines
from services.vlm.edit_text import object_prompt, open_prompt, part_prompt, part_words
from services.vlm.editing import ImageEditor

MODEL = "compact-edit"


class Unreadable(Exception):
    """The prompt describes no edit of the plan."""


@dataclass
class ImagesServer:
    """One model that edits pictures of one object.

    Attributes:
        editor: that draws.
        plan: of the object.
        key: asked for as a bearer token, if any.
        models: names on the list of models.
        status: of the answer to `/health`.
        reply: status, headers and body of what is sent instead of a picture, if anything.
        spoil: changes what was drawn, given how many were drawn before.
        hang: keep edits waiting until the caller goes away.
        forms: the fields of every edit that was asked for.
        left: callers that went away while they waited.
        most: edits at work at the same time.
    """

    editor: ImageEditor
    plan: Plan
    address: str = ""
    key: str = ""
    models: tuple[str, ...] = (MODEL,)
    status: int = 200
    reply: tuple[int, dict[str, str], bytes] | None = None
    spoil: Callable[[ImageArray, int], ImageArray] = lambda picture, _: picture
    hang: bool = False
    forms: list[dict[str, bytes]] = field(default_factory=list)
    left: int = 0
    most: int = 0
    _at_work: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def draw(self, form: dict[str, bytes]) -> ImageArray:
        """What the model makes of a form, as (S, S, 3) pixels; raises Unreadable."""
        pixels = np.asarray(Image.open(io.BytesIO(form["image"])).convert("RGB"))
        task, asked, coordinates = read(form["prompt"].decode(), self.plan)
        with self._lock:
            (drawn,) = self.editor.edit(
                pixels, self.plan, coordinates, asked[None], torch.tensor([task]), int(form["seed"])
            )
        side, height = (int(number) for number in form["size"].split(b"x"))
        assert side == height
        return np.asarray(Image.fromarray(drawn).resize((side, side), Image.Resampling.BICUBIC))

    @contextmanager
    def work(self) -> Iterator[int]:
        """Count an edit in and out; gives how many came before it."""
        with self._lock:
            self._at_work += 1
            self.most = max(self.most, self._at_work)
            before = len(self.forms)
        try:
            yield before
        finally:
            with self._lock:
                self._at_work -= 1


def read(prompt: str, plan: Plan) -> tuple[EditTask, torch.Tensor, torch.Tensor | None]:
    """Which edit of a plan a prompt describes: its task, (K,) bool parts to show, and (1, K) joint coordinates."""
    tensors = PlanTensors.from_plan(plan)
    places = outlines(tensors, torch.zeros_like(tensors.upper), CHECK_SIZE)[0].numpy()
    count = len(plan.parts)
    if prompt == object_prompt(plan):
        return EditTask.OBJECT, torch.ones(count, dtype=torch.bool), None
    for index in range(count):
        if prompt == part_prompt(plan, index, places[index]):
            return EditTask.PART, torch.eye(count, dtype=torch.bool)[index], None
    coordinates = torch.zeros(1, count)
    for line in re.findall(r"(?m)^- (.*)$", prompt):
        (index,) = [i for i in range(count) if line.startswith(f"{part_words(plan, i, places[i])}:")] or [None]
        said = re.search(r" by ([\d.]+) (degrees|cm)", line)
        if index is None or said is None:
            raise Unreadable(line)
        number = float(said[1])
        coordinates[0, index] = np.deg2rad(number) if said[2] == "degrees" else number / 100 / (plan.size / 2)
    if prompt.split("\n")[0] != open_prompt(plan, np.zeros(count), places).split("\n")[0]:
        raise Unreadable(prompt)
    return EditTask.OPEN, torch.ones(count, dtype=torch.bool), coordinates


@contextmanager
def images_server(editor: ImageEditor, plan: Plan) -> Iterator[ImagesServer]:
    """Serve on loopback until the block ends."""
    state = ImagesServer(editor, plan)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path == "/health":
                self._send(state.status, {}, b"")
            elif self.path == "/v1/models" and self._known():
                listed = {"object": "list", "data": [{"id": name, "object": "model"} for name in state.models]}
                self._send_json(200, listed)

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            if not self._known():
                return
            if self.path != "/v1/images/edits":
                self._send_json(404, {"detail": "Not Found"})
                return
            form = _form(self.headers, body)
            with state.work() as before:
                state.forms.append(form)
                if state.hang:
                    self._wait_for_the_caller_to_leave()
                elif state.reply is not None:
                    self._send(*state.reply)
                elif missing := {"image", "prompt"} - form.keys():
                    self._send_json(422, {"detail": f"Field '{min(missing)}' is required"})
                else:
                    self._edit(form, before)

        def _edit(self, form: dict[str, bytes], before: int) -> None:
            try:
                picture = state.spoil(state.draw(form), before)
            except (Unreadable, ValueError) as error:
                self._send_json(400, {"detail": str(error)})
                return
            item = {"b64_json": base64.b64encode(png(picture)).decode(), "url": None, "revised_prompt": None}
            self._send_json(200, {"created": 0, "data": [item], "output_format": "png", "size": form["size"].decode()})

        def _known(self) -> bool:
            if state.key and self.headers.get("authorization") != f"Bearer {state.key}":
                self._send_json(401, {"error": "Unauthorized"})
                return False
            return True

        def _wait_for_the_caller_to_leave(self) -> None:
            select.select([self.connection], [], [])
            with state._lock:
                state.left += 1
            self.close_connection = True

        def _send_json(self, status: int, content: object) -> None:
            self._send(status, {"content-type": "application/json"}, json.dumps(content).encode())

        def _send(self, status: int, headers: dict[str, str], body: bytes) -> None:
            self.send_response(status)
            for name, value in {**headers, "content-length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    state.address = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _form(headers: Message, body: bytes) -> dict[str, bytes]:
    """The fields of a multipart form."""
    head = f"content-type: {headers['content-type']}\r\n\r\n".encode()
    parts = BytesParser().parsebytes(head + body).get_payload()
    return {str(part.get_param("name", header="content-disposition")): part.get_payload(decode=True) for part in parts}
