"""The golden object of the gateway's release checks: pictures and plan of a generated object whose answer is known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from articulation.files import png
from gateway.plans import OPENING, plan_to_json
from training.draw import Split
from training.objects import generate
from training.part_dit_data import images
from training.preview import photograph, photograph_view, to_bytes
from training.render import render
from training.scene import pack

CATEGORY, SEED = "dishwasher", 9
PHOTOGRAPH_SIZE = 256
SIZE = 128
"""Sides of the photograph and of the pictures on white [pixel]."""


def golden(folder: Path) -> None:
    """Write `plan.json` and the pictures into a folder; the same bytes every time."""
    spec = generate(SEED, Split.VAL, CATEGORY)
    view = photograph_view(spec, Split.VAL, SEED)
    plan = spec.plan(view)
    camera = torch.tensor(view.to_array(), dtype=torch.float32)[None]
    scene = pack([spec], torch.device("cpu"))
    alone, parts = images(scene, camera, SIZE)
    moves = [link.joint.type.moves for link in spec.links]
    coordinates = torch.zeros_like(scene.joint_upper)
    coordinates[0, : len(moves)] = torch.tensor(spec.open_coordinates(np.where(moves, OPENING, 0.0)))
    generator = torch.Generator().manual_seed(SEED)
    opened = render(scene, camera, coordinates, scene.link_valid, SIZE, generator=generator)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "plan.json").write_bytes(plan_to_json(plan))
    pictures = {
        "photograph": photograph(spec, Split.VAL, PHOTOGRAPH_SIZE, SEED),
        "object": alone[0].numpy(),
        "open": to_bytes(opened.rgb)[0],
        **{f"part_{part.name}": parts[index].numpy() for index, part in enumerate(plan.parts)},
    }
    for name, pixels in pictures.items():
        (folder / f"{name}.png").write_bytes(png(np.asarray(pixels)))
