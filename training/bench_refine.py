"""How much refinement repairs: joints started wrong, on generated objects with ground-truth shapes and open image.

`python -m training.bench_refine N=40 SEED=7 OUT=out/refine`

Each object's exact plan gets every axis turned by 20 degrees, every hinge line shifted by 0.15, the camera disturbed
and every opening wrong by up to 30 %. Printed and written to OUT/report.json: errors before and after.
"""

from __future__ import annotations

import json
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from articulation.camera import Camera
from articulation.joint import Joint
from articulation.metrics import angle_between, line_distance
from articulation.plan import Plan
from articulation.typing import Array
from services.refinement import proxies
from services.refinement.objective import Objective
from services.refinement.optimiser import Refined, Refinement, Schedule
from services.refinement.targets import targets
from training.objects import Split, generate, sample_camera
from training.render import render
from training.scene import pack

AXIS_ERROR = np.radians(20)
ORIGIN_ERROR = 0.15
CAMERA_ERROR = np.array([0.06, 0.05, 0.15, 0.03, 0.02, 0.02])
OPENING_ERROR = 0.3
IMAGE_SIZE = 256
FACES = 300


@dataclass(frozen=True)
class Case:
    """One object: its truth, a wrong start, and the two pictures."""

    exact: Plan
    start: Plan
    q: Array
    opening: Array
    objective: Objective


@dataclass(frozen=True)
class Errors:
    """Of one joint: axis [rad] with its sign, hinge line distance (NaN for prismatic), type."""

    axis: float
    origin: float
    type_right: bool


def make(seed: int, split: Split) -> Case:
    """A generated object, its open picture at 40 to 100 % of each limit, and a disturbed plan."""
    rng = np.random.default_rng(seed)
    spec = generate(seed, split)
    camera = sample_camera(rng, split)
    exact = spec.plan(camera)
    q = spec.open_coordinates(rng.uniform(0.4, 1.0, len(spec.links)))
    scene = pack([spec], torch.device("cpu"))
    visible = scene.link_valid
    generator = torch.Generator().manual_seed(seed)
    cameras = torch.tensor(camera.to_array(), dtype=torch.float32)[None]
    pictures = []
    for coordinates in (np.zeros_like(q), q):
        padded = torch.zeros(1, visible.shape[1])
        padded[0, : len(q)] = torch.tensor(coordinates)
        rgb = render(scene, cameras, padded, visible, IMAGE_SIZE, generator=generator.manual_seed(seed)).rgb[0]
        pictures.append(np.round(rgb.numpy() * 255).astype(np.uint8))
    device = torch.device("cpu")
    start = disturbed(exact, rng)
    planned = np.array([max(part.joint.upper, 1e-6) for part in exact.parts])
    opening = np.clip(q / planned * (1 + rng.uniform(-OPENING_ERROR, OPENING_ERROR, len(q))), 0, 1)
    closed, opened, window = targets(pictures[0], pictures[1], device)
    objective = Objective(
        proxies=proxies.build(spec.link_meshes(), FACES, device),
        parents=tuple(part.parent for part in exact.parts),
        active=torch.tensor([p.joint.type.moves and o > 0 for p, o in zip(exact.parts, opening, strict=True)]),
        closed=closed,
        opened=opened,
        window=window,
    )
    return Case(exact, start, q, opening, objective)


def disturbed(exact: Plan, rng: np.random.Generator) -> Plan:
    """The plan with wrong axes, hinge lines and camera."""
    parts = tuple(replace(part, joint=disturbed_joint(part.joint, rng)) for part in exact.parts)
    camera = Camera.from_array(exact.camera.to_array() + CAMERA_ERROR * rng.uniform(-1, 1, 6))
    return replace(exact, parts=parts, camera=camera)


def disturbed_joint(joint: Joint, rng: np.random.Generator) -> Joint:
    """Axis turned by `AXIS_ERROR` about a random direction across it, origin shifted by `ORIGIN_ERROR` across it."""
    if not joint.type.moves:
        return joint
    across = np.cross(joint.axis, rng.normal(size=3))
    across /= np.linalg.norm(across)
    axis = np.cos(AXIS_ERROR) * joint.axis + np.sin(AXIS_ERROR) * across
    shift = np.cross(axis, rng.normal(size=3))
    return replace(joint, axis=axis, origin=joint.origin + ORIGIN_ERROR * shift / np.linalg.norm(shift), confidence=0.7)


def joint_errors(exact: Plan, guess: Plan) -> list[Errors]:
    """One entry a moving joint."""
    return [compare(a.joint, b.joint) for a, b in zip(exact.parts, guess.parts, strict=True) if a.joint.type.moves]


def compare(exact: Joint, guess: Joint) -> Errors:
    """Errors of one joint that moves."""
    right = exact.type.rotates == guess.type.rotates
    origin = line_distance(guess, exact) if right and exact.type.rotates else float("nan")
    return Errors(angle_between(guess.axis, exact.axis), origin, right)


def refine(case: Case, schedule: Schedule) -> Refined:
    """Run to the end."""
    run = Refinement(case.objective, case.start, case.opening, schedule).run()
    while True:
        try:
            next(run)
        except StopIteration as end:
            refined: Refined = end.value
            return refined


def summary(errors: list[Errors]) -> dict[str, float]:
    """Medians and 90th percentiles over joints."""
    degrees = np.degrees([e.axis for e in errors])
    origins = np.array([e.origin for e in errors])
    origins = origins[np.isfinite(origins)]
    return {
        "axis_error_deg_median": float(np.median(degrees)),
        "axis_error_deg_p90": float(np.percentile(degrees, 90)),
        "origin_error_median": float(np.median(origins)) if len(origins) else float("nan"),
        "origin_error_p90": float(np.percentile(origins, 90)) if len(origins) else float("nan"),
        "type_accuracy": float(np.mean([e.type_right for e in errors])),
    }


def main() -> None:
    """Read N=, SEED= and OUT=, and print the report."""
    flags = dict(argument.split("=", 1) for argument in sys.argv[1:])
    count, seed = int(flags.get("N", "20")), int(flags.get("SEED", "7"))
    out = Path(flags.get("OUT", "out/refine"))
    before: list[Errors] = []
    after: list[Errors] = []
    worse, seconds = 0, []
    for index in range(count):
        case = make(seed * 100_003 + index, Split.VAL)
        begin = time.process_time()
        refined = refine(case, Schedule())
        seconds.append(time.process_time() - begin)
        mine, start = joint_errors(case.exact, refined.plan), joint_errors(case.exact, case.start)
        worse += sum(a.axis > b.axis + 0.02 for a, b in zip(mine, start, strict=True))
        before += start
        after += mine
        print(
            f"{index:3d} {case.exact.category:18s} {len(mine)} joints, loss {refined.initial_loss:.4f} -> "
            f"{refined.final_loss:.4f}, axis [deg] {np.round(np.degrees([e.axis for e in mine]), 1)}, "
            f"origin {np.round([e.origin for e in mine], 3)}, {seconds[-1]:.1f} s",
            flush=True,
        )
    report = {
        "no_refinement": {"n": count} | summary(before),
        "ground_truth_shapes": {"n": count}
        | summary(after)
        | {"worse_than_start": worse / max(len(after), 1), "seconds_p50": float(np.median(seconds))},
    }
    out.mkdir(parents=True, exist_ok=True)
    (out / "report.json").write_text(json.dumps(report, indent=2))
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
