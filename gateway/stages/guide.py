"""Guide: the object, each part and the opened object, alone on white, by the image-editing model."""

from __future__ import annotations

from gateway.plans import openings
from gateway.stages.work import INPUT_PATH, Outcome, Work
from serving.errors import StageFailed
from spark.convert import plan_to_proto
from spark.v1 import vlm_service_pb2

OBJECT_PATH = "guide/object.png"
OPEN_PATH = "guide/open.png"


def part_path(name: str) -> str:
    return f"guide/parts/{name}.png"


async def run(work: Work) -> Outcome:
    """Write `guide/object.png`, `guide/open.png` and one `guide/parts/NAME.png` a part.

    Raises:
        StageFailed: the model did not draw every part.
    """
    image, plan = await work.read(INPUT_PATH), await work.plan()
    message = plan_to_proto(plan)
    vlm, timeout, seed = await work.vlm(), work.settings.stage_timeout_seconds, work.options.seed

    references = await vlm.call(
        vlm.stub.GeneratePartReferences(
            vlm_service_pb2.GeneratePartReferencesRequest(image=image, plan=message, seed=seed), timeout=timeout
        )
    )
    if len(references.part_images) != len(plan.parts):
        raise StageFailed(
            f"{len(references.part_images)} part images for {len(plan.parts)} parts", metadata={"stage": "guide"}
        )
    await work.progress(0.7, "drew the parts")
    opened = await vlm.call(
        vlm.stub.PredictOpenState(
            vlm_service_pb2.PredictOpenStateRequest(image=image, plan=message, opening=openings(plan), seed=seed),
            timeout=timeout,
        )
    )
    files = {OBJECT_PATH: references.object_image, OPEN_PATH: opened.image} | {
        part_path(part.name): picture for part, picture in zip(plan.parts, references.part_images, strict=True)
    }
    models = [references.model] if references.model == opened.model else [references.model, opened.model]
    return Outcome([await work.session.put(path, data) for path, data in files.items()], models)
