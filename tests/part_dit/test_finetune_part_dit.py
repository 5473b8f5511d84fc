"""Fine-tuning the published layout, in small sizes on the CPU: alone, in two processes, and broken off."""

import json
import os
import shutil
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from checkpoints.errors import CheckpointMismatch, CheckpointMissing
from checkpoints.folder import read_layout
from services.part_dit.errors import InvalidInput
from services.part_dit.pipeline import PartDiTPipeline
from services.part_dit.scheduler import RectifiedFlowScheduler
from services.part_dit.transformer import ADDED_MODULES, PartCrafterDiTModel
from training import finetune_part_dit
from training.encoded_objects import EncodedObject, EncodedSet
from training.flow_matching import FlowBatch, FlowMatching, with_additions
from training.published_layout import SMALL, write_random

OBJECTS, TOKENS, STEPS = 5, 8, 60
ADDED = ("--hierarchy", "2", "--positions", "--boxes")
COMPACT = Path(__file__).parents[2] / "models/triton/part_dit/1/weights"


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_random(tmp_path_factory.mktemp("published") / "partcrafter", SMALL, torch.float32)


def options(weights: Path, base: Path, *more: str) -> list[str]:
    given = {
        "--weights": weights, "--out": base / "out", "--state": base / "state", "--objects": OBJECTS,
        "--batch": OBJECTS, "--tokens": TOKENS, "--points": 64, "--warmup": 5, "--lr": 3e-3, "--device": "cpu",
    }  # fmt: skip
    return [*(str(word) for pair in given.items() for word in pair), *more]


@pytest.fixture(scope="module")
def trained(weights: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    base = tmp_path_factory.mktemp("finetuned")
    finetune_part_dit.main(options(weights, base, *ADDED, "--total-steps", str(STEPS), "--log-every", "5"))
    return base


@pytest.fixture(scope="module")
def data(trained: Path) -> tuple[str, str]:
    """What makes a run use the objects that are encoded already."""
    return "--data", str(trained / "state/objects")


def checkpoint(base: Path) -> dict[str, dict[str, Tensor]]:
    content: dict[str, dict[str, Tensor]] = torch.load(base / "state/part_dit.pt", weights_only=True)
    return content


def curve(base: Path) -> list[dict[str, float]]:
    lines = [json.loads(line) for line in (base / "state/part_dit-curve.jsonl").read_text().splitlines()]
    return [{key: value for key, value in line.items() if key != "seconds"} for line in lines]


def test_the_loss_falls(trained: Path) -> None:
    losses = [line["loss"] for line in curve(trained)]
    assert max(losses[-3:]) < 0.75 * losses[0]


def test_the_folder_opens_with_the_additions_and_nothing_else(trained: Path, weights: Path) -> None:
    pipeline = PartDiTPipeline.load(trained / "out")
    found = read_layout(trained / "out/transformer")
    assert found.keys() == pipeline.transformer.state_dict().keys()
    added = found.keys() - read_layout(weights / "transformer").keys()
    assert {prefix for prefix in ADDED_MODULES if any(key.startswith(prefix) for key in added)} == {
        "hierarchy_blocks.", "position_embedding.", "box_embedding."
    }  # fmt: skip
    assert all(key.startswith(ADDED_MODULES) for key in added)
    assert pipeline.transformer.config["hierarchy_attn_block_ids"] == [2]


def test_the_folder_holds_the_average_and_the_encoders_that_it_began_with(trained: Path, weights: Path) -> None:
    pipeline, first = PartDiTPipeline.load(trained / "out"), PartDiTPipeline.load(weights)
    average = {key.removeprefix("transformer."): value for key, value in checkpoint(trained)["average"].items()}
    for key, value in pipeline.transformer.state_dict().items():
        torch.testing.assert_close(value, average[key].half().float(), rtol=0, atol=0)
    for name in ("vae", "image_encoder_dinov2"):
        before, after = (dict(getattr(own, name).state_dict()) for own in (first, pipeline))
        torch.testing.assert_close(after, {key: value.half().float() for key, value in before.items()}, rtol=0, atol=0)


def test_the_folder_says_how_it_was_made_without_paths(trained: Path) -> None:
    facts = json.loads((trained / "out/training.json").read_text())
    assert (facts["steps"], facts["objects"], facts["processes"]) == (STEPS, OBJECTS, 1)
    assert facts["speed"]["seconds_a_step"] > 0 and 0 < facts["speed"]["share_of_ceiling"] < 1
    texts = [path.read_text() for path in (trained / "out").rglob("*.json")]
    assert not [text for text in texts if str(trained) in text or "partcrafter/" in text]


def test_a_run_that_was_broken_off_ends_with_the_same_weights(
    weights: Path, tmp_path: Path, data: tuple[str, str]
) -> None:
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    common = (*data, *ADDED, "--batch", "3", "--total-steps", "6", "--log-every", "1")
    finetune_part_dit.main(options(weights, whole, *common))
    finetune_part_dit.main(options(weights, broken, *common, "--run-steps", "4"))
    assert len(curve(broken)) == 4
    finetune_part_dit.main(options(weights, broken, *common))
    assert curve(broken) == curve(whole)
    for name in ("parameters", "average"):
        torch.testing.assert_close(checkpoint(broken)[name], checkpoint(whole)[name], rtol=0, atol=0)


def test_two_processes_step_as_one_with_all_objects(weights: Path, tmp_path: Path, data: tuple[str, str]) -> None:
    common = (*data, *ADDED, "--total-steps", "3", "--log-every", "1")
    finetune_part_dit.main(options(weights, tmp_path / "one", *common))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    subprocess.run(
        [
            *(sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2"),
            *("--master-addr", "127.0.0.1", "--master-port", port),
            *(str(Path(__file__).with_name("finetune_ranks.py")), str(tmp_path)),
            *options(weights, tmp_path / "two", *common),
        ],
        check=True,
        timeout=300,
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
    )
    first, second = (torch.load(tmp_path / f"rank-{rank}.pt") for rank in (0, 1))
    torch.testing.assert_close(first, second, rtol=0, atol=0)
    torch.testing.assert_close(first, checkpoint(tmp_path / "one")["average"], rtol=0, atol=1e-4)
    for one, two in zip(curve(tmp_path / "one"), curve(tmp_path / "two"), strict=True):
        assert two == pytest.approx(one, rel=1e-4)


def an_object(parts: int) -> EncodedObject:
    return EncodedObject(
        torch.randn(parts, TOKENS, SMALL.latent),
        torch.randn(parts, 5, SMALL.image_width).half(),
        torch.randn(5, SMALL.image_width).half(),
        torch.rand(parts, 6) + 0.1,
        torch.arange(parts) - 1,
    )


@pytest.fixture
def model(weights: Path) -> PartCrafterDiTModel:
    opened = PartDiTPipeline.load(weights).transformer
    return with_additions(opened, hierarchy=[2], positions=True, boxes=True)


def test_objects_of_different_part_counts_cost_together_what_they_cost_alone(model: PartCrafterDiTModel) -> None:
    flow = FlowMatching(model, RectifiedFlowScheduler())
    share = [(place, an_object(parts)) for place, parts in enumerate((3, 1, 2))]
    alone = sum(flow(FlowBatch.draw([own]), 6.0)["loss"] for own in share)
    torch.testing.assert_close(flow(FlowBatch.draw(share), 6.0)["loss"], alone)


def test_what_is_computed_twice_gives_the_same_gradients(model: PartCrafterDiTModel) -> None:
    flow = FlowMatching(model, RectifiedFlowScheduler())
    batch = FlowBatch.draw([(0, an_object(2)), (1, an_object(3))])
    gradients = []
    for checkpointing in (False, True):
        if checkpointing:
            model.enable_gradient_checkpointing()
        model.zero_grad()
        flow(batch, 5.0)["loss"].backward()
        gradients.append({key: p.grad.clone() for key, p in model.named_parameters() if p.grad is not None})
    assert len(gradients[0]) == len(list(model.parameters()))
    torch.testing.assert_close(gradients[1], gradients[0], rtol=0, atol=0)


def test_additions_begin_as_no_ops(weights: Path, model: PartCrafterDiTModel) -> None:
    batch = FlowBatch.draw([(0, an_object(2)), (1, an_object(3))])
    plain = FlowMatching(PartDiTPipeline.load(weights).transformer, RectifiedFlowScheduler())
    losses = [flow(batch, 5.0)["loss"] for flow in (plain, FlowMatching(model, RectifiedFlowScheduler()))]
    torch.testing.assert_close(losses[1], losses[0], rtol=0, atol=0)


def test_noise_levels_are_logit_normal() -> None:
    own = an_object(1)
    levels = torch.cat([FlowBatch.draw([(place, own)]).level for place in range(200)])
    normal = levels.logit()
    assert abs(float(normal.mean())) < 0.02
    assert float(normal.std()) == pytest.approx(1, abs=0.03)


def test_every_round_takes_each_object_once(weights: Path, trained: Path) -> None:
    chosen = EncodedSet(trained / "state/objects", PartDiTPipeline.load(weights), TOKENS)
    rounds = [sorted(chosen.parts(step, len(chosen))) for step in range(3)]
    assert rounds == [sorted(chosen.counts)] * 3
    halves = [place for rank in (0, 1) for place, _ in chosen.share(2, 4, rank, 2)]
    assert sorted(halves) == [8, 9, 10, 11]


def test_no_folder_is_an_error(weights: Path, tmp_path: Path) -> None:
    with pytest.raises(CheckpointMissing):
        finetune_part_dit.main(options(tmp_path / "nowhere", tmp_path, "--total-steps", "1"))


def test_another_layout_is_an_error(weights: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(weights, tmp_path / "other"))
    path = folder / "transformer/diffusion_pytorch_model.safetensors"
    tensors = load_file(path)
    tensors["proj_elsewhere.weight"] = tensors.pop("proj_out.weight")
    save_file(tensors, path)
    with pytest.raises(CheckpointMismatch, match="proj_elsewhere"):
        finetune_part_dit.main(options(folder, tmp_path, "--total-steps", "1"))


def test_ordered_latents_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(CheckpointMismatch, match="train_part_dit"):
        finetune_part_dit.main(options(COMPACT, tmp_path, "--total-steps", "1"))


def test_a_block_that_is_not_there_is_an_error(weights: Path, tmp_path: Path) -> None:
    with pytest.raises(CheckpointMismatch, match="no block 5"):
        finetune_part_dit.main(options(weights, tmp_path, "--hierarchy", "5", "--total-steps", "1"))


def test_more_parts_than_rows_are_an_error_before_anything_is_encoded(tmp_path: Path) -> None:
    folder = write_random(tmp_path / "weights", replace(SMALL, part_rows=1), torch.float32)
    with pytest.raises(InvalidInput, match="rows for 1"):
        finetune_part_dit.main(options(folder, tmp_path, "--total-steps", "1"))
    assert not (tmp_path / "state").exists()


@pytest.mark.parametrize(
    "more, problem",
    [
        (("--tokens", "9"), "latents of"),
        (("--data", str(Path(__file__).parent), "--objects", "0"), "no encoded object"),
    ],
)
def test_data_that_do_not_fit_are_an_error(
    weights: Path, tmp_path: Path, data: tuple[str, str], more: tuple[str, ...], problem: str
) -> None:
    with pytest.raises(InvalidInput, match=problem):
        finetune_part_dit.main(options(weights, tmp_path, *data, "--total-steps", "1", *more))


def test_the_state_of_another_model_is_an_error(weights: Path, trained: Path, data: tuple[str, str]) -> None:
    with pytest.raises(CheckpointMismatch, match="of another model"):
        finetune_part_dit.main(options(weights, trained, *data, "--total-steps", "1"))


def test_no_steps_are_an_error(weights: Path, tmp_path: Path) -> None:
    with pytest.raises(SystemExit):
        finetune_part_dit.main(options(weights, tmp_path, "--total-steps", "0"))
