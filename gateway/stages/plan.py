"""Plan: one image to a URDF template, by the VLM."""

from __future__ import annotations

from gateway.plans import PATH, check_plan, plan_to_json, require_confidence
from gateway.stages.work import INPUT_PATH, Outcome, Work
from spark.v1 import vlm_service_pb2


async def run(work: Work) -> Outcome:
    """Write `plan.json`.

    Raises:
        ImageRefused: the VLM sees no object that it could plan, or is less sure of its plan than the caller demands.
        InvalidPlan: the VLM's plan describes no object.
    """
    request = vlm_service_pb2.PlanArticulationRequest(
        image=await work.read(INPUT_PATH), part_hints=work.options.part_hints, seed=work.options.seed
    )
    vlm = work.services.vlm
    answer = await vlm.call(vlm.stub.PlanArticulation(request, timeout=work.settings.stage_timeout_seconds))
    plan = check_plan(answer.plan)
    require_confidence(plan, work.options.min_confidence)
    return Outcome([await work.session.put(PATH, plan_to_json(plan))], [answer.model])
