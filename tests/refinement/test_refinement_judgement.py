"""How the picture's evidence, the plan's and what is known beforehand are weighed."""

from dataclasses import replace

import box_scenes
import numpy as np
import pytest
import torch

from articulation.joint import Joint, JointType, Mimic
from services.refinement import proxies
from services.refinement.judgement import Judgement, posterior
from services.refinement.objective import Objective
from services.refinement.schedule import Schedule
from services.refinement.shading import ClosedView
from services.refinement.state import State
from services.refinement.targets import Opened, targets

CPU = torch.device("cpu")
PARTS = box_scenes.cabinet()
EXACT = box_scenes.plan(PARTS)
DRAWER = EXACT.parts[2].joint
TURNING = Joint(JointType.REVOLUTE, np.eye(3)[2], np.array([0.0, -0.5, 0.0]), 0.0, 1.5)
SHORT = Schedule(search_size=48, settle_steps=2, settle_count=2)


def judgement(drawer: Joint, confidence: float, label: str = "part") -> tuple[Judgement, ClosedView, State]:
    """Of the cabinet with another joint on its drawer, seen closed."""
    parts = list(EXACT.parts)
    parts[2] = replace(parts[2], label=label, joint=replace(drawer, confidence=confidence))
    plan = replace(EXACT, parts=tuple(parts))
    closed = box_scenes.picture(PARTS, np.zeros(3), size=96)
    one, two, window = targets(closed, [Opened(closed)], CPU)
    objective = Objective(
        proxies=proxies.build(box_scenes.meshes(PARTS), 300, CPU),
        parents=tuple(part.parent for part in plan.parts),
        active=torch.tensor([[False, False, True]]),
        closed=one,
        opened=two,
        window=window,
    )
    start = State(tuple(part.joint for part in plan.parts), np.array([[0.0, 0.0, 0.5 * drawer.upper]]))
    view = objective.view(torch.tensor(plan.camera.to_array(), dtype=torch.float32))
    return Judgement(objective, plan, start, SHORT), view, start


def test_without_evidence_the_posterior_is_the_prior() -> None:
    priors = np.array([0.7, 0.2, 0.1])
    np.testing.assert_allclose(posterior(np.full(3, 0.3), np.log(priors), 0.01), priors)


def test_evidence_outweighs_the_prior() -> None:
    assert posterior(np.array([0.3, 0.2]), np.log([0.9, 0.1]), 0.01)[1] > 0.99


def test_a_doubted_joint_that_follows_another_keeps_turning_with_it() -> None:
    follows = replace(TURNING, mimic=Mimic(EXACT.parts[1].name))
    judge, view, start = judgement(follows, 0.1, "drawer")
    found, _ = judge.choose(view, start, 2, seen=False)
    assert found.joints[2].type.rotates
    assert found.joints[2].mimic == follows.mimic


@pytest.mark.parametrize("label", ["part", "drawer"])
def test_a_doubted_drawer_that_no_picture_shows_does_not_turn_in_its_slot(label: str) -> None:
    judge, view, start = judgement(TURNING, 0.1, label)
    found, chance = judge.choose(view, start, 2, seen=False)
    assert found.joints[2].type is JointType.PRISMATIC
    np.testing.assert_array_equal(found.joints[2].axis, DRAWER.axis)
    assert found.q[0, 2] == pytest.approx(0.5 * found.joints[2].upper)
    assert chance > 0.5


def test_a_believed_joint_that_no_picture_shows_is_kept() -> None:
    judge, view, start = judgement(DRAWER, 0.9)
    found, chance = judge.choose(view, start, 2, seen=False)
    assert found.joints[2] is start.joints[2]
    assert chance > 0.8


def test_a_believed_joint_is_put_back_where_another_explains_no_more() -> None:
    judge, view, start = judgement(DRAWER, 0.9)
    moved = replace(DRAWER, axis=np.array([0.0, 0.6, 0.8]))
    verdict = judge.judge(view, start.with_joint(2, moved).opened(2, np.zeros(1)), start)
    assert verdict.changed == ()
    assert verdict.state.joints[2] is start.joints[2]


def test_a_doubted_joint_gives_way_to_one_that_such_parts_have() -> None:
    judge, view, start = judgement(TURNING, 0.05, "drawer")
    verdict = judge.judge(view, start.with_joint(2, DRAWER).opened(2, np.zeros(1)), start)
    assert verdict.changed == (2,)
    assert verdict.confidence[2] > 0.9


def test_a_travel_that_changes_no_pixel_is_not_seen() -> None:
    flat = replace(DRAWER, upper=1e-4)
    judge, view, _ = judgement(flat, 0.9)
    _, shown = judge.opened(view)
    assert shown == set()
