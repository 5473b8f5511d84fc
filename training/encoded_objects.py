"""Objects as a part DiT with frozen encoders sees them: latents and image tokens, encoded once, one file an object.

A folder of such files is a data set. Which objects a step takes and what is drawn for each depends on the step alone,
not on how many processes share it.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from services.part_dit.errors import InvalidInput
from services.part_dit.pipeline import PartDiTPipeline
from training.draw import Split
from training.library import Library, build_library
from training.part_dit_data import cameras_of, encode, images
from training.part_dit_surface import frames, surfaces
from training.whole_file import written_whole

CACHED = 256
"""Objects that a process keeps in memory."""


@dataclass(frozen=True, eq=False)
class EncodedObject:
    """One object of K parts.

    Attributes:
        latents: (K, T, C) float32, in model space.
        part_images: (K, L, E) float16 tokens of each part's picture.
        object_image: (L, E) float16 tokens of the object's.
        boxes: (K, 6) float32 centre and half extent.
        parents: (K,) int64, -1 for the root.
    """

    latents: Tensor
    part_images: Tensor
    object_image: Tensor
    boxes: Tensor
    parents: Tensor

    def save(self, path: Path) -> None:
        with written_whole(path) as part:
            save_file({x.name: getattr(self, x.name).contiguous() for x in fields(self)}, part)


def encode_generated(folder: Path, pipeline: PartDiTPipeline, seeds: range, *, tokens: int, points: int) -> None:
    """Add generated objects of the split TRAIN to a folder; one that is there already is not made again.

    Args:
        pipeline: whose encoders are used, on their device.
        seeds: of the objects, one file each.
        tokens: latent tokens a part.
        points: surface points of a part that the VAE sees.

    Raises:
        InvalidInput: an object has more parts than the transformer has rows.
    """
    places = {seed: folder / f"{seed:06d}.safetensors" for seed in seeds}
    libraries = {seed: build_library([seed], Split.TRAIN) for seed, path in places.items() if not path.exists()}
    for seed, library in libraries.items():
        _check_parts(f"generated object {seed}", int(library.counts), pipeline)
    for seed, library in libraries.items():
        _encoded(library.to(pipeline.device), pipeline, seed, tokens, points).save(places[seed])


@torch.no_grad()
def _encoded(library: Library, pipeline: PartDiTPipeline, seed: int, tokens: int, points: int) -> EncodedObject:
    generator = torch.Generator(library.device).manual_seed(seed)
    half_extent = library.half_extent.numpy(force=True)
    cameras = cameras_of(half_extent, Split.TRAIN, np.random.default_rng(seed), library.device)
    scene = library.scene(torch.tensor([0]))
    side = pipeline.feature_extractor_dinov2.size["shortest_edge"]
    seen = pipeline.encode_images(torch.cat(images(scene, cameras, side))).half().cpu()
    return EncodedObject(
        encode(pipeline.vae, surfaces(scene, points, generator), tokens, generator).cpu(),
        seen[1:],
        seen[0],
        frames(scene).cpu(),
        scene.parent[scene.link_valid].cpu(),
    )


class EncodedSet:
    """The objects of a folder in a random order that is another one in every round.

    Args:
        folder: of files that `EncodedObject.save` wrote.
        pipeline: that is to learn from them.
        tokens: latent tokens a part.

    Attributes:
        counts: parts of each object.
        image_tokens: L of each picture.

    Raises:
        InvalidInput: there is no object, or one that the pipeline cannot take.
    """

    def __init__(self, folder: Path, pipeline: PartDiTPipeline, tokens: int) -> None:
        self._paths = sorted(folder.glob("*.safetensors"))
        if not self._paths:
            raise InvalidInput("data", f"{folder.name} holds no encoded object")
        latent = (tokens, pipeline.transformer.in_channels)
        self.counts = []
        for path in self._paths:
            with safe_open(path, framework="pt") as file:
                if set(file.keys()) != {x.name for x in fields(EncodedObject)}:
                    raise InvalidInput("data", f"{path.name} is no encoded object")
                count, *shape = file.get_slice("latents").get_shape()
                self.image_tokens: int = file.get_slice("object_image").get_shape()[0]
            if tuple(shape) != latent:
                raise InvalidInput("data", f"{path.name} has latents of {tuple(shape)}; this run needs {latent}")
            _check_parts(path.name, count, pipeline)
            self.counts.append(count)
        self._object = lru_cache(CACHED)(self._read)

    def __len__(self) -> int:
        return len(self._paths)

    def share(self, step: int, batch: int, rank: int = 0, world: int = 1) -> list[tuple[int, EncodedObject]]:
        """What a process takes of the `batch` objects of a step: their places in the endless order, and themselves.

        Neighbours in part count go to different processes, so that all have about equally much to do.
        """
        places = range(step * batch, (step + 1) * batch)
        drawn = sorted(((self._at(place), place) for place in places), key=lambda own: self.counts[own[0]])
        return [(place, self._object(index)) for index, place in drawn[rank::world]]

    def parts(self, step: int, batch: int) -> list[int]:
        """Of each object of a step."""
        return [self.counts[self._at(place)] for place in range(step * batch, (step + 1) * batch)]

    def _at(self, place: int) -> int:
        round_, index = divmod(place, len(self))
        return int(_order(len(self), round_)[index])

    def _read(self, index: int) -> EncodedObject:
        return EncodedObject(**load_file(self._paths[index]))


@lru_cache(2)
def _order(count: int, round_: int) -> Tensor:
    return torch.randperm(count, generator=torch.Generator().manual_seed(round_))


def _check_parts(name: str, count: int, pipeline: PartDiTPipeline) -> None:
    rows = pipeline.transformer.max_num_parts
    if count > rows:
        raise InvalidInput("data", f"{name} has {count} parts; the transformer has rows for {rows}")
