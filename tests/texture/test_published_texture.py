"""Weights folders of the full texture model: SDXL and MV-Adapter as published open, and others are refused."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from safetensors.torch import load_file
from spoilt_weights import change, cut_short, rewrite
from torch import Tensor

from checkpoints import loading
from checkpoints.errors import (
    CheckpointCorrupt,
    CheckpointError,
    CheckpointMismatch,
    CheckpointMissing,
    CheckpointTooLarge,
    CheckpointUnsafe,
)
from services.texture.errors import WeightsMissing
from services.texture.multiview import MultiviewModel
from services.texture.view_painter import COMPONENTS, ViewPainter
from training.published_texture import (
    FULL,
    SMALL,
    adapter_shapes,
    configs,
    text_shapes,
    unet_shapes,
    vae_shapes,
    write_random,
)

ADAPTER = "adapter/mvadapter_ig2mv_sdxl.safetensors"
UNET = "base/unet/diffusion_pytorch_model.safetensors"
VAE = "base/vae/diffusion_pytorch_model.safetensors"
TEXT = "base/text_encoder/model.safetensors"
LAYER = "mid_block.attentions.0.transformer_blocks.1.attn1.processor"


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_random(tmp_path_factory.mktemp("published") / "texture", SMALL)


@pytest.fixture
def folder(published: Path, tmp_path: Path) -> Path:
    """A copy to spoil."""
    return Path(shutil.copytree(published, tmp_path / "texture"))


def load(folder: Path, dtype: torch.dtype = torch.float32) -> ViewPainter:
    return ViewPainter.load(folder, dtype, torch.device("cpu"))


def test_a_published_folder_opens_with_its_own_weights(published: Path) -> None:
    painter = load(published)
    adapter = painter.model.adapter()
    own = {key: value for key, value in painter.model.unet.state_dict().items() if key not in adapter}
    for found, file in ((adapter, ADAPTER), (own, UNET), (painter.vae.state_dict(), VAE)):
        torch.testing.assert_close(dict(found), load_file(published / file), rtol=0, atol=0)


def test_the_prompt_depends_on_both_text_encoders(published: Path, folder: Path) -> None:
    whole = load(published).condition
    assert whole["encoder_hidden_states"].shape == (2, 77, SMALL.prompt)
    for name, columns in (("text_encoder", slice(SMALL.first.width)), ("text_encoder_2", slice(-24, None))):
        change(
            folder / f"base/{name}/model.safetensors",
            lambda tensors: tensors["text_model.embeddings.token_embedding.weight"].mul_(-1),
        )
        spoilt = load(folder).condition
        difference = (spoilt["encoder_hidden_states"] - whole["encoder_hidden_states"]).abs()
        assert difference[..., columns].max() > 1e-2
    assert (spoilt["text_embeds"] - whole["text_embeds"]).abs().max() > 1e-2


def test_the_full_size_has_as_many_parameters_as_published() -> None:
    """SDXL's UNet, VAE, CLIP-L and OpenCLIP bigG text encoders; 819 million of the adapter stand in its attention."""

    def count(shapes: object) -> int:
        return sum(torch.Size(shape).numel() for _, shape in shapes)

    assert count(unet_shapes(FULL)) == 2_567_463_684
    assert count(vae_shapes(FULL)) == 83_653_863
    assert count(text_shapes(FULL.first, FULL.vocabulary)) == 123_060_480
    assert count(text_shapes(FULL.second, FULL.vocabulary)) == 694_659_840
    attention = 10 * 8 * 640**2 + 60 * 8 * 1280**2 + 2 * (10 * 640 + 60 * 1280)
    assert count((n, s) for n, s in adapter_shapes(FULL) if ".processor." in n) == attention


def test_the_full_size_fits_our_classes_and_diffusers() -> None:
    settings = configs(FULL)
    with torch.device("meta"):
        unet = UNet2DConditionModel.from_config(settings["base/unet/config.json"])
        vae = AutoencoderKL.from_config(settings["base/vae/config.json"])
        pairs = [(unet.state_dict(), unet_shapes(FULL)), (vae.state_dict(), vae_shapes(FULL))]
        pairs.append((MultiviewModel(unet).adapter(), adapter_shapes(FULL)))
    for found, listed in pairs:
        assert {key: tuple(value.shape) for key, value in found.items()} == dict(listed)


@pytest.mark.parametrize("component", COMPONENTS)
def test_a_missing_component_is_named(folder: Path, component: str) -> None:
    shutil.rmtree(folder / "base" / component)
    with pytest.raises(WeightsMissing, match=f"base/{component}"):
        load(folder)


def not_a_number(tensors: dict[str, Tensor]) -> None:
    tensors[f"{LAYER}.to_q_mv.weight"][0, 0] = torch.nan


def other_shape(tensors: dict[str, Tensor]) -> None:
    tensors["adapter.conv_in.bias"] = torch.zeros(3)


@pytest.mark.parametrize(
    ("spoil", "error", "said"),
    [
        (lambda f: shutil.rmtree(f / "adapter"), CheckpointMissing, "adapter holds no .safetensors"),
        (lambda f: cut_short(f / ADAPTER), CheckpointCorrupt, "mvadapter_ig2mv_sdxl.safetensors is cut short"),
        (lambda f: change(f / ADAPTER, not_a_number), CheckpointCorrupt, f"not finite.*{LAYER}.to_q_mv.weight"),
        (lambda f: change(f / ADAPTER, other_shape), CheckpointMismatch, r"adapter.conv_in.bias \[3\] instead of"),
        (
            lambda f: change(f / ADAPTER, lambda t: t.pop(f"{LAYER}.to_out_ref.0.bias")),
            CheckpointMismatch,
            f"1 missing: {LAYER}.to_out_ref.0.bias",
        ),
        (
            lambda f: change(f / ADAPTER, lambda t: t.update({"lora.up": torch.zeros(1), "lora.down": torch.zeros(1)})),
            CheckpointMismatch,
            "2 unexpected: lora.down, lora.up",
        ),
        (lambda f: (f / ADAPTER).rename(f / "adapter/adapter.ckpt"), CheckpointUnsafe, ".ckpt"),
        (lambda f: change(f / UNET, lambda t: t.pop("conv_in.bias")), CheckpointMismatch, "1 missing: conv_in.bias"),
        (lambda f: shutil.copy(f / VAE, f / UNET), CheckpointMismatch, "unet does not fit its config"),
        (lambda f: change(f / TEXT, lambda t: t.update(odd=torch.zeros(1))), CheckpointMismatch, "unexpected: odd"),
        (
            lambda f: change(f / TEXT, lambda t: t["text_model.final_layer_norm.bias"].fill_(torch.inf)),
            CheckpointCorrupt,
            "text_encoder holds a weight that is not finite",
        ),
        (lambda f: rewrite(f / "base/vae/config.json", block_out_channels=0), CheckpointCorrupt, "vae has no usable"),
        (
            lambda f: rewrite(f / "base/model_index.json", custom_pipelines={"evil": "evil.py"}),
            CheckpointUnsafe,
            "custom_pipelines",
        ),
        (lambda f: (f / "base/unet/evil.py").write_text("raise SystemExit"), CheckpointUnsafe, "evil.py"),
    ],
)
def test_a_spoilt_checkpoint_is_refused(
    folder: Path, spoil: Callable[[Path], object], error: type[CheckpointError], said: str
) -> None:
    spoil(folder)
    with pytest.raises(error, match=said):
        load(folder)


def test_numbers_too_large_for_half_precision_are_refused(folder: Path) -> None:
    change(folder / ADAPTER, lambda tensors: tensors["adapter.conv_in.bias"].fill_(1e6))
    with pytest.raises(CheckpointCorrupt, match=r"torch\.float16: guide\.adapter\.conv_in\.bias"):
        load(folder, torch.float16)


def test_weights_larger_than_the_device_are_refused(published: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loading, "free_bytes", lambda device: 1000)
    with pytest.raises(CheckpointTooLarge, match="GiB free"):
        load(published)
