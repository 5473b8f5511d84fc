"""The constants of the joint prior are what training objects count."""

from collections import Counter, defaultdict
from dataclasses import replace

from services.refinement.part_prior import ELSEWHERE, LINES
from training.draw import Split
from training.fit_joint_prior import count, count_lines, module, overlaps
from training.objects import generate

SPECS = [generate(seed, Split.TRAIN, category) for seed, category in enumerate(("safe", "table", "storage_furniture"))]


def test_every_moving_joint_is_counted_once_by_label_and_once_by_shape() -> None:
    moving = [link.label for spec in SPECS for link in spec.links if link.joint.type.moves]
    by_label, by_shape = count(SPECS)
    assert {label: counts.total() for label, counts in by_label.items()} == {x: moving.count(x) for x in set(moving)}
    assert sum(counts.total() for counts in by_shape.values()) == len(moving)


def test_the_written_module_holds_the_counts() -> None:
    written: dict[str, object] = {}
    tables = (*count(SPECS), count_lines(SPECS))
    exec(module(*tables, len(SPECS)), written)
    assert (written["BY_LABEL"], written["BY_SHAPE"], written["BY_LINE"]) == tables


def test_every_hinge_of_a_panel_is_counted_once_by_line() -> None:
    hinges = [link.label for spec in SPECS for link in spec.links if link.joint.type.rotates and link.label != "knob"]
    by_line = count_lines(SPECS)
    assert {label: counts.total() for label, counts in by_line.items()} == {x: hinges.count(x) for x in set(hinges)}
    assert set().union(*by_line.values()) <= {*LINES, ELSEWHERE}


def test_a_line_that_is_not_a_usual_one_is_elsewhere() -> None:
    (safe, *_) = SPECS
    # Far out, but turning about the same directions.
    moved = [replace(link, joint=replace(link.joint, origin=link.joint.origin + 5)) for link in safe.links]
    counts = sum(count_lines([replace(safe, links=tuple(moved))]).values(), Counter())
    assert set(counts) == {ELSEWHERE}


def test_a_drawer_runs_into_its_body_when_it_turns() -> None:
    (drawers,) = [spec for spec in SPECS if spec.category == "storage_furniture"]
    turning = defaultdict(lambda: Counter({"revolute -z middle": 1}))
    true, others = overlaps(drawers, turning)
    assert max(true) < 0.02 < max(others)
