"""How much refinement repairs on objects that nobody here made: the kitchen of gymnasium-robotics.

    pip install '.[benchmark]'
    python -m training.bench_kitchen --starts 5 --seed 7 --out out/kitchen

The microwave, the cabinets and the knobs of `training.outside.kitchen` with their own meshes, closed and open pictures
rendered by MuJoCo. Starts are wrong, and judged, as in `training.bench_refine`. A report, and nothing else: no
weight or setting is ever chosen by it. Writes `report.json`, and the pictures. MuJoCo draws with OpenGL, by
`MUJOCO_GL=egl` where there is no screen.
"""

from __future__ import annotations

import importlib.util
import json
import multiprocessing
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer
from PIL import Image

from articulation.camera import Camera
from articulation.files import png
from articulation.kinematics import link_poses, transform_points
from articulation.plan import Plan
from articulation.typing import Array, ImageArray
from gateway.meshes import write_glb
from spark.convert import plan_to_proto
from spark.v1 import refinement_service_pb2 as pb
from training.bench_refine import Outcome, Values, outcome, summary, table
from training.outside.kitchen import ITEMS, VIEWS, cut_outs, load, view
from training.outside.mjcf import Imported, read
from training.refine_cases import CAMERA_ERROR, IMAGE_SIZE, OPENING_ERROR, Trial, disturbed

PACKAGE = "gymnasium_robotics"
ASSETS = "envs/assets/kitchen_franka/kitchen_assets"

app = typer.Typer(add_completion=False)


@dataclass(frozen=True, eq=False)
class Shot:
    """One item from one side.

    Attributes:
        name: of item and view.
        plan: the truth.
        imported: meshes and joints.
        closed: (S, S, 3) on white.
        opened: (S, S, 3) on white.
        fractions: (L,) how far each part is open, of its limit.
    """

    name: str
    plan: Plan
    imported: Imported
    closed: ImageArray
    opened: ImageArray
    fractions: Array


def shots(assets: Path, seed: int) -> list[Shot]:
    """Every item in every view, opened to 40 to 100 % of each limit.

    Raises:
        ValueError: MuJoCo cannot read the assets.
    """
    found = []
    for number, (name, item) in enumerate(ITEMS.items()):
        spec = load(assets, item)
        imported = read(spec.compile(), item.labels, item.material)
        upper = np.array([part.joint.upper for part in imported.parts])
        reach = max(float(np.linalg.norm(_points(imported, share * upper), axis=1).max()) for share in (0.0, 0.5, 1.0))
        for side, angles in enumerate(VIEWS):
            camera = view(reach, *angles)
            fractions = np.random.default_rng([seed, number, side]).uniform(0.4, 1.0, len(upper))
            closed, opened = cut_outs(spec, camera, imported, [np.zeros(len(upper)), fractions * upper])
            plan = Plan(item.category, imported.size, imported.parts, camera)
            moving = np.where(upper > 0, fractions, 0.0)
            found.append(Shot(f"{name}_{side}", plan, imported, _small(closed), _small(opened), moving))
    return found


def trial(shot: Shot, rng: np.random.Generator) -> Trial:
    """The shot with wrong joints, camera and told openings, as `training.refine_cases.with_true_shapes`."""
    truth = {index: part.joint for index, part in enumerate(shot.plan.parts) if part.joint.type.moves}
    camera = shot.plan.camera
    start = disturbed(shot.plan, truth, rng)
    start = replace(start, camera=Camera.from_array(camera.to_array() + CAMERA_ERROR * rng.uniform(-1, 1, 6)))
    told = shot.fractions * (1 + rng.uniform(-OPENING_ERROR, OPENING_ERROR, len(shot.fractions)))
    request = pb.RefineArticulationRequest(
        plan=plan_to_proto(start),
        part_meshes=[write_glb(mesh.vertices, mesh.faces) for mesh in shot.imported.meshes],
        closed_image=png(shot.closed),
        open_image=png(shot.opened),
        opening=np.clip(told, 0, 1),
    )
    points = _points(shot.imported, np.zeros(len(shot.plan.parts)))
    return Trial(start, request, truth, camera, points, missed=0)


def report(outcomes: Sequence[Outcome]) -> dict[str, Values]:
    """The figures of each condition, as `training.bench_refine`."""
    return {
        "ground_truth_shapes": summary([one.end for one in outcomes], outcomes),
        "no_refinement": summary([one.start for one in outcomes], outcomes) | {"seconds_p50": 0.0, "seconds_p90": 0.0},
    }


def installed() -> Path:
    """The kitchen's assets in the package that has them, which is not imported.

    Raises:
        typer.BadParameter: it is not installed.
    """
    found = importlib.util.find_spec(PACKAGE)
    if found is None or found.origin is None:
        raise typer.BadParameter(f"{PACKAGE} is not installed: pip install '.[benchmark]', or give --assets")
    return Path(found.origin).parent / ASSETS


def _points(imported: Imported, coordinates: Array) -> Array:
    """(N, 3) vertices of all parts at the coordinates (L,)."""
    poses = link_poses(imported.articulation(), coordinates)
    moved = [transform_points(pose, mesh.vertices) for pose, mesh in zip(poses, imported.meshes, strict=True)]
    return np.concatenate(moved)


def _small(picture: ImageArray) -> ImageArray:
    return np.asarray(Image.fromarray(picture).resize((IMAGE_SIZE, IMAGE_SIZE), Image.Resampling.BOX))


@app.command()
def main(
    starts: Annotated[int, typer.Option(help="Wrong starts of each picture.")] = 5,
    seed: int = 7,
    out: Path = Path("out/kitchen"),
    assets: Annotated[Path | None, typer.Option(help="kitchen_assets of gymnasium-robotics")] = None,
) -> None:
    """Refine the kitchen's joints, which start wrong, and print what becomes of them."""
    torch.set_num_threads(1)
    # In a process of its own: OpenGL's LLVM and that of Triton, which torch loads later, do not bear each other.
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as studio:
        pictured = studio.submit(shots, assets or installed(), seed).result()
    outcomes: list[Outcome] = []
    out.mkdir(parents=True, exist_ok=True)
    begin = time.monotonic()
    for start in range(starts):
        for number, shot in enumerate(pictured):
            Image.fromarray(np.hstack([shot.closed, shot.opened])).save(out / f"{shot.name}.png")
            outcomes.append(outcome(trial(shot, np.random.default_rng([seed, number, start]))))
            left = (time.monotonic() - begin) * (starts * len(pictured) / len(outcomes) - 1) / 60
            typer.echo(f"{shot.name} {start}: {outcomes[-1].line()}; {left:.0f} min left", err=True)
    figures = report(outcomes)
    (out / "report.json").write_text(json.dumps(figures, indent=2) + "\n")
    typer.echo(table(figures))


if __name__ == "__main__":
    app()
