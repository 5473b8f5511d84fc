"""Which pipeline a weights folder is for."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import torch

from services.texture.pipeline import TexturePipeline

if TYPE_CHECKING:
    from services.texture.multiview_pipeline import MultiviewPipeline


def load(folder: Path, device: torch.device | str = "cpu") -> TexturePipeline | MultiviewPipeline:
    """Open a weights folder of either family: the full one has SDXL in base/.

    Raises:
        WeightsMissing: naming what is not there.
        checkpoints.errors.CheckpointError: the weights are unsafe, damaged, of another layout or too large.
    """
    if not (folder / "base").is_dir():
        return TexturePipeline.load(folder, device)
    from services.texture.multiview_pipeline import MultiviewPipeline  # here: the compact family starts without SDXL

    return MultiviewPipeline.load(folder, device)
