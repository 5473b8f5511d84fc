"""The editor's examples agree with its prompts, and a toy training learns and ships."""

import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from services.vlm.edit_model import build_unet
from services.vlm.edit_prompt import EditTask, draw_prompt
from services.vlm.editing import ImageEditor
from training import train_editor
from training.camera import sample_camera
from training.draw import Split
from training.edit_data import SLOTS, EditData, draw_batch, exact_batch, imagine, render_data
from training.objects import generate, generate_many
from training.train_editor import edit_loss, flow_step

SIZE = 48


@pytest.fixture(scope="module")
def data() -> EditData:
    return render_data(generate_many(range(4), Split.TRAIN), Split.TRAIN, SIZE, torch.device("cpu"), seed=0)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("slot", range(len(SLOTS)))
def test_an_exact_prompt_covers_what_the_target_shows(data: EditData, slot: int) -> None:
    index = torch.arange(len(data))
    batch = exact_batch(data, index, torch.full_like(index, slot))
    prompt = draw_prompt(batch.plan, batch.coordinates, batch.asked, batch.task, batch.image)
    shown, asked = batch.target[:, 3] > 0, prompt[:, 0] > 0
    spill = (shown & ~asked).sum((1, 2)) / shown.sum((1, 2)).clamp(min=1)
    assert shown.any()
    assert spill.max() < 0.03  # boxes bound the parts; only pixels on the rim may round the other way


def test_part_targets_show_valid_parts_and_the_two_slots_differ(data: EditData) -> None:
    parts = [index for index, slot in enumerate(SLOTS) if slot is EditTask.PART]
    asked = data.asked[:, parts]
    assert (asked.sum(-1) == 1).all()
    assert not (asked & ~data.plan.valid[:, None]).any()
    several = data.plan.valid.sum(1) > 1
    assert (asked[several, 0] != asked[several, 1]).any(-1).all()


def test_only_open_slots_open(data: EditData) -> None:
    opens = torch.tensor([slot is EditTask.OPEN for slot in SLOTS])
    assert not data.fraction[:, ~opens].any()
    assert data.fraction[:, opens].max() > 0.2


def test_an_imagined_plan_is_near_the_truth_and_keeps_its_tree(data: EditData) -> None:
    plan = imagine(data.plan, seeded())
    valid = data.plan.valid
    assert torch.equal(plan.parent, data.plan.parent)
    assert torch.equal(plan.valid, valid)
    assert 0 < (plan.boxes - data.plan.boxes)[valid].abs().max() < 0.4
    assert (plan.boxes[valid][:, 3:] > 0).all()
    np.testing.assert_allclose(plan.axis[valid & (plan.rotates | plan.slides)].norm(dim=-1), 1.0, atol=1e-5)


def test_some_hinges_are_imagined_on_the_other_side(data: EditData) -> None:
    many = torch.arange(len(data)).repeat(50)
    plan = replace(data.plan, **{name: value[many] for name, value in vars(data.plan).items()})
    turned = (imagine(plan, seeded()).axis * plan.axis).sum(-1)[plan.valid & plan.rotates] < -0.5
    assert 0.01 < turned.float().mean() < 0.15


def test_a_batch_is_drawn_from_the_generator_alone(data: EditData) -> None:
    first, again, other = (draw_batch(data, 4, seeded(seed)) for seed in (1, 1, 2))
    assert torch.equal(first.image, again.image)
    assert torch.equal(first.plan.boxes, again.plan.boxes)
    assert not torch.equal(first.plan.boxes, other.plan.boxes)


def test_the_loss_is_lowest_at_the_truth(data: EditData) -> None:
    index = torch.arange(len(data))
    target = exact_batch(data, index, torch.zeros_like(index)).target
    right = edit_loss(target, target[:, 3] * 20, target)
    wrong = edit_loss(target * 0.5, target[:, 3] * -20, target)
    assert float(right["loss"]) < 1e-6 < float(wrong["loss"])


def test_a_few_steps_lower_the_loss() -> None:
    small = render_data(generate_many(range(4), Split.TRAIN), Split.TRAIN, 32, torch.device("cpu"), seed=0)
    torch.manual_seed(0)
    unet = build_unet((16, 32), 32, 1)
    optimiser = torch.optim.AdamW(unet.parameters(), lr=2e-3)
    losses = []
    for step in range(24):
        batch = draw_batch(small, 8, seeded(step % 2))
        prompt = draw_prompt(batch.plan, batch.coordinates, batch.asked, batch.task, batch.image)
        loss = flow_step(unet, batch, prompt, torch.randn_like(batch.target), torch.ones(8))["loss"]
        losses.append(float(loss.detach()))
        loss.backward()
        optimiser.step()
        optimiser.zero_grad()
    assert sum(losses[-4:]) < 0.75 * sum(losses[:4])


def test_a_toy_run_ships_a_folder_that_edits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    arguments = f"--state {tmp_path} --export {tmp_path}/edit --run-seconds 3 --total-seconds 3 --objects 4 --toy"
    monkeypatch.setattr(sys, "argv", ["train_editor", *arguments.split()])
    train_editor.main()
    last = json.loads((tmp_path / "editor-curve.jsonl").read_text().splitlines()[-1])
    assert 0 <= last["object_iou"] <= 1
    assert last["open_prompt_iou_exact"] > 0.7
    assert (tmp_path / "editor.png").stat().st_size > 0
    assert "apache-2.0" in (tmp_path / "edit" / "README.md").read_text()
    assert json.loads((tmp_path / "edit" / "training.json").read_text())["steps"] == last["step"] > 0
    spec = generate(3, Split.TEST)
    plan = spec.plan(sample_camera(np.random.default_rng(0), Split.TEST, spec.half_extent))
    image = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    whole, parts = ImageEditor.load(tmp_path / "edit").part_references(image, plan, seed=0)
    assert whole.shape == (32, 32, 3)
    assert len(parts) == len(spec.links)
