"""Ablations: the stage in question is run again by the real services, from the files that the complete run left.

So an ablated result and the complete one differ in nothing else, and cost one stage.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Self

import grpc
import numpy as np
import tritonclient.grpc as triton
from tritonclient.utils import InferenceServerException, np_to_triton_dtype

from articulation.asset import Mesh
from articulation.typing import AnyArray
from client.local.ensemble import Ensemble
from client.sdk import MAX_MESSAGE_BYTES
from gateway.meshes import PackedMeshes
from gateway.plans import without_parts
from gateway.settings import Settings
from gateway.stages import guide, shape
from serving.errors import EmptyPart
from spark.convert import plan_from_proto, plan_to_proto
from spark.v1 import refinement_service_pb2 as rpb
from spark.v1.refinement_service_pb2_grpc import RefinementServiceStub
from training.eval_run import Run
from training.scoring import Result, Scores, Truth, joint_summary, score, shape_summary

Summary = Callable[[Sequence[Scores]], dict[str, float | int | None]]

SUMMARIES: dict[str, Summary] = {
    "no_part_guidance": shape_summary,
    "no_hierarchy": shape_summary,
    "no_refinement": joint_summary,
    "no_open_state": joint_summary,
}
"""Every ablation, and the metrics that it can change."""
SWITCHES = {"no_part_guidance": "use_part_images", "no_hierarchy": "use_hierarchy"}
"""The input of part_dit that is 0 in the ablation (`docs/tensors.md`)."""
CALLED = (*SWITCHES, "no_open_state")
"""Those that call a service; the unrefined joints come with every run."""
OPTIONS = [("grpc.max_send_message_length", MAX_MESSAGE_BYTES), ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES)]


class AblationFailed(Exception):
    """A service behind the gateway refused or failed."""


class Ablations:
    """Calls to the services behind a gateway, at their own addresses."""

    def __init__(self, triton_address: str, refinement_address: str) -> None:
        self._triton = triton.InferenceServerClient(triton_address)
        self._channel = grpc.insecure_channel(refinement_address, options=OPTIONS)
        self._refinement = RefinementServiceStub(self._channel)

    @classmethod
    def of(cls, ensemble: Ensemble) -> Self:
        """The services of a running local ensemble."""
        where = {member.name: member.address for member in ensemble.members()}
        return cls(where["triton"], where["refinement"])

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._triton.close()
        self._channel.close()

    def scores(self, name: str, truth: Truth, run: Run) -> Scores | None:
        """The ablated result against the object; None where the gateway would refuse it for want of a surface.

        Args:
            name: one of `CALLED`.
            truth: the object.
            run: a complete one.

        Raises:
            AblationFailed: a service did not answer as it should.
        """
        if name == "no_open_state":
            return self._without_open_state(truth, run)
        return self._without_switch(SWITCHES[name], truth, run)

    def _without_open_state(self, truth: Truth, run: Run) -> Scores:
        """Joints refined against the closed image alone: it stands for the open one too, all joints closed."""
        plan = run.plan("shape")
        closed = run.files[guide.OBJECT_PATH]
        request = rpb.RefineArticulationRequest(
            plan=plan_to_proto(plan),
            part_meshes=[run.files[shape.mesh_path(part.name)] for part in plan.parts],
            closed_image=closed,
            open_image=closed,
            opening=[0.0] * len(plan.parts),
            seed=run.reconstruction().options.seed,
        )
        try:
            *_, last = self._refinement.RefineArticulation(request)
        except grpc.RpcError as error:
            raise AblationFailed(f"refinement: {error}") from error
        return score(truth, Result(plan_from_proto(last.result.plan), run.meshes()))

    def _without_switch(self, switch: str, truth: Truth, run: Run) -> Scores | None:
        """Shapes by part_dit with one condition off, else as in the complete run."""
        plan, pictures = run.plan("plan"), run.part_pictures()
        whole = run.picture(guide.OBJECT_PATH)
        assert whole is not None, "a run with meshes has the guide's pictures"
        parts = np.stack([pictures[part.name] for part in plan.parts])
        options = run.reconstruction().options
        tensors = shape.tensors(plan, whole, parts, options, Settings().guidance_scale)
        meshes = self._infer(tensors | {switch: np.array([0], np.int32)})
        empty = [index for index in range(len(meshes)) if not len(meshes.part(index)[1])]
        try:
            plan = without_parts(plan, empty)
        except EmptyPart:
            return None
        kept = [Mesh(*meshes.part(index)) for index in range(len(meshes)) if index not in empty]
        return score(truth, Result(plan, tuple(kept)))

    def _infer(self, tensors: Mapping[str, AnyArray]) -> PackedMeshes:
        inputs = []
        for name, array in tensors.items():
            inputs.append(triton.InferInput(name, list(array.shape), np_to_triton_dtype(array.dtype)))
            inputs[-1].set_data_from_numpy(np.ascontiguousarray(array))
        try:
            answer = self._triton.infer(shape.MODEL, inputs)
        except InferenceServerException as error:
            raise AblationFailed(f"{shape.MODEL}: {error}") from error
        return PackedMeshes(*(answer.as_numpy(name) for name in shape.OUTPUTS))
