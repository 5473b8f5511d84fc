"""Our convex pieces beside CoACD's, on the same solids.

    pip install '.[benchmark]'
    python -m training.bench_convex --count 20 --seed 101

`gateway.package.convex` and CoACD (Wei et al. 2022, with its own settings) cut the parts of validation objects: the
objects' own meshes, and what reconstruction made of them where `--cases`, a folder of `training.evaluate` with the same
seed, has it. All volumes are pooled over all parts; seconds are CPU seconds of one thread an object.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import coacd
import numpy as np
import trimesh
import typer
from manifold3d import Manifold, OpType

from articulation.asset import Mesh
from articulation.metrics import sample_surface
from gateway.package.build import THINNEST
from gateway.package.clean import close
from gateway.package.convex import convex_pieces
from gateway.package.solids import hull_of, mesh_of, vertices_of
from training.draw import Split
from training.eval_case import CaseFolder, Subject

POINTS = 1000
"""On either surface, for its distance from the other."""

Method = Callable[[Manifold, float], list[Manifold]]

app = typer.Typer(add_completion=False)


def ours(solid: Manifold, thinnest: float) -> list[Manifold]:
    """What packaging does."""
    return convex_pieces([solid], thinnest) or [solid.hull()]


def theirs(solid: Manifold, _: float) -> list[Manifold]:
    """CoACD with its own settings."""
    mesh = mesh_of(solid)
    pieces = coacd.run_coacd(coacd.Mesh(mesh.vertices, mesh.faces.astype(np.int32)))
    hulls = [hull_of(np.asarray(vertices)) for vertices, _ in pieces]
    return [hull for hull in hulls if not hull.is_empty()]


METHODS: Mapping[str, Method] = {"ours": ours, "CoACD": theirs}


@dataclass(frozen=True)
class Fit:
    """How well pieces stand for one solid.

    Attributes:
        pieces: how many.
        seconds: CPU time.
        volume: of the solid; any unit, as the next three.
        excess: of what the pieces cover outside of the solid.
        missing: of what they leave uncovered of it.
        cavity: between the solid and its convex hull.
        distance: mean of both surfaces' distances from each other, as a fraction of the object's diagonal.
    """

    pieces: int
    seconds: float
    volume: float
    excess: float
    missing: float
    cavity: float
    distance: float

    @classmethod
    def of(cls, solid: Manifold, method: Method, diagonal: float) -> Fit:
        begin = time.process_time()
        pieces = method(solid, THINNEST * diagonal)
        seconds = time.process_time() - begin
        union = Manifold.batch_boolean(pieces, OpType.Add)
        return cls(
            pieces=len(pieces),
            seconds=seconds,
            volume=float(solid.volume()),
            excess=float((union - solid).volume()),
            missing=float((solid - union).volume()),
            cavity=float((solid.hull() - solid).volume()),
            distance=(_distance(union, solid) + _distance(solid, union)) / 2 / diagonal,
        )


def _distance(one: Manifold, other: Manifold) -> float:
    """Mean distance of points on the surface of one from that of the other."""
    surface = mesh_of(other)
    points = sample_surface(mesh_of(one), POINTS, np.random.default_rng(0))
    _, distances, _ = trimesh.Trimesh(surface.vertices, surface.faces).nearest.on_surface(points)
    return float(distances.mean())


def fits(meshes: Sequence[Mesh], method: Method) -> list[Fit]:
    """One entry for each part of an object that bounds a solid."""
    solids = [solid for solid in map(close, meshes) if solid is not None]
    points = np.concatenate([vertices_of(solid) for solid in solids])
    diagonal = float(np.linalg.norm(np.ptp(points, axis=0)))
    return [Fit.of(solid, method, diagonal) for solid in solids]


def figures(objects: Sequence[Sequence[Fit]]) -> dict[str, float]:
    """The rows of the table."""
    parts = [fit for one in objects for fit in one]
    volume = sum(fit.volume for fit in parts)
    excess = sum(fit.excess for fit in parts)
    return {
        "objects": len(objects),
        "parts": len(parts),
        "pieces an object": sum(fit.pieces for fit in parts) / len(objects),
        "seconds an object": sum(fit.seconds for fit in parts) / len(objects),
        "volume beyond the solids": excess / volume,
        "volume of the solids left uncovered": sum(fit.missing for fit in parts) / volume,
        "cavity volume kept": 1 - excess / sum(fit.cavity for fit in parts),
        "surface distance [diagonals]": float(np.mean([fit.distance for fit in parts])),
    }


def table(columns: Mapping[str, Mapping[str, float]]) -> str:
    """Markdown."""
    names = next(iter(columns.values()))
    heading = ["| | " + " | ".join(columns) + " |", "| --- |" + " --- |" * len(columns)]
    rows = [f"| {name} | " + " | ".join(f"{of[name]:.4g}" for of in columns.values()) + " |" for name in names]
    return "\n".join([*heading, *rows])


@app.command()
def main(
    count: int = 20,
    seed: int = 101,
    cases: Annotated[Path, typer.Option(help="Reconstructions of the same objects.")] = Path("out/val/cases"),
) -> None:
    """Print the table of both methods."""
    coacd.set_log_level("error")
    subjects = [Subject.draw(Split.VAL, seed, index) for index in range(count)]
    runs = [run for subject in subjects if (run := CaseFolder(cases).run(subject))]
    sets: dict[str, list[Sequence[Mesh]]] = {
        "true shapes": [[Mesh(own.vertices, own.faces) for own in subject.spec.link_meshes()] for subject in subjects],
        "reconstructed": [run.meshes() for run in runs if run.meshes()],
    }
    columns: dict[str, dict[str, float]] = {}
    for shapes, objects in sets.items():
        for name, method in METHODS.items() if objects else ():
            columns[f"{name}, {shapes}"] = figures([fits(meshes, method) for meshes in objects])
            typer.echo(f"{name}, {shapes}: {columns[f'{name}, {shapes}']}", err=True)
    typer.echo(table(columns))


if __name__ == "__main__":
    app()
