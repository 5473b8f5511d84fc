"""Prompts against the core's camera and kinematics, which share no code with the caster."""

import numpy as np
import pytest
import torch
from edit_plans import cabinet
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial import ConvexHull, Delaunay

from articulation.camera import Camera
from articulation.kinematics import link_poses, transform_points
from articulation.plan import Plan
from articulation.typing import Array
from services.vlm.edit_prompt import (
    CHANNELS,
    EditTask,
    PlanTensors,
    box_distances,
    camera_rays,
    draw_prompt,
    nearest,
    part_poses,
    project,
)

SIZE = 64
CORNERS = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)], dtype=np.float64)


def prompt_of(plan: Plan, opening: float, shown: list[int], task: EditTask, image: torch.Tensor) -> dict[str, Array]:
    asked = torch.zeros(1, len(plan.parts), dtype=torch.bool)
    asked[0, shown] = True
    upper = torch.tensor([[part.joint.upper for part in plan.parts]])
    planes = draw_prompt(PlanTensors.from_plan(plan), opening * upper, asked, torch.tensor([task]), image)
    return dict(zip(CHANNELS, planes[0].double().numpy(), strict=True))


def grey(size: int = SIZE) -> torch.Tensor:
    return torch.zeros(1, 3, size, size)


def outline(plan: Plan, opening: float, index: int, size: int) -> Array:
    """(size, size) bool: pixel centres inside the hull of the part's projected corners, by Qhull."""
    q = opening * np.array([part.joint.upper for part in plan.parts])
    box = plan.parts[index].box
    corners = transform_points(link_poses(plan.articulation(), q)[index], box.center + CORNERS * box.half_extent)
    image, _ = plan.camera.project(corners)
    hull = Delaunay(image[ConvexHull(image).vertices])
    ticks = (np.arange(size) + 0.5) / size * 2 - 1
    pixels = np.stack(np.meshgrid(ticks, ticks), -1)
    return hull.find_simplex(pixels) >= 0


@pytest.mark.parametrize("index", range(4))
@pytest.mark.parametrize("opening", [0.0, 0.6])
def test_the_mask_of_one_part_is_the_hull_of_its_projected_corners(index: int, opening: float) -> None:
    plan = cabinet()
    mask = prompt_of(plan, opening, [index], EditTask.OPEN, grey())["asked"] > 0
    assert mask.any()
    np.testing.assert_array_equal(mask, outline(plan, opening, index, SIZE))


def test_every_asked_box_is_covered() -> None:
    plan = cabinet()
    mask = prompt_of(plan, 0.5, [0, 1, 2, 3], EditTask.OPEN, grey())["asked"] > 0
    union = np.any([outline(plan, 0.5, index, SIZE) for index in range(4)], axis=0)
    np.testing.assert_array_equal(mask, union)


@given(
    azimuth=st.floats(-1.2, 1.2),
    elevation=st.floats(-0.5, 1.0),
    distance=st.floats(2.5, 8.0),
    fov=st.floats(0.3, 1.2),
    shift=st.floats(-0.2, 0.2),
)
@settings(max_examples=25, deadline=None)
def test_rays_and_projection_agree_with_the_camera_of_the_core(
    azimuth: float, elevation: float, distance: float, fov: float, shift: float
) -> None:
    camera = Camera(azimuth, elevation, distance, fov, (shift, -shift))
    tensor = torch.tensor(camera.to_array())[None]
    eye, rays = camera_rays(tensor, 5)
    position, directions = camera.rays(5)
    np.testing.assert_allclose(eye[0], position, atol=1e-6)
    np.testing.assert_allclose(rays[0], directions, atol=1e-6)
    points = np.random.default_rng(0).uniform(-1, 1, (1, 4, 3, 3))
    pixel, depth = project(tensor, torch.tensor(points))
    expected_pixel, expected_depth = camera.project(points)
    np.testing.assert_allclose(pixel, expected_pixel, atol=1e-6)
    np.testing.assert_allclose(depth, expected_depth, atol=1e-6)


@given(q=st.lists(st.floats(-2, 2), min_size=4, max_size=4))
@settings(max_examples=25, deadline=None)
def test_poses_agree_with_forward_kinematics_of_the_core(q: list[float]) -> None:
    plan = cabinet()
    rotation, translation = part_poses(PlanTensors.from_plan(plan), torch.tensor([q]))
    expected = link_poses(plan.articulation(), np.array(q))
    np.testing.assert_allclose(rotation[0], expected[:, :3, :3], atol=2e-6)
    np.testing.assert_allclose(translation[0], expected[:, :3, 3], atol=2e-6)


def test_the_nearest_box_is_the_one_whose_corner_is_nearest_in_an_occluded_view() -> None:
    front = Camera(0.0, 0.0, 4.0, 0.6)
    tensors = PlanTensors.from_plan(cabinet(front))
    eye, rays = camera_rays(tensors.camera, 3)
    rotation, translation = part_poses(tensors, torch.zeros(1, 4))
    hits = nearest(box_distances(eye, rays, tensors.boxes, rotation, translation), tensors.valid)
    assert hits.part[0, 1, 1] == 2  # the door covers the body at the picture's centre
    assert hits.distance[0, 1, 1] == pytest.approx(4.0 - 0.63)


def test_a_closed_object_carries_the_image_itself_where_its_boxes_are_seen() -> None:
    image = torch.rand(1, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(0)) * 2 - 1
    planes = prompt_of(cabinet(), 0.0, [0, 1, 2, 3], EditTask.OBJECT, image)
    carried = np.stack([planes[f"carried_{channel}"] for channel in "rgb"])
    mask = planes["asked"] > 0
    assert (planes["seen"] > 0)[mask].all()
    np.testing.assert_allclose(carried[:, mask], image[0].double().numpy()[:, mask], atol=1e-3)
    assert not carried[:, ~mask].any()


def test_an_opened_door_carries_the_colour_of_its_closed_front() -> None:
    plan = cabinet(Camera(0.0, 0.2, 5.0, 0.7))
    closed = prompt_of(plan, 0.0, [2], EditTask.PART, grey())
    image = torch.full((1, 3, SIZE, SIZE), -1.0)
    image[0, 0, torch.tensor(closed["asked"] > 0)] = 1.0  # a red door on a black picture
    opened = prompt_of(plan, 0.4, [2], EditTask.OPEN, image)
    front = (opened["asked"] > 0) & (opened["face_z"] > 0.999) & (np.abs(opened["face_x"]) < 0.9)
    front &= (np.abs(opened["face_y"]) < 0.9) & (opened["seen"] > 0)
    assert front.sum() > 20
    np.testing.assert_allclose(opened["carried_r"][front], 1.0, atol=1e-4)
    np.testing.assert_allclose(opened["carried_b"][front], -1.0, atol=1e-4)


def test_the_inner_side_of_an_opened_door_is_not_seen() -> None:
    plan = cabinet(Camera(0.9, 0.1, 5.0, 0.7))
    planes = prompt_of(plan, 1.0, [2], EditTask.OPEN, grey())
    inner = (planes["asked"] > 0) & (planes["face_z"] < -0.999)
    assert inner.any()
    assert not planes["seen"][inner].any()


def test_the_normal_turns_with_the_part() -> None:
    plan = cabinet(Camera(0.0, 0.0, 5.0, 0.7))
    planes = prompt_of(plan, 0.5, [2], EditTask.OPEN, grey())
    front = (planes["asked"] > 0) & (planes["face_z"] > 0.999)
    normal = np.array([planes[f"normal_{axis}"][front].mean() for axis in "xyz"])
    np.testing.assert_allclose(normal, [-np.sin(np.pi / 4), 0.0, np.cos(np.pi / 4)], atol=1e-5)


def test_an_occluded_part_is_asked_whole_and_told_apart_where_it_is_in_front() -> None:
    planes = prompt_of(cabinet(), 0.0, [0], EditTask.PART, grey())
    hidden = (planes["asked"] > 0) & (planes["asked_in_front"] == 0)
    assert hidden.any()
    assert ((planes["asked_in_front"] > 0) <= (planes["object"] > 0)).all()


def test_the_task_is_named() -> None:
    for task in EditTask:
        planes = prompt_of(cabinet(), 0.0, [0], task, grey(8))
        assert [planes[f"task_{other.name.lower()}"].mean() for other in EditTask] == [
            other == task for other in EditTask
        ]


def test_a_batch_draws_what_its_rows_draw_alone() -> None:
    plan = cabinet()
    image = torch.rand(3, 3, SIZE, SIZE)
    tensors = PlanTensors.from_plan(plan, 3)
    upper = torch.tensor([part.joint.upper for part in plan.parts])
    q = torch.tensor([[0.0], [0.3], [1.0]]) * upper
    asked = torch.tensor([[True] * 4, [False, False, True, False], [True] * 4])
    task = torch.tensor([EditTask.OBJECT, EditTask.PART, EditTask.OPEN])
    together = draw_prompt(tensors, q, asked, task, image)
    single = PlanTensors.from_plan(plan)
    for row in range(3):
        alone = draw_prompt(single, q[row : row + 1], asked[row : row + 1], task[row : row + 1], image[row : row + 1])
        torch.testing.assert_close(together[row : row + 1], alone, atol=1e-4, rtol=1e-4)


def test_closed_edits_of_one_plan_need_neither_coordinates_nor_copies_of_it() -> None:
    plan = cabinet()
    image = torch.rand(5, 3, SIZE, SIZE)
    asked = torch.cat([torch.ones(1, 4, dtype=torch.bool), torch.eye(4, dtype=torch.bool)])
    task = torch.tensor([EditTask.OBJECT] + [EditTask.PART] * 4)
    once = draw_prompt(PlanTensors.from_plan(plan), None, asked, task, image)
    copied = draw_prompt(PlanTensors.from_plan(plan, 5), torch.zeros(5, 4), asked, task, image)
    torch.testing.assert_close(once, copied, atol=1e-4, rtol=1e-4)


def test_padding_is_never_drawn() -> None:
    tensors = PlanTensors.from_plan(cabinet())
    hidden = torch.tensor([[True, True, False, True]])
    eye, rays = camera_rays(tensors.camera, SIZE)
    rotation, translation = part_poses(tensors, torch.zeros(1, 4))
    hits = nearest(box_distances(eye, rays, tensors.boxes, rotation, translation), hidden)
    assert not (hits.part == 2).any()
