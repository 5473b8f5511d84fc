"""Package: meshes and the refined plan to the asset folder, checked in simulators."""

from __future__ import annotations

import json
import re
import time
from typing import Any

from google.protobuf import json_format

from articulation.plan import Plan
from gateway.package.errors import PackageError
from gateway.package_job import package
from gateway.plans import plan_to_json, warnings
from gateway.quality import preset
from gateway.stages import texture
from gateway.stages.work import INPUT_PATH, Outcome, Work, stage_word
from serving.errors import AssetInvalid
from spark.convert import plan_to_proto
from spark.v1 import reconstruction_service_pb2 as pb

FOLDER = "asset"
REPORT = "report.json"


async def run(work: Work) -> Outcome:
    """Write the files of `asset/`: URDF, MJCF, USD, GLB, meshes, textures, `preview.png` and `report.json`.

    Raises:
        AssetInvalid: no asset passes the checks; what is wrong stands in the message.
    """
    plan = await work.plan()
    meshes = [await work.read(texture.mesh_path(part.name)) for part in plan.parts]
    image = await work.read(INPUT_PATH)
    start = time.perf_counter()
    try:
        files, checks = await work.services.package.run(
            work.settings.stage_timeout_seconds,
            package,
            plan_to_json(plan),
            meshes,
            image,
            asset_name(plan),
            preset(work.options.quality).collision_pieces,
        )
    except PackageError as error:
        raise AssetInvalid(str(error)) from error
    summary = report(work, plan, checks, time.perf_counter() - start)
    files[REPORT] = json.dumps(summary, indent=1).encode()
    return Outcome([await work.session.put(f"{FOLDER}/{path}", data) for path, data in files.items()])


def asset_name(plan: Plan) -> str:
    """The category as a name that every file format takes."""
    return re.sub("[^a-z0-9]+", "_", f"spark {plan.category}".lower()).strip("_")[:63]


def report(work: Work, plan: Plan, checks: dict[str, Any], package_seconds: float) -> dict[str, Any]:
    """What `report.json` says about how the asset came to be; durations in seconds."""
    seconds = {stage_word(result.stage): result.duration.ToMilliseconds() / 1000 for result in work.earlier}
    return {
        "name": work.name,
        "input": work.files[INPUT_PATH],
        "seed": work.options.seed,
        "options": json_format.MessageToDict(work.options, preserving_proto_field_name=True),
        "plan": json.loads(plan_to_json(plan)),
        "stage_seconds": seconds | {stage_word(pb.STAGE_PACKAGE): round(package_seconds, 3)},
        "models": [
            {"model": model.model, "version": model.version, "digest": model.digest}
            for result in work.earlier
            for model in result.models
        ],
        "joint_confidences": {part.name: part.joint.confidence for part in plan.parts if part.joint.type.moves},
        "warnings": warnings(plan_to_proto(plan), work.options, work.earlier),
        "checks": checks,
    }
