"""The models whose versions are chosen: where each takes part, and which versions of it a request may pin."""

from __future__ import annotations

from collections.abc import Mapping

from serving.errors import FieldViolation, UnknownModelVersion
from spark.v1 import reconstruction_service_pb2 as pb

PART_DIT, TEXTURE, VLM, REFINEMENT = "part_dit", "texture", "vlm", "refinement"
STAGES = {
    PART_DIT: (pb.STAGE_SHAPE,),
    REFINEMENT: (pb.STAGE_REFINE,),
    TEXTURE: (pb.STAGE_TEXTURE,),
    VLM: (pb.STAGE_PLAN, pb.STAGE_GUIDE),
}
"""Every model, and the stages that it works in."""
ON_TRITON = (PART_DIT, TEXTURE)
FIRST_VERSION = "1"
"""Of a service: what the settings name, before any release."""


def check_pins(pins: Mapping[str, str], served: Mapping[str, list[str]]) -> None:
    """Refuse pins that nothing serves, before any work.

    Args:
        pins: model name to version.
        served: the pinned models' versions in service.

    Raises:
        UnknownModelVersion: naming `options.model_versions[NAME]`.
    """
    wrong: list[FieldViolation] = []
    for name, version in pins.items():
        field = f"options.model_versions[{name}]"
        if name not in STAGES:
            wrong.append(FieldViolation(field, f"{name} cannot be pinned; {', '.join(STAGES)} can"))
        elif version not in served[name]:
            versions = ", ".join(served[name]) or "none"
            wrong.append(FieldViolation(field, f"{name} {version} is not served; in service: {versions}"))
    if wrong:
        text = "; ".join(f"{v.field}: {v.description}" for v in wrong)
        listed = ",".join(f"{name}/{version}" for name, versions in served.items() for version in versions)
        raise UnknownModelVersion(text, violations=wrong, metadata={"served": listed})
