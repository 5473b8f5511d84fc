"""The guide stage's pictures by an image-editing model that reads text, behind a server with OpenAI's images API.

`POST /v1/images/edits`, as vLLM-Omni serves it: a form with the picture, the prompt, the size and a seed; the answer's
`data[0].b64_json` is the edit.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass

import structlog
import torch
from pydantic import Base64Bytes, BaseModel, Field

from articulation.files import png
from articulation.plan import Plan
from articulation.typing import Array, ImageArray
from services.vlm.edit_check import CHECK_SIZE, Unfit, checked
from services.vlm.edit_prompt import PlanTensors, outlines
from services.vlm.edit_text import object_prompt, open_prompt, part_prompt
from services.vlm.editing import opened
from services.vlm.engine import Abandoned
from services.vlm.model_server import STOP_SECONDS, ModelServer
from serving import pictures
from serving.errors import InvalidImage, StageFailed

PATH = "/v1/images/edits"

ATTEMPTS = 2
"""An edit that cannot be used is asked for once more, with another seed."""

_log = structlog.get_logger(__name__)


class _Picture(BaseModel):
    b64_json: Base64Bytes


class _Pictures(BaseModel):
    data: list[_Picture] = Field(min_length=1)


@dataclass(frozen=True)
class Edit:
    """One picture to ask for.

    Attributes:
        name: "object", "open", or "part NAME".
        prompt: in words.
        outline: (CHECK_SIZE, CHECK_SIZE) bool, where the boxes of what it shows lie.
    """

    name: str
    prompt: str
    outline: Array


class ImagesApiEditor:
    """Edits by a model server; the pictures have the size that is asked for.

    Every edit starts from the photograph. An edit's seed follows from the request's and its name, so that a part's
    picture does not depend on which other parts were asked for.

    Args:
        server: of the model.
        size: of the pictures [pixels]; a multiple of what the model works in, which is 16 for Qwen-Image-Edit.
        concurrency: edits that the server works on at once, over all requests.
    """

    def __init__(self, server: ModelServer, size: int, concurrency: int) -> None:
        self._server = server
        self._size = size
        self._threads = ThreadPoolExecutor(concurrency, thread_name_prefix="edit")

    def part_references(
        self, image: ImageArray, plan: Plan, seed: int, stop: Callable[[], bool] = lambda: False
    ) -> tuple[ImageArray, list[ImageArray]]:
        """As `services.vlm.editing.ImageEditor.part_references`.

        Raises:
            serving.errors.SparkError: as `services.vlm.model_server.ModelServer.post`.
            serving.errors.StageFailed: what came is no picture, has another size, or shows something else, twice.
        """
        places = _outlines(plan, [0.0] * len(plan.parts))
        edits = [Edit("object", object_prompt(plan), places.any(0))] + [
            Edit(f"part {part.name}", part_prompt(plan, index, places[index]), places[index])
            for index, part in enumerate(plan.parts)
        ]
        whole, *parts = self._draw(image, edits, seed, stop)
        return whole, parts

    def open_state(
        self,
        image: ImageArray,
        plan: Plan,
        opening: Sequence[float],
        seed: int,
        stop: Callable[[], bool] = lambda: False,
    ) -> ImageArray:
        """As `services.vlm.editing.ImageEditor.open_state`; raises beside its errors those of `part_references`."""
        coordinates = opened(plan, opening)[0].double().numpy()
        prompt = open_prompt(plan, coordinates, _outlines(plan, [0.0] * len(plan.parts)))
        edit = Edit("open", prompt, _outlines(plan, opening).any(0))
        return self._draw(image, [edit], seed, stop)[0]

    def _draw(self, image: ImageArray, edits: Sequence[Edit], seed: int, stop: Callable[[], bool]) -> list[ImageArray]:
        """All edits at once; the first that fails ends the others."""
        over = threading.Event()
        upload = png(image)
        futures = [
            self._threads.submit(self._draw_one, upload, edit, seed, lambda: stop() or over.is_set()) for edit in edits
        ]
        try:
            pending = set(futures)
            while pending:
                done, pending = wait(pending, STOP_SECONDS, FIRST_EXCEPTION)
                for future in done:
                    future.result()
                if stop():
                    raise Abandoned
            return [future.result() for future in futures]
        finally:
            over.set()
            for future in futures:
                future.cancel()

    def _draw_one(self, upload: bytes, edit: Edit, seed: int, stop: Callable[[], bool]) -> ImageArray:
        problem = ""
        for attempt in range(ATTEMPTS):
            picture = self._ask(upload, edit, edit_seed(seed, edit.name, attempt), stop)
            try:
                return checked(picture, edit.outline)
            except Unfit as unfit:
                problem = str(unfit)
                _log.warning("the edit cannot be used", edit=edit.name, problem=problem, attempt=attempt)
        raise self._failed(edit, problem)

    def _ask(self, upload: bytes, edit: Edit, seed: int, stop: Callable[[], bool]) -> ImageArray:
        form = {
            "model": self._server.model,
            "prompt": edit.prompt,
            "n": "1",
            "size": f"{self._size}x{self._size}",
            "seed": str(seed),
            "response_format": "b64_json",
            "output_format": "png",
        }
        files = {"image": ("image.png", upload, "image/png")}
        answer = self._server.post(PATH, _Pictures, stop, data=form, files=files)
        try:
            picture = pictures.decode(answer.data[0].b64_json, edit.name, self._size**2)
        except InvalidImage as error:
            raise self._failed(edit, error.violations[0].description) from error
        if len(picture) != self._size:
            raise self._failed(edit, f"is {len(picture)} pixels wide instead of {self._size}")
        return picture

    def _failed(self, edit: Edit, problem: str) -> StageFailed:
        return StageFailed(
            f"the picture of {edit.name} that {self._server.model} drew {problem}",
            metadata={"stage": "guide", "edit": edit.name},
        )


def edit_seed(seed: int, name: str, attempt: int = 0) -> int:
    """The seed of one edit: 1 to 2**32 - 1, since a server may take 0 for none.

    Args:
        seed: of the request.
        name: of the edit.
        attempt: 0 for the first time that it is asked for.
    """
    digest = hashlib.sha256(f"{seed} {name} {attempt}".encode()).digest()
    return int.from_bytes(digest[:8]) % (2**32 - 1) + 1


def _outlines(plan: Plan, opening: Sequence[float]) -> Array:
    """(K, CHECK_SIZE, CHECK_SIZE) bool."""
    with torch.inference_mode():
        found: Array = outlines(PlanTensors.from_plan(plan), opened(plan, opening), CHECK_SIZE)[0].numpy()
    return found
