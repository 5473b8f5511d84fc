"""Joints that follow others: one opening for both, which either of the two parts can show."""

from dataclasses import replace

import box_scenes
import numpy as np
import pytest
import torch

from articulation import kinematics as core
from articulation.files import png
from articulation.joint import Joint, JointType, Mimic
from articulation.plan import Plan
from services.refinement import job
from services.refinement.hypotheses import alternatives, usual_lines
from services.refinement.kinematics import Screws, followers, link_poses, tied
from services.refinement.part_prior import PartPrior, Place
from services.refinement.schedule import Schedule
from services.refinement.settings import RefinementSettings
from spark.convert import plan_from_proto, plan_to_proto
from spark.v1 import refinement_service_pb2 as pb

SHORT = Schedule(camera_steps=2, joint_steps=15, sizes=(48,), search_size=48, settle_count=2, settle_steps=3)
LEADER, FOLLOWER = 1, 2
OUT = np.array([0.0, 0.0, 1.0])
FRONT, REAR = ((-0.5, -0.9, 0.2), (0.5, -0.3, 0.62)), ((-0.7, -0.9, -0.72), (-0.1, -0.3, -0.3))
DOOR = np.array([[-0.8, 0.0, 0.6], [0.8, 1.0, 0.67]])


def cupboard(leader: tuple, follower: tuple, way: float) -> list[box_scenes.Part]:
    """A body whose leading drawer slides out at the front, or at the back where `way` is negative; the other slides
    out at the other side, half as far."""
    slide = Joint(JointType.PRISMATIC, way * OUT, np.zeros(3), 0.0, 0.9)
    follows = replace(slide, axis=-slide.axis, mimic=Mimic("part_1", 0.5))
    return [
        box_scenes.Part([((-0.8, -1.0, -0.7), (0.8, 1.0, 0.6))], (0.7, 0.6, 0.5)),
        box_scenes.Part([leader], (0.8, 0.3, 0.3), slide),
        box_scenes.Part([follower], (0.3, 0.4, 0.8), follows),
    ]


def refined(parts: list[box_scenes.Part], plan: Plan, q: np.ndarray, opening: list[float]) -> pb.RefinementResult:
    request = pb.RefineArticulationRequest(
        plan=plan_to_proto(plan),
        part_meshes=[mesh.export(file_type="glb") for mesh in box_scenes.meshes(parts)],
        closed_image=png(box_scenes.picture(parts, np.zeros(3), size=96)),
        open_image=png(box_scenes.picture(parts, q, size=96)),
        opening=opening,
    )
    *_, last = job.responses(request, RefinementSettings(), SHORT)
    return last.result


@pytest.mark.parametrize("hidden", [LEADER, FOLLOWER])
def test_either_part_shows_how_far_both_are_open(hidden: int) -> None:
    parts = cupboard(REAR, FRONT, -1.0) if hidden == LEADER else cupboard(FRONT, REAR, 1.0)
    q = np.array([0.0, 0.7, 0.35])
    assert hidden not in box_scenes.visible_links(parts, q, box_scenes.CAMERA, 96)
    plan = box_scenes.plan(parts)
    result = refined(parts, plan, q, [0, 0.3 / 0.9, 0])
    np.testing.assert_allclose(result.coordinates, q, atol=0.05)
    assert result.coordinates[FOLLOWER] == pytest.approx(0.5 * result.coordinates[LEADER])
    assert plan_from_proto(result.plan).parts[FOLLOWER].joint.mimic == plan.parts[FOLLOWER].joint.mimic


def test_the_axis_of_a_joint_that_follows_is_refined() -> None:
    parts = cupboard(FRONT, ((-0.3, 0.2, 0.2), (0.3, 0.8, 0.62)), 1.0)
    parts[FOLLOWER] = replace(parts[FOLLOWER], joint=replace(parts[FOLLOWER].joint, axis=OUT))
    exact, q = box_scenes.plan(parts), np.array([0.0, 0.7, 0.35])
    slanted = replace(exact.parts[FOLLOWER].joint, axis=np.array([0.0, 0.6, 0.8]), confidence=0.1)
    parts_of_start = (*exact.parts[:FOLLOWER], replace(exact.parts[FOLLOWER], joint=slanted))
    result = refined(parts, replace(exact, parts=parts_of_start), q, [0, 0.7 / 0.9, 0.7 / 0.9])
    found = plan_from_proto(result.plan).parts[FOLLOWER].joint
    assert found.axis @ OUT > np.cos(np.radians(3))
    assert (found.type, found.mimic) == (slanted.type, slanted.mimic)
    assert result.coordinates[FOLLOWER] == pytest.approx(0.5 * result.coordinates[LEADER])


def test_tied_poses_equal_the_core() -> None:
    tree = box_scenes.plan(cupboard(FRONT, REAR, 1.0)).articulation()
    q = np.array([[0.0, 0.7, 5.0]])
    screws = Screws.of([[link.joint for link in tree]], torch.device("cpu"), torch.float64)
    poses = link_poses(screws, tree.parents, tied(torch.tensor(q), followers(tree)))
    np.testing.assert_allclose(poses.numpy(), core.link_poses(tree, q)[..., :3, :], atol=1e-12)


def test_gradients_of_a_tied_opening_equal_finite_differences() -> None:
    rng = torch.Generator().manual_seed(5)
    axis, origin, q = (torch.randn(1, 4, *more, generator=rng, dtype=torch.float64) for more in ((3,), (3,), ()))
    turns, slides = torch.tensor([[False, True, True, False]]), torch.tensor([[False, False, False, True]])
    hinge = Joint(JointType.REVOLUTE)
    joints = [Joint(JointType.FIXED), hinge, replace(hinge, mimic=Mimic("part_1", -1.7, 0.2)), hinge]
    parts = [box_scenes.Part([FRONT], (0, 0, 0), joint) for joint in joints]
    following = followers(box_scenes.plan(parts).articulation())

    def poses(axis: torch.Tensor, origin: torch.Tensor, q: torch.Tensor) -> torch.Tensor:
        unit = axis / axis.norm(dim=-1, keepdim=True)
        return link_poses(Screws(unit, origin, turns, slides), (-1, 0, 1, 2), tied(q, following))

    assert torch.autograd.gradcheck(poses, tuple(value.requires_grad_() for value in (axis, origin, q)))
    link_poses(Screws(axis, origin, turns, slides), (-1, 0, 1, 2), tied(q, following)).sum().backward()
    assert q.grad is not None
    assert q.grad[0, 2] == 0


def test_a_joint_that_follows_the_other_way_is_tried_as_it_opens() -> None:
    same, other = (
        Joint(JointType.REVOLUTE, -way * np.eye(3)[1], np.array([-0.8, 0.0, 0.67]), mimic=Mimic("leader", way))
        for way in (1.0, -1.0)
    )
    assert Place.of(same, DOOR) == Place.of(other, DOOR)
    np.testing.assert_equal(usual_lines(same, DOOR), usual_lines(other, DOOR))
    prior = PartPrior.of("door", DOOR)
    found = [{str(Place.of(joint, DOOR)) for joint in alternatives(one, DOOR, prior, True)} for one in (same, other)]
    assert found[0] == found[1]
