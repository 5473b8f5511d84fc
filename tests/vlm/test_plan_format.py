"""The plan document: reading, writing, refusing."""

import json
from copy import deepcopy
from typing import Any

import jsonschema
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from articulation.errors import InvalidArticulation
from articulation.joint import JointType
from articulation.materials import MATERIALS
from services.vlm import plan_format
from services.vlm.plan_format import (
    CAMERA,
    CORNER,
    EXTENT,
    LIMITS,
    ORIGIN,
    REFUSALS,
    SIZE_CM,
    Refused,
    dumps,
    from_document,
    parse,
    refusal,
    to_document,
)
from services.vlm.plan_schema import plan_schema
from services.vlm.vocabulary import AXES, CATEGORIES, JOINT_TYPES, LABELS, MAX_PARTS

MICROWAVE: dict[str, Any] = {
    "category": "microwave",
    "size_cm": 52,
    "camera": [28, 20, 35, 240, 0, -3],
    "parts": [
        {
            "label": "body",
            "material": "metal",
            "parent": -1,
            "box": [-100, -56, -70, 200, 112, 138],
            "joint": {"type": "fixed"},
        },
        {
            "label": "door",
            "material": "glass",
            "parent": 0,
            "box": [-98, -54, 62, 150, 108, 10],
            "joint": {"type": "revolute", "axis": "-y", "origin": [-98, 0, 66], "range": [0, 110]},
        },
        {
            "label": "door",
            "material": "glass",
            "parent": 1,
            "box": [60, 0, 68, 10, 10, 4],
            "joint": {"type": "prismatic", "axis": "-z", "range": [0, 4]},
        },
    ],
}


def within(limits: tuple[int, int]) -> st.SearchStrategy[int]:
    return st.integers(*limits)


def joints(kind: JointType) -> st.SearchStrategy[dict[str, Any]]:
    fields: dict[str, st.SearchStrategy[Any]] = {
        "type": st.just(kind.value),
        "axis": st.sampled_from(list(AXES)),
        "origin": st.lists(within(ORIGIN), min_size=3, max_size=3),
    }
    if kind in LIMITS:
        fields["range"] = st.tuples(*map(within, LIMITS[kind])).map(list)
    return st.fixed_dictionaries({key: fields[key] for key in plan_format.joint_keys(kind)})


@st.composite
def documents(draw: st.DrawFn) -> dict[str, Any]:
    """Any document that the schema admits."""
    parts = []
    for index in range(draw(st.integers(1, MAX_PARTS))):
        kind = draw(st.sampled_from(JOINT_TYPES)) if index else JointType.FIXED
        corner = draw(st.lists(within(CORNER), min_size=3, max_size=3))
        extent = [draw(st.integers(1, min(EXTENT[1], 100 - low))) for low in corner]
        parts.append(
            {
                "label": draw(st.sampled_from(list(LABELS))),
                "material": draw(st.sampled_from(list(MATERIALS))),
                "parent": draw(st.integers(0, index - 1)) if index else -1,
                "box": corner + extent,
                "joint": draw(joints(kind)),
            }
        )
    return {
        "category": draw(st.sampled_from(list(CATEGORIES))),
        "size_cm": draw(within(SIZE_CM)),
        "camera": [draw(within(limits)) for limits in CAMERA.values()],
        "parts": parts,
    }


def canonical(document: dict[str, Any]) -> dict[str, Any]:
    """Azimuths of -180 and 180 are one direction; parts are written in the tree's order."""
    plan = from_document(document)
    return to_document(plan)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(documents())
def test_writing_what_was_read_changes_nothing_more(document: dict[str, Any]) -> None:
    written = canonical(document)
    assert canonical(written) == written
    assert written["parts"] == _reparented(document)


def _reparented(document: dict[str, Any]) -> list[dict[str, Any]]:
    order = from_document(document).articulation().order()
    rank = {index: place for place, index in enumerate(order)} | {-1: -1}
    return [{**document["parts"][i], "parent": rank[document["parts"][i]["parent"]]} for i in order]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(documents())
def test_the_schema_admits_what_the_parser_accepts(document: dict[str, Any]) -> None:
    jsonschema.Draft202012Validator(plan_schema()).validate(document)
    assert len(parse(dumps(document)).parts) == len(document["parts"])


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(st.floats(-1, 0.9), min_size=3, max_size=3),
    st.lists(st.floats(0.02, 0.1), min_size=3, max_size=3),
    st.floats(-3.1, 3.1),
    st.floats(0.3, 1.5),
    st.floats(4.5, 12.0),
)
def test_rounding_stays_within_its_bounds(
    corner: list[float], extent: list[float], azimuth: float, fov: float, distance: float
) -> None:
    plan = from_document(MICROWAVE)
    door = plan.parts[1]
    low, size = np.array(corner), np.array(extent)
    moved = plan_format.PlannedPart(
        **{**door.__dict__, "box": plan_format.Box(low + size / 2, size / 2), "joint": door.joint}
    )
    camera = plan_format.Camera(azimuth, 0.2, distance, fov, (0.123, -0.321))
    changed = plan_format.Plan(plan.category, 0.5271, (plan.parts[0], moved), camera)
    back = parse(dumps(to_document(changed)))
    box = back.parts[1].box
    assert np.abs(box.center - box.half_extent - low).max() <= 0.005 + 1e-9
    assert np.abs(box.center + box.half_extent - (low + size)).max() <= 0.005 + 1e-9
    assert abs(back.size - 0.5271) <= 0.005
    assert abs(back.camera.azimuth - azimuth) <= np.deg2rad(0.5) + 1e-9
    assert abs(back.camera.fov - fov) <= np.deg2rad(0.5) + 1e-9
    zoom = camera.focal / distance
    assert abs(back.camera.focal / back.camera.distance - zoom) <= 0.001 + 1e-9


def test_a_door_hinged_on_its_left_opens_towards_the_front() -> None:
    joint = from_document(MICROWAVE).parts[1].joint
    angle = np.pi / 2
    free_edge = np.array([0.52, 0.0, 0.66]) - joint.origin
    turned = joint.origin + np.cos(angle) * free_edge + np.sin(angle) * np.cross(joint.axis, free_edge)
    assert turned[2] > 2.0


def test_names_are_unique_and_captions_say_what_and_of_what() -> None:
    plan = from_document(MICROWAVE)
    assert [part.name for part in plan.parts] == ["body", "door", "door_2"]
    assert plan.parts[1].caption == "The door of a microwave, made of glass."


def test_parts_are_written_parents_first() -> None:
    plan = from_document(MICROWAVE)
    body, door, inner = plan.parts
    shuffled = plan_format.Plan(
        plan.category,
        plan.size,
        tuple(
            plan_format.PlannedPart(**{**part.__dict__, "parent": parent})
            for part, parent in ((inner, 2), (body, -1), (door, 1))
        ),
        plan.camera,
    )
    assert to_document(shuffled) == MICROWAVE


BROKEN: list[tuple[str, list[Any], Any]] = [
    ("category", ["category"], "spaceship"),
    ("size_cm", ["size_cm"], 52.0),
    ("size_cm", ["size_cm"], True),
    ("size_cm", ["size_cm"], 2001),
    ("camera", ["camera"], [0, 0]),
    ("camera.fov", ["camera", 2], 0),
    ("parts", ["parts"], []),
    ("parts[0].parent", ["parts", 0, "parent"], 0),
    ("parts[1].parent", ["parts", 1, "parent"], 1),
    ("parts[1].label", ["parts", 1, "label"], "../door"),
    ("parts[1].material", ["parts", 1, "material"], "cheese"),
    ("parts[1].box", ["parts", 1, "box", 3], 0),
    ("parts[1].joint", ["parts", 1, "joint"], "revolute"),
    ("parts[1].joint.type", ["parts", 1, "joint", "type"], "ball"),
    ("parts[1].joint.axis", ["parts", 1, "joint", "axis"], "y"),
    ("parts[1].joint.range", ["parts", 1, "joint", "range"], [0, 0]),
    ("parts[1].joint.origin", ["parts", 1, "joint", "origin"], [0, 0]),
    ("parts[2].joint.origin", ["parts", 2, "joint", "origin"], [0, 0, 0]),
    ("notes", ["notes"], "hello"),
]


@pytest.mark.parametrize(("field", "path", "value"), BROKEN)
def test_a_broken_field_is_named_and_the_schema_refuses_it_too(field: str, path: list[Any], value: Any) -> None:
    document = deepcopy(MICROWAVE)
    holder: Any = document
    for key in path[:-1]:
        holder = holder[key]
    holder[path[-1]] = value
    with pytest.raises(InvalidArticulation) as caught:
        parse(json.dumps(document))
    assert caught.value.field == field
    if value != 52.0:  # JSON Schema counts 52.0 as an integer
        assert not jsonschema.Draft202012Validator(plan_schema()).is_valid(document)


@pytest.mark.parametrize("path", [["category"], ["parts", 1, "joint"], ["parts", 1, "joint", "axis"]])
def test_a_missing_field_is_named(path: list[Any]) -> None:
    document = deepcopy(MICROWAVE)
    holder: Any = document
    for key in path[:-1]:
        holder = holder[key]
    del holder[path[-1]]
    with pytest.raises(InvalidArticulation, match=str(path[-1])):
        parse(json.dumps(document))


@pytest.mark.parametrize("text", ["", "null", "[1]", "{", '{"category":NaN}', '{"a":1,"a":2}', "[" * 100_000])
def test_text_that_is_no_document_is_refused(text: str) -> None:
    with pytest.raises(InvalidArticulation):
        parse(text)


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda x: st.lists(x) | st.dictionaries(st.text(), x),
    )
)
def test_any_json_is_read_or_refused(value: Any) -> None:
    with pytest.raises(InvalidArticulation):
        from_document(value)


def test_a_plan_beyond_the_format_is_refused_by_name() -> None:
    plan = from_document(MICROWAVE)
    tilted = plan_format.Joint(JointType.REVOLUTE, np.array([0.6, 0.8, 0.0]))
    parts = (plan.parts[0], plan_format.PlannedPart(**{**plan.parts[1].__dict__, "joint": tilted}))
    with pytest.raises(InvalidArticulation, match=r"parts\[1\].joint.axis"):
        to_document(plan_format.Plan(plan.category, plan.size, parts, plan.camera))


def test_a_schema_for_given_labels_admits_only_these() -> None:
    validator = jsonschema.Draft202012Validator(plan_schema(["body", "door", "door"]))
    assert validator.is_valid(MICROWAVE)
    assert not validator.is_valid({**MICROWAVE, "parts": MICROWAVE["parts"][:2]})
    renamed = deepcopy(MICROWAVE)
    renamed["parts"][2]["label"] = "drawer"
    assert not validator.is_valid(renamed)


@pytest.mark.parametrize("reason", REFUSALS)
def test_a_refusal_is_read_with_its_reason_and_the_schema_admits_it(reason: str) -> None:
    document = refusal(reason)
    jsonschema.Draft202012Validator(plan_schema()).validate(document)
    with pytest.raises(Refused) as caught:
        parse(dumps(document))
    assert caught.value.reason == reason


@pytest.mark.parametrize("document", [{"refused": "boring"}, {"refused": None}, {**MICROWAVE, "refused": "unclear"}])
def test_what_is_neither_plan_nor_refusal_is_refused_by_name_and_by_the_schema(document: dict[str, Any]) -> None:
    with pytest.raises(InvalidArticulation) as caught:
        from_document(document)
    assert not isinstance(caught.value, Refused)
    assert not jsonschema.Draft202012Validator(plan_schema()).is_valid(document)


def test_a_schema_for_given_labels_admits_no_refusal() -> None:
    assert not jsonschema.Draft202012Validator(plan_schema(["body", "door"])).is_valid(refusal("no_object"))
