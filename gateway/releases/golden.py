"""Golden requests: one object whose answer is known, put to every replica of a new version.

The object is a generated one, a white body with a red door that turns (`training/golden.py` draws it). Weights differ
from version to version, and so do their answers in detail; what an answer must say of this object does not.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import numpy as np
import trimesh

from articulation.plan import Plan
from articulation.typing import AnyArray
from gateway.images import read_rgb
from gateway.meshes import PackedMeshes, write_glb
from gateway.plans import openings, plan_from_json
from gateway.stages import shape, texture
from spark.convert import plan_to_proto
from spark.v1 import articulation_pb2 as apb
from spark.v1 import reconstruction_service_pb2 as pb
from spark.v1 import refinement_service_pb2 as rpb
from spark.v1 import vlm_service_pb2 as vpb

DRAFT = pb.ReconstructionOptions(quality=pb.QUALITY_DRAFT)
BOX_TOLERANCE = 0.1
"""How far a part's sides may lie from its box [model units]; the longest side of the object is 2."""
COLOUR_TOLERANCE = 0.15
"""How far the colours that the camera sees may be from the picture's in the mean, of [0, 1]."""
POINTS = 4000
"""Points of a part at which colours are compared."""
AXIS_TOLERANCE = 0.2
"""How far the door's axis may point from the true one, either way round [rad]."""


@dataclass(frozen=True)
class GoldenObject:
    """The object and its pictures: as photographed, alone, each part alone, opened; PNG."""

    plan: Plan
    photograph: bytes
    alone: bytes
    parts: tuple[bytes, ...]
    opened: bytes


@cache
def golden_object() -> GoldenObject:
    folder = files("gateway.releases") / "golden"
    plan = plan_from_json((folder / "plan.json").read_bytes())
    photograph, alone, opened = ((folder / f"{name}.png").read_bytes() for name in ("photograph", "object", "open"))
    parts = tuple((folder / f"part_{part.name}.png").read_bytes() for part in plan.parts)
    return GoldenObject(plan, photograph, alone, parts, opened)


def shape_request() -> dict[str, AnyArray]:
    """Tensors for part_dit."""
    golden = golden_object()
    pictures = np.stack([read_rgb(data) for data in golden.parts])
    return shape.tensors(golden.plan, read_rgb(golden.alone), pictures, DRAFT, guidance_scale=1.0)


def shape_problem(outputs: dict[str, AnyArray]) -> str:
    """What is wrong with part_dit's answer: every part must fill its box. Empty if nothing is."""
    plan, meshes = golden_object().plan, PackedMeshes(**outputs)
    if problem := shape.problem(plan, meshes):
        return problem
    for index, part in enumerate(plan.parts):
        vertices, faces = meshes.part(index)
        if not len(faces):
            return f"the {part.name} has no surface"
        box = part.box.to_array()
        sides = np.concatenate([box[:3] - box[3:], box[:3] + box[3:]])
        off = float(np.abs(np.concatenate([vertices.min(0), vertices.max(0)]) - sides).max())
        if off > BOX_TOLERANCE:
            return f"the {part.name} is off its box by {off:.2f}"
    return ""


def texture_request() -> dict[str, AnyArray]:
    """Tensors for texture: the parts as boxes."""
    golden = golden_object()
    meshes = PackedMeshes.pack([(mesh.vertices, mesh.faces) for mesh in _boxes(golden.plan)])
    pictures = [read_rgb(data) for data in golden.parts]
    return texture.tensors(
        golden.plan, meshes, read_rgb(golden.photograph), read_rgb(golden.alone), np.stack(pictures), DRAFT
    )


def texture_problem(outputs: dict[str, AnyArray]) -> str:
    """What is wrong with texture's answer: what the camera sees of a part must have the colours of its picture."""
    golden = golden_object()
    if problem := texture.problem(golden.plan, outputs):
        return problem
    meshes, textures, uvs = texture.meshes_of(outputs), outputs["textures"], outputs["uvs"]
    for index, part in enumerate(golden.plan.parts):
        mesh = trimesh.Trimesh(*meshes.part(index), process=False)
        if not mesh.area:
            return f"the {part.name} has no surface"
        painted, seen = _seen(mesh, uvs[meshes.vertex_span(index)], textures[index], read_rgb(golden.parts[index]))
        off = float(np.abs(painted - seen).mean()) / 255 if len(seen) else 1.0
        if off > COLOUR_TOLERANCE:
            return f"the {part.name} is off its colour by {off:.2f}"
    return ""


def _seen(mesh: trimesh.Trimesh, uvs: AnyArray, painted: AnyArray, picture: AnyArray) -> tuple[AnyArray, AnyArray]:
    """Colours of points (n, 3) of a mesh that face the camera, in its texture and in its picture on white."""
    camera = golden_object().plan.camera
    points, faces = trimesh.sample.sample_surface(mesh, POINTS, seed=0)
    facing = ((camera.position - points) * mesh.face_normals[faces]).sum(1) > 0
    points, corners = points[facing], mesh.faces[faces[facing]]
    weights = trimesh.triangles.points_to_barycentric(mesh.vertices[corners], points)  # type: ignore[no-untyped-call]
    at = (weights[..., None] * uvs[corners]).sum(1)
    texel = (np.stack([1 - at[:, 1], at[:, 0]], 1).clip(0, 1) * (len(painted) - 1)).round().astype(int)
    pixel = ((camera.project(points)[0] + 1) / 2 * len(picture)).astype(int).clip(0, len(picture) - 1)
    seen = picture[pixel[:, 1], pixel[:, 0]].astype(float)
    drawn = (seen < 250).any(1)
    return painted[texel[drawn, 0], texel[drawn, 1]].astype(float), seen[drawn]


def plan_request() -> vpb.PlanArticulationRequest:
    return vpb.PlanArticulationRequest(image=golden_object().photograph)


def plan_problem(plan: apb.ArticulationPlan) -> str:
    """What is wrong with the VLM's plan: the photograph shows a door that turns, and nothing else that moves."""
    moving = [part for part in plan.parts if part.joint.type not in (apb.JOINT_TYPE_FIXED, apb.JOINT_TYPE_UNSPECIFIED)]
    if len(moving) != 1 or moving[0].joint.type != apb.JOINT_TYPE_REVOLUTE:
        kinds = ", ".join(f"{part.name} {apb.JointType.Name(part.joint.type)}" for part in moving)
        return f"the plan moves {kinds or 'nothing'}; the picture shows one door that turns"
    return _axis_problem(moving[0])


def refine_request() -> rpb.RefineArticulationRequest:
    """The parts as boxes, and the true plan."""
    golden = golden_object()
    return rpb.RefineArticulationRequest(
        plan=plan_to_proto(golden.plan),
        part_meshes=[write_glb(mesh.vertices.astype(np.float32), mesh.faces) for mesh in _boxes(golden.plan)],
        closed_image=golden.alone,
        open_image=golden.opened,
        opening=openings(golden.plan),
        effort=0.3,
    )


def refine_problem(result: rpb.RefinementResult) -> str:
    """What is wrong with a refined plan: the door must turn about the axis that it had, which was right."""
    plan = golden_object().plan
    if len(result.plan.parts) != len(plan.parts):
        return f"{len(result.plan.parts)} parts for {len(plan.parts)}"
    (refined,) = [found for found, part in zip(result.plan.parts, plan.parts, strict=True) if part.joint.type.moves]
    return _axis_problem(refined)


def _axis_problem(found: apb.Part) -> str:
    """How the axis of a part differs from that of the object's door, the one part that moves."""
    (door,) = [part for part in golden_object().plan.parts if part.joint.type.moves]
    axis = np.array([found.joint.axis.x, found.joint.axis.y, found.joint.axis.z])
    length = float(np.linalg.norm(axis))
    cosine = abs(float(axis @ np.asarray(door.joint.axis))) / length if length else 0.0
    off = float(np.arccos(min(cosine, 1.0)))
    return f"the axis of the {found.name} is off by {off:.2f} rad" if off > AXIS_TOLERANCE else ""


def _boxes(plan: Plan) -> list[trimesh.Trimesh]:
    """Each part's box as a mesh."""
    meshes = [trimesh.creation.box(2 * part.box.half_extent) for part in plan.parts]
    for part, mesh in zip(plan.parts, meshes, strict=True):
        mesh.apply_translation(part.box.center)
    return meshes
