"""Which package may import which: every service stands alone, and nothing points back to the gateway."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ALLOWED = {
    "articulation": set(),
    "spark": {"articulation"},
    "checkpoints": set(),
    "serving": {"articulation"},
    "services.part_dit": {"articulation", "checkpoints"},
    "services.texture": {"articulation", "checkpoints"},
    "services.vlm": {"articulation", "checkpoints", "serving", "spark"},
    "services.refinement": {"articulation", "serving", "spark"},
    "gateway": {"articulation", "checkpoints", "serving", "spark"},
    "client": {"spark", "checkpoints", "gateway"},  # `spark validate` runs the package stage's own checks
}
FOLDERS = {"spark": ROOT / "protos/spark"}


def package(module: str) -> str:
    names = module.split(".")
    return ".".join(names[:2]) if names[0] == "services" else names[0]


def imports(folder: Path) -> Iterator[str]:
    for path in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                yield from (name.name for name in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module:
                yield node.module


@pytest.mark.parametrize("name", ALLOWED)
def test_a_package_imports_only_what_it_may(name: str) -> None:
    used = {package(module) for module in imports(FOLDERS.get(name, ROOT / name.replace(".", "/")))}
    ours = {*ALLOWED, "services", "training", "tests"}
    assert (used & ours) - {name} <= ALLOWED[name]


@pytest.mark.parametrize("library", ["torch", "grpc"])
def test_the_core_needs_neither_models_nor_servers(library: str) -> None:
    assert library not in {module.split(".")[0] for module in imports(ROOT / "articulation")}


@pytest.mark.parametrize("folder", ["services/part_dit", "services/texture", "checkpoints"])
def test_what_runs_inside_triton_needs_no_grpc(folder: str) -> None:
    assert "grpc" not in {module.split(".")[0] for module in imports(ROOT / folder)}
