"""The servers of every model, each with its golden request."""

from __future__ import annotations

from gateway.models import PART_DIT, REFINEMENT, TEXTURE, VLM
from gateway.peers import PeerVersions, RefinementPeer, VlmPeer
from gateway.releases import golden
from gateway.releases.control import Control
from gateway.releases.jobs import Versions
from gateway.releases.peer_control import PeerControl
from gateway.releases.triton_control import TritonControl
from gateway.stages import shape, texture
from gateway.triton import TritonModels


def model_controls(
    triton: TritonModels, vlm: PeerVersions[VlmPeer], refinement: PeerVersions[RefinementPeer], versions: Versions
) -> dict[str, Control]:
    """Of every model whose versions are released."""
    return {
        PART_DIT: TritonControl(PART_DIT, triton, golden.shape_request, shape.OUTPUTS, golden.shape_problem),
        TEXTURE: TritonControl(TEXTURE, triton, golden.texture_request, texture.OUTPUTS, golden.texture_problem),
        VLM: PeerControl(VLM, vlm, versions, plans),
        REFINEMENT: PeerControl(REFINEMENT, refinement, versions, refines),
    }


async def plans(peer: VlmPeer, seconds: float) -> str:
    """What is wrong with a VLM's answer to the golden request."""
    answer = await peer.call(peer.stub.PlanArticulation(golden.plan_request(), timeout=seconds))
    return golden.plan_problem(answer.plan)


async def refines(peer: RefinementPeer, seconds: float) -> str:
    """What is wrong with a refinement's answer to the golden request."""
    async for message in peer.stream(peer.stub.RefineArticulation(golden.refine_request(), timeout=seconds)):
        if message.WhichOneof("event") == "result":
            return golden.refine_problem(message.result)
    return "it ended without a result"
