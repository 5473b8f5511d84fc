"""What an image-editing model that reads text is asked for, in words. There is one text, `prompts/edit.v1.md`.

A joint is told by what is seen of it: the side that it is hinged at, where the free side goes, how far. As everywhere,
a positive coordinate opens (`docs/frames.md`); the words follow from the axis by the right-hand rule, so that no sign
is left for the reader to interpret.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import numpy as np

from articulation.joint import JointType
from articulation.plan import Plan, PlannedPart
from articulation.typing import Array
from services.vlm.plan_format import caption
from services.vlm.vocabulary import AXES

VERSION = "edit.v1"

SIDES = {"+x": "right", "-x": "left", "+y": "top", "-y": "bottom", "+z": "front", "-z": "back"}
WAYS = {
    "+x": "to the right",
    "-x": "to the left",
    "+y": "upwards",
    "-y": "downwards",
    "+z": "forwards",
    "-z": "backwards",
}
VIEWS = {"+x": "from the right", "+y": "from above", "+z": "from the front"}

OFF_CENTRE = 1 / 6
"""Of the object's length along an axis: a part whose middle lies further from the object's is on a side."""

PIVOT = 0.25
"""Of a part's half extent: one whose axis passes nearer to its middle turns on the spot, as a knob does."""


def object_prompt(plan: Plan) -> str:
    """Asks for the closed object alone."""
    return _fill("object", plan)


def part_prompt(plan: Plan, index: int, outline: Array) -> str:
    """Asks for one part alone, whole.

    Args:
        plan: of the object.
        index: of the part.
        outline: (S, S) bool, where the part's box lies in the picture.
    """
    return _fill("part", plan, part=part_words(plan, index, outline))


def open_prompt(plan: Plan, coordinates: Array, outlines: Array) -> str:
    """Asks for the object with its parts moved.

    Args:
        plan: of the object.
        coordinates: (K,) of the joints, [rad] or model units; a part at 0 is not mentioned.
        outlines: (K, S, S) bool, where the parts' boxes lie in the picture.
    """
    motions = [
        f"- {part_words(plan, index, outlines[index])}: {_motion(part, float(coordinates[index]), plan.size)}"
        for index, part in enumerate(plan.parts)
        if part.joint.type.moves and coordinates[index]
    ]
    return _fill("open", plan, motions="\n".join(motions or ["- none"]))


@cache
def _sections() -> dict[str, str]:
    text = (Path(__file__).parent / "prompts" / f"{VERSION}.md").read_text()
    _, *pieces = re.split(r"(?m)^# (\w+)\n", text)
    return {name: piece.strip() for name, piece in zip(pieces[::2], pieces[1::2], strict=True)}


def _fill(task: str, plan: Plan, **words: str) -> str:
    sections = _sections()
    return f"{sections[task]} {sections['frame']}".format(category=_words(plan.category), **words)


def part_words(plan: Plan, index: int, outline: Array) -> str:
    """The part's own sentence, without its end, and its place, e.g. "the door of a safe, metal (front; ...)"."""
    part = plan.parts[index]
    sentence = part.caption or caption(part.label, part.material, plan.category)
    sentence = " ".join(sentence.split()).rstrip(".")
    return f"{sentence[:1].lower()}{sentence[1:]} ({_place(plan, part)}{_extent(outline)})"


def _place(plan: Plan, part: PlannedPart) -> str:
    """Where in the object a part is, e.g. "top left, front"."""
    low = np.min([other.box.center - other.box.half_extent for other in plan.parts], 0)
    high = np.max([other.box.center + other.box.half_extent for other in plan.parts], 0)
    off = (part.box.center - (low + high) / 2) / (high - low)
    sides = ["" if abs(off[i]) <= OFF_CENTRE else SIDES[f"{'+' if off[i] > 0 else '-'}{'xyz'[i]}"] for i in range(3)]
    across = " ".join(filter(None, (sides[1], sides[0])))
    return ", ".join(filter(None, (across, sides[2]))) or "middle"


def _extent(outline: Array) -> str:
    """Where in the picture a part is; nothing for one outside."""
    spans = []
    for axis in (0, 1):
        seen = np.flatnonzero(outline.any(axis))
        if not len(seen):
            return ""
        side = outline.shape[1 - axis]
        spans.append(f"{round(100 * seen[0] / side)} % to {round(100 * (seen[-1] + 1) / side)} %")
    return f"; in the picture {spans[0]} across, {spans[1]} down"


def _motion(part: PlannedPart, coordinate: float, size: float) -> str:
    """How a part moves; `size` is the object's longest side [m], two model units."""
    joint = part.joint
    axis = joint.axis * np.sign(coordinate)
    if joint.type is JointType.PRISMATIC:
        centimetres = abs(coordinate) * size / 2 * 100
        return f"moved {_nearest(WAYS, axis)} by {centimetres:.4g} cm, {_share(part, coordinate)}"
    angle = f"by {abs(np.rad2deg(coordinate)):.4g} degrees"
    arm = part.box.center - joint.origin
    arm = arm - (arm @ joint.axis) * joint.axis
    reach = np.linalg.norm(part.box.half_extent - np.abs(joint.axis) * part.box.half_extent)
    if np.linalg.norm(arm) <= PIVOT * reach:
        view = max(VIEWS, key=lambda name: abs(np.dot(AXES[name], axis)))
        sense = "counterclockwise" if np.dot(AXES[view], axis) > 0 else "clockwise"
        return f"turned on the spot {angle}, {sense} as seen {VIEWS[view]}"
    hinge, way = _nearest(SIDES, -arm), _nearest(WAYS, np.cross(axis, arm))
    return f"hinged at its {hinge} side, its free side swung {way} {angle}"


def _share(part: PlannedPart, coordinate: float) -> str:
    """A travel against the part's own length along it."""
    length = 2 * float(np.abs(part.joint.axis) @ part.box.half_extent)
    return f"{round(100 * abs(coordinate) / length)} % of its own length that way"


def _nearest(words: dict[str, str], direction: Array) -> str:
    return words[max(words, key=lambda name: np.dot(AXES[name], direction))]


def _words(name: str) -> str:
    return name.replace("_", " ")
