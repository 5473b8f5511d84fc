"""Rectified flow on encoded objects of different part counts: the loss of a part DiT in the published layout."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import torch
from torch import Tensor, nn

from checkpoints.errors import CheckpointMismatch
from services.part_dit.scheduler import RectifiedFlowScheduler
from services.part_dit.transformer import ADDED_MODULES, PartCrafterDiTModel
from training.encoded_objects import EncodedObject
from training.part_dit_model import DROP_BOXES, DROP_HIERARCHY, DROP_IMAGES, DROP_PART_IMAGES
from training.part_dit_spoil import plan_errors

GOLDEN = (5**0.5 - 1) / 2
"""Multiples of it, less their whole part, fill [0, 1) evenly however many there are."""


@dataclass(frozen=True, eq=False)
class FlowBatch:
    """B objects with N parts in all, and what was drawn for them.

    Attributes:
        counts: parts of each object.
        latents, noise: (N, T, C).
        level: (N,) noise level in [0, 1], equal over an object.
        part_images: (N, L, E), zero where hidden.
        object_images: (B, L, E), zero where hidden.
        parents: (N,) index in the same object, -1 where hidden.
        boxes: (N, 6) as planned.
        box_known: (N,) bool.
    """

    counts: tuple[int, ...]
    latents: Tensor
    noise: Tensor
    level: Tensor
    part_images: Tensor
    object_images: Tensor
    parents: Tensor
    boxes: Tensor
    box_known: Tensor

    @classmethod
    def draw(cls, share: Sequence[tuple[int, EncodedObject]]) -> FlowBatch:
        """What an object's place in the order gives it: noise, a noise level, hidden conditions, errors of the plan.

        Levels are logit-normal, and those of places in a row fill the distribution evenly.
        """
        rows: list[tuple[Tensor, ...]] = []
        with torch.random.fork_rng(devices=[]):
            for place, own in share:
                torch.manual_seed(place)
                count = len(own.parents)
                chance = torch.rand(4)
                seen = float(chance[0] >= DROP_IMAGES)
                parts_seen = seen * float(chance[1] >= DROP_PART_IMAGES)
                level = torch.special.ndtri(torch.tensor((place + 0.5) * GOLDEN % 1)).sigmoid()
                rows.append(
                    (
                        own.latents,
                        torch.randn_like(own.latents),
                        level.expand(count),
                        own.part_images * parts_seen,
                        own.object_image[None] * seen,
                        own.parents if chance[2] >= DROP_HIERARCHY else torch.full_like(own.parents, -1),
                        plan_errors(own.boxes[None])[0],
                        (chance[3] >= DROP_BOXES).expand(count),
                    )
                )
        return cls(tuple(len(row[0]) for row in rows), *(torch.cat(column) for column in zip(*rows, strict=True)))

    def to(self, device: torch.device) -> FlowBatch:
        """On a GPU without waiting for what it has still to do."""
        if device.type != "cuda":
            return self
        _, *tensors = (getattr(self, x.name) for x in fields(self))
        return FlowBatch(self.counts, *(value.pin_memory().to(device, non_blocking=True) for value in tensors))


class FlowMatching(nn.Module):
    """Mean squared error of the transformer's velocity, data minus noise."""

    def __init__(self, transformer: PartCrafterDiTModel, scheduler: RectifiedFlowScheduler) -> None:
        super().__init__()
        self.transformer = transformer
        self.scheduler = scheduler

    def forward(self, batch: FlowBatch, parts: float) -> dict[str, Tensor]:
        """`loss`, in bfloat16 on a GPU.

        Args:
            parts: by which the parts' errors are divided: with several processes those of all over their number, so
                that the mean of the processes' losses is the loss of all.
        """
        steps = self.scheduler.config["num_train_timesteps"]
        noisy = self.scheduler.add_noise(batch.latents, batch.noise, batch.level)
        with torch.autocast("cuda", torch.bfloat16, enabled=noisy.is_cuda, cache_enabled=False):
            velocity = self.transformer(
                noisy,
                batch.level * steps,
                batch.part_images.float(),
                num_parts=batch.counts,
                global_encoder_hidden_states=batch.object_images.float(),
                parent_index=batch.parents,
                boxes=batch.boxes,
                box_known=batch.box_known,
            )
        errors = (velocity.float() - (batch.latents - batch.noise)).square().mean((1, 2))
        return {"loss": errors.sum() / parts}


def with_additions(
    model: PartCrafterDiTModel, *, hierarchy: Sequence[int] = (), positions: bool = False, boxes: bool = False
) -> PartCrafterDiTModel:
    """The same function with more of SPARK's additions, which begin as no-ops and stand in the config.

    Args:
        hierarchy: blocks after which parts attend along the kinematic tree, besides those that there are.
        positions: add an embedding of the link's index in the plan.
        boxes: accept planned boxes.

    Raises:
        CheckpointMismatch: there is no such block, or the latents are not in model space.
    """
    # diffusers takes what is listed as a default from the class again, whatever stands beside it.
    config = {key: value for key, value in model.config.items() if key != "_use_default_values"}
    if config["enable_box_token"] or config["num_latent_tokens"] is not None:
        raise CheckpointMismatch("the transformer has ordered latents or box tokens: training.train_part_dit trains it")
    lost = sorted(set(hierarchy) - set(range(config["num_layers"])))
    if lost:
        raise CheckpointMismatch(f"no block {lost[0]} for hierarchy: the transformer has {config['num_layers']}")
    config["hierarchy_attn_block_ids"] = sorted({*config["hierarchy_attn_block_ids"], *hierarchy})
    config["enable_position_embedding"] |= positions
    config["enable_box_embedding"] |= boxes
    with model.device:
        extended: PartCrafterDiTModel = PartCrafterDiTModel.from_config(config)
    report = extended.load_state_dict(model.state_dict(), strict=False)
    assert all(key.startswith(ADDED_MODULES) for key in report.missing_keys) and not report.unexpected_keys
    return extended
