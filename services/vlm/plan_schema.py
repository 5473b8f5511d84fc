"""The JSON Schema (2020-12) of the document in `services.vlm.plan_format`, which every engine decodes under.

What the schema admits, the parser accepts: a parent is always an earlier part and a box always has a size, so there is
nothing left to go wrong but quality. Properties are listed in the order in which they are written.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from articulation.joint import JointType
from articulation.materials import MATERIALS
from services.vlm.plan_format import CAMERA, CORNER, EXTENT, LIMITS, ORIGIN, REFUSALS, SIZE_CM, Range, joint_keys
from services.vlm.vocabulary import AXES, CATEGORIES, JOINT_TYPES, LABELS, MAX_PARTS

Schema = dict[str, Any]


def plan_schema(labels: Sequence[str] | None = None) -> Schema:
    """The schema of an answer: a plan or a refusal.

    Args:
        labels: where given, the answer is a plan with exactly these parts in this order.
    """
    plan = _plan(labels)
    answer: Schema = plan if labels is not None else {"anyOf": [plan, _object({"refused": {"enum": list(REFUSALS)}})]}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$defs": {
            "label": {"enum": list(LABELS)},
            "material": {"enum": list(MATERIALS)},
            "box": _array([_integer(CORNER)] * 3 + [_integer(EXTENT)] * 3),
            "fixed": _joint(JointType.FIXED),
            "joint": {"anyOf": [_joint(kind) for kind in JOINT_TYPES]},
        },
        **answer,
    }


def _plan(labels: Sequence[str] | None) -> Schema:
    count = MAX_PARTS if labels is None else len(labels)
    return _object(
        {
            "category": {"enum": list(CATEGORIES)},
            "size_cm": _integer(SIZE_CM),
            "camera": _array([_integer(limits) for limits in CAMERA.values()]),
            "parts": {
                "type": "array",
                "prefixItems": [_part(index, None if labels is None else labels[index]) for index in range(count)],
                "items": False,
                "minItems": 1 if labels is None else count,
                "maxItems": count,
            },
        }
    )


def _part(index: int, label: str | None) -> Schema:
    return _object(
        {
            "label": {"$ref": "#/$defs/label"} if label is None else {"const": label},
            "material": {"$ref": "#/$defs/material"},
            "parent": _integer((0, index - 1) if index else (-1, -1)),
            "box": {"$ref": "#/$defs/box"},
            "joint": {"$ref": "#/$defs/joint" if index else "#/$defs/fixed"},
        }
    )


def _joint(kind: JointType) -> Schema:
    properties: dict[str, Schema] = {
        "type": {"const": kind.value},
        "axis": {"enum": list(AXES)},
        "origin": _array([_integer(ORIGIN)] * 3),
    }
    if kind in LIMITS:
        properties["range"] = _array([_integer(limits) for limits in LIMITS[kind]])
    return _object({key: properties[key] for key in joint_keys(kind)})


def _object(properties: dict[str, Schema]) -> Schema:
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}


def _array(items: list[Schema]) -> Schema:
    return {"type": "array", "prefixItems": items, "items": False, "minItems": len(items), "maxItems": len(items)}


def _integer(limits: Range) -> Schema:
    return {"type": "integer", "minimum": limits[0], "maximum": limits[1]}
