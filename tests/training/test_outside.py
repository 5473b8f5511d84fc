"""Pictures from outside carry labels that the plan format can say, and are scored by joints and tree."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from articulation.kinematics import link_poses
from articulation.plan import Plan
from training.outside.evaluate import SETS, score
from training.outside.labels import Labelled, load
from training.outside.subjects import SUBJECTS, Subject

EVERY = [labelled for folder in SETS.values() for labelled in load(folder)]


def _plan(subject: Subject) -> Plan:
    size, parts = subject.planned()
    return Plan(subject.category, size, parts, EVERY[0].plan.camera)


def test_both_sets_hold_enough_pictures() -> None:
    assert {name: len(list(load(folder))) for name, folder in SETS.items()} == {"kitchen": 12, "traced": 11}


@pytest.mark.parametrize("labelled", EVERY, ids=lambda labelled: labelled.name)
def test_the_label_stands_where_the_picture_shows_the_object(labelled: Labelled) -> None:
    """A window about the object's outline, cast by the label's camera, has more edges than the rest of the picture."""
    small = Image.open(io.BytesIO(labelled.picture)).convert("L").resize((96, 96), Image.Resampling.BOX)
    picture = np.asarray(small, dtype=float)
    corners = np.array([(x, y, z) for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)])
    points = np.concatenate([part.box.center + corners * part.box.half_extent for part in labelled.plan.parts])
    image, _ = labelled.plan.camera.project(points)
    (left, top), (right, bottom) = ((ends + 1) / 2 * len(picture) for ends in (image.min(0), image.max(0)))
    assert 0 <= left < right <= len(picture) and 0 <= top < bottom <= len(picture)
    edges = np.abs(np.gradient(picture)).sum(0)
    inside = np.zeros(picture.shape, dtype=bool)
    inside[int(top) : int(bottom), int(left) : int(right)] = True
    assert edges[inside].mean() > 1.2 * edges[~inside].mean()


@pytest.mark.parametrize("subject", SUBJECTS, ids=lambda subject: subject.name)
def test_a_subject_is_right_about_itself(subject: Subject) -> None:
    plan = _plan(subject)
    scores = score(plan, plan)
    assert all(joint.success for joint in scores.joints)
    assert scores.tree == 1


def test_a_door_hinged_on_the_other_side_is_no_success() -> None:
    plan = _plan(next(subject for subject in SUBJECTS if subject.name == "dishwasher"))
    door = plan.parts[1]
    turned = replace(door, joint=replace(door.joint, axis=-door.joint.axis))
    assert not score(plan, replace(plan, parts=(plan.parts[0], turned))).joints[0].success


@pytest.mark.parametrize("subject", SUBJECTS, ids=lambda subject: subject.name)
def test_every_joint_of_a_subject_opens_forwards_or_turns_in_place(subject: Subject) -> None:
    """Opened half way, no part's centre lies behind where it lay."""
    plan = _plan(subject)
    tree = plan.articulation()
    for index, part in enumerate(plan.parts):
        if not part.joint.type.moves or part.label == "lid":
            continue
        coordinates = np.zeros(len(plan.parts))
        coordinates[index] = part.joint.upper / 2
        pose = link_poses(tree, coordinates)[index]
        assert (pose[:3, :3] @ part.box.center + pose[:3, 3])[2] >= part.box.center[2] - 1e-6
