"""The two models of the service, loaded once; a folder without weights leaves its half of the service not ready."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
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
from services.vlm.settings import VlmSettings
from services.vlm.transformers_engine import TransformersEngine
from serving.errors import ModelNotReady
from spark.v1 import model_pb2

M = TypeVar("M", covariant=True)

VERSION = "1"

_log = structlog.get_logger(__name__)


class Editor(Protocol):
    """What the guide stage needs; `services.vlm.editing` implements it."""

    def part_references(self, image: ImageArray, plan: Plan, seed: int) -> tuple[ImageArray, list[ImageArray]]: ...

    def open_state(self, image: ImageArray, plan: Plan, opening: list[float], seed: int) -> ImageArray: ...


@dataclass(frozen=True)
class Loaded(Generic[M]):
    """A model and the version by which results name it."""

    model: M
    version: model_pb2.ModelVersion


@dataclass(frozen=True)
class Models:
    """What could be loaded, or why it could not."""

    planner: Loaded[PlanEngine] | ModelNotReady
    editor: Loaded[Editor] | ModelNotReady
    calibration: Calibration = UNCALIBRATED

    @property
    def ready(self) -> bool:
        return isinstance(self.planner, Loaded) and isinstance(self.editor, Loaded)


def load_models(settings: VlmSettings) -> Models:
    """Open both folders of the settings."""
    return Models(
        planner=_load(settings.plan_folder, lambda folder: TransformersEngine.load(folder, settings.device)),
        editor=_load(settings.editor_folder, lambda folder: ImageEditor.load(folder, settings.device)),
        calibration=load_calibration(settings.plan_folder),
    )


def _load(folder: Path, load: Callable[[Path], M]) -> Loaded[M] | ModelNotReady:
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
    return Loaded(model, model_pb2.ModelVersion(model=folder.name, version=VERSION, digest=digest))
