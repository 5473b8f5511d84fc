"""PartCrafter's own pipeline, from a checkout, on the checkpoint, noise and ball of `training.bench_gpu`."""

from __future__ import annotations

import sys
import time
import types
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.spatial import cKDTree
from torch import Tensor

from services.part_dit.extraction import PartMesh

SAMPLES = 20000
"""Points of one mesh that are looked for on the other."""


class Asked(Protocol):
    """The case, as `training.bench_gpu` has it."""

    @property
    def parts(self) -> int: ...
    @property
    def tokens(self) -> int: ...
    @property
    def steps(self) -> int: ...
    @property
    def guidance(self) -> float: ...


@dataclass(frozen=True)
class Run:
    """What PartCrafter made.

    Attributes:
        latents: (K, T, C).
        meshes: one a part, None where extraction failed.
        seconds: from the picture to the meshes; `denoising` until the first query of a field.
        peak: bytes of GPU memory, weights included.
        queries: points at which fields were asked for.
    """

    latents: Tensor
    meshes: list[PartMesh | None]
    seconds: float
    denoising: float
    peak: int
    queries: int


def run(
    checkout: Path, weights: Path, picture: Tensor, noise: Tensor, case: Asked, radius: float, dtype: torch.dtype
) -> Run:
    """Run it on a GPU where there is one.

    Args:
        checkout: of github.com/wgsxm/PartCrafter.
        weights: a folder in its layout.
        picture: (S, S, 3) uint8, the same for all parts.
        noise: (K, T, C).
        case: what is asked for.
        radius: of the ball that takes the place of its fields.
        dtype: of its weights.
    """
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    before = torch.cuda.memory_allocated(device) if device.type == "cuda" else 0
    pipe = _open(checkout, weights).to(device, dtype)
    pipe.set_progress_bar_config(disable=True)
    pixels = pipe.feature_extractor_dinov2(picture.numpy(), return_tensors="pt")["pixel_values"]
    pixels = pixels.to(device, dtype).expand(case.parts, -1, -1, -1)
    latents: dict[bytes, Tensor] = {}
    asked: list[int] = []
    clock: list[float] = []
    computed = pipe.vae.decode

    def decode(z: Tensor, sampled_points: Tensor) -> types.SimpleNamespace:
        if not clock:
            _wait(device)
            clock.append(time.perf_counter())
        latents.setdefault(z.float().cpu().numpy().tobytes(), z)
        asked.append(sampled_points.shape[1])
        computed(z, sampled_points=sampled_points)
        return types.SimpleNamespace(sample=(radius - sampled_points.float().norm(dim=-1, keepdim=True)))

    pipe.vae.decode = decode
    pipe.prepare_latents = lambda *_: noise.to(device, dtype)
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    _wait(device)
    start = time.perf_counter()
    made = pipe(
        image=pixels,
        num_tokens=case.tokens,
        num_inference_steps=case.steps,
        guidance_scale=case.guidance,
        attention_kwargs={"num_parts": case.parts},
        max_num_expanded_coords=int(1e9),
    )
    _wait(device)
    return Run(
        torch.cat(list(latents.values())),
        [None if pair is None else PartMesh(pair[0], pair[1].astype(np.int32)) for pair in made.samples],
        time.perf_counter() - start,
        clock[0] - start,
        torch.cuda.max_memory_allocated(device) - before if device.type == "cuda" else 0,
        sum(asked),
    )


def _open(checkout: Path, weights: Path) -> Any:
    """Its pipeline; what it imports and a picture's reconstruction does not use need not be installed."""
    sys.path.insert(0, str(checkout))
    sys.modules.setdefault("torch_cluster", types.SimpleNamespace(fps=None))  # type: ignore[arg-type]
    sys.modules.setdefault("src.utils.typing_utils", _typing_names())
    own = import_module("src.pipelines.pipeline_partcrafter")
    scheduler = import_module("src.schedulers").RectifiedFlowScheduler
    hub = import_module("transformers")
    return own.PartCrafterPipeline(
        own.TripoSGVAEModel.from_pretrained(weights / "vae"),
        own.PartCrafterDiTModel.from_pretrained(weights / "transformer"),
        scheduler.from_pretrained(weights / "scheduler"),
        hub.Dinov2Model.from_pretrained(weights / "image_encoder_dinov2"),
        hub.BitImageProcessorPil.from_pretrained(weights / "feature_extractor_dinov2"),
    )


def _typing_names() -> types.ModuleType:
    names = types.ModuleType("src.utils.typing_utils")
    typing = import_module("typing")
    names.__dict__.update({name: getattr(typing, name) for name in typing.__all__})
    return names


def compare(theirs: Run, latents: Tensor, meshes: Sequence[PartMesh]) -> dict[str, Any]:
    """Their figures, and how far our latents and meshes are from theirs."""
    reference = theirs.latents.float()
    pairs = [(a, b) for a, b in zip(theirs.meshes, meshes, strict=True) if a is not None]
    return {
        "seconds": theirs.seconds,
        "seconds_denoising": theirs.denoising,
        "peak_gib": theirs.peak / 2**30,
        "queries": theirs.queries,
        "latent_error": float((latents.float() - reference).norm() / reference.norm()),
        "failed_parts": len(meshes) - len(pairs),
        "chamfer": [chamfer(one, other) for one, other in pairs],
    }


def chamfer(one: PartMesh, other: PartMesh) -> float:
    """Mean distance from each mesh to the other's surface, both ways added [model units]."""
    return _distance(one, other) + _distance(other, one)


def _distance(mesh: PartMesh, target: PartMesh) -> float:
    """Mean distance of vertices to the planes of the faces whose centres are next to them."""
    corners = target.vertices[target.faces].astype(np.float64)
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    length = np.linalg.norm(normal, axis=1, keepdims=True)
    solid = length[:, 0] > 0
    centers, normal = corners[solid].mean(1), (normal / np.where(length > 0, length, 1))[solid]
    chosen = np.random.default_rng(0).permutation(len(mesh.vertices))[:SAMPLES]
    points: NDArray[np.float64] = mesh.vertices[chosen].astype(np.float64)
    _, nearest = cKDTree(centers).query(points)
    return float(np.abs(((points - centers[nearest]) * normal[nearest]).sum(1)).mean())


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
