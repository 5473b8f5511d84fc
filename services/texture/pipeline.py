"""The texture pipeline: part meshes and their pictures to UV-mapped textured meshes.

pipeline = TexturePipeline.from_pretrained("models/triton/texture/1/weights")
textured = pipeline(parts, photograph, object_image, part_images, camera, texture_size=512, seed=0)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from diffusers.pipelines.pipeline_utils import DiffusionPipeline
from torch import Tensor

from articulation.camera import Camera
from articulation.errors import InvalidArticulation
from articulation.typing import Array, ImageArray, IntArray
from checkpoints.folder import check_safe, read_layout, weight_bytes
from checkpoints.loading import check_finite, check_fits, open_diffusers
from services.texture.bake import Patches, corner_normals, paint, patch_side, patches, texels
from services.texture.errors import Cancelled, InvalidInput, WeightsMissing
from services.texture.model import RECIPE_CHANNELS, TextureModel, texel_colors
from services.texture.observation import View
from services.texture.projection import depth_map
from services.texture.unwrap import unwrap

POINTS_AT_ONCE = 8192
"""Points evaluated together; the point network then stays in the processor's cache."""

RECIPE_SPACING = 0.024
"""Largest distance between points at which the network is asked, in model units, where texels lie closer together."""

CONTEXT_POINTS = 256
"""Surface points whose seen colours the model sums up."""

MAX_PARTS = 64
TEXTURE_SIZES = range(64, 4097)


@dataclass(frozen=True)
class PartMesh:
    """(V, 3) vertices and (F, 3) faces of one part in model space; both may be empty."""

    vertices: Array
    faces: IntArray


@dataclass(frozen=True)
class TexturedMesh:
    """A part with its texture.

    Attributes:
        vertices: (V, 3), split along seams.
        faces: (F, 3), as many as were given and in their order.
        uvs: (V, 2) in [0, 1], v up.
        texture: (R, R, 3) sRGB base colour.
    """

    vertices: Array
    faces: IntArray
    uvs: Array
    texture: ImageArray


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
        whole = _joined(parts)
        eye = torch.as_tensor(camera, dtype=torch.float32, device=device)
        size = self.model.image_size
        object_depth = depth_map(*_tensors(whole, device), eye, size)
        taken, shown = _picture(photograph, device), _picture(object_image, device)
        textured = []
        for index, (part, reference) in enumerate(zip(parts, part_images, strict=True)):
            if is_cancelled():
                raise Cancelled(f"stopped before part {index}")
            if len(part.faces) == 0:
                textured.append(_blank(reference, texture_size))
                continue
            view = View(
                photograph=taken,
                object_image=shown,
                part_image=_picture(reference, device),
                object_depth=object_depth[None],
                part_depth=depth_map(*_tensors(part, device), eye, size)[None],
                camera=eye[None],
                box=torch.as_tensor(_box(part.vertices[part.faces]), dtype=torch.float32, device=device)[None],
            )
            context = surface_sample(part, CONTEXT_POINTS, np.random.default_rng((seed % 2**63, index)))
            mesh = unwrap(part.vertices, part.faces, texture_size)
            places = texels(mesh, texture_size)
            spots = patches(places, texture_size, patch_side(mesh, texture_size, RECIPE_SPACING))
            recipes = self._recipes(view, context, spots, is_cancelled)
            colors = texel_colors(view, places.points.to(device)[None], recipes[spots.of_texel.to(device)][None])[
                0
            ].cpu()
            textured.append(TexturedMesh(mesh.vertices, mesh.faces, mesh.uvs, paint(places, colors, texture_size)))
        return textured

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


def check(
    parts: Sequence[PartMesh],
    photograph: ImageArray,
    object_image: ImageArray,
    part_images: ImageArray,
    camera: Array,
    texture_size: int,
) -> None:
    """Refuse arguments that break the contract, before any work.

    Raises:
        InvalidInput: naming the argument as `docs/tensors.md` does.
    """
    if not 1 <= len(parts) <= MAX_PARTS:
        raise InvalidInput("vertex_offsets", f"must describe 1 to {MAX_PARTS} parts, got {len(parts)}")
    for index, part in enumerate(parts):
        if not np.isfinite(part.vertices).all():
            raise InvalidInput("vertices", f"part {index} has a coordinate that is not finite")
        if len(part.faces) and not (part.faces.min() >= 0 and part.faces.max() < len(part.vertices)):
            raise InvalidInput("faces", f"part {index} refers to a vertex outside its {len(part.vertices)}")
    pictures = {"photograph": photograph, "object_image": object_image, "part_images": part_images}
    for name, picture in pictures.items():
        if picture.dtype != np.uint8 or picture.shape[-1] != 3 or picture.shape[-2] != picture.shape[-3]:
            raise InvalidInput(name, f"must be square 8-bit RGB, got {picture.dtype} {list(picture.shape)}")
        if picture.shape[-2] == 0:
            raise InvalidInput(name, "is empty")
    if part_images.shape != (len(parts), *object_image.shape):
        expected = [len(parts), *object_image.shape]
        raise InvalidInput("part_images", f"must be {expected}, got {list(part_images.shape)}")
    if texture_size not in TEXTURE_SIZES:
        raise InvalidInput("texture_size", f"must lie in [{TEXTURE_SIZES[0]}, {TEXTURE_SIZES[-1]}], got {texture_size}")
    try:
        Camera.from_array(camera)
    except InvalidArticulation as error:
        raise InvalidInput("camera", str(error)) from error


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


def _joined(parts: Sequence[PartMesh]) -> PartMesh:
    offsets = np.cumsum([0, *(len(part.vertices) for part in parts)])
    faces = [part.faces + offset for part, offset in zip(parts, offsets, strict=False)]
    return PartMesh(np.concatenate([part.vertices for part in parts]), np.concatenate(faces))


def _tensors(part: PartMesh, device: torch.device) -> tuple[Tensor, Tensor]:
    vertices = torch.as_tensor(part.vertices, dtype=torch.float32, device=device)
    return vertices, torch.as_tensor(part.faces, dtype=torch.int64, device=device)


def _box(corners: Array) -> Array:
    low, high = corners.min((0, 1)), corners.max((0, 1))
    return np.concatenate([(low + high) / 2, (high - low) / 2])


def _picture(image: ImageArray, device: torch.device) -> Tensor:
    return torch.tensor(image, device=device).permute(2, 0, 1)[None].float() / 255


def _blank(reference: ImageArray, texture_size: int) -> TexturedMesh:
    """A part without surface: no mesh, and a texture of its reference picture's mean colour."""
    color = reference.reshape(-1, 3).mean(0).round().astype(np.uint8)
    texture = np.broadcast_to(color, (texture_size, texture_size, 3)).copy()
    return TexturedMesh(np.zeros((0, 3)), np.zeros((0, 3), dtype=np.int64), np.zeros((0, 2)), texture)
