"""Small scenes for the texture tests: a cabinet with a door, toy networks, plain pictures."""

import numpy as np
import torch
import trimesh

from articulation.camera import Camera
from services.texture.meshes import PartMesh
from services.texture.model import TextureModel
from services.texture.pipeline import TexturePipeline

CAMERA = Camera(0.5, 0.35, 4.0, 0.6, (0.05, -0.04))
TOY = {"image_size": 32, "channels": (8, 16), "feature_channels": 8, "width": 16, "num_latents": 3}


def cabinet() -> list[trimesh.Trimesh]:
    """An open box, and a door with a knob before it."""
    body = trimesh.boolean.difference(
        [trimesh.creation.box((1.6, 2.0, 1.0)), trimesh.creation.box((1.4, 1.8, 1.0)).apply_translation((0, 0, 0.1))],
        engine="manifold",
    )
    door = trimesh.creation.box((1.6, 2.0, 0.08)).apply_translation((0, 0, 0.56))
    knob = trimesh.creation.icosphere(2, 0.12).apply_translation((0.6, 0, 0.66))
    return [body, trimesh.boolean.union([door, knob], engine="manifold")]


def parts() -> list[PartMesh]:
    return [PartMesh(np.array(mesh.vertices), np.array(mesh.faces)) for mesh in cabinet()]


def toy_pipeline(seed: int = 0) -> TexturePipeline:
    """An untrained network whose correction is not zero, so that every input matters."""
    torch.manual_seed(seed)
    model = TextureModel(**TOY).eval()
    torch.nn.init.normal_(model.correct.weight, std=0.03)
    return TexturePipeline(model)


def pictures(color: tuple[int, int, int], count: int = 2, size: int = 32) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A photograph, an object image and part images of one colour with a dark left half."""
    photograph = np.full((2 * size, 2 * size, 3), color, dtype=np.uint8)
    photograph[:, :size] //= 3
    image = np.ascontiguousarray(photograph[::2, ::2])
    return photograph, image, np.stack([image] * count)
