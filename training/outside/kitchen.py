"""Photographs of a kitchen that others modelled.

    python -m training.outside.kitchen --assets FOLDER -o examples/kitchen

The microwave, the two wall cabinets and the stove's knobs of gymnasium-robotics (Franka kitchen, Apache-2.0), each
alone, rendered by MuJoCo in three views. FOLDER is `kitchen_franka/kitchen_assets` in that package, which is needed for
nothing else. Joints come from the MuJoCo model, so only words and the sense of opening are by hand.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import mujoco
import numpy as np
import typer

from articulation.camera import Camera
from articulation.joint import Joint, JointType
from articulation.plan import Box, Plan, PlannedPart
from articulation.typing import Array, ImageArray
from training.outside.labels import save

SIZE = 512
FOV = math.radians(40.0)
VIEWS = ((-30.0, 15.0), (5.0, 8.0), (28.0, 22.0))
"""Azimuth and elevation [degree]."""

TO_MODEL = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, -1.0, 0.0]])
"""The kitchen's frame, x right, y away from the viewer, z up, to model space."""

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


VISIBLE_GROUPS = 3
"""Geometries of lower groups are drawn; the others are for collisions."""


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


def truth(model: mujoco.MjModel, item: Item) -> tuple[float, Array, tuple[PlannedPart, ...]]:
    """Longest side [m], centre in the kitchen's frame (3,), and the parts in model space."""
    data = mujoco.MjData(model)
    mujoco.mj_forward(model, data)
    moving = [model.joint(name) for name in item.labels]
    bodies = {int(joint.bodyid[0]): number + 1 for number, joint in enumerate(moving)}
    corners: list[list[Array]] = [[] for _ in range(len(moving) + 1)]
    for geom in range(model.ngeom):
        if model.geom_group[geom] < VISIBLE_GROUPS:
            corners[_owner(model, int(model.geom_bodyid[geom]), bodies)].append(_corners(model, data, geom))
    boxes = [(points.min(0), points.max(0)) for points in map(np.concatenate, corners)]
    low, high = np.min([low for low, _ in boxes], 0), np.max([high for _, high in boxes], 0)
    size, center = float((high - low).max()), (low + high) / 2
    scale = 2 / size

    def placed(index: int) -> Box:
        ends = np.sort([TO_MODEL @ (corner - center) * scale for corner in boxes[index]], axis=0)
        return Box((ends[0] + ends[1]) / 2, (ends[1] - ends[0]) / 2)

    parts = [PlannedPart("body", "body", -1, placed(0), Joint(JointType.FIXED), material=item.material)]
    for number, joint in enumerate(moving, 1):
        label = item.labels[joint.name]
        slides = model.jnt_type[joint.id] == mujoco.mjtJoint.mjJNT_SLIDE
        first, last = (float(x) for x in joint.range)
        sign = 1.0 if last > -first else -1.0
        motion = Joint(
            JointType.PRISMATIC if slides else JointType.REVOLUTE,
            sign * (TO_MODEL @ data.xaxis[joint.id]),
            TO_MODEL @ (data.xanchor[joint.id] - center) * scale,
            0.0,
            max(last, -first) * (scale if slides else 1.0),
        )
        parts.append(PlannedPart(f"{label}_{number}", label, 0, placed(number), motion, material=item.material))
    return size, center, tuple(parts)


def _owner(model: mujoco.MjModel, body: int, bodies: Mapping[int, int]) -> int:
    """Part of a body: its own, or that of the nearest body above it that moves visibly."""
    while body and body not in bodies:
        body = int(model.body_parentid[body])
    return bodies.get(body, 0)


def _corners(model: mujoco.MjModel, data: mujoco.MjData, geom: int) -> Array:
    """(8, 3) of a geometry's bounding box."""
    center, half = model.geom_aabb[geom, :3], model.geom_aabb[geom, 3:]
    signs = np.array([(x, y, z) for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)])
    corners: Array = (center + signs * half) @ data.geom_xmat[geom].reshape(3, 3).T + data.geom_xpos[geom]
    return corners


def photograph(spec: mujoco.MjSpec, camera: Camera, size: float, center: Array) -> ImageArray:
    """The item before a wall, on a floor, as `camera` sees it."""
    spec = spec.copy()
    room = spec.worldbody
    box: dict[str, Any] = {"type": mujoco.mjtGeom.mjGEOM_BOX, "material": "wall", "size": [9, 9, 0.01]}
    room.add_geom(**box, pos=[0, 0, center[2] - size * 0.75])
    room.add_geom(**box, pos=[0, center[1] + size * 0.9, 0], quat=[math.sqrt(0.5), math.sqrt(0.5), 0, 0])
    turn = np.empty(4)
    mujoco.mju_mat2Quat(turn, (TO_MODEL.T @ camera.rotation.T).ravel())
    eye = TO_MODEL.T @ camera.position * size / 2 + center
    room.add_camera(name="view", pos=eye, quat=turn, fovy=math.degrees(camera.fov))
    model = spec.compile()
    data = mujoco.MjData(model)
    mujoco.mj_forward(model, data)
    with mujoco.Renderer(model, SIZE, SIZE) as renderer:
        renderer.update_scene(data, "view")
        picture: ImageArray = renderer.render()
    return picture


@app.command()
def main(
    assets: Annotated[Path, typer.Option(help="kitchen_assets of gymnasium-robotics")],
    output: Annotated[Path, typer.Option("-o", "--output")] = Path("examples/kitchen"),
) -> None:
    """Render every item and write its labels."""
    for name, item in ITEMS.items():
        spec = load(assets, item)
        size, center, parts = truth(spec.compile(), item)
        reach = max(float(np.linalg.norm(np.abs(part.box.center) + part.box.half_extent)) for part in parts)
        for number, (azimuth, elevation) in enumerate(VIEWS):
            distance = reach / math.sin(FOV / 2)
            camera = Camera(math.radians(azimuth), math.radians(elevation), distance, FOV)
            picture = photograph(spec, camera, size, center)
            save(output, f"{name}_{number}", picture, Plan(item.category, size, parts, camera))
        typer.echo(name)


if __name__ == "__main__":
    app()
