"""The report's pictures: sheets of single results, and a montage of many."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw

from articulation.camera import Camera
from articulation.joint import JointType
from articulation.plan import Plan, PlannedPart
from articulation.typing import Array, ImageArray
from gateway.package.preview import FIELD_OF_VIEW, VIEW
from gateway.package.travel import open_coordinates
from gateway.plans import OPENING
from gateway.stages import guide
from gateway.stages.work import INPUT_PATH
from training.eval_case import Subject
from training.eval_run import Run
from training.preview import to_bytes
from training.render import render
from training.scene import pack
from training.spec import ObjectSpec

TILE = 224
"""Side of a sheet's pictures [pixel]."""
CAPTION = 16
"""Height of the line below a picture [pixel]."""
COLUMNS = 5
JOINT_COLORS = {
    JointType.REVOLUTE: (220, 30, 30), JointType.CONTINUOUS: (30, 60, 230), JointType.PRISMATIC: (0, 140, 40),
}  # fmt: skip
MONTAGE_TILE = 160
MONTAGE_COLUMNS = 3
"""Results in a row of the montage, three pictures each."""
PREVIEW = "asset/preview.png"


def sheet(subject: Subject, run: Run) -> ImageArray:
    """One result: input, guide pictures, asset and joints, the truth below them, and the part references."""
    photo, plan = run.picture(INPUT_PATH), run.plan()
    assert photo is not None, "every stored run has its input"
    closed, opened = asset_views(run)
    true_closed, true_open = _true_views(subject.spec, _preview_view(subject.spec), 1.0)
    exact = subject.spec.plan(subject.camera)
    tiles = [
        ("input", photo),
        ("joints found", draw_joints(photo, plan)),
        ("open state drawn", run.picture(guide.OPEN_PATH)),
        ("asset closed", closed),
        ("asset open", opened),
        ("object drawn", run.picture(guide.OBJECT_PATH)),
        ("true joints", draw_joints(photo, exact)),
        ("true, open", _true_views(subject.spec, subject.camera, OPENING)[1]),
        ("true, closed", true_closed),
        ("true, open", true_open),
        *((f"part: {name}", picture) for name, picture in run.part_pictures().items()),
    ]
    return grid([captioned(tile(picture, TILE), text) for text, picture in tiles], COLUMNS)


def montage(runs: Sequence[Run]) -> ImageArray:
    """Input, asset closed and asset open of each run, three runs a row."""
    strips = []
    for run in runs:
        pictures = (run.picture(INPUT_PATH), *close_up(asset_views(run)))
        strips.append(np.concatenate([tile(picture, MONTAGE_TILE) for picture in pictures], 1))
    return grid(strips, MONTAGE_COLUMNS, gap=6)


def write_jpeg(path: Path, picture: ImageArray, limit_bytes: int) -> None:
    """The best JPEG below a size; its quality goes down to 40."""
    path.parent.mkdir(parents=True, exist_ok=True)
    for quality in range(92, 39, -4):
        Image.fromarray(picture).save(path, quality=quality, optimize=True)
        if path.stat().st_size < limit_bytes:
            return


def asset_views(run: Run) -> tuple[ImageArray | None, ImageArray | None]:
    """The asset closed and open, as the service pictures it."""
    preview = run.picture(PREVIEW)
    if preview is None:
        return None, None
    side = preview.shape[0]
    return preview[:, side : 2 * side], preview[:, 2 * side :]


def close_up(views: Sequence[ImageArray | None]) -> list[ImageArray | None]:
    """Pictures on white, of one size, cut to one square around all that they show."""
    shown = [view for view in views if view is not None and (view < 255).any()]
    if not shown:
        return list(views)
    rows, columns = np.nonzero(np.any([(view < 255).any(-1) for view in shown], axis=0))
    size = len(shown[0])
    side = min(size, int(1.1 * max(np.ptp(rows), np.ptp(columns))) + 2)
    top, left = (int(np.clip((x.min() + x.max() - side) // 2, 0, size - side)) for x in (rows, columns))
    return [None if view is None else view[top : top + side, left : left + side] for view in views]


def draw_joints(photo: ImageArray, plan: Plan) -> ImageArray:
    """Axes of hinges as long as their part, from the open end of which an arrow of slides points, by the plan's camera.

    Hinges are red, endless joints blue, slides green.
    """
    image = Image.fromarray(photo).convert("RGB")
    pen = ImageDraw.Draw(image)
    width = max(2, len(photo) // 120)
    for part in plan.parts:
        if part.joint.type.moves:
            ends, depth = plan.camera.project(joint_segment(part))
            if (depth > 0).all():
                pixels = (ends + 1) * len(photo) / 2
                pen.line([tuple(end) for end in pixels.tolist()], JOINT_COLORS[part.joint.type], width)
                x, y = pixels[1]
                pen.ellipse([x - 2 * width, y - 2 * width, x + 2 * width, y + 2 * width], JOINT_COLORS[part.joint.type])
    return np.asarray(image)


def joint_segment(part: PlannedPart) -> Array:
    """(2, 3) what is drawn of a joint: a hinge's axis along the part, or a slide's way from the part's centre."""
    joint, center = part.joint, part.box.center
    if joint.type is JointType.PRISMATIC:
        return np.stack([center, center + joint.upper * joint.axis])
    middle = joint.origin + (center - joint.origin) @ joint.axis * joint.axis
    reach = np.abs(joint.axis) @ part.box.half_extent
    return np.stack([middle - reach * joint.axis, middle + reach * joint.axis])


def grid(tiles: Sequence[ImageArray], columns: int, gap: int = 2) -> ImageArray:
    """Tiles of one size, row by row, on white."""
    height, width = tiles[0].shape[:2]
    rows = -(-len(tiles) // columns)
    columns = min(columns, len(tiles))
    out = np.full((rows * (height + gap) - gap, columns * (width + gap) - gap, 3), 255, np.uint8)
    for index, one in enumerate(tiles):
        y, x = index // columns * (height + gap), index % columns * (width + gap)
        out[y : y + height, x : x + width] = one
    return out


def tile(picture: ImageArray | None, size: int) -> ImageArray:
    """(size, size, 3) the picture; grey where there is none."""
    if picture is None:
        return np.full((size, size, 3), 200, np.uint8)
    image = Image.fromarray(picture)
    if image.mode == "RGBA":
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return np.asarray(image.convert("RGB").resize((size, size), Image.Resampling.LANCZOS))


def captioned(picture: ImageArray, text: str) -> ImageArray:
    """The picture over a line of text."""
    line = Image.new("RGB", (picture.shape[1], CAPTION), "white")
    ImageDraw.Draw(line).text((3, 2), text, fill="black")
    return np.concatenate([picture, np.asarray(line)])


def _preview_view(spec: ObjectSpec) -> Camera:
    """About the view of the service's own picture."""
    toward = VIEW / np.linalg.norm(VIEW)
    fov = np.radians(FIELD_OF_VIEW)
    distance = 1.35 * np.linalg.norm(spec.half_extent) / np.sin(fov / 2)
    return Camera(float(np.arctan2(toward[0], toward[2])), float(np.arcsin(toward[1])), float(distance), float(fov))


def _true_views(spec: ObjectSpec, camera: Camera, opening: float) -> tuple[ImageArray, ImageArray]:
    """The true object, closed, and open by a share of what the service opens an asset for its picture."""
    scene = pack([spec], "cpu")[torch.zeros(2, dtype=torch.int64)]
    coordinates = opening * open_coordinates(spec.articulation())
    q = torch.tensor(np.stack([0 * coordinates, coordinates])).float()
    view = torch.tensor(camera.to_array()).expand(2, -1)
    closed, opened = to_bytes(render(scene, view, q, scene.link_valid, TILE, samples=2).rgb)
    return closed, opened
