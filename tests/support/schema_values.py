"""Random values that a JSON Schema allows: the part of draft 7 that the chart's schema uses."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from hypothesis import strategies as st

Schema = Mapping[str, Any]
FREE = ("affinity", "global", "namespaceSelector", "podSelector")
"""Objects that the schema leaves to Kubernetes; empty ones are right everywhere."""


def values(schema: Schema, definitions: Mapping[str, Schema], name: str = "") -> st.SearchStrategy[Any]:
    """What `schema` allows. Of an object: its required properties and some of the others."""
    if "$ref" in schema:
        return values(definitions[schema["$ref"].rpartition("/")[2]], definitions, name)
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    kind = schema["type"]
    if kind == "object":
        return _object(schema, definitions, name)
    if kind == "array":
        items = values(schema["items"], definitions)
        return st.lists(items, max_size=min(schema.get("maxItems", 2), 2))
    if kind == "string":
        pattern = schema.get("pattern")
        return st.from_regex(pattern, fullmatch=True, alphabet=st.characters(max_codepoint=126)) if pattern else _TEXT
    if kind == "boolean":
        return st.booleans()
    low = schema.get("minimum", schema.get("exclusiveMinimum", 0))
    high = schema.get("maximum", 10**7)
    if kind == "integer":
        return st.integers(low, high)
    return st.floats(low, high, exclude_min="exclusiveMinimum" in schema)


_TEXT = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=12)


def _object(schema: Schema, definitions: Mapping[str, Schema], name: str) -> st.SearchStrategy[Any]:
    if name in FREE:
        return st.just({})
    properties = {key: values(one, definitions, key) for key, one in schema.get("properties", {}).items()}
    if not properties:
        keys = st.from_regex(schema["propertyNames"]["pattern"], fullmatch=True)
        refused = schema["propertyNames"].get("not", {}).get("pattern")
        allowed = keys.filter(lambda key: not refused or not _found(refused, key))
        return st.dictionaries(allowed, values(schema["additionalProperties"], definitions), max_size=2)
    required = schema.get("required", ())
    if schema.get("minProperties"):
        required = (next(iter(properties)),)
    return st.fixed_dictionaries(
        {key: properties[key] for key in required},
        optional={key: one for key, one in properties.items() if key not in required},
    )


def _found(pattern: str, text: str) -> bool:
    return re.search(pattern, text) is not None
