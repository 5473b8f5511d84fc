"""Weights folders of the shape stage: PartCrafter's open, and others are refused before anything is served."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from spoilt_weights import change, cut_short, rewrite
from torch import Tensor
from transformers import Dinov2Config, Dinov2Model

from checkpoints import loading
from checkpoints.errors import (
    CheckpointCorrupt,
    CheckpointError,
    CheckpointMismatch,
    CheckpointMissing,
    CheckpointTooLarge,
    CheckpointUnsafe,
)
from services.part_dit.errors import WeightsMissing
from services.part_dit.pipeline import PartDiTPipeline
from services.part_dit.transformer import ADDED_MODULES, PartCrafterDiTModel
from training.published_layout import FULL, SMALL, configs, encoder_shapes, transformer_shapes, vae_shapes, write_random

TRANSFORMER = "transformer/diffusion_pytorch_model.safetensors"
ENCODER = "image_encoder_dinov2/model.safetensors"
ADDITIONS = {
    "hierarchy_attn_block_ids": [2],
    "enable_position_embedding": True,
    "enable_box_embedding": True,
}


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_random(tmp_path_factory.mktemp("published") / "partcrafter", SMALL, torch.float32)


@pytest.fixture
def folder(published: Path, tmp_path: Path) -> Path:
    """A copy to spoil."""
    return Path(shutil.copytree(published, tmp_path / "partcrafter"))


def test_a_published_folder_opens_with_its_own_weights(published: Path) -> None:
    pipeline = PartDiTPipeline.load(published)
    for name, module in (("transformer", pipeline.transformer), ("vae", pipeline.vae)):
        written = load_file(published / name / "diffusion_pytorch_model.safetensors")
        torch.testing.assert_close(dict(module.state_dict()), written, rtol=0, atol=0)


def test_a_published_image_encoder_opens_with_its_own_weights(published: Path) -> None:
    """Under names that transformers has since given up; attention is the part that was renamed."""
    attention = PartDiTPipeline.load(published).image_encoder_dinov2.encoder.layer[1].attention.state_dict()
    written = load_file(published / ENCODER)
    found = sorted(float(value.sum()) for value in attention.values())
    expected = sorted(
        float(value.sum()) for key, value in written.items() if key.startswith("encoder.layer.1.attention")
    )
    assert found == pytest.approx(expected)


def test_a_published_folder_makes_meshes(published: Path) -> None:
    images = torch.randint(0, 256, (2, 40, 40, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    pipeline = PartDiTPipeline.load(published)
    pipeline.set_progress_bar_config(disable=True)
    options = {"num_inference_steps": 2, "resolution": 32, "num_tokens": 5, "upstream_part_index": True}
    assert len(pipeline(images[0], images, torch.tensor([-1, 0]), guidance_scale=7.0, **options)) == 2


def test_the_full_size_has_as_many_parameters_as_published() -> None:
    """1.44 billion besides the part embedding, and DINOv2-L's 304 million."""

    def count(shapes: object) -> float:
        return sum(torch.Size(shape).numel() for _, shape in shapes) / 1e6

    assert count(transformer_shapes(FULL)) == pytest.approx(1440, abs=5)
    assert count(vae_shapes(FULL)) == pytest.approx(242.7, abs=0.2)
    assert count(encoder_shapes(FULL)) == pytest.approx(304.4, abs=0.2)


def test_the_full_size_image_encoder_has_dinov2_s_shapes() -> None:
    settings = configs(FULL)["image_encoder_dinov2/config.json"]
    with torch.device("meta"):
        encoder = Dinov2Model(Dinov2Config(**settings))
    found = sorted(tuple(value.shape) for value in encoder.state_dict().values())
    assert found == sorted(shape for _, shape in encoder_shapes(FULL))


def test_spark_s_additions_start_as_no_ops_on_a_published_folder(published: Path, folder: Path) -> None:
    rewrite(folder / "transformer/config.json", **ADDITIONS)
    inputs = (torch.randn(3, 6, SMALL.latent), torch.full((3,), 500.0), torch.randn(3, 5, SMALL.image_width))
    conditions = {"parent_index": torch.tensor([-1, 0, 1]), "boxes": torch.rand(3, 6)}
    with torch.no_grad():
        plain = PartDiTPipeline.load(published).transformer(*inputs)
        extended = PartDiTPipeline.load(folder).transformer(*inputs, **conditions)
    torch.testing.assert_close(extended, plain)


def test_additions_may_be_absent_as_a_whole_only(folder: Path) -> None:
    rewrite(folder / "transformer/config.json", **ADDITIONS)
    model = PartDiTPipeline.load(folder).transformer
    model.save_pretrained(folder / "transformer")
    change(folder / TRANSFORMER, lambda tensors: tensors.pop("hierarchy_blocks.2.attn_parent.to_q.weight"))
    with pytest.raises(CheckpointMismatch, match=r"1 missing: hierarchy_blocks\.2\.attn_parent\.to_q\.weight"):
        PartDiTPipeline.load(folder)


def test_the_declared_additions_are_all_that_a_published_checkpoint_lacks() -> None:
    with torch.device("meta"):
        model = PartCrafterDiTModel(
            **configs(FULL)["transformer/config.json"], **ADDITIONS, num_latent_tokens=512, enable_box_token=True
        )
    lacking = model.state_dict().keys() - dict(transformer_shapes(FULL)).keys()
    assert {key for key in lacking if not key.startswith(ADDED_MODULES)} == set()
    assert all(any(key.startswith(prefix) for key in lacking) for prefix in ADDED_MODULES)


@pytest.mark.parametrize("component", ["vae", "transformer", "image_encoder_dinov2", "scheduler"])
def test_a_missing_component_is_named(folder: Path, component: str) -> None:
    shutil.rmtree(folder / component)
    with pytest.raises(WeightsMissing, match=component):
        PartDiTPipeline.load(folder)


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(CheckpointMissing, match="nowhere"):
        PartDiTPipeline.load(tmp_path / "nowhere")


def not_a_number(tensors: dict[str, Tensor]) -> None:
    tensors["norm_out.weight"][0] = torch.nan


def other_shape(tensors: dict[str, Tensor]) -> None:
    tensors["proj_out.weight"] = torch.zeros(3, 3)


@pytest.mark.parametrize(
    ("spoil", "error", "said"),
    [
        (
            lambda f: cut_short(f / TRANSFORMER),
            CheckpointCorrupt,
            "transformer/diffusion_pytorch_model.safetensors is cut",
        ),
        (lambda f: cut_short(f / ENCODER), CheckpointCorrupt, "image_encoder_dinov2/model.safetensors is cut short"),
        (lambda f: (f / TRANSFORMER).write_bytes(b""), CheckpointCorrupt, "no safetensors file"),
        (lambda f: (f / "vae/config.json").write_text("{"), CheckpointCorrupt, "config.json"),
        (lambda f: rewrite(f / "vae/config.json", num_layers_encoder="eight"), CheckpointCorrupt, "vae has no usable"),
        (lambda f: change(f / TRANSFORMER, not_a_number), CheckpointCorrupt, "norm_out.weight"),
        (lambda f: change(f / TRANSFORMER, other_shape), CheckpointMismatch, r"proj_out.weight \[3, 3\] instead of"),
        (
            lambda f: change(
                f / TRANSFORMER, lambda t: t.update({"lora.down": torch.zeros(1), "lora.up": torch.zeros(1)})
            ),
            CheckpointMismatch,
            "2 unexpected: lora.down, lora.up",
        ),
        (lambda f: change(f / ENCODER, lambda t: t.pop("layernorm.bias")), CheckpointMismatch, "layernorm.bias"),
        (lambda f: change(f / ENCODER, lambda t: t.update(odd=torch.zeros(1))), CheckpointMismatch, "unexpected: odd"),
        (
            lambda f: shutil.copy(f / "vae/diffusion_pytorch_model.safetensors", f / TRANSFORMER),
            CheckpointMismatch,
            "attn1",
        ),
        (lambda f: (f / TRANSFORMER).rename(f / "transformer/diffusion_pytorch_model.bin"), CheckpointUnsafe, ".bin"),
        (lambda f: rewrite(f / "vae/config.json", auto_map={"AutoModel": "evil.Model"}), CheckpointUnsafe, "auto_map"),
        (lambda f: (f / "transformer/evil.py").write_text("raise SystemExit"), CheckpointUnsafe, "evil.py"),
    ],
)
def test_a_spoilt_checkpoint_is_refused(
    folder: Path, spoil: Callable[[Path], object], error: type[CheckpointError], said: str
) -> None:
    spoil(folder)
    with pytest.raises(error, match=said):
        PartDiTPipeline.load(folder)


def test_numbers_too_large_for_half_precision_are_refused(folder: Path) -> None:
    change(folder / TRANSFORMER, lambda tensors: tensors["proj_in.bias"].fill_(1e6))
    with pytest.raises(CheckpointCorrupt, match=r"torch\.float16: proj_in\.bias"):
        PartDiTPipeline.load(folder, torch.float16)


def test_weights_larger_than_the_device_are_refused(published: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loading, "free_bytes", lambda device: 1000)
    with pytest.raises(CheckpointTooLarge, match="GiB free"):
        PartDiTPipeline.load(published)
