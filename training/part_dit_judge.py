"""The shape stage on held-out objects, given true pictures and slightly wrong boxes, and with one condition missing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import torch
from torch import Tensor

from articulation.asset import Mesh
from articulation.metrics import f_score, nearest_distances, sample_surface
from articulation.typing import Array
from services.part_dit import box_frame
from services.part_dit.extraction import PartMesh
from services.part_dit.pipeline import PartDiTPipeline, Sample
from services.part_dit.vae import TripoSGVAEModel
from training.draw import Split
from training.library import build_library
from training.part_dit_data import cameras_of, encode, images
from training.part_dit_spoil import plan_errors
from training.part_dit_surface import distance_queries, frames, point_clouds
from training.scene import Scene
from training.surface import sample_surface as sample_solids

STEPS, GUIDANCE = 10, 2.0
SETTINGS = ((6, 2.0), (10, 1.0), (10, 1.5), (10, 3.0), (20, 2.0))
"""Steps and guidance that `Judge.settings` compares."""

RESOLUTION = 64
PART_POINTS, OBJECT_POINTS = 4096, 10_000
"""Surface points that Chamfer distance and F of a part and of an object are measured on."""

THRESHOLDS = (0.1, 0.05, 0.02)

EMPTY_CHAMFER = 1.0
"""What a part without a surface costs."""


@dataclass(frozen=True, eq=False)
class Group:
    """B held-out objects of K parts each; tensors flattened to N = B * K parts.

    Attributes:
        count: K.
        object_images: (B, S, S, 3) uint8.
        part_images: (N, S, S, 3) uint8.
        parents: (N,).
        boxes: (N, 6) true.
        planned: (N, 6) as a plan would have them.
        clouds: (N, P, 6) surface points and normals in box frames.
        queries: (N, Q, 4) points and distances in box frames.
        part_surface, object_surface: (N, PART_POINTS, 3) and (B, OBJECT_POINTS, 3) points of true
            surfaces, model space.
    """

    count: int
    object_images: Tensor
    part_images: Tensor
    parents: Tensor
    boxes: Tensor
    planned: Tensor
    clouds: Tensor
    queries: Tensor
    part_surface: Array
    object_surface: Array


class Judge:
    """Held-out objects and what is known about them.

    Args:
        pipeline: what is judged; what it holds may change between calls.
        objects: how many.
        points: surface points of a part that the VAE sees.
        queries: distances a part that the overlap is measured on.
    """

    def __init__(self, pipeline: PartDiTPipeline, objects: int, points: int, queries: int) -> None:
        device = pipeline.device
        self.pipeline = pipeline
        self.vae: TripoSGVAEModel = pipeline.vae
        size = pipeline.feature_extractor_dinov2.crop_size["height"]
        library = build_library(range(objects), Split.VAL).to(device)
        rng, generator = np.random.default_rng(0), torch.Generator(device).manual_seed(0)
        self.groups: list[Group] = []
        for count in sorted(set(library.counts.tolist())):
            rows = (library.counts == count).nonzero().flatten().cpu()
            scene = library.scene(rows)
            cameras = cameras_of(library.half_extent[rows].numpy(force=True), Split.VAL, rng, device)
            clouds = point_clouds(scene, max(points, queries), generator)
            with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
                torch.manual_seed(count)
                planned = plan_errors(scene.boxes)
            group = Group(
                count,
                *images(scene, cameras, size),
                scene.parent[scene.link_valid],
                frames(scene),
                planned[scene.link_valid],
                clouds[:, :points].float(),
                distance_queries(scene, clouds, queries, generator).float(),
                *_surfaces(scene, generator),
            )
            self.groups.append(group)

    def quick(self, steps: int = STEPS, guidance: float = GUIDANCE) -> dict[str, float]:
        """Overlap of the insides of parts."""
        samples = (self._sample(group, steps=steps, guidance=guidance) for group in self.groups)
        return {"held_out_iou": self._overlap(samples)}

    def settings(self) -> dict[str, float]:
        """Overlap for other numbers of steps and strengths of guidance."""
        return {
            f"iou_{steps}_steps_guidance_{guidance}": self.quick(steps, guidance)["held_out_iou"]
            for steps, guidance in SETTINGS
        }

    def full(self) -> dict[str, float]:
        """All measures, with every condition and without one; `vae_...` is what the VAE alone could reach."""
        variants = {
            "": partial(self._sample),
            "_exact_boxes": partial(self._sample, exact=True),
            "_no_boxes": partial(self._sample, boxes=False),
            "_no_part_images": partial(self._sample, part_images=False),
            "_no_hierarchy": partial(self._sample, hierarchy=False),
        }
        metrics: dict[str, float] = {}
        for name, sample in variants.items():
            scores = self._scores([sample(group) for group in self.groups])
            metrics |= {f"held_out_{key}{name}": value for key, value in scores.items()}
        ceiling = [Sample(encode(self.vae, group.clouds), group.boxes) for group in self.groups]
        return metrics | {f"vae_{key}": value for key, value in self._scores(ceiling).items()}

    @torch.no_grad()
    def _sample(
        self, group: Group, *, steps: int = STEPS, guidance: float = GUIDANCE, boxes: bool = True, exact: bool = False,
        part_images: bool = True, hierarchy: bool = True,
    ) -> Sample:  # fmt: skip
        planned = group.boxes if exact else group.planned
        return self.pipeline.sample(
            self.pipeline.encode_images(group.part_images),
            self.pipeline.encode_images(group.object_images),
            group.parents,
            planned if boxes else None,
            torch.Generator().manual_seed(group.count),
            num_parts=[group.count] * len(group.object_images),
            num_inference_steps=steps,
            guidance_scale=guidance,
            use_part_images=part_images,
            use_hierarchy=hierarchy,
        )

    @torch.no_grad()
    def _overlap(self, samples: Iterable[Sample]) -> float:
        """Mean over the parts of intersection over union of insides, among points near the surface and anywhere."""
        values = []
        for group, sample in zip(self.groups, samples, strict=True):
            for index, tokens in enumerate(self.vae.decode(sample.latents.to(self.vae.dtype))):
                frame = None if sample.boxes is None else sample.boxes[index]
                where = box_frame.from_frame(group.queries[index, :, :3], group.boxes[index])
                inside, truth = self.pipeline.field(tokens, frame)(where) > 0, group.queries[index, :, 3] < 0
                values.append((inside & truth).sum() / (inside | truth).sum().clamp(min=1))
        return float(torch.stack(values).mean())

    @torch.no_grad()
    def _scores(self, samples: Sequence[Sample]) -> dict[str, float]:
        """Overlap, share of empty parts, and Chamfer distance and F of parts and of whole objects."""
        rng = np.random.default_rng(0)
        parts, objects, empty = [], [], []
        for group, sample in zip(self.groups, samples, strict=True):
            meshes = [
                self.pipeline.mesh(tokens, RESOLUTION, None, None if sample.boxes is None else sample.boxes[index])
                for index, tokens in enumerate(self.vae.decode(sample.latents.to(self.vae.dtype)))
            ]
            parts += [_compare([mesh], truth, rng) for mesh, truth in zip(meshes, group.part_surface, strict=True)]
            empty += [not len(mesh.faces) for mesh in meshes]
            for index, truth in enumerate(group.object_surface):
                objects.append(_compare(meshes[index * group.count : (index + 1) * group.count], truth, rng))
        names = ("chamfer", *(f"f_{threshold}".replace(".", "_") for threshold in THRESHOLDS))
        scores = {"iou": self._overlap(samples), "empty": float(np.mean(empty))}
        for prefix, rows in (("part_", parts), ("", objects)):
            means = np.mean(rows, axis=0).tolist()
            scores |= {f"{prefix}{name}": value for name, value in zip(names, means, strict=True)}
        return scores


def _surfaces(scene: Scene, generator: torch.Generator) -> tuple[Array, Array]:
    """Points on the surface of every part and of every object, all its solids united."""
    rows, links = scene.link_valid.nonzero(as_tuple=True)
    united = replace(scene, owner=scene.owner.clamp(max=0))
    parts, _, _ = sample_solids(scene[rows], links, PART_POINTS, generator)
    objects, _, _ = sample_solids(united, torch.zeros_like(scene.parent[:, 0]), OBJECT_POINTS, generator)
    return parts.numpy(force=True), objects.numpy(force=True)


def _compare(meshes: Sequence[PartMesh], truth: Array, rng: np.random.Generator) -> tuple[float, ...]:
    """Chamfer distance and F at `THRESHOLDS` between meshes taken together and points of the true surface."""
    filled = [mesh for mesh in meshes if len(mesh.faces)]
    if not filled:
        return (EMPTY_CHAMFER, *(0.0 for _ in THRESHOLDS))
    first = np.cumsum([0, *(len(mesh.vertices) for mesh in filled[:-1])])
    faces = np.concatenate([mesh.faces + start for mesh, start in zip(filled, first, strict=True)])
    united = Mesh(np.concatenate([mesh.vertices for mesh in filled]).astype(float), faces)
    forward, backward = nearest_distances(sample_surface(united, len(truth), rng), truth)
    return (float(forward.mean() + backward.mean()), *(f_score(forward, backward, x) for x in THRESHOLDS))
