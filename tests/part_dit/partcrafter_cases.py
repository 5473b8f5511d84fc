"""What PartCrafter's own code computes on toy weights, to hold ours against.

`golden/partcrafter.safetensors` was written by

    python tests/part_dit/partcrafter_cases.py CHECKOUT

with a checkout of github.com/wgsxm/PartCrafter at 269bd41, diffusers 0.42.1 and torch 2.13.0 in float32 on a CPU, and
einops and torch_cluster installed. That code is no part of this project: only its numbers are here.
"""

from __future__ import annotations

import sys
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

GOLDEN = Path(__file__).parent / "golden/partcrafter.safetensors"

TRANSFORMER = {"num_attention_heads": 2, "width": 32, "in_channels": 8, "num_layers": 5, "cross_attention_dim": 24}
VARIANTS: dict[str, dict[str, Any]] = {
    "published": {"global_attn_block_ids": [0, 2, 4]},
    "local_only": {},
    "range": {"global_attn_block_id_range": [1, 3]},
    "blind_local": {"global_attn_block_ids": [0, 2, 4], "enable_local_cross_attn": False},
    "blind_global": {"global_attn_block_ids": [0, 2, 4], "enable_global_cross_attn": False},
    "blind_without_global_blocks": {"enable_local_cross_attn": False},
    "no_part_embedding": {"global_attn_block_ids": [0, 2, 4], "enable_part_embedding": False},
}
VAE = {
    "latent_channels": 4,
    "num_attention_heads": 2,
    "width_encoder": 16,
    "width_decoder": 24,
    "num_layers_encoder": 2,
    "num_layers_decoder": 2,
}
PARTS, RAGGED, TOKENS, STEPS, GUIDANCE, SHIFT = 3, (2, 1, 3), 6, 4, 7.0, 3.0


def numbers(name: str, *shape: int, scale: float = 1.0) -> Tensor:
    """Normal numbers that depend on the name alone, by a generator whose numbers never change."""
    values = np.random.RandomState(zlib.crc32(name.encode())).standard_normal(shape)
    return torch.from_numpy(scale * values).float()


def fill(module: nn.Module) -> nn.Module:
    """Give every parameter numbers that depend on its name and shape alone, norms about one."""
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            parameter.copy_(numbers(name, *parameter.shape, scale=0.2) + ("norm" in name and name.endswith("weight")))
    return module.eval()


def one_image() -> Tensor:
    """(PARTS, L, E): every part with the object's image, as PartCrafter's pipeline has it."""
    return numbers("image", 1, 5, TRANSFORMER["cross_attention_dim"]).expand(PARTS, -1, -1)


def part_images() -> Tensor:
    return numbers("images", sum(RAGGED), 5, TRANSFORMER["cross_attention_dim"])


def noise(count: int) -> Tensor:
    return numbers("noise", count, TOKENS, TRANSFORMER["in_channels"])


def surfaces() -> Tensor:
    """(2, 32, 6) points with normals, whose first TOKENS are the encoder's query points."""
    return numbers("surface", 2, 32, 6, scale=0.4)


def latents() -> Tensor:
    return numbers("latents", 2, TOKENS, VAE["latent_channels"])


def queries() -> Tensor:
    return numbers("queries", 2, 9, 3, scale=0.4)


def sampled(velocity: Callable[[Tensor, Tensor], Tensor], scheduler: Any) -> Tensor:
    """Guided sampling as PartCrafter's pipeline does it: both halves in one batch, the blind one first."""
    state = noise(PARTS)
    scheduler.set_timesteps(STEPS)
    for time in scheduler.timesteps:
        blind, seeing = velocity(torch.cat([state, state]), time.expand(2 * PARTS)).chunk(2)
        state = scheduler.step(blind + GUIDANCE * (seeing - blind), time, state).prev_sample
    return state


@torch.no_grad()
def record(checkout: Path) -> Mapping[str, Tensor]:
    """Run PartCrafter's classes over all cases."""
    sys.path.insert(0, str(checkout))
    from src.models.autoencoders.autoencoder_kl_triposg import TripoSGVAEModel
    from src.models.transformers.partcrafter_transformer import PartCrafterDiTModel
    from src.schedulers import RectifiedFlowScheduler

    results = {}
    for variant, settings in VARIANTS.items():
        model = fill(PartCrafterDiTModel(**TRANSFORMER, **settings))
        results[f"{variant}.ragged"] = model(
            noise(sum(RAGGED)),
            torch.full((sum(RAGGED),), 731.0),
            encoder_hidden_states=part_images(),
            attention_kwargs={"num_parts": torch.tensor(RAGGED)},
        ).sample
        images = torch.cat([torch.zeros_like(one_image()), one_image()])
        results[f"{variant}.sampled"] = sampled(
            lambda state, time, model=model, images=images: (
                model(state, time, encoder_hidden_states=images, attention_kwargs={"num_parts": PARTS}).sample
            ),
            RectifiedFlowScheduler(shift=SHIFT),
        )
    vae = fill(TripoSGVAEModel(**VAE))
    vae._sample_features = lambda points, count, seed: points[:, :count]
    posterior = vae.encode(surfaces(), num_tokens=TOKENS).latent_dist
    results |= {"vae.mean": posterior.mean, "vae.log_variance": posterior.logvar}
    results["vae.field"] = vae.decode(latents(), queries()).sample.squeeze(-1)
    return results


if __name__ == "__main__":
    from safetensors.torch import save_file

    GOLDEN.parent.mkdir(exist_ok=True)
    save_file({name: value.contiguous() for name, value in record(Path(sys.argv[1])).items()}, GOLDEN)
