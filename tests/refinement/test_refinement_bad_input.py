"""Input that is wrong but can be read: a result all the same, and a warning that says what is wrong."""

import io
from collections.abc import Callable, Sequence

import box_scenes
import numpy as np
import pytest
import trimesh
from PIL import Image

from articulation.files import png
from articulation.joint import Joint, JointType
from articulation.plan import Plan
from services.refinement import job
from services.refinement.schedule import Schedule
from services.refinement.settings import RefinementSettings
from spark.convert import plan_from_proto, plan_to_proto
from spark.v1 import refinement_service_pb2 as pb

PARTS = box_scenes.cabinet()
PLAN = box_scenes.plan(PARTS)
MESHES = box_scenes.meshes(PARTS)
OPENING = [0, 0.6, 0.7]
SCHEDULE = Schedule(camera_steps=6, joint_steps=6, sizes=(48,), search_size=32, settle_count=2, settle_steps=2)
SAME = pb.REFINEMENT_WARNING_REASON_SAME_IMAGES
UNEXPLAINED = pb.REFINEMENT_WARNING_REASON_IMAGES_UNEXPLAINED
MISPLACED = pb.REFINEMENT_WARNING_REASON_PARTS_MISPLACED

TABLE = [
    box_scenes.Part([((-1.0, 0.5, -0.6), (1.0, 0.6, 0.6))], (0.2, 0.6, 0.3)),
    box_scenes.Part(
        [((-0.3, 0.2, -0.5), (0.3, 0.5, 0.6))],
        (0.9, 0.8, 0.2),
        Joint(JointType.PRISMATIC, np.array([0.0, 0.0, 1.0]), np.zeros(3), 0.0, 0.8),
    ),
]


def picture(parts: list[box_scenes.Part], q: Sequence[float], size: int = 96) -> bytes:
    return png(box_scenes.picture(parts, np.array(q), size=size))


CLOSED, OPEN = picture(PARTS, [0, 0, 0]), picture(PARTS, [0, 1.1, 0.6])


def refined(
    meshes: Sequence[trimesh.Trimesh] = MESHES, closed: bytes = CLOSED, opened: bytes = OPEN, plan: Plan = PLAN
) -> pb.RefinementResult:
    """The last message, which must be a result for every part that is no worse than the start."""
    request = pb.RefineArticulationRequest(
        plan=plan_to_proto(plan),
        part_meshes=[mesh.export(file_type="glb") for mesh in meshes],
        closed_image=closed,
        open_image=opened,
        opening=OPENING,
    )
    *_, last = job.responses(request, RefinementSettings(), SCHEDULE)
    assert len(plan_from_proto(last.result.plan).parts) == len(plan.parts)
    assert last.result.final_loss <= last.result.initial_loss < np.inf
    return last.result


def reasons(result: pb.RefinementResult) -> list[int]:
    return [warning.reason for warning in result.warnings]


def torn(mesh: trimesh.Trimesh) -> trimesh.Trimesh:
    return trimesh.Trimesh(mesh.vertices, np.delete(mesh.faces, [0, 7], axis=0))


def inside_out(mesh: trimesh.Trimesh) -> trimesh.Trimesh:
    return trimesh.Trimesh(mesh.vertices, mesh.faces[:, ::-1])


def shattered(mesh: trimesh.Trimesh) -> trimesh.Trimesh:
    """Every triangle by itself, and a crumb inside."""
    loose = trimesh.Trimesh(mesh.vertices[mesh.faces].reshape(-1, 3), np.arange(3 * len(mesh.faces)).reshape(-1, 3))
    crumb = trimesh.creation.icosphere(subdivisions=0, radius=0.01)
    crumb.apply_translation(mesh.bounds.mean(0))
    return trimesh.util.concatenate([loose, crumb])


def twice(mesh: trimesh.Trimesh) -> trimesh.Trimesh:
    return trimesh.util.concatenate([mesh, mesh])


def degenerate(mesh: trimesh.Trimesh) -> trimesh.Trimesh:
    """With faces that are points and lines."""
    return trimesh.Trimesh(mesh.vertices, np.concatenate([mesh.faces, [[0, 0, 0], [0, 1, 1]]]), process=False)


def test_good_input_is_not_warned_of() -> None:
    assert reasons(refined()) == []


@pytest.mark.parametrize("spoil", [torn, inside_out, shattered, twice, degenerate])
def test_broken_meshes_are_refined_all_the_same(spoil: Callable[[trimesh.Trimesh], trimesh.Trimesh]) -> None:
    assert reasons(refined([spoil(mesh) for mesh in MESHES])) == []


def test_one_mesh_for_all_parts_is_flagged_by_the_parts_that_it_does_not_fit() -> None:
    (warning,) = [w for w in refined([MESHES[0]] * 3).warnings if w.reason == MISPLACED]
    assert list(warning.parts) == ["part_1", "part_2"]
    assert "part_1, part_2" in warning.message


def test_meshes_in_another_order_than_the_plan_are_flagged() -> None:
    assert MISPLACED in reasons(refined(MESHES[::-1]))


def test_an_open_image_that_is_the_closed_one_is_flagged_and_turns_no_joint() -> None:
    result = refined(opened=CLOSED)
    assert reasons(result) == [SAME]
    assert [part.joint.type for part in plan_from_proto(result.plan).parts] == [part.joint.type for part in PLAN.parts]


def test_the_closed_image_saved_again_is_the_same_image() -> None:
    closed, again = picture(PARTS, [0, 0, 0], 256), io.BytesIO()
    Image.open(io.BytesIO(closed)).save(again, "JPEG", quality=75)
    assert reasons(refined(closed=closed, opened=again.getvalue())) == [SAME]


def test_no_open_image_is_missed_where_nothing_moves() -> None:
    still = [box_scenes.Part(part.boxes, part.colour) for part in PARTS]
    assert reasons(refined(opened=CLOSED, plan=box_scenes.plan(still))) == []


def test_an_open_image_of_another_object_is_flagged() -> None:
    assert reasons(refined(opened=picture(TABLE, [0, 0.5]))) == [UNEXPLAINED]


def test_images_of_another_object_are_flagged() -> None:
    result = refined(closed=picture(TABLE, [0, 0]), opened=picture(TABLE, [0, 0.5]))
    assert UNEXPLAINED in reasons(result)


@pytest.mark.parametrize("size", [48, 150])
def test_an_open_image_of_another_size_is_as_good(size: int) -> None:
    assert reasons(refined(opened=picture(PARTS, [0, 1.1, 0.6], size))) == []
