"""The guide stage's calls through the VLM server to an images API that draws with the shipped compact weights."""

import asyncio
import io
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import grpc
import numpy as np
import pytest
import torch
from edit_plans import cabinet
from images_api_server import MODEL, ImagesServer, images_server
from PIL import Image

from articulation.files import png
from articulation.typing import ImageArray
from services.vlm.edit_prompt import EditTask, PlanTensors, outlines
from services.vlm.editing import ImageEditor
from services.vlm.images_api_editor import edit_seed
from services.vlm.models import load_models
from services.vlm.server import SERVICE, register
from services.vlm.settings import VlmSettings
from serving.errors import ModelNotReady, Overloaded, SparkError, StageFailed, Unavailable
from serving.server import ServerOptions, running
from serving.status import from_rpc_error
from spark.convert import plan_to_proto
from spark.v1 import vlm_service_pb2 as pb
from spark.v1 import vlm_service_pb2_grpc

WEIGHTS = Path(__file__).parents[2] / "models/vlm/compact-edit"
SIZE = 256
PLAN = replace(cabinet(), parts=(cabinet().parts[0], cabinet().parts[2]))
"""A body and its door: real pixels take seconds."""
OPENING = [0.0, 0.5]
DIGEST = 64 * "d"


@pytest.fixture(scope="module")
def compact() -> ImageEditor:
    return ImageEditor.load(WEIGHTS)


@pytest.fixture
def server(compact: ImageEditor) -> Iterator[ImagesServer]:
    with images_server(compact, PLAN) as running_server:
        yield running_server


def photograph() -> ImageArray:
    """Body and door before a wall, each in a colour of its own."""
    tensors = PlanTensors.from_plan(PLAN)
    pixels = np.full((512, 512, 3), (150, 160, 150), np.uint8)
    places = outlines(tensors, torch.zeros_like(tensors.upper), 512)[0].numpy()
    pixels[places[0]] = 120, 80, 50
    pixels[places[1]] = 170, 110, 60
    return pixels


@asynccontextmanager
async def service(server: ImagesServer, **changes: object) -> AsyncIterator[vlm_service_pb2_grpc.VlmServiceStub]:
    """The VLM server with an editor behind the images API, and no planner."""
    named = {"editor_server": server.address, "editor_model": MODEL, "editor_digest": DIGEST, "editor_size": SIZE}
    settings = VlmSettings(plan_folder=Path("nowhere"), threads=1, **{**named, **changes})
    async with (
        running({SERVICE: register(load_models(settings), settings)}, ServerOptions(grace_seconds=0)) as vlm,
        grpc.aio.insecure_channel(f"127.0.0.1:{vlm.port}") as channel,
    ):
        yield vlm_service_pb2_grpc.VlmServiceStub(channel)


def references(seed: int = 7) -> pb.GeneratePartReferencesRequest:
    return pb.GeneratePartReferencesRequest(image=png(photograph()), plan=plan_to_proto(PLAN), seed=seed)


def open_state(seed: int = 7) -> pb.PredictOpenStateRequest:
    return pb.PredictOpenStateRequest(image=png(photograph()), plan=plan_to_proto(PLAN), opening=OPENING, seed=seed)


def pixels(content: bytes) -> ImageArray:
    return np.asarray(Image.open(io.BytesIO(content)))


def assert_same(picture: bytes, expected: ImageArray) -> None:
    """Equal, but for nearly white pixels beside the background, which become white."""
    differs = np.abs(pixels(picture).astype(int) - expected).max(-1)
    assert differs[expected.min(-1) <= 240].max() <= 1
    assert differs.max() <= 15


def alone(compact: ImageEditor, task: EditTask, name: str, asked: list[bool]) -> ImageArray:
    """One closed edit of the in-process editor, from the seed that the other editor derives."""
    seed = edit_seed(7, name)
    return compact.edit(photograph(), PLAN, None, torch.tensor([asked]), torch.tensor([task]), seed)[0]


async def test_references_are_those_of_the_in_process_editor(server: ImagesServer, compact: ImageEditor) -> None:
    async with service(server) as stub:
        made = await stub.GeneratePartReferences(references())
    assert_same(made.object_image, alone(compact, EditTask.OBJECT, "object", [True, True]))
    assert len(made.part_images) == 2
    for index, part in enumerate(PLAN.parts):
        shown = [other == index for other in range(2)]
        assert_same(made.part_images[index], alone(compact, EditTask.PART, f"part {part.name}", shown))
    assert len({made.object_image, *made.part_images}) == 3
    assert (made.model.model, made.model.digest) == (MODEL, DIGEST)


async def test_the_open_state_is_that_of_the_in_process_editor_and_depends_on_the_seed(
    server: ImagesServer, compact: ImageEditor
) -> None:
    async with service(server) as stub:
        made = await stub.PredictOpenState(open_state())
        other = await stub.PredictOpenState(open_state(seed=8))
    assert_same(made.image, compact.open_state(photograph(), PLAN, OPENING, edit_seed(7, "open")))
    assert other.image != made.image


@pytest.mark.parametrize(
    ("status", "error"),
    [(400, StageFailed), (404, ModelNotReady), (429, Overloaded), (500, Unavailable)],
)
async def test_a_refusal_of_the_images_server_arrives_typed(
    server: ImagesServer, status: int, error: type[SparkError]
) -> None:
    server.reply = (status, {"retry-after": "3"}, b"")
    async with service(server) as stub:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stub.GeneratePartReferences(references())
    assert type(from_rpc_error(caught.value, "vlm")) is error


async def test_a_caller_that_goes_away_takes_its_edits_with_it(server: ImagesServer) -> None:
    server.hang = True
    async with service(server, editor_concurrency=3) as stub:
        call = stub.GeneratePartReferences(references())
        while len(server.forms) < 3:
            await asyncio.sleep(0.02)
        call.cancel()
        while server.left < 3:
            await asyncio.sleep(0.02)


async def test_readiness_follows_the_servers_health_and_its_list_of_models(server: ImagesServer) -> None:
    settings = VlmSettings(plan_folder=Path("nowhere"), editor_server=server.address, editor_model=MODEL)
    editor = load_models(settings).editor
    assert not isinstance(editor, ModelNotReady)
    assert await editor.is_ready()
    server.models = ("another",)
    assert not await editor.is_ready()
    server.models, server.status = (MODEL,), 503
    assert not await editor.is_ready()
