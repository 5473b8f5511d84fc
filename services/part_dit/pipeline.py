"""The shape stage as a diffusers pipeline: images, kinematic tree and planned boxes to one mesh a part.

Folder layout as PartCrafter publishes it: model_index.json, vae/, transformer/, scheduler/, image_encoder_dinov2/,
feature_extractor_dinov2/.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from diffusers.pipelines.pipeline_utils import DiffusionPipeline
from torch import Tensor
from torch.nn.attention import sdpa_kernel
from transformers import BitImageProcessorPil, Dinov2Model

from articulation.errors import InvalidArticulation
from articulation.tree import check_tree
from checkpoints.folder import check_safe, read_layout, weight_bytes
from checkpoints.loading import check_finite, check_fits, open_diffusers, open_transformers
from services.part_dit import box_frame
from services.part_dit.attention import KERNELS
from services.part_dit.errors import GenerationCancelled, InvalidInput, WeightsMissing
from services.part_dit.extraction import (
    MIN_BLIND_CELLS,
    MIN_COARSE_CELLS,
    Field,
    PartMesh,
    extract,
    frame_grid,
    space_grid,
)
from services.part_dit.scheduler import RectifiedFlowScheduler
from services.part_dit.transformer import ADDED_MODULES, PartCrafterDiTModel
from services.part_dit.vae import TripoSGVAEModel

WEIGHTED = ("vae", "transformer", "image_encoder_dinov2")
COMPONENTS = (*WEIGHTED, "scheduler", "feature_extractor_dinov2")
"""Folders that a weights folder consists of; those that hold weights, then all."""

QUERY_CHUNK = 8192
GPU_QUERY_CHUNK = 65536
"""Points that are asked for at once: what stays in a CPU's cache, and what fills a GPU."""

SET_TOKENS = 1024
"""Latent tokens a part when the model's tokens have no order, PartCrafter's default."""

COMPILED_VARIANTS = 64
"""Kinds of blocks (local or global, with a skip or without, the VAE's) times shapes that are compiled apart."""

MIN_RESOLUTION, MAX_RESOLUTION = 32, 512
MAX_STEPS = 1000
MAX_GUIDANCE = 100


def _never() -> bool:
    return False


class Sample(NamedTuple):
    """Sampled parts: `latents` (N, T, C) for `vae.decode`, and `boxes` (N, 6) in whose frames they are, or None."""

    latents: Tensor
    boxes: Tensor | None


class PartDiTPipeline(DiffusionPipeline):
    """Sample the parts of one object together and extract their meshes."""

    def __init__(
        self,
        vae: TripoSGVAEModel,
        transformer: PartCrafterDiTModel,
        scheduler: RectifiedFlowScheduler,
        image_encoder_dinov2: Dinov2Model,
        feature_extractor_dinov2: BitImageProcessorPil,
    ) -> None:
        super().__init__()
        self.register_modules(  # type: ignore[no-untyped-call]
            vae=vae,
            transformer=transformer,
            scheduler=scheduler,
            image_encoder_dinov2=image_encoder_dinov2,
            feature_extractor_dinov2=feature_extractor_dinov2,
        )

    @classmethod
    def load(
        cls, folder: Path, dtype: torch.dtype = torch.float32, device: torch.device | str = "cpu"
    ) -> PartDiTPipeline:
        """Open a weights folder, ours or PartCrafter's, on a device.

        Components are opened by their own classes whatever module path `model_index.json` names, since a published
        folder names modules of its own repository. A checkpoint may lack what SPARK adds, module by module, and must
        otherwise hold exactly what its config asks for.

        Raises:
            WeightsMissing: the folder lacks a component.
            checkpoints.errors.CheckpointError: the weights are unsafe, damaged, of another layout or too large.
        """
        device = torch.device(device)
        check_safe(folder)
        for part in COMPONENTS:
            if not any((folder / part).glob("*.json")):
                raise WeightsMissing(f"{folder.name} holds no {part}: train or pull the model first")
        weights = sum(weight_bytes(read_layout(folder / part), dtype.itemsize) for part in WEIGHTED)
        check_fits(folder.name, weights, device)
        modules = {
            "transformer": open_diffusers(PartCrafterDiTModel, folder / "transformer", dtype, ADDED_MODULES),
            "vae": open_diffusers(TripoSGVAEModel, folder / "vae", dtype),
            "image_encoder_dinov2": open_transformers(
                Dinov2Model.from_pretrained, folder / "image_encoder_dinov2", dtype
            ),
        }
        for part, module in modules.items():
            check_finite(part, module.to(device))
        return cls(
            **modules,
            scheduler=RectifiedFlowScheduler.from_pretrained(folder / "scheduler"),
            feature_extractor_dinov2=BitImageProcessorPil.from_pretrained(folder / "feature_extractor_dinov2"),
        )

    @torch.no_grad()
    def __call__(
        self,
        object_image: Tensor,
        part_images: Tensor,
        parent_index: Tensor,
        part_boxes: Tensor | None = None,
        *,
        seed: int = 0,
        num_inference_steps: int = 20,
        guidance_scale: float = 2.0,
        resolution: int = 96,
        num_tokens: int = SET_TOKENS,
        upstream_part_index: bool = False,
        use_part_images: bool = True,
        use_hierarchy: bool = True,
        cancelled: Callable[[], bool] = _never,
    ) -> list[PartMesh]:
        """Reconstruct one object.

        Args:
            object_image: (S, S, 3) uint8, the closed object alone on white.
            part_images: (K, S, S, 3) uint8, each part alone on white, same camera.
            parent_index: (K,) parent part, -1 for the root.
            part_boxes: (K, 6) planned centre and half extent, model space; None when unknown.
            seed: of the noise; the same inputs and seed give the same meshes.
            num_inference_steps: Euler steps, 1 to 1000.
            guidance_scale: classifier-free guidance; 1 is none.
            resolution: cells along an edge of [-1, 1], 32 to 512.
            num_tokens: latent tokens a part, for models whose tokens have no order.
            upstream_part_index: under guidance, number the conditioned parts K .. 2K-1 as PartCrafter's pipeline does.
            use_part_images: False shows the model the object's image alone.
            use_hierarchy: False leaves out attention along the kinematic tree.
            cancelled: asked between steps and between parts.

        Returns:
            K meshes in the parts' order; a part without an inside is empty.

        Raises:
            InvalidInput: a tensor that cannot be used.
            GenerationCancelled: `cancelled` said so.
        """
        _check(object_image, part_images, parent_index, part_boxes)
        _check_range("num_steps", num_inference_steps, 1, MAX_STEPS)
        _check_range("guidance_scale", guidance_scale, 0, MAX_GUIDANCE)
        _check_range("resolution", resolution, MIN_RESOLUTION, MAX_RESOLUTION)
        images = self.encode_images(torch.cat([object_image[None], part_images]))
        boxes = None if part_boxes is None else part_boxes.to(self.device, torch.float32)
        sample = self.sample(
            images[1:],
            images[:1],
            parent_index.to(self.device, torch.int64),
            boxes,
            torch.Generator("cpu").manual_seed(seed),
            num_inference_steps=num_inference_steps,
            guidance_scale=guidance_scale,
            num_tokens=num_tokens,
            upstream_part_index=upstream_part_index,
            use_part_images=use_part_images,
            use_hierarchy=use_hierarchy,
            cancelled=cancelled,
        )
        meshes = []
        for index, tokens in enumerate(self.vae.decode(sample.latents)):
            _stop_if(cancelled)
            planned, frame = (None if x is None else x[index] for x in (boxes, sample.boxes))
            meshes.append(self.mesh(tokens, resolution, planned, frame))
        return meshes

    @sdpa_kernel(KERNELS, set_priority=True)
    def mesh(self, tokens: Tensor, resolution: int, planned: Tensor | None, frame: Tensor | None) -> PartMesh:
        """Extract one part.

        Args:
            tokens: (T, D) of `vae.decode`.
            resolution: cells along an edge of [-1, 1].
            planned: (6,) box to look in, for a part in model space; None looks everywhere.
            frame: (6,) box in whose frame the part was generated; None is model space.
        """
        coarsest = MIN_BLIND_CELLS if self.vae.truncation is None else MIN_COARSE_CELLS
        grid = space_grid(resolution, planned, coarsest) if frame is None else frame_grid(resolution, frame)
        return extract(self.field(tokens, frame), grid, self.device, self.vae.truncation)

    def compile_blocks(self, **options: Any) -> None:
        """Have the blocks compiled at their first call: one after the other, so that equal ones share their code.

        Args:
            options: of `torch.compile`.
        """
        torch._dynamo.config.recompile_limit = COMPILED_VARIANTS
        for block in (*self.transformer.blocks, *self.vae.decoder.blocks):
            block.compile(fullgraph=True, **options)

    def encode_images(self, images: Tensor) -> Tensor:
        """(N, S, S, 3) uint8 -> (N, L, E) image tokens."""
        pixels = self.feature_extractor_dinov2(list(images.cpu().numpy()), return_tensors="pt")["pixel_values"]
        encoder = self.image_encoder_dinov2
        tokens: Tensor = encoder(pixels.to(encoder.device, encoder.dtype)).last_hidden_state
        return tokens.to(self.transformer.dtype)

    @sdpa_kernel(KERNELS, set_priority=True)
    def sample(
        self,
        part_images: Tensor,
        object_images: Tensor,
        parent_index: Tensor,
        boxes: Tensor | None,
        generator: torch.Generator,
        *,
        num_parts: Sequence[int] | None = None,
        num_inference_steps: int = 20,
        guidance_scale: float = 2.0,
        num_tokens: int = SET_TOKENS,
        upstream_part_index: bool = False,
        use_part_images: bool = True,
        use_hierarchy: bool = True,
        cancelled: Callable[[], bool] = _never,
    ) -> Sample:
        """Sample latents of B objects with N parts in all.

        Args:
            part_images: (N, L, E) image tokens.
            object_images: (B, L, E) image tokens.
            parent_index: (N,) int64, index in the same object.
            boxes: (N, 6) or None.
            generator: of the noise, on the CPU, so that the device does not matter.
            num_parts: parts of each object; None is one object.
        """
        count = len(part_images)
        model = self.transformer
        counts = (count,) if num_parts is None else tuple(num_parts)
        length = (model.num_latent_tokens or num_tokens) + (model.box_token is not None)
        latents = torch.randn((count, length, model.in_channels), generator=generator).to(self.device)
        guided = guidance_scale != 1.0
        sight = model.look(
            part_images if use_part_images else torch.zeros_like(part_images),
            object_images,
            counts,
            blind=count if guided else 0,
        )
        inputs = {"parent_index": parent_index if use_hierarchy else torch.full_like(parent_index, -1)}
        if boxes is not None:
            inputs["boxes"] = boxes
        if guided:
            inputs = {key: torch.cat([value, value]) for key, value in inputs.items()}
            if upstream_part_index:
                if 2 * count > model.max_num_parts:
                    raise InvalidInput(
                        "part_images", f"at most {model.max_num_parts // 2} parts as PartCrafter numbers them"
                    )
                inputs["part_index"] = torch.arange(2 * count, device=self.device)
            counts *= 2
        # On the host, so that the steps need not wait for the device.
        self.scheduler.set_timesteps(num_inference_steps)
        for timestep in self.scheduler.timesteps:
            _stop_if(cancelled)
            noisy = (torch.cat([latents, latents]) if guided else latents).to(model.dtype)
            time = torch.full((len(noisy),), float(timestep), device=self.device)
            velocity = model(noisy, time, sight, num_parts=counts, **inputs).float()
            if guided:
                blind, seeing = velocity.chunk(2)
                # A box's planned place is no less known to the blind model: guidance would only overshoot.
                mixed = blind + guidance_scale * (seeing - blind)
                velocity = mixed if model.box_token is None else torch.cat([mixed[:, :-1], seeing[:, -1:]], dim=1)
            latents = self.scheduler.step(velocity, timestep, latents).prev_sample
        frames = None
        if model.box_token is not None:
            reference = 0.0 if boxes is None else box_frame.encode(boxes)
            frames = box_frame.decode(latents[:, -1, : box_frame.CHANNELS] + reference)
            latents = latents[:, :-1]
        return Sample(self.vae.denormalise(latents.to(self.vae.dtype)), frames)

    def field(self, tokens: Tensor, frame: Tensor | None = None) -> Field:
        """(T, D) decoded tokens of one part -> its field in model space, evaluated in chunks.

        Args:
            frame: (6,) box in whose frame the part was generated; None is model space.
        """

        def evaluate(points: Tensor) -> Tensor:
            if frame is not None:
                points = box_frame.to_frame(points, frame)
            chunks = points.split(QUERY_CHUNK if points.device.type == "cpu" else GPU_QUERY_CHUNK)
            return torch.cat([self.vae.query(tokens[None], chunk[None])[0] for chunk in chunks])

        return evaluate


def _stop_if(cancelled: Callable[[], bool]) -> None:
    if cancelled():
        raise GenerationCancelled("stopped before its end")


def _check_range(field: str, value: float, lowest: int, highest: int) -> None:
    if not lowest <= value <= highest:
        raise InvalidInput(field, f"must lie in [{lowest}, {highest}], got {value}")


def _check(object_image: Tensor, part_images: Tensor, parent_index: Tensor, part_boxes: Tensor | None) -> None:
    if object_image.ndim != 3 or object_image.shape[-1] != 3 or object_image.dtype != torch.uint8:
        raise InvalidInput("object_image", f"must be (S, S, 3) uint8, got {tuple(object_image.shape)}")
    count = len(part_images)
    if part_images.shape != (count, *object_image.shape) or part_images.dtype != torch.uint8:
        raise InvalidInput(
            "part_images", f"must be (K, S, S, 3) uint8 like object_image, got {tuple(part_images.shape)}"
        )
    if parent_index.shape != (count,):
        raise InvalidInput("parent_index", f"must hold one number a part, got {tuple(parent_index.shape)}")
    try:
        check_tree(parent_index.tolist())
    except InvalidArticulation as error:
        raise InvalidInput("parent_index", str(error)) from error
    if part_boxes is not None:
        if part_boxes.shape != (count, 6):
            raise InvalidInput("part_boxes", f"must be (K, 6), got {tuple(part_boxes.shape)}")
        if not bool(part_boxes.isfinite().all()) or bool((part_boxes[:, 3:] <= 0).any()):
            raise InvalidInput("part_boxes", "must be finite with positive half extents")
