"""What `ReconstructionOptions.quality` means to the models."""

from __future__ import annotations

from dataclasses import dataclass

from spark.v1 import reconstruction_service_pb2 as pb


@dataclass(frozen=True)
class Preset:
    """Effort of one quality level.

    Attributes:
        num_steps: sampling steps of part_dit.
        resolution: cells along an edge for mesh extraction, of each part's box or, without box frames, of [-1, 1].
        texture_size: side of each part's texture [pixels].
        collision_pieces: most convex pieces of a link, about.
        refine_effort: share of the refinement server's steps and pixels.
    """

    num_steps: int
    resolution: int
    texture_size: int
    collision_pieces: int
    refine_effort: float


PRESETS = {
    pb.QUALITY_DRAFT: Preset(num_steps=6, resolution=48, texture_size=256, collision_pieces=12, refine_effort=0.3),
    pb.QUALITY_STANDARD: Preset(num_steps=10, resolution=64, texture_size=512, collision_pieces=48, refine_effort=1.0),
    pb.QUALITY_HIGH: Preset(num_steps=20, resolution=128, texture_size=1024, collision_pieces=64, refine_effort=1.0),
}


def preset(quality: pb.Quality) -> Preset:
    return PRESETS[quality or pb.QUALITY_STANDARD]
