"""What every trained model's folder says about itself: `README.md`, its model card, and `training.json`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from training.loop import Loop


def write_card(
    folder: Path, template: str, facts: Mapping[str, Any], held_out: Mapping[str, Any], **shown: Any
) -> None:
    """Write both files beside the weights.

    Args:
        template: of the card, with fields of `facts` and `shown`.
        facts: what reproduces the run, and what it took.
        held_out: quality, for `training.json`.
        shown: further fields of the card.
    """
    (folder / "training.json").write_text(json.dumps({**facts, "held_out": held_out}, indent=2) + "\n")
    (folder / "README.md").write_text(template.format(**facts, **shown))


def run_facts(loop: Loop) -> dict[str, Any]:
    """Steps, seconds and hardware that training took over all runs."""
    device = next(iter(loop.module.parameters())).device
    hardware = torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU"
    return {"steps": loop.step, "seconds": round(loop.elapsed, 1), "hardware": hardware}


def beginning(facts: Mapping[str, Any]) -> str:
    """Where a run's weights came from, in words."""
    return "from the weights of an earlier run" if facts["init"] else "from random weights"


def million_parameters(model: nn.Module) -> float:
    return sum(parameter.numel() for parameter in model.parameters()) / 1e6


def measure_rows(metrics: Mapping[str, float]) -> str:
    """Rows of a Markdown table with the columns measure and value."""
    return "\n".join(f"| {name} | {value:.4f} |" for name, value in metrics.items())
