"""A caller's own plan, read from the JSON form of `spark.v1.ArticulationPlan`, as a `plan.json` artifact has it."""

from __future__ import annotations

import re

from google.protobuf import json_format

from client.errors import InvalidRequestError
from spark.v1 import articulation_pb2

FIELD = "options.template"
"""Where a request carries it."""

_PLACE = re.compile(r"ArticulationPlan\.?([\w.\[\]]*)")
_STEP = re.compile(r"Failed to parse (\w+) field")


def read_template(data: bytes) -> articulation_pb2.ArticulationPlan:
    """Parse a template; whether it describes an object is the server's to say.

    Raises:
        InvalidRequestError: it is no JSON object, or a field does not exist or has another type; names the field.
    """
    try:
        text = data.decode()
        if not text.lstrip().startswith("{"):
            raise json_format.ParseError("is not a JSON object")
        return json_format.Parse(text, articulation_pb2.ArticulationPlan())
    except (UnicodeDecodeError, json_format.ParseError) as error:
        problem = str(error).split("\n")[0]
        field = ".".join(filter(None, (FIELD, _place(problem))))
        raise InvalidRequestError(
            f"{field}: {problem}", "INVALID_ARGUMENT", "PLAN_INVALID", [(field, problem)]
        ) from error


def _place(problem: str) -> str:
    """The path that protobuf's message names, with indices where it gives them."""
    named = _PLACE.findall(problem.partition(" at ")[2])
    return (named[-1].strip(".") if named else "") or ".".join(_STEP.findall(problem))
