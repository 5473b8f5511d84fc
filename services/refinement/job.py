"""One request from its bytes to its last response, as a generator that works only while it is asked for more."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator

import numpy as np
import torch

from services.refinement import decoding, findings, open_states, proxies
from services.refinement.backends import renderer
from services.refinement.kinematics import followers
from services.refinement.objective import Objective
from services.refinement.optimiser import Progress, Refined, Refinement
from services.refinement.schedule import Schedule
from services.refinement.settings import RefinementSettings
from services.refinement.targets import targets
from serving.errors import InvalidRequest
from spark.convert import plan_from_proto, plan_to_proto
from spark.v1 import model_pb2
from spark.v1 import refinement_service_pb2 as pb

VERSION = "4"


def responses(
    request: pb.RefineArticulationRequest,
    settings: RefinementSettings,
    schedule: Schedule,
    stop: Callable[[], bool] = lambda: False,
) -> Iterator[pb.RefineArticulationResponse]:
    """Progress messages, then the result. The optimisation draws no random numbers, so every seed gives the same.

    Args:
        request: as it came.
        settings: of the server.
        schedule: for all of the effort.
        stop: asked again and again whether to end with the best so far.

    Raises:
        InvalidRequest: a number of meshes that does not match the plan, an unreadable mesh; as `open_states.read`.
        InvalidImage: an unreadable or empty image; as `open_states.read`.
        articulation.errors.InvalidArticulation: an impossible plan.
    """
    if request.HasField("effort"):
        schedule = schedule.limited(request.effort)
    refinement, odd = prepare(request, settings, schedule, stop)
    run = refinement.run()
    while True:
        try:
            progress = next(run)
        except StopIteration as end:
            result = _result(end.value, settings, schedule)
            result.warnings.extend([*odd, *findings.of_outcome(end.value, 1 + len(request.further_open_states))])
            yield pb.RefineArticulationResponse(result=result)
            return
        yield pb.RefineArticulationResponse(progress=_progress(progress))


def prepare(
    request: pb.RefineArticulationRequest,
    settings: RefinementSettings,
    schedule: Schedule,
    stop: Callable[[], bool] = lambda: False,
) -> tuple[Refinement, list[pb.RefinementWarning]]:
    """Check and decode a request, and find what is odd about it; arguments and errors as of `responses`."""
    plan = plan_from_proto(request.plan)
    count = len(plan.parts)
    if len(request.part_meshes) != count:
        message = f"must have one entry for each of the {count} parts, has {len(request.part_meshes)}"
        raise InvalidRequest.at("part_meshes", message)
    device = torch.device(settings.device)
    closed = decoding.image(request.closed_image, "closed_image", settings.max_pixels)
    opened, opening = open_states.read(request, settings.max_pixels)
    # One at a time: the proxies are small, the meshes need not be.
    meshes = (
        decoding.mesh(content, f"part_meshes[{index}]", settings.max_faces)
        for index, content in enumerate(request.part_meshes)
    )
    tree = plan.articulation()
    moves = np.array([part.joint.type.moves for part in plan.parts])
    opening = opening[:, [tree.leader(index) for index in range(count)]]
    closed_target, open_targets, window = targets(closed, opened, device)
    objective = Objective(
        proxies=proxies.build(meshes, settings.faces_per_part, device),
        parents=tuple(part.parent for part in plan.parts),
        active=torch.tensor((opening > 0) & moves, device=device),
        closed=closed_target,
        opened=open_targets,
        window=window,
        followers=followers(tree),
        renderer=renderer(settings.renderer),
    )
    odd = findings.of_request(plan, objective.bounds, closed, opened, objective.moving)
    return Refinement(objective, plan, opening, schedule, stop), list(odd)


def _progress(progress: Progress) -> pb.RefinementProgress:
    return pb.RefinementProgress(step=progress.step, total_steps=progress.total_steps, loss=progress.loss)


def _result(refined: Refined, settings: RefinementSettings, schedule: Schedule) -> pb.RefinementResult:
    configuration = f"{VERSION} {schedule!r} {settings.faces_per_part} {settings.renderer}"
    return pb.RefinementResult(
        plan=plan_to_proto(refined.plan),
        initial_loss=refined.initial_loss,
        final_loss=refined.final_loss,
        coordinates=refined.coordinates[0].tolist(),
        further_coordinates=[pb.JointCoordinates(values=q.tolist()) for q in refined.coordinates[1:]],
        # There are no weights; the configuration is what a result depends on besides the inputs.
        model=model_pb2.ModelVersion(
            model="refinement", version=VERSION, digest=hashlib.sha256(configuration.encode()).hexdigest()
        ),
    )
