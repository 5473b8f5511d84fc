"""The numbers that a device computes in."""

import pytest
import torch

from services.part_dit.pipeline import PartDiTPipeline
from services.part_dit.precision import best_dtype


def test_a_gpu_computes_in_half_precision() -> None:
    assert best_dtype(torch.device("cuda")) == torch.float16


@pytest.mark.parametrize(
    ("capabilities", "expected"),
    [
        ({"avx512_f": True, "avx512_bf16": True}, torch.bfloat16),
        ({"amx_bf16": True}, torch.bfloat16),
        ({"avx512_f": True, "avx512_bf16": False}, torch.float32),
        ({}, torch.float32),
    ],
)
def test_a_cpu_computes_in_what_it_is_fast_in(
    monkeypatch: pytest.MonkeyPatch, capabilities: dict[str, bool], expected: torch.dtype
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities)
    assert best_dtype(torch.device("cpu")) == expected


def test_a_pipeline_in_bfloat16_samples_nearly_the_same(
    pipeline: PartDiTPipeline, weights: object, request_tensors: dict[str, torch.Tensor]
) -> None:
    def sampled(which: PartDiTPipeline) -> torch.Tensor:
        images = which.encode_images(torch.cat([request_tensors["object_image"][None], request_tensors["part_images"]]))
        parents, boxes = request_tensors["parent_index"].long(), request_tensors["part_boxes"]
        with torch.no_grad():
            generator = torch.Generator().manual_seed(0)
            sample = which.sample(images[1:], images[:1], parents, boxes, generator, num_inference_steps=2)
        return sample.latents.float()

    half = PartDiTPipeline.load(weights, torch.bfloat16)
    exact = sampled(pipeline)
    assert float((sampled(half) - exact).norm() / exact.norm()) < 0.05
