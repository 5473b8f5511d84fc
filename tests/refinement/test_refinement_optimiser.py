"""The optimiser on pictures drawn by another renderer: errors shrink, and the result is never worse than the start."""

from dataclasses import replace

import box_scenes
import numpy as np
import pytest
import torch

from articulation.camera import Camera
from articulation.joint import Joint, JointType
from articulation.plan import Plan
from services.refinement import proxies
from services.refinement.descent import descend
from services.refinement.objective import Objective
from services.refinement.optimiser import Progress, Refined, Refinement
from services.refinement.schedule import Schedule
from services.refinement.state import State, pack
from services.refinement.targets import Opened, targets

CPU = torch.device("cpu")
PARTS = box_scenes.cabinet()
EXACT = box_scenes.plan(PARTS)
Q = np.array([0.0, 1.1, 0.6])
OPENING = np.array([0.0, 1.1 / 1.8, 0.6 / 0.9])
SHORT = Schedule(camera_steps=20, joint_steps=20, sizes=(48,), search_size=48)


def objective(plan: Plan, opened: np.ndarray, opening: np.ndarray = OPENING) -> Objective:
    closed_target, open_targets, window = targets(box_scenes.picture(PARTS, np.zeros(3)), [Opened(opened)], CPU)
    active = [part.joint.type.moves and share > 0 for part, share in zip(plan.parts, opening, strict=True)]
    return Objective(
        proxies=proxies.build(box_scenes.meshes(PARTS), 300, CPU),
        parents=tuple(part.parent for part in plan.parts),
        active=torch.tensor([active]),
        closed=closed_target,
        opened=open_targets,
        window=window,
    )


def refine(plan: Plan, opened: np.ndarray, schedule: Schedule, opening: np.ndarray = OPENING):
    run = Refinement(objective(plan, opened, opening), plan, opening[None], schedule).run()
    reports: list[Progress] = []
    while True:
        try:
            reports.append(next(run))
        except StopIteration as end:
            return end.value, reports


@pytest.fixture(scope="module")
def opened() -> np.ndarray:
    return box_scenes.picture(PARTS, Q)


@pytest.fixture(scope="module")
def start() -> Plan:
    """Axes off by 20 degrees, hinge lines by 0.15, and the camera off in all numbers but the shift."""
    return replace(box_scenes.perturbed(EXACT, 20, 0.15, seed=0), camera=Camera(0.56, 0.32, 4.3, 0.73))


@pytest.fixture(scope="module")
def refined(start: Plan, opened: np.ndarray) -> tuple[Refined, list[Progress]]:
    return refine(start, opened, Schedule())


def axis_error(guess: Joint, truth: Joint) -> float:
    return float(np.degrees(np.arccos(np.clip(guess.axis @ truth.axis, -1, 1))))


def line_error(guess: Joint, truth: Joint) -> float:
    between = guess.origin - truth.origin
    return float(np.linalg.norm(between - (between @ truth.axis) * truth.axis))


def test_axes_are_found(refined) -> None:
    for guess, truth in zip(refined[0].plan.parts[1:], EXACT.parts[1:], strict=True):
        assert axis_error(guess.joint, truth.joint) < 2.0


def test_the_hinge_line_is_found(refined) -> None:
    assert line_error(refined[0].plan.parts[1].joint, EXACT.parts[1].joint) < 0.03


def test_openings_are_found(refined) -> None:
    np.testing.assert_allclose(refined[0].coordinates, Q[None], atol=0.05)


def test_the_camera_comes_nearer(refined, start: Plan) -> None:
    before, after = (abs(p.camera.azimuth - EXACT.camera.azimuth) for p in (start, refined[0].plan))
    assert after < before / 4


def test_the_loss_falls(refined) -> None:
    assert refined[0].final_loss < 0.3 * refined[0].initial_loss


def test_limits_cover_the_opening_and_start_at_closed(refined) -> None:
    for part, q in zip(refined[0].plan.parts[1:], refined[0].coordinates[0, 1:], strict=True):
        assert part.joint.lower == 0.0
        assert part.joint.upper >= q


def test_progress_counts_up_to_the_end(refined) -> None:
    steps = [report.step for report in refined[1]]
    assert steps == sorted(set(steps))
    assert steps[-1] == refined[1][-1].total_steps


@pytest.mark.parametrize("every", [5, 7])
def test_progress_ends_at_its_total_when_further_rounds_are_not_worth_it(opened: np.ndarray, every: int) -> None:
    schedule = replace(SHORT, joint_steps=10, sizes=(48, 48), report_every=every)
    result, reports = refine(believed(0.95, 1), opened, schedule)
    shares = [report.step / report.total_steps for report in reports]
    assert shares == sorted(set(shares))
    assert shares[-1] == 1
    assert reports[-1].step == 30 < schedule.total_steps
    assert reports[-1].loss == result.final_loss


def test_a_reversed_hinge_is_turned_round(opened: np.ndarray) -> None:
    door = EXACT.parts[1]
    wrong = replace(door, joint=replace(door.joint, axis=-door.joint.axis, confidence=0.6))
    plan = replace(EXACT, parts=(EXACT.parts[0], wrong, EXACT.parts[2]))
    result, _ = refine(plan, opened, SHORT)
    assert axis_error(result.plan.parts[1].joint, door.joint) < 15
    assert result.plan.parts[1].joint.confidence > 0.8


def test_a_hinge_on_the_wrong_side_is_moved(opened: np.ndarray) -> None:
    door = EXACT.parts[1]
    joint = Joint(JointType.REVOLUTE, -door.joint.axis, np.array([0.8, 0.0, 0.67]), 0.0, 1.8, confidence=0.6)
    plan = replace(EXACT, parts=(EXACT.parts[0], replace(door, joint=joint), EXACT.parts[2]))
    result, _ = refine(plan, opened, SHORT)
    assert line_error(result.plan.parts[1].joint, door.joint) < 0.1


def believed(confidence: float, index: int, **changes: object) -> Plan:
    """The exact plan, believed to some degree, but for one joint."""
    parts = [replace(part, joint=replace(part.joint, confidence=confidence)) for part in EXACT.parts]
    parts[index] = replace(parts[index], joint=replace(parts[index].joint, **changes))
    return replace(EXACT, parts=tuple(parts))


@pytest.fixture(scope="module")
def agreeing(opened: np.ndarray) -> tuple[Plan, Refined]:
    """A believed plan that the picture bears out, with a drawer that is to travel beyond its own depth."""
    plan = believed(0.95, 2, upper=1.4)
    return plan, refine(plan, opened, SHORT, np.array([0.0, 1.1 / 1.8, 0.6 / 1.4]))[0]


def test_joints_that_the_picture_bears_out_are_kept_with_their_limits(agreeing) -> None:
    for before, after in zip(agreeing[0].parts, agreeing[1].plan.parts, strict=True):
        np.testing.assert_array_equal(after.joint.axis, before.joint.axis)
        np.testing.assert_array_equal(after.joint.origin, before.joint.origin)
        assert after.joint.upper == before.joint.upper


def test_a_picture_drawn_from_the_plan_makes_no_joint_more_certain(agreeing) -> None:
    for before, after in zip(agreeing[0].parts[1:], agreeing[1].plan.parts[1:], strict=True):
        assert after.joint.confidence <= before.joint.confidence


def test_a_kept_joint_opens_within_its_limits(opened: np.ndarray) -> None:
    plan = believed(0.95, 1, upper=1.0)
    result, _ = refine(plan, opened, SHORT, np.array([0.0, 1.0, 0.6 / 0.9]))
    assert result.plan.parts[1].joint.upper == 1.0
    assert result.coordinates[0, 1] <= 1.0


@pytest.mark.parametrize(("confidence", "kept"), [(0.95, True), (0.3, False)])
def test_a_small_misfit_moves_only_a_joint_that_is_doubted(opened: np.ndarray, confidence: float, kept: bool) -> None:
    door = EXACT.parts[1].joint
    plan = believed(confidence, 1, origin=door.origin + np.array([0.05, 0.0, 0.0]))
    result, _ = refine(plan, opened, SHORT)
    assert np.array_equal(result.plan.parts[1].joint.origin, plan.parts[1].joint.origin) == kept


def test_little_effort_takes_few_steps(start: Plan, opened: np.ndarray) -> None:
    _, reports = refine(start, opened, SHORT.limited(0.25))
    assert reports[-1].step == 10


def test_the_start_comes_back_when_nothing_is_better(opened: np.ndarray) -> None:
    idle = Schedule(camera_steps=0, joint_steps=0, sizes=(48,), search_size=48, settle_steps=0)
    result, _ = refine(EXACT, opened, idle)
    assert result.plan is EXACT
    assert result.final_loss == result.initial_loss
    np.testing.assert_array_equal(result.coordinates, Q[None])


def test_a_descent_without_steps_judges_its_start(opened: np.ndarray) -> None:
    target = objective(EXACT, opened)
    view = target.view(torch.tensor(EXACT.camera.to_array(), dtype=torch.float32))
    start = State(tuple(part.joint for part in EXACT.parts), Q[None])
    with pytest.raises(StopIteration) as end:
        next(descend(target, view, [start], [1, 2], 48, steps=0))
    (found,), losses = end.value.value
    np.testing.assert_allclose(found.q, Q[None], rtol=1e-6)
    np.testing.assert_array_equal(losses, target.open_losses(view, *pack([start], view.camera), 48)[:, 0].numpy())


def test_a_picture_of_the_closed_object_turns_no_joint_round(start: Plan) -> None:
    result, _ = refine(start, box_scenes.picture(PARTS, np.zeros(3)), SHORT)
    for before, after in zip(start.parts[1:], result.plan.parts[1:], strict=True):
        assert after.joint.type is before.joint.type
        assert axis_error(after.joint, before.joint) < 25
        assert after.joint.upper == pytest.approx(before.joint.upper, rel=0.01)


def test_joints_that_the_picture_does_not_open_are_kept(start: Plan) -> None:
    closed = box_scenes.picture(PARTS, np.zeros(3))
    result, _ = refine(start, closed, SHORT, np.zeros(3))
    for before, after in zip(start.parts, result.plan.parts, strict=True):
        np.testing.assert_array_equal(before.joint.axis, after.joint.axis)
        np.testing.assert_array_equal(before.joint.origin, after.joint.origin)


def test_the_same_inputs_give_the_same_result(start: Plan, opened: np.ndarray) -> None:
    one, two = (refine(start, opened, SHORT)[0] for _ in range(2))
    assert one.final_loss == two.final_loss
    np.testing.assert_array_equal(one.coordinates, two.coordinates)


@pytest.mark.parametrize(("label", "on_the_face"), [("door", True), ("lid", False)])
def test_a_panel_is_hinged_where_most_of_its_label_are_unless_those_are_spread(
    opened: np.ndarray, label: str, on_the_face: bool
) -> None:
    body, door, drawer = EXACT.parts
    inside = replace(door.joint, origin=door.joint.origin - [0, 0, 0.03], confidence=0.0)
    plan = replace(EXACT, parts=(body, replace(door, label=label, joint=inside), drawer))
    result, _ = refine(plan, opened, replace(SHORT, camera_steps=0, joint_steps=5))
    assert (line_error(result.plan.parts[1].joint, door.joint) < 1e-3) == on_the_face
