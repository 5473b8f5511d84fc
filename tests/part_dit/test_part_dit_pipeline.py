"""The shape pipeline: what it accepts, repeats, refuses and loads."""

from pathlib import Path

import numpy as np
import pytest
import torch
from part_dit_toys import toy_transformer
from torch import Tensor

from services.part_dit import box_frame
from services.part_dit.errors import GenerationCancelled, InvalidInput
from services.part_dit.extraction import PartMesh
from services.part_dit.pipeline import PartDiTPipeline
from services.part_dit.tensors import pack

Request = dict[str, Tensor]


def sampled(pipeline: PartDiTPipeline, request: Request, seed: int = 0, **changes: object) -> Tensor:
    images = pipeline.encode_images(torch.cat([request["object_image"][None], request["part_images"]]))
    with torch.no_grad():
        return pipeline.sample(
            images[1:],
            images[:1],
            request["parent_index"].long(),
            request["part_boxes"],
            torch.Generator().manual_seed(seed),
            **{"num_inference_steps": 3, **changes},
        ).latents


def test_the_seed_decides(pipeline: PartDiTPipeline, request_tensors: Request) -> None:
    first, second = (sampled(pipeline, request_tensors) for _ in range(2))
    torch.testing.assert_close(first, second, rtol=0, atol=0)
    assert (sampled(pipeline, request_tensors, seed=1) - first).abs().max() > 1e-3


def test_one_mesh_a_part(pipeline: PartDiTPipeline, request_tensors: Request) -> None:
    meshes = pipeline(**request_tensors, num_inference_steps=2, resolution=32)
    assert len(meshes) == 3
    for mesh in meshes:
        assert mesh.vertices.dtype == np.float32
        assert len(mesh.faces) == 0 or mesh.faces.max() < len(mesh.vertices)


def test_guidance_is_two_runs_mixed(pipeline: PartDiTPipeline, request_tensors: Request) -> None:
    """One guided step against the conditioned and the blind velocity computed apart, parents included."""
    images = pipeline.encode_images(torch.cat([request_tensors["object_image"][None], request_tensors["part_images"]]))
    noise = torch.randn((3, 6, 8), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        blind, seeing = (
            pipeline.transformer(
                noise,
                torch.full((3,), 1000.0),
                strength * images[1:],
                global_encoder_hidden_states=strength * images[:1],
                parent_index=request_tensors["parent_index"].long(),
                boxes=request_tensors["part_boxes"],
            )
            for strength in (0, 1)
        )
    expected = noise + blind + 3 * (seeing - blind)
    guided = sampled(pipeline, request_tensors, num_inference_steps=1, guidance_scale=3.0)
    torch.testing.assert_close(guided, expected, rtol=1e-4, atol=1e-4)


def test_guidance_of_one_is_no_guidance(pipeline: PartDiTPipeline, request_tensors: Request) -> None:
    nearly = sampled(pipeline, request_tensors, guidance_scale=1.0 + 1e-6)
    torch.testing.assert_close(sampled(pipeline, request_tensors, guidance_scale=1.0), nearly, rtol=1e-3, atol=1e-3)


def test_partcrafter_s_part_numbers_under_guidance_can_be_had(
    pipeline: PartDiTPipeline, request_tensors: Request
) -> None:
    ours = sampled(pipeline, request_tensors, guidance_scale=3.0)
    theirs = sampled(pipeline, request_tensors, guidance_scale=3.0, upstream_part_index=True)
    assert (ours - theirs).abs().max() > 1e-3


def test_a_caller_can_give_up_between_steps(pipeline: PartDiTPipeline, request_tensors: Request) -> None:
    asked = []

    def cancelled() -> bool:
        asked.append(None)
        return len(asked) > 2

    with pytest.raises(GenerationCancelled):
        pipeline(**request_tensors, num_inference_steps=10, resolution=32, cancelled=cancelled)
    assert len(asked) == 3


@pytest.mark.parametrize("change", [{"use_part_images": False}, {"use_hierarchy": False}])
def test_a_condition_can_be_switched_off(
    pipeline: PartDiTPipeline, request_tensors: Request, change: dict[str, bool]
) -> None:
    assert (sampled(pipeline, request_tensors, **change) - sampled(pipeline, request_tensors)).abs().max() > 1e-3


def test_what_is_switched_off_is_not_looked_at(pipeline: PartDiTPipeline, request_tensors: Request) -> None:
    other = request_tensors | {
        "part_images": 255 - request_tensors["part_images"],
        "parent_index": torch.tensor([-1, 0, 0]),
    }
    without = {"use_part_images": False, "use_hierarchy": False}
    torch.testing.assert_close(sampled(pipeline, other, **without), sampled(pipeline, request_tensors, **without))


@pytest.fixture(scope="module")
def framed(pipeline: PartDiTPipeline) -> PartDiTPipeline:
    """The toy pipeline with a transformer that predicts boxes."""
    torch.manual_seed(0)
    transformer = toy_transformer(enable_box_token=True)
    built = PartDiTPipeline(
        pipeline.vae, transformer, pipeline.scheduler, pipeline.image_encoder_dinov2, pipeline.feature_extractor_dinov2
    )
    built.set_progress_bar_config(disable=True)
    return built


def boxes_of(pipeline: PartDiTPipeline, request: Request, boxes: Tensor | None, **changes: object) -> Tensor:
    images = pipeline.encode_images(torch.cat([request["object_image"][None], request["part_images"]]))
    with torch.no_grad():
        return pipeline.sample(
            images[1:],
            images[:1],
            request["parent_index"].long(),
            boxes,
            torch.Generator().manual_seed(0),
            **{"num_inference_steps": 3, **changes},
        ).boxes


def test_generated_boxes_are_corrections_of_the_planned_ones(framed: PartDiTPipeline, request_tensors: Request) -> None:
    """A transformer without a velocity keeps the noise, so the boxes are the planned ones moved by it."""
    noise = torch.randn((3, 7, 8), generator=torch.Generator().manual_seed(0))[:, -1, :6]
    found = boxes_of(framed, request_tensors, request_tensors["part_boxes"])
    expected = box_frame.decode(box_frame.encode(request_tensors["part_boxes"]) + noise)
    torch.testing.assert_close(found, expected)


def test_boxes_are_generated_where_none_is_planned(framed: PartDiTPipeline, request_tensors: Request) -> None:
    found = boxes_of(framed, request_tensors, None)
    assert found.shape == (3, 6)
    assert bool((found[:, 3:] > 0).all())


def test_a_part_is_meshed_in_its_generated_box(framed: PartDiTPipeline, request_tensors: Request) -> None:
    field = framed.field(framed.vae.decode(torch.zeros(1, 6, 8))[0], torch.tensor([0.5, 0, 0, 0.1, 0.2, 0.3]))
    inside = framed.field(framed.vae.decode(torch.zeros(1, 6, 8))[0])
    with torch.no_grad():
        torch.testing.assert_close(field(torch.tensor([[0.6, 0.2, -0.3]])), inside(torch.tensor([[1.0, 1.0, -1.0]])))
    assert len(framed(**request_tensors, num_inference_steps=1, resolution=32)) == 3


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("parent_index", torch.tensor([-1, 2, 1])),
        ("parent_index", torch.tensor([-1, -1, 0])),
        ("parent_index", torch.tensor([-1, 0, 7])),
        ("parent_index", torch.tensor([-1, 0])),
        ("part_boxes", torch.zeros(3, 6)),
        ("part_boxes", torch.full((3, 6), torch.nan)),
        ("part_boxes", torch.ones(2, 6)),
        ("object_image", torch.zeros(64, 64, 4, dtype=torch.uint8)),
        ("object_image", torch.zeros(64, 64, 3)),
        ("part_images", torch.zeros(3, 32, 32, 3, dtype=torch.uint8)),
    ],
)
def test_unusable_tensors_are_refused_by_name(
    pipeline: PartDiTPipeline, request_tensors: Request, field: str, value: Tensor
) -> None:
    with pytest.raises(InvalidInput) as caught:
        pipeline(**{**request_tensors, field: value})
    assert caught.value.field == field


@pytest.mark.parametrize(
    ("option", "field", "value"),
    [
        ("num_inference_steps", "num_steps", 0),
        ("num_inference_steps", "num_steps", 1001),
        ("resolution", "resolution", 31),
        ("resolution", "resolution", 513),
        ("guidance_scale", "guidance_scale", float("nan")),
    ],
)
def test_options_out_of_range_are_refused(
    pipeline: PartDiTPipeline, request_tensors: Request, option: str, field: str, value: float
) -> None:
    with pytest.raises(InvalidInput) as caught:
        pipeline(**request_tensors, **{option: value})
    assert caught.value.field == field


def test_a_saved_pipeline_loads_the_same(pipeline: PartDiTPipeline, weights: Path, request_tensors: Request) -> None:
    loaded = PartDiTPipeline.load(weights)
    torch.testing.assert_close(sampled(loaded, request_tensors), sampled(pipeline, request_tensors))


def test_meshes_are_packed_with_offsets() -> None:
    empty = PartMesh(np.zeros((0, 3), np.float32), np.zeros((0, 3), np.int32))
    triangle = PartMesh(np.eye(3, dtype=np.float32), np.array([[0, 1, 2]], np.int32))
    packed = pack([triangle, empty, triangle])
    assert packed["vertices"].shape == (6, 3)
    assert packed["faces"].tolist() == [[0, 1, 2], [0, 1, 2]]
    assert packed["vertex_offsets"].tolist() == [0, 3, 3, 6]
    assert packed["face_offsets"].tolist() == [0, 1, 1, 2]
