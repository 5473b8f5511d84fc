"""The texture pipeline: part meshes and their pictures to UV-mapped textured meshes.

pipeline = TexturePipeline.from_pretrained("models/triton/texture/1/weights")
textured = pipeline(parts, photograph, object_image, part_images, camera, texture_size=512, seed=0)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from diffusers.pipelines.pipeline_utils import DiffusionPipeline
from torch import Tensor

from articulation.typing import Array, ImageArray
from checkpoints.folder import check_safe, read_layout, weight_bytes
from checkpoints.loading import check_finite, check_fits, open_diffusers
from services.texture.bake import Patches, Texels, corner_normals, patch_side, patches
from services.texture.errors import Cancelled, WeightsMissing
from services.texture.meshes import PartMesh, TexturedMesh, check, joined, picture, tensors, textured
from services.texture.model import RECIPE_CHANNELS, TextureModel, texel_colors
from services.texture.observation import View
from services.texture.projection import depth_map
from services.texture.unwrap import UvMesh

POINTS_AT_ONCE = 8192
"""Points evaluated together; the point network then stays in the processor's cache."""

RECIPE_SPACING = 0.024
"""Largest distance between points at which the network is asked, in model units, where texels lie closer together."""

CONTEXT_POINTS = 256
"""Surface points whose seen colours the model sums up."""


class TexturePipeline(DiffusionPipeline):
    """Colours parts from the photograph, the object's picture and the parts' reference pictures.

    Args:
        model: the colour network.
    """

    model: TextureModel

    def __init__(self, model: TextureModel) -> None:
        super().__init__()
        self.register_modules(model=model)  # type: ignore[no-untyped-call]

    @classmethod
    def load(cls, folder: Path, device: torch.device | str = "cpu") -> TexturePipeline:
        """Read a checkpoint folder in float32, onto a device.

        Raises:
            WeightsMissing: naming the file that is not there.
            checkpoints.errors.CheckpointError: the weights are unsafe, damaged, of another layout or too large.
        """
        device = torch.device(device)
        check_safe(folder)
        for name in ("model_index.json", "model/config.json"):
            if not (folder / name).is_file():
                raise WeightsMissing(f"no texture checkpoint: {folder / name} does not exist")
        if not any((folder / "model").glob("*.safetensors")):
            raise WeightsMissing(f"no texture checkpoint: {folder / 'model'} holds no .safetensors file")
        check_fits(folder.name, weight_bytes(read_layout(folder / "model"), torch.float32.itemsize), device)
        model = open_diffusers(TextureModel, folder / "model", torch.float32)
        check_finite("texture", model.to(device))
        return cls(model.eval())

    @torch.inference_mode()
    def __call__(
        self,
        parts: Sequence[PartMesh],
        photograph: ImageArray,
        object_image: ImageArray,
        part_images: ImageArray,
        camera: Array,
        texture_size: int,
        seed: int,
        is_cancelled: Callable[[], bool] = lambda: False,
    ) -> list[TexturedMesh]:
        """Texture every part; equal arguments give equal bytes.

        Args:
            parts: K meshes in one frame, model space.
            photograph: (P, P, 3) the closed object as the user sent it; P may be larger than S.
            object_image: (S, S, 3) the closed object alone on white, same camera.
            part_images: (K, S, S, 3) each part alone on white, same camera.
            camera: (6,) as `articulation.camera.Camera.to_array`.
            texture_size: R, side of each texture, 64 to 4096.
            seed: picks the sample of each part's surface that the network reads colours from.
            is_cancelled: asked every few thousand texels.

        Raises:
            InvalidInput: naming the argument.
            Cancelled: after `is_cancelled` answered true.
        """
        check(parts, photograph, object_image, part_images, camera, texture_size)
        device = self.model.device
        whole = joined(parts)
        eye = torch.as_tensor(camera, dtype=torch.float32, device=device)
        size = self.model.image_size
        object_depth = depth_map(*tensors(whole, device), eye, size)
        taken, shown = picture(photograph, device), picture(object_image, device)

        def color(index: int, mesh: UvMesh, places: Texels) -> Tensor:
            part = parts[index]
            view = View(
                photograph=taken,
                object_image=shown,
                part_image=picture(part_images[index], device),
                object_depth=object_depth[None],
                part_depth=depth_map(*tensors(part, device), eye, size)[None],
                camera=eye[None],
                box=torch.as_tensor(_box(part.vertices[part.faces]), dtype=torch.float32, device=device)[None],
            )
            context = surface_sample(part, CONTEXT_POINTS, np.random.default_rng((seed % 2**63, index)))
            spots = patches(places, texture_size, patch_side(mesh, texture_size, RECIPE_SPACING))
            recipes = self._recipes(view, context, spots, is_cancelled)
            points = places.points.to(device)[None]
            return texel_colors(view, points, recipes[spots.of_texel.to(device)][None])[0]

        return textured(parts, part_images, texture_size, color, is_cancelled)

    def _recipes(
        self, view: View, context: tuple[Tensor, Tensor], spots: Patches, is_cancelled: Callable[[], bool]
    ) -> Tensor:
        """(M, RECIPE_CHANNELS) of every patch."""
        device = view.camera.device
        condition = self.model.condition(view, *(x[None].to(device) for x in context))
        recipes = torch.empty(len(spots.points), RECIPE_CHANNELS, device=device)
        for begin in range(0, len(recipes), POINTS_AT_ONCE):
            if is_cancelled():
                raise Cancelled("stopped while baking")
            chunk = slice(begin, begin + POINTS_AT_ONCE)
            points, normals = (x[chunk][None].to(device) for x in (spots.points, spots.normals))
            recipes[chunk] = self.model.recipes(view, condition, points, normals)[0]
        return recipes


def surface_sample(part: PartMesh, count: int, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """(count, 3) float32 points spread evenly over the surface, and their outward unit normals."""
    corners = part.vertices[part.faces]
    area = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1) + 1e-20
    face = rng.choice(len(area), count, p=area / area.sum())
    first, second = np.sqrt(rng.random(count)), rng.random(count)
    weights = np.stack([1 - first, first * (1 - second), first * second], -1)[..., None]
    points = (corners[face] * weights).sum(1)
    normals = (corner_normals(part.vertices, part.faces)[face] * weights).sum(1)
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)
    return torch.from_numpy(points).float(), torch.from_numpy(normals).float()


def _box(corners: Array) -> Array:
    low, high = corners.min((0, 1)), corners.max((0, 1))
    return np.concatenate([(low + high) / 2, (high - low) / 2])
