"""Photographs of a kitchen that others modelled.

    python -m training.outside.kitchen --assets FOLDER -o examples/kitchen

The microwave, the two wall cabinets and the stove's knobs of gymnasium-robotics (Franka kitchen, Apache-2.0), each
alone, rendered by MuJoCo in three views. FOLDER is `kitchen_franka/kitchen_assets` in that package, which is needed for
nothing else. Joints come from the MuJoCo model, so only words are by hand. `MUJOCO_GL=egl` draws without a screen.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import mujoco
import numpy as np
import typer

from articulation.camera import Camera
from articulation.plan import Plan
from articulation.typing import Array, ImageArray
from training.outside.labels import save
from training.outside.mjcf import TO_MODEL, Imported, read

SIZE = 512
FOV = math.radians(40.0)
VIEWS = ((-30.0, 15.0), (5.0, 8.0), (28.0, 22.0))
"""Azimuth and elevation [degree]."""

app = typer.Typer(add_completion=False)


@dataclass(frozen=True)
class Item:
    """One object of the kitchen.

    Attributes:
        category, material: words of the plan format.
        files: its asset and chain files, without ending.
        labels: joint name to label; every other joint moves nothing that can be seen, and is left out.
    """

    category: str
    material: str
    files: str
    labels: Mapping[str, str]


ITEMS = {
    "microwave": Item("microwave", "metal", "microwave", {"microwave": "door"}),
    "hinge_cabinet": Item(
        "storage_furniture", "wood", "hingecabinet", {"left_hinge_cabinet": "door", "right_hinge_cabinet": "door"}
    ),
    "slide_cabinet": Item("storage_furniture", "wood", "slidecabinet", {"slide_cabinet": "door"}),
    "knob_panel": Item("oven", "metal", "oven", {f"knob_Joint_{number}": "knob" for number in (1, 2, 3, 4)}),
}

SCENE = """
<mujoco>
  <compiler angle="radian" meshdir="{assets}/meshes" texturedir="{assets}/textures"/>
  <visual>
    <global offwidth="{size}" offheight="{size}"/><quality offsamples="8" shadowsize="4096"/><map znear="0.01"/>
    <headlight ambient="0.35 0.35 0.35" diffuse="0.3 0.3 0.3"/>
  </visual>
  <include file="{assets}/item_assets/{files}_asset.xml"/>
  <asset>
    <texture name="wall" type="2d" builtin="gradient" rgb1="0.75 0.73 0.7" rgb2="0.6 0.6 0.62" width="64" height="64"/>
    <material name="wall" texture="wall"/>
  </asset>
  <worldbody>
    <light pos="1 -3 5" dir="-0.2 0.6 -1" diffuse="0.7 0.7 0.68" castshadow="true"/>
    <body name="item"><include file="{assets}/item_assets/{files}_chain.xml"/></body>
  </worldbody>
</mujoco>
"""


PANEL = {"pos": [-0.21, 0.24, 1.3], "size": [0.2, 0.02, 0.14]}
"""Board [m] for the stove's knobs, which hang on the kitchen's wall, far from the stove."""


def load(assets: Path, item: Item) -> mujoco.MjSpec:
    """One item alone; of the stove, the knobs on a board."""
    spec = mujoco.MjSpec.from_string(SCENE.format(assets=assets.resolve(), size=SIZE, files=item.files))
    stove = spec.body("ovenroot")
    if stove is not None:
        spec.delete(spec.body("hoodroot"))
        for thing in [*stove.geoms, *(body for body in stove.bodies if body.name.startswith("Burner"))]:
            spec.delete(thing)
        stove.add_geom(type=mujoco.mjtGeom.mjGEOM_BOX, material="wall", **PANEL)
    return spec


def view(reach: float, azimuth: float, elevation: float) -> Camera:
    """The camera that sees a ball of radius `reach` about the origin of model space; angles in degrees."""
    return Camera(math.radians(azimuth), math.radians(elevation), reach / math.sin(FOV / 2), FOV)


def photograph(spec: mujoco.MjSpec, camera: Camera, imported: Imported) -> ImageArray:
    """The item before a wall, on a floor, as `camera` sees it."""
    spec = spec.copy()
    size, center, room = imported.size, imported.center, spec.worldbody
    box: dict[str, Any] = {"type": mujoco.mjtGeom.mjGEOM_BOX, "material": "wall", "size": [9, 9, 0.01]}
    room.add_geom(**box, pos=[0, 0, center[2] - size * 0.75])
    room.add_geom(**box, pos=[0, center[1] + size * 0.9, 0], quat=[math.sqrt(0.5), math.sqrt(0.5), 0, 0])
    with _Studio(spec, camera, imported) as studio:
        return studio.picture(np.zeros(len(imported.parts)))


def cut_outs(spec: mujoco.MjSpec, camera: Camera, imported: Imported, states: Sequence[Array]) -> list[ImageArray]:
    """The item alone on white, as `camera` sees it.

    Args:
        spec: of the item alone.
        camera: in model space, not shifted.
        imported: what `read` made of it.
        states: coordinates (L,) of its parts in model space, one for each picture.
    """
    spec = spec.copy()
    sky, flat = mujoco.mjtTexture.mjTEXTURE_SKYBOX, mujoco.mjtBuiltin.mjBUILTIN_FLAT
    white = [1.0, 1.0, 1.0]
    spec.add_texture(name="sky", type=sky, builtin=flat, rgb1=white, rgb2=white, width=8, height=8)
    with _Studio(spec, camera, imported) as studio:
        return [studio.picture(state) for state in states]


class _Studio:
    """MuJoCo's renderer with our camera in a scene."""

    def __init__(self, spec: mujoco.MjSpec, camera: Camera, imported: Imported) -> None:
        turn = np.empty(4)
        mujoco.mju_mat2Quat(turn, (TO_MODEL.T @ camera.rotation.T).ravel())
        eye = TO_MODEL.T @ camera.position * imported.size / 2 + imported.center
        spec.worldbody.add_camera(name="view", pos=eye, quat=turn, fovy=math.degrees(camera.fov))
        self._model = spec.compile()
        self._data = mujoco.MjData(self._model)
        self._imported = imported
        self._renderer = mujoco.Renderer(self._model, SIZE, SIZE)

    def __enter__(self) -> _Studio:
        return self

    def __exit__(self, *_: object) -> None:
        self._renderer.close()

    def picture(self, coordinates: Array) -> ImageArray:
        """(SIZE, SIZE, 3) with all that is in the scene."""
        self._data.qpos[:] = self._imported.qpos(self._model, coordinates)
        mujoco.mj_forward(self._model, self._data)
        self._renderer.update_scene(self._data, "view")
        picture: ImageArray = self._renderer.render()
        return picture


@app.command()
def main(
    assets: Annotated[Path, typer.Option(help="kitchen_assets of gymnasium-robotics")],
    output: Annotated[Path, typer.Option("-o", "--output")] = Path("examples/kitchen"),
) -> None:
    """Render every item and write its labels."""
    for name, item in ITEMS.items():
        spec = load(assets, item)
        imported = read(spec.compile(), item.labels, item.material)
        boxes = [part.box for part in imported.parts]
        reach = max(float(np.linalg.norm(np.abs(box.center) + box.half_extent)) for box in boxes)
        for number, angles in enumerate(VIEWS):
            camera = view(reach, *angles)
            plan = Plan(item.category, imported.size, imported.parts, camera)
            save(output, f"{name}_{number}", photograph(spec, camera, imported), plan)
        typer.echo(name)


if __name__ == "__main__":
    app()
