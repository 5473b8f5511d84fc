"""What the comparison of convex pieces counts."""

import numpy as np
import pytest
from manifold3d import Manifold

from articulation.asset import Mesh
from gateway.package.solids import mesh_of
from training.bench_convex import METHODS, Fit, figures, fits, table

CUP = Manifold.cube((1, 1, 1)) - Manifold.cube((0.8, 0.8, 1)).translate((0.1, 0.1, 0.1))
SOLID, CAVITY = 1 - 0.64 * 0.9, 0.64 * 0.9


def test_a_hull_that_fills_a_cup_keeps_none_of_its_cavity() -> None:
    fit = Fit.of(CUP, lambda solid, _: [solid.hull()], diagonal=np.sqrt(3))
    assert (fit.pieces, fit.missing) == (1, pytest.approx(0, abs=1e-6))
    assert (fit.volume, fit.excess, fit.cavity) == pytest.approx((SOLID, CAVITY, CAVITY), rel=1e-5)
    assert figures([[fit]])["cavity volume kept"] == pytest.approx(0, abs=1e-5)
    assert fit.distance > 0.01


def test_walls_that_stand_where_the_cup_has_them_are_nowhere_far() -> None:
    fit = Fit.of(CUP, METHODS["ours"], diagonal=np.sqrt(3))
    assert (fit.pieces, fit.excess, fit.distance) == (5, pytest.approx(0, abs=1e-6), pytest.approx(0, abs=1e-5))


def test_half_a_cube_leaves_half_uncovered() -> None:
    cube = Manifold.cube((1, 1, 1))
    fit = Fit.of(cube, lambda solid, _: [Manifold.cube((0.5, 1, 1))], diagonal=np.sqrt(3))
    assert (fit.missing, fit.excess) == pytest.approx((0.5, 0), abs=1e-6)


@pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)
def test_both_methods_cover_two_boxes(method) -> None:
    boxes = Manifold.cube((0.2, 1, 1)) + Manifold.cube((0.2, 1, 1)).translate((0.8, 0, 0))
    fit = Fit.of(boxes, method, diagonal=np.sqrt(3))
    assert fit.pieces == 2
    assert fit.excess < 0.05 * fit.cavity
    assert fit.missing < 0.05 * fit.volume
    assert fit.distance < 0.01


def test_parts_that_bound_nothing_are_left_out() -> None:
    sheet = Mesh(np.array([[0.0, 0, 0], [1, 0, 0], [0, 1, 0]]), np.array([[0, 1, 2]]))
    assert len(fits([mesh_of(CUP), sheet], METHODS["ours"])) == 1


def test_figures_pool_volumes_and_count_by_object() -> None:
    small = Fit(pieces=2, seconds=1.0, volume=1.0, excess=0.0, missing=0.0, cavity=1.0, distance=0.01)
    large = Fit(pieces=4, seconds=3.0, volume=3.0, excess=1.0, missing=0.4, cavity=3.0, distance=0.03)
    values = figures([[small, large], [small]])
    assert (values["objects"], values["parts"]) == (2, 3)
    assert (values["pieces an object"], values["seconds an object"]) == (4, 2.5)
    assert values["volume beyond the solids"] == pytest.approx(0.2)
    assert values["volume of the solids left uncovered"] == pytest.approx(0.08)
    assert values["cavity volume kept"] == pytest.approx(0.8)
    assert "| parts | 3 |" in table({"ours": values})
