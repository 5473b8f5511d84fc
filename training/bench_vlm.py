"""The full family's plan and guide models on a GPU at full size: `python -m training.bench_vlm`.

Random weights of the published sizes, made on the device. The plan model, Qwen3-VL-8B, runs in transformers without
graphs, so that its seconds are an upper bound of vLLM's; the bound from below is what reading the weights takes. The
editor, Qwen-Image-Edit-2511, is timed by a pass of its transformer and by its VAE; its text encoder is left out. The
baseline of an edit is the published schedule, 40 steps with guidance, beside 4 steps of a distilled model.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKLQwenImage, QwenImageTransformer2DModel
from torch import Tensor
from transformers import Qwen3VLConfig, Qwen3VLForConditionalGeneration

from training.bench_gpu import Ceilings, device_name, mean_seconds, seconds, tell, weight_bytes, write

PARTS = 4
"""Of the object that seconds are given for; the guide stage makes the object, each part and the opened object."""
TIMES = 3


@dataclass(frozen=True)
class Sizes:
    """What is measured.

    Attributes:
        text, vision: fields of the plan model's configuration.
        prompt, answer: tokens of the plan stage, picture and instructions together, and of a plan of four parts.
        editor: fields of the editor's transformer.
        pixels: side of an edit's picture.
        words: tokens of an edit's instruction and of the picture in it.
    """

    text: dict[str, Any]
    vision: dict[str, Any]
    prompt: int
    answer: int
    editor: dict[str, Any]
    pixels: int
    words: int


FULL = Sizes(
    text={"hidden_size": 4096, "num_hidden_layers": 36, "num_key_value_heads": 8, "intermediate_size": 12288},
    vision={"out_hidden_size": 4096},
    prompt=4000,
    answer=700,
    editor={},
    pixels=1024,
    words=1024,
)
TOY = Sizes(
    text={
        "hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 16,
        "intermediate_size": 96, "vocab_size": 128,
    },
    vision={"depth": 1, "hidden_size": 32, "num_heads": 2, "intermediate_size": 48, "out_hidden_size": 64,
            "deepstack_visual_indexes": [0]},
    prompt=20,
    answer=5,
    editor={"num_layers": 1, "num_attention_heads": 1, "joint_attention_dim": 32},
    pixels=64,
    words=8,
)  # fmt: skip


def made(build: Callable[..., Any], device: torch.device, dtype: torch.dtype, *given: Any, **named: Any) -> Any:
    """A model whose weights are drawn on the device, in the type."""
    usual = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        with torch.device(device):
            return build(*given, **named).eval()
    finally:
        torch.set_default_dtype(usual)


class PlanBench:
    """The plan model and prompts of random tokens."""

    def __init__(self, sizes: Sizes, device: torch.device, dtype: torch.dtype) -> None:
        config = Qwen3VLConfig(text_config=sizes.text, vision_config=sizes.vision)
        self.model = made(Qwen3VLForConditionalGeneration, device, dtype, config)
        self.sizes = sizes
        self.device = device

    @torch.no_grad()
    def measure(self, requests: int) -> dict[str, float]:
        """Seconds of reading prompts and of one further token, for some requests at once."""
        prompts = torch.randint(0, 100, (requests, self.sizes.prompt), device=self.device)
        read: Callable[[], Any] = lambda: self.model(prompts, use_cache=True, logits_to_keep=1)  # noqa: E731
        read()
        prefill = seconds(read, self.device)
        cache = read().past_key_values
        step = mean_seconds(
            lambda: self.model(prompts[:, :1], past_key_values=cache, use_cache=True), self.device, 2 * TIMES
        )
        return {"prefill_seconds": prefill, "token_seconds": step, "seconds": prefill + self.sizes.answer * step}


class EditBench:
    """The editor and one picture to edit."""

    def __init__(self, sizes: Sizes, device: torch.device, dtype: torch.dtype) -> None:
        self.transformer = made(QwenImageTransformer2DModel, device, dtype, **sizes.editor)
        self.vae = made(AutoencoderKLQwenImage, device, dtype)
        self.device = device
        width = self.transformer.config["joint_attention_dim"]
        side = sizes.pixels // 8
        self.picture = torch.rand(1, 3, 1, sizes.pixels, sizes.pixels, device=device, dtype=dtype)
        self.latents = torch.randn(1, 16, 1, side, side, device=device, dtype=dtype)
        # The picture that is made and the one that is edited, as patches of two by two latents.
        patches = (1, side // 2, side // 2)
        count = 2 * patches[1] * patches[2]
        self.inputs: dict[str, Any] = {
            "hidden_states": torch.randn(1, count, 64, device=device, dtype=dtype),
            "encoder_hidden_states": torch.randn(1, sizes.words, width, device=device, dtype=dtype),
            "encoder_hidden_states_mask": torch.ones(1, sizes.words, device=device, dtype=torch.long),
            "timestep": torch.tensor([0.5], device=device, dtype=dtype),
            "img_shapes": [[patches, patches]],
        }

    @torch.no_grad()
    def measure(self) -> dict[str, float]:
        """Seconds of a pass of the transformer, and of the VAE's two ways."""
        encode: Callable[[], Tensor] = lambda: self.vae.encode(self.picture).latent_dist.mean  # noqa: E731
        return {
            "pass_seconds": mean_seconds(lambda: self.transformer(**self.inputs), self.device, TIMES),
            "encode_seconds": mean_seconds(encode, self.device, TIMES),
            "decode_seconds": mean_seconds(lambda: self.vae.decode(self.latents), self.device, TIMES),
        }


def edit_seconds(measured: dict[str, float], steps: int, passes: int) -> float:
    """One edit of so many steps with so many passes each: two with guidance."""
    return measured["encode_seconds"] + steps * passes * measured["pass_seconds"] + measured["decode_seconds"]


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--toy", action="store_true", help="tiny models, as on a CPU")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--requests", type=int, nargs="+", default=[1, 8, 32], help="plans at once")
    parser.add_argument("--out", type=Path, help="also write the figures here, as JSON")
    options = parser.parse_args(arguments)
    device, sizes = torch.device(options.device), TOY if options.toy else FULL
    dtype = torch.float32 if device.type == "cpu" else torch.bfloat16
    torch.manual_seed(0)
    ceilings = Ceilings.measure(device, dtype, 256 if options.toy else 8192)
    report: dict[str, Any] = {
        "device": device_name(device),
        "torch": torch.__version__,
        "sizes": asdict(sizes),
        "tera_operations_a_second": ceilings.operations / 1e12,
        "plan": _plan(PlanBench(sizes, device, dtype), options.requests, ceilings),
    }
    _forget(device)
    report["guide"] = _guide(EditBench(sizes, device, dtype))
    _forget(device, report["guide"])
    tell(report)
    write(report, options.out)


def _plan(bench: PlanBench, requests: Sequence[int], ceilings: Ceilings) -> dict[str, Any]:
    return {
        "weights_gib": weight_bytes(bench.model) / 2**30,
        "floor_token_seconds": weight_bytes(bench.model.model.language_model) / ceilings.bytes,
        "by_requests": {count: bench.measure(count) for count in requests},
    }


def _guide(bench: EditBench) -> dict[str, Any]:
    measured = bench.measure()
    published, distilled = edit_seconds(measured, 40, 2), edit_seconds(measured, 4, 1)
    return {
        "weights_gib": (weight_bytes(bench.transformer) + weight_bytes(bench.vae)) / 2**30,
        **measured,
        "edit_seconds": {"40 steps with guidance": published, "4 steps": distilled, "ratio": published / distilled},
        f"object_of_{PARTS}_parts_seconds": {
            "40 steps with guidance": (PARTS + 2) * published,
            "4 steps": (PARTS + 2) * distilled,
        },
    }


def _forget(device: torch.device, report: dict[str, Any] | None = None) -> None:
    """Note the peak of memory, and begin a new one."""
    if device.type == "cuda":
        if report is not None:
            report["peak_gib"] = torch.cuda.max_memory_allocated(device) / 2**30
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(device)


if __name__ == "__main__":
    main()
