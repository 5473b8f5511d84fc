"""Golden requests: a right answer passes, a wrong one is told in a few words."""

from dataclasses import replace

import numpy as np
import pytest
import trimesh

from articulation.joint import JointType
from gateway.images import read_rgb
from gateway.meshes import PackedMeshes
from gateway.releases import golden
from gateway.stages import shape, texture
from serving.interceptors import validate
from spark.convert import plan_to_proto
from spark.v1 import articulation_pb2 as apb
from spark.v1 import refinement_service_pb2 as rpb

PARTS = golden.golden_object().plan.parts


def boxes(scale: float = 1.0, shift: float = 0.0) -> dict[str, np.ndarray]:
    """What part_dit answers if it fills the boxes."""
    meshes = []
    for part in PARTS:
        place = trimesh.transformations.translation_matrix(part.box.center + shift)
        mesh = trimesh.creation.box(2 * scale * part.box.half_extent, place)
        meshes.append((mesh.vertices, mesh.faces))
    packed = PackedMeshes.pack(meshes)
    return {name: getattr(packed, name) for name in shape.OUTPUTS}


WITHOUT_A_DOOR = boxes() | {"faces": boxes()["faces"][:12], "face_offsets": np.array([0, 12, 12], np.int32)}
NOTHING = {name: value[:0] for name, value in boxes().items()} | dict.fromkeys(
    ("vertex_offsets", "face_offsets"), np.zeros(1, np.int32)
)


def test_the_object_has_a_door_that_turns_and_a_picture_of_each_part() -> None:
    found = golden.golden_object()
    assert any(part.joint.type is JointType.REVOLUTE for part in found.plan.parts)
    assert len(found.parts) == len(found.plan.parts)
    assert all(read_rgb(data).std() > 1 for data in (found.photograph, found.alone, found.opened, *found.parts))


def test_requests_keep_the_contracts() -> None:
    validate(golden.plan_request())
    validate(golden.refine_request())
    assert {array.dtype.kind for array in golden.shape_request().values()} <= {"u", "i", "f"}
    assert golden.texture_request().keys() >= {"vertices", "photograph", "camera"}


def test_boxes_that_are_filled_pass() -> None:
    assert golden.shape_problem(boxes()) == ""
    assert golden.shape_problem(boxes(scale=0.97)) == ""


@pytest.mark.parametrize(
    ("answer", "word"),
    [
        (boxes(scale=0.5), "off its box"),
        (boxes(shift=0.4), "off its box"),
        (boxes(scale=float("nan")), "not finite"),
        (boxes() | {"face_offsets": np.zeros(len(PARTS) + 1, np.int32)}, "offsets that do not part"),
        (WITHOUT_A_DOOR, "the door_1 has no surface"),
        (NOTHING, f"0 meshes for {len(PARTS)} parts"),
    ],
    ids=["small", "elsewhere", "not finite", "offsets", "empty", "none"],
)
def test_a_wrong_shape_is_told(answer: dict[str, np.ndarray], word: str) -> None:
    assert word in golden.shape_problem(answer)


def painted(*colours: tuple[int, int, int]) -> dict[str, np.ndarray]:
    """What texture answers if it paints each part in one colour."""
    meshes = PackedMeshes(**boxes())
    names = ("out_vertices", "out_faces", "out_vertex_offsets", "out_face_offsets")
    return {
        **dict(zip(names, (meshes.vertices, meshes.faces, meshes.vertex_offsets, meshes.face_offsets), strict=True)),
        "textures": np.stack([np.full((8, 8, 3), colour, np.uint8) for colour in colours]),
        "uvs": np.full((len(meshes.vertices), 2), 0.5, np.float32),
    }


def colours_of_the_object() -> list[tuple[int, int, int]]:
    """The mean of each part's picture."""
    pictures = [read_rgb(data) for data in golden.golden_object().parts]
    return [tuple(pixels[(pixels < 250).any(-1)].mean(0).astype(int)) for pixels in pictures]


def test_the_right_colours_pass() -> None:
    answer = painted(*colours_of_the_object())
    assert set(answer) == set(texture.OUTPUTS)
    assert golden.texture_problem(answer) == ""


@pytest.mark.parametrize(
    ("colours", "part"),
    [([(0, 0, 0)] * 2, "body"), ([(128, 128, 128)] * 2, "body"), (colours_of_the_object()[::-1], "body"),
     ([colours_of_the_object()[0]] * 2, "door_1")],
    ids=["black", "grey", "swapped", "door like the body"],
)  # fmt: skip
def test_wrong_colours_are_told(colours: list[tuple[int, int, int]], part: str) -> None:
    assert f"the {part} is off its colour" in golden.texture_problem(painted(*colours))


def test_textures_that_are_missing_or_lie_elsewhere_are_told() -> None:
    right = painted(*colours_of_the_object())
    assert "outside" in golden.texture_problem(right | {"uvs": np.full_like(right["uvs"], 3.0)})
    assert "0 textures" in golden.texture_problem(right | {"textures": right["textures"][:0]})


def test_a_textured_part_without_a_surface_is_told() -> None:
    faces = {"out_faces": WITHOUT_A_DOOR["faces"], "out_face_offsets": WITHOUT_A_DOOR["face_offsets"]}
    assert golden.texture_problem(painted(*colours_of_the_object()) | faces) == "the door_1 has no surface"


def test_the_true_plan_passes() -> None:
    assert golden.plan_problem(plan_to_proto(golden.golden_object().plan)) == ""


def test_a_plan_with_another_motion_is_told() -> None:
    plan = plan_to_proto(golden.golden_object().plan)
    (door,) = [part for part in plan.parts if part.joint.type == apb.JOINT_TYPE_REVOLUTE]
    door.joint.axis.CopyFrom(apb.Vector3(y=1))
    assert "off by 1.57 rad" in golden.plan_problem(plan)
    door.joint.type = apb.JOINT_TYPE_PRISMATIC
    assert "JOINT_TYPE_PRISMATIC" in golden.plan_problem(plan)
    plan.parts.remove(door)
    assert "moves nothing" in golden.plan_problem(plan)


def test_the_true_hinge_passes() -> None:
    plan = plan_to_proto(golden.golden_object().plan)
    assert golden.refine_problem(rpb.RefinementResult(plan=plan)) == ""


@pytest.mark.parametrize("axis", [(0, 0, 1), (0, 0, 0)], ids=["wrong", "none"])
def test_a_hinge_that_turned_is_told(axis: tuple[int, int, int]) -> None:
    plan = plan_to_proto(golden.golden_object().plan)
    for part in plan.parts:
        if part.joint.type == apb.JOINT_TYPE_REVOLUTE:
            part.joint.axis.CopyFrom(apb.Vector3(x=axis[0], y=axis[1], z=axis[2]))
    assert "the axis of" in golden.refine_problem(rpb.RefinementResult(plan=plan))


def test_a_refined_plan_with_other_parts_is_told() -> None:
    less = replace(golden.golden_object().plan, parts=PARTS[:1])
    assert "parts for" in golden.refine_problem(rpb.RefinementResult(plan=plan_to_proto(less)))
