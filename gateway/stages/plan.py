"""Plan: one image to a URDF template, by the VLM, or the caller's."""

from __future__ import annotations

from articulation.plan import Plan
from gateway.plans import PATH, TEMPLATE, check_plan, plan_to_json, require_confidence
from gateway.stages.work import INPUT_PATH, Outcome, Work
from spark.v1 import model_pb2, vlm_service_pb2


async def run(work: Work) -> Outcome:
    """Write `plan.json`.

    Raises:
        ImageRefused: the VLM sees no object that it could plan, or is less sure of its plan than the caller demands.
        InvalidPlan: the plan describes no object.
    """
    if work.options.HasField("template"):
        return await _planned(work, check_plan(work.options.template, TEMPLATE), [])
    request = vlm_service_pb2.PlanArticulationRequest(
        image=await work.read(INPUT_PATH), part_hints=work.options.part_hints, seed=work.options.seed
    )
    vlm = await work.vlm()
    answer = await vlm.call(vlm.stub.PlanArticulation(request, timeout=work.settings.stage_timeout_seconds))
    return await _planned(work, check_plan(answer.plan), [answer.model])


async def _planned(work: Work, plan: Plan, models: list[model_pb2.ModelVersion]) -> Outcome:
    require_confidence(plan, work.options.min_confidence)
    return Outcome([await work.session.put(PATH, plan_to_json(plan))], models)
