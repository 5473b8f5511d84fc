"""A refinement that is told to end: soon, with the best so far, never worse than its start, and saying so."""

from dataclasses import replace

import box_scenes
import numpy as np
import pytest
import torch
from torch import Tensor

from articulation.camera import Camera
from services.refinement import proxies
from services.refinement.objective import Objective
from services.refinement.optimiser import Refined, Refinement
from services.refinement.proxies import Proxies
from services.refinement.rasteriser import TorchRenderer
from services.refinement.renderer import Shader
from services.refinement.schedule import Schedule
from services.refinement.targets import Opened, targets
from services.refinement.watch import MARGIN_SECONDS, Watch, allowed

PARTS = box_scenes.cabinet()
START = replace(box_scenes.perturbed(box_scenes.plan(PARTS), 20, 0.15, seed=0), camera=Camera(0.56, 0.32, 4.3, 0.73))
OPENING = np.array([[0.0, 0.6, 0.7]])
SHORT = Schedule(camera_steps=6, joint_steps=6, sizes=(32, 48), search_size=32, settle_steps=2)


class Counting:
    """A watch that is asked, and a renderer that draws: how often, and how many drawings there were between questions.

    Args:
        limit: the question at which it says to stop.
    """

    def __init__(self, limit: float = np.inf) -> None:
        self.limit = limit
        self.questions = 0
        self.drawn: list[int] = [0]

    def over(self) -> bool:
        self.questions += 1
        self.drawn.append(0)
        return self.questions > self.limit

    def render(self, parts: Proxies, vertices: Tensor, cameras: Tensor, size: int, shader: Shader) -> Tensor:
        self.drawn[-1] += 1
        return TorchRenderer().render(parts, vertices, cameras, size, shader)


def run(watch: Counting) -> Refined:
    closed, opened = (box_scenes.picture(PARTS, q, size=96) for q in (np.zeros(3), np.array([0.0, 1.1, 0.6])))
    closed_target, open_targets, window = targets(closed, [Opened(opened)], torch.device("cpu"))
    objective = Objective(
        proxies=proxies.build(box_scenes.meshes(PARTS), 100, torch.device("cpu")),
        parents=(-1, 0, 0),
        active=torch.tensor([[False, True, True]]),
        closed=closed_target,
        opened=open_targets,
        window=window,
        renderer=watch,
    )
    steps = Refinement(objective, START, OPENING, SHORT, watch.over).run()
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value


@pytest.fixture(scope="module")
def whole() -> tuple[Refined, Counting]:
    watch = Counting()
    return run(watch), watch


def test_a_refinement_that_is_not_told_to_end_is_not_flagged(whole: tuple[Refined, Counting]) -> None:
    assert not whole[0].stopped


def test_it_is_asked_before_each_batch_of_pictures(whole: tuple[Refined, Counting]) -> None:
    """The start's loss is taken before the first question, the end's after the last."""
    assert max(whole[1].drawn[1:-1]) == 1


@pytest.mark.parametrize("share", [0.0, 0.05, 0.2, 0.4, 0.6, 0.8, 0.95])
def test_the_best_so_far_is_returned_flagged(whole: tuple[Refined, Counting], share: float) -> None:
    watch = Counting(limit=int(share * whole[1].questions))
    found = run(watch)
    assert found.stopped
    assert found.final_loss <= found.initial_loss == whole[0].initial_loss
    assert [part.name for part in found.plan.parts] == [part.name for part in START.parts]
    assert all(0 <= part.joint.confidence <= 1 for part in found.plan.parts)


def test_little_is_drawn_after_it_is_told_to_end(whole: tuple[Refined, Counting]) -> None:
    """The view, one comparison of each joint with the plan, and the loss of the outcome."""
    watch = Counting(limit=whole[1].questions // 2)
    run(watch)
    assert sum(watch.drawn[-3:]) < 12


def test_no_time_at_all_leaves_the_plan_as_it_was() -> None:
    found = run(Counting(limit=0))
    assert found.plan == START
    assert found.final_loss == found.initial_loss


def test_joints_that_were_found_before_the_end_are_kept(whole: tuple[Refined, Counting]) -> None:
    found = run(Counting(limit=int(0.8 * whole[1].questions)))
    assert found.final_loss < 0.7 * found.initial_loss


def test_a_watch_is_over_when_its_time_is() -> None:
    now = [10.0]
    watch = Watch(5.0, clock=lambda: now[0])
    now[0] = 14.9
    assert not watch.over()
    now[0] = 15.0
    assert watch.over()


def test_a_watch_without_a_limit_is_over_when_it_is_called_off() -> None:
    watch = Watch()
    assert not watch.over()
    watch.call_off()
    assert watch.over()


@pytest.mark.parametrize(
    ("budget", "deadline", "seconds"),
    [
        (None, None, None),
        (7.0, None, 7.0),
        (None, 100.0, 90.0),
        (None, 10.0, 10.0 - MARGIN_SECONDS),
        (7.0, 100.0, 7.0),
        (95.0, 100.0, 90.0),
    ],
)
def test_the_nearer_of_budget_and_deadline_counts(
    budget: float | None, deadline: float | None, seconds: float | None
) -> None:
    assert allowed(budget, deadline) == seconds
