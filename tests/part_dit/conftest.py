"""A random toy pipeline of the shape stage: right in every shape, trained on nothing."""

from pathlib import Path

import pytest
import torch
from part_dit_toys import randomise, toy_transformer
from transformers import BitImageProcessorPil, Dinov2Config, Dinov2Model

from services.part_dit.pipeline import PartDiTPipeline
from services.part_dit.scheduler import RectifiedFlowScheduler
from services.part_dit.transformer import PartCrafterDiTModel
from services.part_dit.vae import TripoSGVAEModel


@pytest.fixture
def transformer() -> PartCrafterDiTModel:
    torch.manual_seed(0)
    model = toy_transformer()
    randomise(model)
    return model


@pytest.fixture(scope="session")
def pipeline() -> PartDiTPipeline:
    torch.manual_seed(0)
    transformer = toy_transformer()
    randomise(transformer)
    vae = TripoSGVAEModel(
        latent_channels=8,
        num_attention_heads=2,
        width_encoder=16,
        width_decoder=16,
        num_layers_encoder=1,
        num_layers_decoder=1,
        num_query_tokens=6,
    ).eval()
    encoder = Dinov2Model(
        Dinov2Config(
            hidden_size=24,
            num_hidden_layers=1,
            num_attention_heads=2,
            image_size=32,
            patch_size=16,
            use_mask_token=False,
        )
    ).eval()
    extractor = BitImageProcessorPil(
        size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32}, image_mean=[0.5] * 3, image_std=[0.5] * 3
    )
    built = PartDiTPipeline(vae, transformer, RectifiedFlowScheduler(), encoder, extractor)
    built.set_progress_bar_config(disable=True)
    return built


@pytest.fixture(scope="session")
def weights(pipeline: PartDiTPipeline, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("part_dit") / "weights"
    pipeline.save_pretrained(folder)
    return folder


@pytest.fixture
def request_tensors() -> dict[str, torch.Tensor]:
    """A root, its door, and the door's handle."""
    generator = torch.Generator().manual_seed(0)
    return {
        "object_image": torch.randint(0, 256, (64, 64, 3), dtype=torch.uint8, generator=generator),
        "part_images": torch.randint(0, 256, (3, 64, 64, 3), dtype=torch.uint8, generator=generator),
        "parent_index": torch.tensor([-1, 0, 1], dtype=torch.int32),
        "part_boxes": torch.tensor([[0, 0, 0, 0.6, 1, 0.6], [0, 0, 0.6, 0.5, 0.9, 0.05], [0.3, 0, 0.7, 0.1, 0.2, 0.1]]),
    }
