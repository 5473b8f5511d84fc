"""Path-traced photographs of the hand-made subjects: `python -m training.outside.traced -o examples/outside`.

Mitsuba (BSD licence) renders what the project's own renderer cannot: light that bounces, true reflections, lenses of
other materials. Not a dependency: install it beside the project (`pip install mitsuba`) to render the pictures again.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from articulation.camera import Camera
from articulation.plan import Plan
from training.outside.labels import save
from training.outside.subjects import SUBJECTS, Shape, Subject

SIZE = 512
SAMPLES = 48
FOV = math.radians(36.0)

app = typer.Typer(add_completion=False)


def wood(base: tuple[float, float, float], rng: np.random.Generator) -> dict[str, Any]:
    """Boards from stretched noise."""
    import mitsuba as mi

    grain = rng.normal(size=(256, 8)).cumsum(0)
    rows = np.interp(np.linspace(0, 255, 512), np.arange(256), grain[:, 0] - np.linspace(0, grain[-1, 0], 256))
    waves = np.sin(rows[:, None] * 2 + 0.004 * np.arange(512)[None] * rng.normal(1, 0.3)) * 0.08
    speckle = rng.normal(0, 0.025, (512, 512))
    picture = np.clip(np.array(base) * (1 + waves + speckle)[..., None], 0, 1).astype(np.float32)
    texture = {"type": "bitmap", "bitmap": mi.Bitmap(picture), "raw": True, "wrap_mode": "mirror"}
    return {"type": "roughplastic", "diffuse_reflectance": texture, "alpha": 0.25}


def materials(rng: np.random.Generator) -> dict[str, dict[str, Any]]:
    """Mitsuba's BSDF of each material word of the subjects."""

    def plastic(*color: float, alpha: float = 0.15) -> dict[str, Any]:
        return {"type": "roughplastic", "diffuse_reflectance": {"type": "rgb", "value": list(color)}, "alpha": alpha}

    metal = {"type": "roughconductor", "material": "none"}
    return {
        "white": plastic(0.8, 0.8, 0.78),
        "black": plastic(0.02, 0.02, 0.022),
        "red": plastic(0.6, 0.03, 0.02),
        "green": plastic(0.06, 0.14, 0.09, alpha=0.3),
        "blue": plastic(0.12, 0.2, 0.36, alpha=0.3),
        "steel": {**metal, "alpha": 0.22, "specular_reflectance": 0.62},
        "brass": {**metal, "alpha": 0.15, "specular_reflectance": {"type": "rgb", "value": [0.8, 0.6, 0.28]}},
        "mirror": {**metal, "alpha": 0.05, "specular_reflectance": 0.25},
        "oak": wood((0.5, 0.33, 0.17), rng),
        "pine": wood((0.68, 0.48, 0.27), rng),
        "walnut": wood((0.22, 0.12, 0.06), rng),
    }


def scene(subject: Subject, camera: Camera, rng: np.random.Generator) -> dict[str, Any]:
    """Mitsuba's description of a subject in a plain room, in model units."""
    import mitsuba as mi

    low, high = subject.bounds()
    middle, scale = (low + high) / 2, 2 / float((high - low).max())
    place = mi.ScalarTransform4f().scale(scale).translate((-middle).tolist())
    floor = float((low - middle)[1] * scale)
    wall = float((low - middle)[2] * scale) - rng.uniform(0.05, 0.8)
    words = materials(rng)
    eye = camera.position
    to_world = mi.ScalarTransform4f().look_at(origin=eye.tolist(), target=[0, 0, 0], up=[0, 1, 0])
    tint = [float(x) for x in rng.uniform(0.35, 0.75, 3)]
    described: dict[str, Any] = {
        "type": "scene",
        "integrator": {"type": "path", "max_depth": 8},
        "sensor": {
            "type": "perspective",
            "fov": math.degrees(camera.fov),
            "to_world": to_world,
            "film": {"type": "hdrfilm", "width": SIZE, "height": SIZE, "rfilter": {"type": "gaussian"}},
            "sampler": {"type": "multijitter", "sample_count": SAMPLES},
        },
        "floor": _board([0, floor, 0], [1, 0, 0], -90, wood((0.4, 0.3, 0.22), rng)),
        "wall": _board([0, 0, wall], [0, 1, 0], 0, {"type": "diffuse", "reflectance": {"type": "rgb", "value": tint}}),
        "window": _lamp(mi, [-4 + 8 * rng.random(), 4.5, 4.0], 9.0, 1.6),
        "sky": {"type": "constant", "radiance": {"type": "rgb", "value": [0.35, 0.36, 0.38]}},
    }
    for number, shape in enumerate(shape for part in subject.parts for shape in part.shapes):
        for piece, solid in enumerate(_shape(shape, place)):
            described[f"shape_{number}_{piece}"] = {
                **solid,
                "bsdf": {"type": "twosided", "bsdf": words[shape.material]},
            }
    return described


def _board(center: list[float], axis: list[float], degrees: float, bsdf: Mapping[str, Any]) -> dict[str, Any]:
    import mitsuba as mi

    placed = mi.ScalarTransform4f().translate(center).rotate(axis, degrees).scale(12)
    return {"type": "rectangle", "to_world": placed, "bsdf": dict(bsdf)}


def _lamp(mi: Any, center: list[float], power: float, size: float) -> dict[str, Any]:
    placed = mi.ScalarTransform4f().look_at(origin=center, target=[0, 0, 0], up=[0, 1, 0.01]).scale(size)
    light = {"type": "area", "radiance": {"type": "rgb", "value": [power, power * 0.96, power * 0.9]}}
    return {"type": "rectangle", "to_world": placed, "emitter": light}


def _shape(shape: Shape, place: Any) -> list[dict[str, Any]]:
    """The surfaces of a solid: a cylinder has none at its ends by itself."""
    import mitsuba as mi

    low, high = np.array(shape.low), np.array(shape.high)
    if shape.kind == "cube":
        placed = place.translate(((low + high) / 2).tolist()).scale((np.abs(high - low) / 2).tolist())
        return [{"type": "cube", "to_world": placed}]
    if shape.kind == "sphere":
        return [{"type": "sphere", "to_world": place, "center": low.tolist(), "radius": shape.radius}]
    side = {"type": "cylinder", "to_world": place, "p0": low.tolist(), "p1": high.tolist(), "radius": shape.radius}
    up = [0, 1, 0] if abs((high - low)[1]) < 1e-9 else [0, 0, 1]
    caps = [
        place @ mi.ScalarTransform4f().look_at(origin=end.tolist(), target=(2 * end - other).tolist(), up=up)
        for end, other in ((low, high), (high, low))
    ]
    return [side, *({"type": "disk", "to_world": cap.scale(shape.radius)} for cap in caps)]


@app.command()
def main(output: Annotated[Path, typer.Option("-o", "--output")] = Path("examples/outside")) -> None:
    """Render every subject once and write its label beside it."""
    import mitsuba as mi

    mi.set_variant("scalar_rgb")
    for number, subject in enumerate(SUBJECTS):
        rng = np.random.default_rng(number)
        size, parts = subject.planned()
        reach = max(float(np.linalg.norm(np.abs(part.box.center) + part.box.half_extent)) for part in parts)
        distance = reach / math.sin(FOV / 2) * 0.95
        camera = Camera(math.radians(rng.uniform(-40, 40)), math.radians(rng.uniform(8, 28)), distance, FOV)
        picture = mi.render(mi.load_dict(scene(subject, camera, rng)))
        bright = np.asarray(
            mi.Bitmap(picture).convert(mi.Bitmap.PixelFormat.RGB, mi.Struct.Type.UInt8, srgb_gamma=True)
        )
        save(output, subject.name, bright, Plan(subject.category, size, parts, camera))
        typer.echo(subject.name)


if __name__ == "__main__":
    app()
