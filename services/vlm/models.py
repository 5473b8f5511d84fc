"""The two models of the service, opened once; one that cannot be opened leaves its half of the service not ready."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Generic, Protocol, TypeVar

import structlog

from articulation.plan import Plan
from articulation.typing import ImageArray
from checkpoints.errors import CheckpointError, CheckpointMissing
from checkpoints.manifest import checked_digest
from services.vlm.calibration import UNCALIBRATED, Calibration, load_calibration
from services.vlm.editing import ImageEditor
from services.vlm.engine import PlanEngine
from services.vlm.images_api_editor import ImagesApiEditor
from services.vlm.model_server import ModelServer
from services.vlm.prompt import plan_prompt
from services.vlm.settings import VlmSettings
from services.vlm.transformers_engine import TransformersEngine
from services.vlm.vllm_engine import VllmEngine
from serving.errors import ModelNotReady
from spark.v1 import model_pb2

M = TypeVar("M", covariant=True)

VERSION = "1"

_log = structlog.get_logger(__name__)


class Editor(Protocol):
    """What the guide stage needs: `editing` runs in this process, `images_api_editor` on a server."""

    def part_references(
        self, image: ImageArray, plan: Plan, seed: int, stop: Callable[[], bool]
    ) -> tuple[ImageArray, list[ImageArray]]: ...

    def open_state(
        self, image: ImageArray, plan: Plan, opening: list[float], seed: int, stop: Callable[[], bool]
    ) -> ImageArray: ...


async def _always() -> bool:
    return True


@dataclass(frozen=True)
class Loaded(Generic[M]):
    """A model and the version by which results name it.

    Attributes:
        is_ready: whether it can answer now; one in this process always can.
    """

    model: M
    version: model_pb2.ModelVersion
    is_ready: Callable[[], Awaitable[bool]] = _always


@dataclass(frozen=True)
class Models:
    """What could be opened, or why it could not."""

    planner: Loaded[PlanEngine] | ModelNotReady
    editor: Loaded[Editor] | ModelNotReady
    calibration: Calibration = UNCALIBRATED

    async def are_ready(self) -> bool:
        """Whether every model is there and can answer now."""
        if isinstance(self.planner, ModelNotReady) or isinstance(self.editor, ModelNotReady):
            return False
        return all(await asyncio.gather(self.planner.is_ready(), self.editor.is_ready()))


def load_models(settings: VlmSettings) -> Models:
    """Open what the settings name: folders, and servers for the models that run elsewhere."""
    planner, calibration = _planner(settings)
    return Models(planner=planner, editor=_editor(settings), calibration=calibration)


def _planner(settings: VlmSettings) -> tuple[Loaded[PlanEngine] | ModelNotReady, Calibration]:
    """The engine of the plan stage, and what its probabilities are worth."""
    folder = settings.plan_folder
    if settings.plan_server is None:
        return _load(folder, partial(TransformersEngine.load, device=settings.device)), load_calibration(folder)
    server = ModelServer(
        "plan",
        str(settings.plan_server),
        settings.plan_model or folder.name,
        settings.plan_api_key.get_secret_value(),
        settings.plan_timeout_seconds,
    )
    if settings.plan_model:
        _log.warning("confidences are not calibrated", model=server.model)
        version = model_pb2.ModelVersion(model=server.model, version=VERSION, digest=settings.plan_digest)
        return Loaded(VllmEngine(server, plan_prompt()), version, server.is_ready), UNCALIBRATED
    calibration = load_calibration(folder)
    return _load(folder, lambda folder: VllmEngine(server, plan_prompt(folder)), server.is_ready), calibration


def _editor(settings: VlmSettings) -> Loaded[Editor] | ModelNotReady:
    if settings.editor_server is None:
        return _load(settings.editor_folder, partial(ImageEditor.load, device=settings.device))
    server = ModelServer(
        "guide",
        str(settings.editor_server),
        settings.editor_model,
        settings.editor_api_key.get_secret_value(),
        settings.editor_timeout_seconds,
    )
    editor = ImagesApiEditor(server, settings.editor_size, settings.editor_concurrency)
    version = model_pb2.ModelVersion(model=server.model, version=VERSION, digest=settings.editor_digest)
    return Loaded(editor, version, server.is_ready)


def _load(
    folder: Path, load: Callable[[Path], M], is_ready: Callable[[], Awaitable[bool]] = _always
) -> Loaded[M] | ModelNotReady:
    try:
        digest = checked_digest(folder)
        model = load(folder)
    except CheckpointMissing as missing:
        _log.warning("model is missing", folder=str(folder))
        return ModelNotReady(str(missing), metadata={"model": folder.name})
    except CheckpointError as refused:
        _log.warning("model is refused", folder=str(folder), problem=str(refused))
        return ModelNotReady(str(refused), metadata={"model": folder.name})
    except ModelNotReady as error:
        _log.warning("model cannot be loaded", folder=str(folder), problem=error.message)
        return error
    _log.info("model is ready", folder=str(folder), digest=digest)
    return Loaded(model, model_pb2.ModelVersion(model=folder.name, version=VERSION, digest=digest), is_ready)
