"""A quick look at the shape stage on held-out objects: sampled parts against true distances, without meshing."""

from __future__ import annotations

import torch
from torch import Tensor

from services.part_dit.vae import TripoSGVAEModel
from training.draw import Split
from training.part_dit_data import distance_queries, images, point_clouds, views
from training.part_dit_model import PartDiTSize, ShapeModel, pipeline, scale

STEPS = 10
GUIDANCE = 2.0
JITTER = 0.02
"""Deviation of the planned boxes that the sampler is given [model units]."""


class Judge:
    """Held-out objects and what is known about them; call it to measure the model as it is now."""

    def __init__(
        self, model: ShapeModel, vae: TripoSGVAEModel, size: PartDiTSize, count: int, points: int, queries: int
    ) -> None:
        device = vae.device
        generator = torch.Generator(device).manual_seed(1)
        (view,) = views(count, Split.VAL, device, 0, 1)
        valid = view.scene.link_valid
        if vae.truncation is None:
            raise ValueError("the VAE's field has no known scale, so distances cannot be read off it")
        self.model, self.vae, self.truncation = model, vae, vae.truncation
        self.pipeline = pipeline(model, vae, size)
        self.object_images, self.part_images = images(view, size.image_size, generator)
        self.parents = view.scene.parent[valid]
        self.counts: list[int] = valid.sum(dim=1).tolist()
        boxes = view.scene.boxes[valid]
        noisy = boxes + JITTER * torch.randn(boxes.shape, generator=generator, device=device)
        self.boxes = torch.cat([noisy[:, :3], noisy[:, 3:].clamp(min=0.005)], dim=1)
        clouds = point_clouds(view.scene, max(points, queries), generator)
        self.queries = distance_queries(view.scene, clouds, queries, generator).float()
        self.clouds = clouds[:, :points].float()

    @torch.no_grad()
    def __call__(self) -> dict[str, float]:
        """Overlap of insides and distance to the true surface: with planned boxes, without, and as the VAE would."""
        ceiling = self._score(self.vae.encode(self.clouds).mean)
        metrics = {f"vae_{name}": value for name, value in ceiling.items()}
        for suffix, boxes in (("", self.boxes), ("_without_boxes", None)):
            metrics |= {f"held_out_{name}{suffix}": value for name, value in self._score(self._sample(boxes)).items()}
        return metrics

    def _sample(self, boxes: Tensor | None) -> Tensor:
        return self.pipeline.sample(
            self.model.encode_images(scale(self.part_images)),
            self.model.encode_images(scale(self.object_images)),
            self.parents,
            boxes,
            torch.Generator().manual_seed(0),
            num_parts=self.counts,
            num_inference_steps=STEPS,
            guidance_scale=GUIDANCE,
        )

    def _score(self, latents: Tensor) -> dict[str, float]:
        tokens = self.vae.decode(latents)
        rows = range(len(tokens))
        predicted = torch.cat([self.vae.query(tokens[i : i + 1], self.queries[i : i + 1, :, :3]) > 0 for i in rows])
        truth = self.queries[..., 3] < 0
        overlap = (predicted & truth).sum(1) / (predicted | truth).sum(1).clamp(min=1)
        field = torch.cat([self.vae.query(tokens[i : i + 1], self.clouds[i : i + 1, :, :3]) for i in rows])
        return {"iou": float(overlap.mean()), "surface_error": float(field.abs().mean() * self.truncation)}
