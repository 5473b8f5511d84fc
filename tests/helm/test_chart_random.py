"""Random values that the schema allows: they render to objects that Kubernetes takes, or are refused in words."""

import json

import jsonschema
from chart import CHART, ChartRefused, Values, render
from hypothesis import HealthCheck, Phase, given, settings
from kubernetes_schemas import VERSIONS, problems
from schema_values import values
from test_chart_kinds import FOREIGN

SCHEMA = json.loads((CHART / "values.schema.json").read_text())
RANDOM = values(SCHEMA, SCHEMA["definitions"])
REFUSED = "these values contradict each other:\n- "


def test_the_schema_is_one_and_describes_every_value() -> None:
    jsonschema.Draft7Validator.check_schema(SCHEMA)
    assert undocumented(SCHEMA, "") == []


def undocumented(schema: dict, path: str) -> list[str]:
    """Properties without a description; of a reference, its definition's counts."""
    found = []
    for name, one in schema.get("properties", {}).items():
        target = SCHEMA["definitions"][one["$ref"].rpartition("/")[2]] if "$ref" in one else one
        if len(path.split(".")) < 3 and not target.get("description"):
            found.append(f"{path}.{name}")
        found += undocumented(one, f"{path}.{name}")
    return found


@given(RANDOM)
@settings(
    max_examples=12,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
def test_values_that_the_schema_allows_render_or_are_refused_in_words(some: Values) -> None:
    jsonschema.validate(some, SCHEMA)
    try:
        objects = render("production", some)
    except ChartRefused as refused:
        assert REFUSED in str(refused)
        return
    own = [one for one in objects if one["apiVersion"].partition("/")[0] not in FOREIGN]
    assert [problem for one in own for problem in problems(one, VERSIONS[-1])] == []
