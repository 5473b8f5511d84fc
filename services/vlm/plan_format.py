"""The JSON document that a VLM writes, to and from `articulation.plan.Plan`.

One line of JSON with integers only, in model space (`docs/frames.md`):

    {"category":"microwave","size_cm":52,"camera":[28,20,35,240,0,-3],"parts":[
     {"label":"body","material":"metal","parent":-1,"box":[-100,-56,-70,200,112,138],"joint":{"type":"fixed"}},
     {"label":"door","material":"glass","parent":0,"box":[-98,-54,62,150,108,10],
      "joint":{"type":"revolute","axis":"-y","origin":[-98,0,66],"range":[0,110]}}]}

- `size_cm`: longest side of the closed object.
- `camera`: azimuth, elevation, fov [deg]; zoom, the length in the picture of one model unit at the origin, in
  thousandths of the picture's side; shift u and v, in hundredths of half a side. Zoom stands for the distance because a
  picture shows it.
- `box`: lower corner and size, in hundredths of a model unit.
- `parent`: index of an earlier part, so that no document describes a cycle; -1 for the first part, which is fixed.
- `joint`: `fixed` has nothing else; `prismatic` has axis and range (hundredths); `continuous` axis and origin, and
  opens by a full turn; `revolute` axis, origin and range (degrees).

Names and captions are derived. Rounding moves a face of a box and an origin by at most half a hundredth.

A picture that shows no whole articulated object gets a refusal instead: `{"refused":"several_objects"}`, with one of
the words in `REFUSALS`.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from typing import Any, NoReturn

import numpy as np

from articulation.camera import Camera
from articulation.errors import InvalidArticulation
from articulation.joint import Joint, JointType
from articulation.materials import MATERIALS
from articulation.plan import Box, Plan, PlannedPart
from articulation.typing import Array
from services.vlm.vocabulary import AXES, CATEGORIES, JOINT_TYPES, LABELS, MAX_PARTS

Range = tuple[int, int]

SIZE_CM: Range = (1, 2000)
CAMERA: dict[str, Range] = {
    "azimuth": (-180, 180),
    "elevation": (-89, 89),
    "fov": (5, 120),
    "zoom": (25, 1500),
    "shift_u": (-100, 100),
    "shift_v": (-100, 100),
}
CORNER: Range = (-100, 99)
EXTENT: Range = (1, 200)
ORIGIN: Range = (-200, 200)
LIMITS: dict[JointType, tuple[Range, Range]] = {
    JointType.REVOLUTE: ((-180, 0), (1, 180)),
    JointType.PRISMATIC: ((-200, 0), (1, 200)),
}
"""Ranges of the lower and of the upper limit: degrees, or hundredths of a model unit."""

REFUSALS = ("no_object", "several_objects", "cut_off", "unclear")
"""Why a picture has no plan: nothing in it is an articulated object; more than one is, all of equal claim; the frame
cuts off much of it; there is one, but drawn, blurred or hidden so that its parts cannot be told."""

ORIGIN_TYPES = (JointType.REVOLUTE, JointType.CONTINUOUS)


class Refused(InvalidArticulation):
    """The document is a refusal, so it describes no articulation.

    Attributes:
        reason: one of `REFUSALS`.
    """

    def __init__(self, reason: str) -> None:
        super().__init__("refused", reason)
        self.reason = reason


def refusal(reason: str) -> dict[str, Any]:
    """The document that refuses a picture for one of `REFUSALS`."""
    return {"refused": reason}


def dumps(document: dict[str, Any]) -> str:
    """The document as compact JSON, the only spacing that the compact model knows."""
    return json.dumps(document, separators=(",", ":"))


def to_document(plan: Plan) -> dict[str, Any]:
    """Write a plan as a document, parents before children, every number rounded and clipped to its range.

    Raises:
        InvalidArticulation: the plan has too many parts, or a word or an axis that the format lacks.
    """
    if len(plan.parts) > MAX_PARTS:
        raise InvalidArticulation("parts", f"must hold 1 to {MAX_PARTS} parts, got {len(plan.parts)}")
    order = plan.articulation().order()
    rank = {index: place for place, index in enumerate(order)} | {-1: -1}
    return {
        "category": _known(plan.category, CATEGORIES, "category"),
        "size_cm": _clip(plan.size * 100, SIZE_CM),
        "camera": camera_to_list(plan.camera),
        "parts": [_part_to_document(plan.parts[index], rank, index) for index in order],
    }


def camera_to_list(camera: Camera) -> list[int]:
    """The document's six camera integers."""
    values = (
        np.rad2deg((camera.azimuth + np.pi) % (2 * np.pi) - np.pi),
        np.rad2deg(camera.elevation),
        np.rad2deg(camera.fov),
        500 * camera.focal / camera.distance,
        100 * camera.shift[0],
        100 * camera.shift[1],
    )
    return [_clip(value, limits) for value, limits in zip(values, CAMERA.values(), strict=True)]


def _part_to_document(part: PlannedPart, rank: dict[int, int], index: int) -> dict[str, Any]:
    low = [_clip(x, CORNER) for x in 100 * (part.box.center - part.box.half_extent)]
    high = np.rint(100 * (part.box.center + part.box.half_extent))
    return {
        "label": _known(part.label, LABELS, f"parts[{index}].label"),
        "material": part.material,
        "parent": rank[part.parent],
        "box": low + [_clip(x, EXTENT) for x in high - low],
        "joint": _joint_to_document(part.joint, f"parts[{index}].joint"),
    }


def _joint_to_document(joint: Joint, field: str) -> dict[str, Any]:
    document: dict[str, Any] = {"type": joint.type.value}
    if joint.type.moves:
        cosines = {name: float(np.dot(axis, joint.axis)) for name, axis in AXES.items()}
        nearest = max(cosines, key=lambda name: cosines[name])
        if cosines[nearest] < 0.99:
            raise InvalidArticulation(f"{field}.axis", f"must be one of {list(AXES)}, got {joint.axis}")
        document["axis"] = nearest
    if joint.type in ORIGIN_TYPES:
        document["origin"] = [_clip(x, ORIGIN) for x in 100 * joint.origin]
    if joint.type in LIMITS:
        limits = np.array([joint.lower, joint.upper])
        scaled = np.rad2deg(limits) if joint.type.rotates else 100 * limits
        document["range"] = [_clip(x, bound) for x, bound in zip(scaled, LIMITS[joint.type], strict=True)]
    return document


def _clip(value: float, limits: Range) -> int:
    return int(np.clip(np.rint(value), *limits))


def _known(value: str, words: dict[str, Any], field: str) -> str:
    if value not in words:
        raise InvalidArticulation(field, f"{value!r} is not one of {list(words)}")
    return value


def parse(text: str) -> Plan:
    """Read what a VLM wrote.

    Raises:
        Refused: it is a refusal.
        InvalidArticulation: naming the field, e.g. `parts[2].joint.axis`; `document` where the text is not JSON.
    """
    try:
        document = json.loads(text, object_pairs_hook=_unique_keys, parse_constant=_no_constant)
    except (json.JSONDecodeError, RecursionError) as error:
        raise InvalidArticulation("document", f"is not JSON: {error}") from error
    return from_document(document)


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    repeated = [key for key, count in Counter(key for key, _ in pairs).items() if count > 1]
    if repeated:
        raise InvalidArticulation("document", f"repeats the key {repeated[0]!r}")
    return dict(pairs)


def _no_constant(name: str) -> NoReturn:
    raise InvalidArticulation("document", f"holds {name}")


def from_document(document: object) -> Plan:
    """A document to a plan, every confidence 1.

    Raises:
        Refused: it is a refusal.
        InvalidArticulation: naming the field.
    """
    if isinstance(document, dict) and "refused" in document:
        keys = _object(document, "document", ("refused",))
        raise Refused(_word(keys["refused"], "refused", REFUSALS))
    keys = _object(document, "document", ("category", "size_cm", "camera", "parts"))
    category = _word(keys["category"], "category", CATEGORIES)
    parts = _array(keys["parts"], "parts", 1, MAX_PARTS)
    seen: Counter[str] = Counter()
    return Plan(
        category=category,
        size=_integer(keys["size_cm"], "size_cm", SIZE_CM) / 100,
        camera=_camera(keys["camera"]),
        parts=tuple(_part(part, index, category, seen) for index, part in enumerate(parts)),
    )


def _camera(value: object) -> Camera:
    values = _array(value, "camera", len(CAMERA), len(CAMERA))
    azimuth, elevation, fov, zoom, u, v = (
        _integer(x, f"camera.{name}", limits) for x, (name, limits) in zip(values, CAMERA.items(), strict=True)
    )
    angle = float(np.deg2rad(fov))
    distance = 500 / (float(np.tan(angle / 2)) * zoom)
    return Camera(float(np.deg2rad(azimuth)), float(np.deg2rad(elevation)), distance, angle, (u / 100, v / 100))


def _part(value: object, index: int, category: str, seen: Counter[str]) -> PlannedPart:
    field = f"parts[{index}]"
    keys = _object(value, field, ("label", "material", "parent", "box", "joint"))
    label = _word(keys["label"], f"{field}.label", LABELS)
    material = _word(keys["material"], f"{field}.material", MATERIALS)
    numbers = _array(keys["box"], f"{field}.box", 6, 6)
    low = _vector(numbers[:3], f"{field}.box", CORNER)
    extent = _vector(numbers[3:], f"{field}.box", EXTENT)
    box = Box(low + extent / 2, extent / 2)
    seen[label] += 1
    return PlannedPart(
        name=label if seen[label] == 1 else f"{label}_{seen[label]}",
        label=label,
        parent=_integer(keys["parent"], f"{field}.parent", (0, index - 1) if index else (-1, -1)),
        box=box,
        joint=_joint(keys["joint"], f"{field}.joint", box),
        material=material,
        caption=caption(label, material, category),
    )


def _joint(value: object, field: str, box: Box) -> Joint:
    if not isinstance(value, dict):
        raise InvalidArticulation(field, f"must be an object, got {value!r}")
    kind = JointType(_word(value.get("type"), f"{field}.type", [joint_type.value for joint_type in JOINT_TYPES]))
    keys = _object(value, field, joint_keys(kind))
    joint = Joint(kind)
    if not kind.moves:
        return joint
    axis = np.array(AXES[_word(keys["axis"], f"{field}.axis", AXES)])
    origin = box.center
    if kind in ORIGIN_TYPES:
        origin = _vector(_array(keys["origin"], f"{field}.origin", 3, 3), f"{field}.origin", ORIGIN)
    lower, upper = 0.0, 2 * np.pi
    if kind in LIMITS:
        limits = _array(keys["range"], f"{field}.range", 2, 2)
        numbers = [_integer(x, f"{field}.range", bound) for x, bound in zip(limits, LIMITS[kind], strict=True)]
        lower, upper = (float(np.deg2rad(x)) if kind.rotates else x / 100 for x in numbers)
    return Joint(kind, axis, origin, lower, upper)


def joint_keys(kind: JointType) -> tuple[str, ...]:
    """The keys of a joint of this type, in order."""
    present = (("axis", kind.moves), ("origin", kind in ORIGIN_TYPES), ("range", kind in LIMITS))
    return ("type", *(key for key, there in present if there))


def caption(label: str, material: str, category: str) -> str:
    """One sentence for the image-editing model."""
    return f"The {label} of a {category}, made of {material}.".replace("_", " ")


def _object(value: object, field: str, keys: Sequence[str]) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise InvalidArticulation(field, f"must be an object, got {value!r}")
    for key in keys:
        if key not in value:
            raise InvalidArticulation(f"{field}.{key}".removeprefix("document."), "is missing")
    unknown = sorted(set(value) - set(keys))
    if unknown:
        raise InvalidArticulation(f"{field}.{unknown[0]}".removeprefix("document."), "is not a field of the format")
    return value


def _array(value: object, field: str, least: int, most: int) -> list[Any]:
    if not isinstance(value, list) or not least <= len(value) <= most:
        count = str(least) if least == most else f"{least} to {most}"
        raise InvalidArticulation(field, f"must be an array of {count} items, got {value!r}")
    return value


def _integer(value: object, field: str, limits: Range) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not limits[0] <= value <= limits[1]:
        raise InvalidArticulation(field, f"must be an integer in [{limits[0]}, {limits[1]}], got {value!r}")
    return value


def _vector(values: list[Any], field: str, limits: Range) -> Array:
    """(3,) model units from hundredths."""
    return np.array([_integer(x, field, limits) for x in values]) / 100


def _word(value: object, field: str, words: Sequence[str] | dict[str, Any]) -> str:
    if not isinstance(value, str) or value not in words:
        raise InvalidArticulation(field, f"must be one of {list(words)}, got {value!r}")
    return value
