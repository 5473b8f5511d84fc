"""The library packs the same scenes as the objects themselves."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest
import torch

from services.vlm.plan_format import dumps, to_document
from training.draw import Split
from training.library import ANY_CAMERA, Library, build_library, cached_library
from training.objects import CATEGORIES, ObjectSpec, generate
from training.scene import pack

SEEDS = range(24)


@pytest.fixture(scope="module")
def specs() -> list[ObjectSpec]:
    """The objects in the library's order."""
    return sorted((generate(seed, Split.TRAIN) for seed in SEEDS), key=lambda spec: len(spec.primitives))


@pytest.fixture(scope="module")
def library() -> Library:
    return build_library(SEEDS, Split.TRAIN, documents=True)


def test_scene_is_what_pack_makes_of_the_objects(library: Library, specs: list[ObjectSpec]) -> None:
    rows = torch.tensor([20, 3, 11, 3])
    scene, expected = library.scene(rows), pack([specs[row] for row in rows], "cpu")
    for field in fields(scene):
        torch.testing.assert_close(getattr(scene, field.name), getattr(expected, field.name), rtol=0, atol=0)


def test_objects_know_their_category_and_extent(library: Library, specs: list[ObjectSpec]) -> None:
    assert [CATEGORIES[index] for index in library.category] == [spec.category for spec in specs]
    expected = torch.tensor([list(spec.half_extent) for spec in specs], dtype=torch.float32)
    torch.testing.assert_close(library.half_extent, expected)


def test_documents_are_the_objects_plans(library: Library, specs: list[ObjectSpec]) -> None:
    assert list(library.documents) == [dumps(to_document(spec.plan(ANY_CAMERA))) for spec in specs]


def test_similar_objects_have_about_as_many_solids(library: Library) -> None:
    big = build_library(range(400), Split.TRAIN)
    counts = big.solid_counts[big.similar(16, torch.Generator().manual_seed(3))].float()
    assert counts.std() < 0.5 * big.solid_counts.float().std()


def test_every_object_may_come_up(library: Library) -> None:
    generator = torch.Generator().manual_seed(0)
    drawn = torch.cat([library.similar(4, generator) for _ in range(400)])
    assert drawn.unique().tolist() == list(range(len(library)))


def test_two_processes_make_the_same_library(library: Library) -> None:
    other = build_library(SEEDS, Split.TRAIN, processes=2)
    for name, column in library.solids.items():
        torch.testing.assert_close(other.solids[name], column, rtol=0, atol=0)


def test_a_cached_library_is_read_back(tmp_path: Path, library: Library) -> None:
    path = tmp_path / "library.pt"
    cached_library(path, SEEDS, Split.TRAIN, documents=True)
    read = cached_library(path, range(1), Split.TRAIN)
    assert read.documents == library.documents
    torch.testing.assert_close(read.links["boxes"], library.links["boxes"], rtol=0, atol=0)
