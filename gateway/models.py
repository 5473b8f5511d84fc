"""Which version of which model a reconstruction uses."""

from __future__ import annotations

from collections.abc import Mapping

from gateway.stages import shape, texture
from gateway.triton import TritonModels
from serving.errors import FieldViolation, UnknownModelVersion

PINNABLE = (shape.MODEL, texture.MODEL)
"""The VLM and refinement services serve one version each, so there is nothing to choose."""


async def check_pins(pins: Mapping[str, str], triton: TritonModels) -> None:
    """Refuse pins that nothing serves, before any work.

    Args:
        pins: model name to version; may be empty.

    Raises:
        UnknownModelVersion: naming `options.model_versions[NAME]`.
        Unavailable: there are pins and Triton cannot be reached.
    """
    if not pins:
        return
    served = await triton.served()
    wrong: list[FieldViolation] = []
    for name, version in pins.items():
        field = f"options.model_versions[{name}]"
        if name not in PINNABLE:
            wrong.append(FieldViolation(field, f"{name} cannot be pinned; {', '.join(PINNABLE)} can"))
        elif version not in served.get(name, []):
            versions = ", ".join(served.get(name, [])) or "none"
            wrong.append(FieldViolation(field, f"{name} {version} is not served; in service: {versions}"))
    if wrong:
        text = "; ".join(f"{v.field}: {v.description}" for v in wrong)
        listed = ",".join(f"{name}/{version}" for name in PINNABLE for version in served.get(name, []))
        raise UnknownModelVersion(text, violations=wrong, metadata={"served": listed})
