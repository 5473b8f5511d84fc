"""The published schemas of Kubernetes' own kinds, strict: a field that a version does not know is an error."""

from __future__ import annotations

import json
from functools import lru_cache
from importlib.resources import files
from typing import Any

import jsonschema
from referencing import Registry, Resource

VERSIONS = ("1.29", "1.30", "1.31", "1.32", "1.33", "1.34")


def problems(one: dict[str, Any], version: str) -> list[str]:
    """What a Kubernetes of that version would find wrong with an object; empty where it takes it."""
    found = _validator(one["apiVersion"], one["kind"], version).iter_errors(one)
    return [f"{one['kind']} {one['metadata']['name']} {error.json_path}: {error.message}" for error in found]


@lru_cache
def _validator(api_version: str, kind: str, version: str) -> jsonschema.Draft202012Validator:
    group, _, number = api_version.rpartition("/")
    name = "-".join(filter(None, [kind.lower(), group.partition(".")[0], number]))
    schema = json.loads((_folder(version) / f"{name}.json").read_text())
    return jsonschema.Draft202012Validator(schema, registry=_definitions(version))


def _folder(version: str) -> Any:
    return files("kubernetes_validate") / "kubernetes-json-schema" / f"v{version}.0-local-strict"


@lru_cache
def _definitions(version: str) -> Registry[Any]:
    definitions = json.loads((_folder(version) / "_definitions.json").read_text())
    return Registry().with_resource("/api/_definitions.json", Resource.from_contents(definitions)).crawl()
