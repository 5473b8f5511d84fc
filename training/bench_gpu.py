"""The shape stage at full size on a GPU, beside what the device allows: `python -m training.bench_gpu`.

One random checkpoint in the published layout serves all figures. Random numbers make no surface, so a ball is put in
the field's place after the field was computed. Each time stands beside two floors: the operations of the function at
the rate of large matrix products, and its weights and conditions at the rate of large copies, both measured here, many
in a row as the steps are: a device that just woke is faster than one at work.
With `--partcrafter` a checkout of PartCrafter does the same with the same checkpoint, noise and ball.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.functional import scaled_dot_product_attention
from torch.utils.flop_counter import FlopCounterMode

from gateway.quality import PRESETS
from services.part_dit.attention import KERNELS
from services.part_dit.extraction import PartMesh
from services.part_dit.pipeline import PartDiTPipeline, Sample
from services.part_dit.precision import best_dtype
from services.part_dit.transformer import PartCrafterDiTModel
from services.part_dit.vae import TripoSGVAEModel
from training import bench_partcrafter
from training.published_layout import FULL, SMALL, write_random

RADIUS = 0.6
"""Of the ball; at 512 cells it has 880,000 faces."""

BATCH_STEPS = 3
"""Steps that are timed where the whole run is not; the first run of a shape is not timed."""

CEILING_TIMES = 300
"""Products and copies of large matrices; half a second of an H200 each."""


Model = TypeVar("Model", PartCrafterDiTModel, TripoSGVAEModel)


@dataclass(frozen=True)
class Case:
    """What is asked for: `parts` of each object, latent `tokens` of each, and how they are sampled and meshed."""

    parts: int = 8
    tokens: int = 1024
    steps: int = 50
    guidance: float = 7.0
    resolution: int = 512


TOY = Case(parts=2, tokens=8, steps=2, resolution=32)


@dataclass(frozen=True)
class Ceilings:
    """Measured rates of the device: `operations` [1/s] of a large matrix product, `bytes` [1/s] of a large copy."""

    operations: float
    bytes: float

    @classmethod
    def measure(cls, device: torch.device, dtype: torch.dtype, side: int) -> Ceilings:
        """By products of square matrices, `side` long, and copies of as many bytes as eight of them hold."""
        first, second = (torch.randn(side, side, device=device, dtype=dtype) for _ in range(2))
        result = torch.empty_like(first)
        product = mean_seconds(lambda: torch.mm(first, second, out=result), device, CEILING_TIMES)
        source = torch.zeros(8 * side * side, device=device, dtype=dtype)
        target = torch.empty_like(source)
        copy = mean_seconds(lambda: target.copy_(source), device, CEILING_TIMES)
        return cls(2 * side**3 / product, 2 * source.nbytes / copy)


@dataclass(frozen=True)
class Work:
    """What a computation needs at least: `operations`, multiplications and additions, and `bytes` to be read."""

    operations: float
    bytes: float

    def report(self, taken: float, ceilings: Ceilings) -> dict[str, float]:
        """The floors beside the `taken` seconds."""
        return {
            "ms": 1e3 * taken,
            "floor_operations_ms": 1e3 * self.operations / ceilings.operations,
            "floor_bytes_ms": 1e3 * self.bytes / ceilings.bytes,
            "share_of_ceiling": self.operations / ceilings.operations / taken,
        }


def device_name(device: torch.device) -> str:
    """What a report calls the device."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU"


def weight_bytes(module: nn.Module) -> int:
    """Bytes of a module's parameters."""
    return sum(value.nbytes for value in module.parameters())


def tell(figures: object) -> None:
    """Print figures as JSON, at once."""
    print(json.dumps(figures, indent=2), flush=True)


def write(figures: object, path: Path | None) -> None:
    """Write figures as JSON, if there is a path."""
    if path:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(figures, indent=2) + "\n")


def seconds(action: Callable[[], object], device: torch.device) -> float:
    """How long an action takes, the device's work included."""
    _wait(device)
    start = time.perf_counter()
    action()
    _wait(device)
    return time.perf_counter() - start


def mean_seconds(action: Callable[[], object], device: torch.device, times: int) -> float:
    """How long an action takes among as many others of its kind."""
    action()

    def again() -> None:
        for _ in range(times):
            action()

    return seconds(again, device) / times


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def ghost_of(model: Model) -> Model:
    """The same model without values: operations on it are counted and not done."""
    untyped: Any = type(model)
    with torch.device("meta"):
        ghost: Model = untyped.from_config(model.config)
    nn.Module.to(ghost, model.dtype)
    return ghost


def step_work(model: PartCrafterDiTModel, parts: Sequence[int], case: Case, image_tokens: int) -> Work:
    """One step with guidance over objects of so many parts each, counted on tensors without values."""
    ghost = ghost_of(model)
    with torch.device("meta"):
        count, channels = sum(parts), model.config["cross_attention_dim"]
        images = torch.empty(count, image_tokens, channels, dtype=model.dtype)
        sight = ghost.look(images, images[: len(parts)], parts, blind=count)
        noisy = torch.empty(2 * count, case.tokens, ghost.in_channels, dtype=model.dtype)
        with FlopCounterMode(display=False) as counter:
            parents = torch.full((2 * count,), -1)
            ghost(noisy, torch.empty(2 * count), sight, num_parts=(*parts, *parts), parent_index=parents)
    seen = sum(x.nbytes for layer in sight.layers for x in layer)
    weights = weight_bytes(ghost)
    return Work(counter.get_total_flops(), weights + seen + 2 * noisy.nbytes)


def query_work(vae: TripoSGVAEModel, case: Case, queries: int) -> Work:
    """So many queries of the field of one part."""
    ghost = ghost_of(vae)
    with torch.device("meta"):
        tokens = torch.empty(1, case.tokens, vae.config["width_decoder"], dtype=vae.dtype)
        with FlopCounterMode(display=False) as counter:
            ghost.query(tokens, torch.empty(1, queries, 3))
    return Work(counter.get_total_flops(), queries * 4 * 4)


def attention_rates(model: PartCrafterDiTModel, case: Case) -> dict[str, float]:
    """Operations a second [T] of each attention kernel, on the tokens of an object under guidance."""
    heads, width = model.config["num_attention_heads"], model.config["width"]
    shape = (2, case.parts * (case.tokens + 1), heads, width // heads)
    query, key, value = (torch.randn(shape, device=model.device, dtype=model.dtype).transpose(1, 2) for _ in range(3))
    operations = 4 * shape[0] * shape[1] ** 2 * width
    rates = {}
    for kernel in KERNELS:
        if kernel == SDPBackend.MATH:
            continue
        with sdpa_kernel(kernel):
            try:
                taken = min(
                    seconds(lambda: scaled_dot_product_attention(query, key, value), model.device) for _ in range(4)
                )
            except RuntimeError:
                continue  # not a kernel of this device
        rates[kernel.name.lower()] = operations / taken / 1e12
    return rates


@contextmanager
def ball_in_place_of_the_field(vae: TripoSGVAEModel) -> Iterator[list[int]]:
    """The field is computed and then replaced by a ball's; gives the numbers of points that were asked for."""
    asked: list[int] = []
    computed = vae.query

    def query(tokens: Tensor, points: Tensor) -> Tensor:
        computed(tokens, points)
        asked.append(points.shape[-2])
        distance: Tensor = points.float().norm(dim=-1)
        return RADIUS - distance

    vae.query = query  # type: ignore[method-assign]
    try:
        yield asked
    finally:
        del vae.query


class Bench:
    """A pipeline and one picture; every part is shown the whole picture.

    Args:
        pipeline: on its device.
        case: what is asked for.
        seed: of the picture and of the noise.
    """

    def __init__(self, pipeline: PartDiTPipeline, case: Case, seed: int = 0) -> None:
        self.pipeline, self.case, self.seed = pipeline, case, seed
        self.device = torch.device(pipeline.device)
        size = pipeline.feature_extractor_dinov2.crop_size["height"]
        generator = torch.Generator().manual_seed(seed)
        self.picture = torch.randint(0, 256, (size, size, 3), dtype=torch.uint8, generator=generator)
        self.image = pipeline.encode_images(self.picture[None])

    def sample(self, objects: int = 1, steps: int | None = None) -> Sample:
        """Latents of some equal objects."""
        count = objects * self.case.parts
        return self.pipeline.sample(
            self.image.expand(count, -1, -1),
            self.image.expand(objects, -1, -1),
            torch.tensor([-1, *[0] * (self.case.parts - 1)], device=self.device).repeat(objects),
            None,
            torch.Generator().manual_seed(self.seed),
            num_parts=(self.case.parts,) * objects,
            num_inference_steps=steps or self.case.steps,
            guidance_scale=self.case.guidance,
            num_tokens=self.case.tokens,
            upstream_part_index=objects == 1,
        )

    def meshes(self, sample: Sample) -> list[PartMesh]:
        tokens = self.pipeline.vae.decode(sample.latents)
        return [self.pipeline.mesh(own, self.case.resolution, None, None) for own in tokens]

    def step(self, objects: int) -> float:
        """Seconds a step."""
        self.sample(objects, BATCH_STEPS)
        return seconds(lambda: self.sample(objects, BATCH_STEPS), self.device) / BATCH_STEPS

    def whole(self, ceilings: Ceilings) -> dict[str, Any]:
        """One object from its picture to its meshes, everything compiled before."""
        with ball_in_place_of_the_field(self.pipeline.vae) as asked:
            self.meshes(self.sample(steps=1))
            asked.clear()
            if self.device.type == "cuda":
                torch.cuda.reset_peak_memory_stats(self.device)
            encoding = seconds(lambda: self.pipeline.encode_images(self.picture[None]), self.device)
            results: dict[str, Any] = {}
            denoising = seconds(lambda: results.update(sample=self.sample()), self.device)
            decoding = seconds(lambda: results.update(meshes=self.meshes(results["sample"])), self.device)
        step = step_work(self.pipeline.transformer, [self.case.parts], self.case, self.image.shape[1])
        report: dict[str, Any] = {
            "seconds": encoding + denoising + decoding,
            "seconds_encoding": encoding,
            "seconds_denoising": denoising,
            "seconds_decoding": decoding,
            "step": step.report(denoising / self.case.steps, ceilings),
            "decoding": query_work(self.pipeline.vae, self.case, sum(asked)).report(decoding, ceilings),
            "queries": sum(asked),
            "faces": [len(mesh.faces) for mesh in results["meshes"]],
        }
        if self.device.type == "cuda":
            report["peak_gib"] = torch.cuda.max_memory_allocated(self.device) / 2**30
        self.latents, self.found = results["sample"].latents, results["meshes"]
        return report

    def few_steps(self, decoding: float) -> dict[int, float]:
        """Seconds of an object by its steps, those of the service's presets; it is decoded in `decoding` seconds."""
        counts = sorted({preset.num_steps for preset in PRESETS.values()})
        return {count: seconds(partial(self.sample, steps=count), self.device) + decoding for count in counts}

    def throughput(self, objects: Sequence[int], decoding: float, ceilings: Ceilings) -> dict[int, dict[str, float]]:
        """Objects an hour by how many are denoised together; each is decoded in `decoding` seconds."""
        figures = {}
        for count in objects:
            taken = self.step(count)
            work = step_work(self.pipeline.transformer, [self.case.parts] * count, self.case, self.image.shape[1])
            each = self.case.steps * taken / count + decoding
            figures[count] = {**work.report(taken, ceilings), "objects_an_hour": 3600 / each}
        return figures


@torch.no_grad()
def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weights", type=Path, default=Path("out/random-partcrafter"), help="written where absent")
    parser.add_argument("--toy", action="store_true", help="a tiny checkpoint and case, as on a CPU")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--dtype", help="such as bfloat16; default: what the service computes in")
    parser.add_argument("--steps", type=int, help="default: 50")
    parser.add_argument("--objects", type=int, nargs="*", default=[1, 2, 4, 8], help="denoised together")
    parser.add_argument("--eager", action="store_true", help="do not compile")
    parser.add_argument("--partcrafter", type=Path, help="a checkout to compare with")
    parser.add_argument("--out", type=Path, help="also write the figures here, as JSON")
    options = parser.parse_args(arguments)
    device = torch.device(options.device)
    dtype = getattr(torch, options.dtype) if options.dtype else best_dtype(device)
    case = TOY if options.toy else Case()
    case = replace(case, steps=options.steps or case.steps)
    if not (options.weights / "model_index.json").exists():
        write_random(options.weights, SMALL if options.toy else FULL)
    bench = Bench(PartDiTPipeline.load(options.weights, dtype, device), case)
    ceilings = Ceilings.measure(device, dtype, 256 if options.toy else 8192)
    report: dict[str, Any] = {"device": device_name(device), "torch": torch.__version__, "dtype": str(dtype)}
    report |= {"tera_operations_a_second": ceilings.operations / 1e12, "gigabytes_a_second": ceilings.bytes / 1e9}
    tell(report | {"attention_tera_operations_a_second": attention_rates(bench.pipeline.transformer, case)})
    if not options.eager:
        tell({"ms_a_step_eager": 1e3 * bench.step(1)})
        bench.pipeline.compile_blocks()
        tell({"seconds_compiling": seconds(lambda: bench.step(1), device)})
    report |= {"object": bench.whole(ceilings)}
    tell(report["object"])
    report["seconds_of_few_steps"] = bench.few_steps(report["object"]["seconds_decoding"])
    tell(report["seconds_of_few_steps"])
    report["throughput"] = bench.throughput(options.objects, report["object"]["seconds_decoding"], ceilings)
    tell(report["throughput"])
    if options.partcrafter:
        noise = torch.randn(bench.latents.shape, generator=torch.Generator().manual_seed(bench.seed))
        theirs = bench_partcrafter.run(options.partcrafter, options.weights, bench.picture, noise, case, RADIUS, dtype)
        report["partcrafter"] = bench_partcrafter.compare(theirs, bench.latents, bench.found)
        tell(report["partcrafter"])
    write(report, options.out)


if __name__ == "__main__":
    main()
