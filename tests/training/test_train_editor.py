"""The editor's examples agree with its prompts, and a toy training learns and ships."""

import json
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from services.vlm.edit_model import EditModel
from services.vlm.edit_prompt import CHANNELS, EditTask, draw_prompt
from services.vlm.editing import ImageEditor
from training import train_editor
from training.camera import sample_camera
from training.draw import Split
from training.edit_data import SLOTS, EditData, draw_batch, exact_batch, imagine, imagined_batch, render_data
from training.edit_pool import Pool
from training.edit_report import measure
from training.library import Library, build_library
from training.objects import generate
from training.train_editor import edit_loss, flow_step

SIZE = 48


@pytest.fixture(scope="module")
def library() -> Library:
    return build_library(range(4), Split.TRAIN)


@pytest.fixture(scope="module")
def data(library: Library) -> EditData:
    return views(library, SIZE)


def views(library: Library, size: int) -> EditData:
    return render_data(library, torch.arange(4), Split.TRAIN, size, seeded(), np.random.default_rng(0))


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("slot", range(len(SLOTS)))
def test_an_exact_prompt_covers_what_the_target_shows(data: EditData, slot: int) -> None:
    index = torch.arange(len(data))
    batch = exact_batch(data, index, torch.full_like(index, slot))
    prompt = draw_prompt(batch.plan, batch.coordinates, batch.asked, batch.task, batch.image)
    shown, asked = batch.target[:, 3] > 0, torch.nn.functional.max_pool2d(prompt[:, 0], 3, 1, 1) > 0
    assert shown.any()
    assert not (shown & ~asked).any()  # boxes bound the parts; only pixels on the rim may round the other way


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
    prompt = torch.zeros(len(target), len(CHANNELS), SIZE, SIZE)
    logits = torch.atanh(target[:, 3].clamp(-0.999999, 0.999999)) * 2
    right = edit_loss(target, logits, target, prompt)
    wrong = edit_loss(target * 0.5, -logits, target, prompt)
    assert right["color"] == right["edges"] == 0
    assert float(right["loss"]) < 0.1 * float(wrong["loss"])


def test_colours_do_not_count_where_nothing_is(data: EditData) -> None:
    index = torch.arange(len(data))
    batch = exact_batch(data, index, torch.zeros_like(index))
    prompt = draw_prompt(batch.plan, batch.coordinates, batch.asked, batch.task, batch.image)
    inside, outside = batch.target.clone(), batch.target.clone()
    inside[:, :3] -= 0.1 * (batch.target[:, 3:] > 0.99)
    outside[:, :3] -= 0.1 * (torch.nn.functional.max_pool2d(batch.target[:, 3:], 7, 1, 3) == -1)
    logits = batch.target[:, 3] * 9
    losses = [edit_loss(edit, logits, batch.target, prompt)["color"] for edit in (inside, outside)]
    assert 0 < losses[1] < 0.3 * losses[0]


def test_a_cast_over_the_whole_object_costs_more_than_noise_of_its_size(data: EditData) -> None:
    index = torch.arange(len(data))
    target = exact_batch(data, index, torch.zeros_like(index)).target
    prompt = torch.zeros(len(target), len(CHANNELS), SIZE, SIZE)
    logits = target[:, 3] * 9
    sign = torch.randint(2, target[:, :3].shape, generator=seeded()) * 2 - 1
    cast, noise = target.clone(), target.clone()
    cast[:, :3] += 0.1
    noise[:, :3] += 0.1 * sign
    whole, single = (edit_loss(edit, logits, target, prompt)["tone"] for edit in (cast, noise))
    assert torch.isclose(whole, torch.tensor(0.1), atol=1e-4)
    assert single < 0.5 * whole


def test_a_few_steps_lower_the_loss(library: Library) -> None:
    small = views(library, 32)
    torch.manual_seed(0)
    model = EditModel(image_size=32, widths=(16, 32), layers=1, head_width=8)
    optimiser = torch.optim.AdamW(model.parameters(), lr=4e-3)
    losses = []
    for step in range(24):
        batch = draw_batch(small, 8, seeded(step % 2))
        prompt = draw_prompt(batch.plan, batch.coordinates, batch.asked, batch.task, batch.image)
        loss = flow_step(model, batch, prompt, torch.randn_like(batch.target), torch.ones(8))["loss"]
        losses.append(float(loss.detach()))
        loss.backward()
        optimiser.step()
        optimiser.zero_grad()
    assert sum(losses[-4:]) < 0.8 * sum(losses[:4])


def test_targets_have_no_white_bled_into_their_rims(data: EditData) -> None:
    target = data.target[:, 0].float()
    rim = (target[:, 3] > 0) & (target[:, 3] < 255)
    inside = target[:, 3] == 255
    assert rim.any()
    brightness = target[:, :3].mean(1)
    assert brightness[rim].mean() < brightness[inside].mean() + 25


def test_missed_parts_are_small_closed_and_not_in_the_imagined_plan(library: Library) -> None:
    rows = torch.arange(4).repeat(10)
    data = render_data(library, rows, Split.TRAIN, 8, seeded(), np.random.default_rng(0))
    assert 0 < data.missed.sum() < 0.2 * data.plan.valid.sum()
    assert not data.missed[:, 0].any()
    carries = torch.zeros_like(data.missed).scatter(1, data.plan.parent, True)
    assert not (data.missed & carries).any()
    assert not data.fraction[data.missed[:, None].expand_as(data.fraction)].any()
    index = torch.arange(len(data))
    for slot, task in enumerate(SLOTS):
        plan = imagined_batch(data, index, torch.full_like(index, slot), seeded()).plan
        kept = data.missed & plan.valid
        assert not (kept & ~data.asked[:, slot]).any() if task is EditTask.PART else not kept.any()


def test_a_pool_forgets_its_oldest_views(library: Library) -> None:
    pool = Pool(library, Split.TRAIN, 4, 8, seed=0, chunk=2)
    before = pool.data.image.clone()
    pool.renew()
    assert pool.drawn == 6
    assert not torch.equal(pool.data.image[:2], before[:2])
    assert torch.equal(pool.data.image[2:], before[2:])


def test_a_pool_renders_for_its_share_of_the_time(library: Library) -> None:
    pool = Pool(library, Split.TRAIN, 2, 8, seed=0, chunk=2)
    first = pool.drawn, pool.seconds
    time.sleep(0.5)
    pool.keep_fresh(1_000_000)
    assert pool.drawn > first[0]
    assert 0.2 < pool.seconds - first[1] < 5


def test_a_pool_renders_no_more_than_is_asked(library: Library) -> None:
    pool = Pool(library, Split.TRAIN, 2, 8, seed=0, chunk=2)
    time.sleep(0.5)
    pool.keep_fresh(1)
    assert pool.drawn == 4
    pool.keep_fresh(0)
    assert pool.drawn == 4


def test_measures_tell_seen_from_hidden_pixels() -> None:
    target = torch.zeros(1, 4, 2, 2)
    target[:, 3] = torch.tensor([[1.0, 1.0], [1.0, -1.0]])
    edit = target.clone()
    edit[:, :3, 0, 0] += 0.2
    edit[:, :3, 0, 1] += 0.02
    seen = torch.tensor([[[True, False], [False, True]]])
    values = measure(edit, target, torch.zeros(1, len(CHANNELS), 2, 2), seen)
    assert float(values["psnr_seen"]) == pytest.approx(20.0, abs=1e-3)
    assert float(values["psnr_hidden"]) == pytest.approx(43.01, abs=1e-2)
    assert float(values["iou"]) == 1.0
    assert float(values["sharpness"]) != 1.0


def test_a_toy_run_ships_a_folder_that_edits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    arguments = f"--state {tmp_path} --export {tmp_path}/edit --run-seconds 16 --total-seconds 16 --objects 4 --toy"
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
