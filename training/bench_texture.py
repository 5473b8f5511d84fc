"""The full family's texture model on a GPU at full size: `python -m training.bench_texture`.

Six views of 768 pixels, random weights made on the device: how long a step and the whole take, how much memory, and how
close the step comes to its operations at the rate of a large matrix product, measured here. Baking is not part of it.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

import torch
from diffusers import AutoencoderKL, EulerDiscreteScheduler, UNet2DConditionModel
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from services.texture.multiview import MAP_CHANNELS, VIEWS, MultiviewModel
from services.texture.view_painter import GUIDANCE, STEPS, ViewPainter
from training.bench_gpu import Ceilings, Work, device_name, seconds, tell, weight_bytes, write
from training.published_texture import FULL, LATENT, SMALL, TIME_IDS, TOKENS, Sizes, configs

TIMED_STEPS = 5

M = TypeVar("M", bound=nn.Module)


def random_model(sizes: Sizes, dtype: torch.dtype, device: torch.device) -> MultiviewModel:
    """The UNet with its adapter, made on the device; on "meta" it has no values."""
    with torch.device("meta"):
        model = MultiviewModel(_made(UNet2DConditionModel, sizes, "unet/config.json"))
    return _filled(model.to(dtype), device)


def random_painter(sizes: Sizes, dtype: torch.dtype, device: torch.device, steps: int) -> ViewPainter:
    """A painter whose weights and prompt are random; layers keep the scale of what passes through them."""
    with torch.device("meta"):
        vae = _made(AutoencoderKL, sizes, "vae/config.json")
    prompt = {
        "encoder_hidden_states": torch.randn(2, TOKENS, sizes.prompt),
        "text_embeds": torch.randn(2, sizes.second.projection),
    }
    scheduler = _made(EulerDiscreteScheduler, sizes, "scheduler/scheduler_config.json")
    return ViewPainter(random_model(sizes, dtype, device), _filled(vae, device), scheduler, prompt, steps, GUIDANCE)


def _made(kind: Any, sizes: Sizes, config: str) -> Any:
    return kind.from_config(configs(sizes)[f"base/{config}"])


@torch.no_grad()
def _filled(module: M, device: torch.device) -> M:
    if device.type == "meta":
        return module
    module.to_empty(device=device)
    for name, value in module.named_parameters():
        if value.ndim > 1:
            value.normal_(std=value[0].numel() ** -0.5)
        else:
            value.fill_(float("norm" in name and name.endswith("weight")))
    return module


def step_work(painter: ViewPainter, sizes: Sizes) -> Work:
    """One step under guidance, counted on tensors without values."""
    ghost = random_model(sizes, painter.dtype, torch.device("meta"))
    side = painter.size // painter.shrinkage
    with torch.device("meta"):

        def condition(count: int) -> dict[str, Tensor]:
            shapes = {"encoder_hidden_states": (TOKENS, sizes.prompt), "text_embeds": (sizes.second.projection,)}
            shapes["time_ids"] = (TIME_IDS,)
            return {key: torch.empty(count, *shape, dtype=painter.dtype) for key, shape in shapes.items()}

        latents = torch.empty(2 * VIEWS, LATENT, side, side, dtype=painter.dtype)
        maps = ghost.guide(torch.empty(VIEWS, MAP_CHANNELS, painter.size, painter.size, dtype=painter.dtype))
        ghost.remember(latents[:1], condition(1))
        with FlopCounterMode(display=False) as counter:
            ghost(latents, torch.empty(()), condition(2 * VIEWS), maps)
    return Work(counter.get_total_flops(), weight_bytes(ghost.unet))


class Bench:
    """One object's maps and reference picture, random."""

    def __init__(self, painter: ViewPainter) -> None:
        self.painter = painter
        size = painter.size
        self.maps = torch.rand(VIEWS, MAP_CHANNELS, size, size, device=painter.device)
        self.reference = torch.rand(1, 3, size, size, device=painter.device)

    def paint(self, steps: int) -> float:
        """Seconds that painting takes in so many steps."""
        self.painter.steps = steps
        action = lambda: self.painter.paint(self.maps, self.reference, 0, lambda: False)  # noqa: E731
        return seconds(action, self.painter.device)

    def step(self) -> float:
        """Seconds a step, without what is done once."""
        self.paint(1)
        once, more = self.paint(1), self.paint(1 + TIMED_STEPS)
        return (more - once) / TIMED_STEPS


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--toy", action="store_true", help="tiny models, as on a CPU")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--dtype", default="float16")
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--out", type=Path, help="also write the figures here, as JSON")
    options = parser.parse_args(arguments)
    device, dtype = torch.device(options.device), getattr(torch, options.dtype)
    sizes = SMALL if options.toy else FULL
    torch.manual_seed(0)
    painter = random_painter(sizes, dtype, device, options.steps)
    bench, ceilings = Bench(painter), Ceilings.measure(device, dtype, 256 if options.toy else 8192)
    report: dict[str, Any] = {
        "device": device_name(device),
        "torch": torch.__version__,
        "dtype": options.dtype,
        "pixels": painter.size,
        "steps": options.steps,
        "weights_gib": sum(weight_bytes(module) for module in (painter.model, painter.vae)) / 2**30,
        "tera_operations_a_second": ceilings.operations / 1e12,
    }
    report["step"] = step_work(painter, sizes).report(bench.step(), ceilings)
    painter.model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    report["ms_a_step_channels_last"] = 1e3 * bench.step()
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    report["seconds"] = bench.paint(options.steps)
    if device.type == "cuda":
        report["peak_gib"] = torch.cuda.max_memory_allocated(device) / 2**30
    tell(report)
    write(report, options.out)


if __name__ == "__main__":
    main()
