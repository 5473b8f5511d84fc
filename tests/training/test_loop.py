"""The loop minimises, resumes where it stopped, and averages."""

import math
from pathlib import Path

import torch
from torch import Tensor, nn

from training.loop import Loop, decay, is_hidden_matrix


def _module() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(16, 32), nn.Tanh(), nn.Linear(32, 16))


def _loss(module: nn.Module, target: Tensor, inputs: Tensor) -> dict[str, Tensor]:
    return {"loss": (module(inputs) - target).square().mean()}


def _train(module: nn.Module, state: Path, run_seconds: float) -> Loop:
    generator = torch.Generator().manual_seed(1)
    inputs = torch.randn(64, 16, generator=generator)
    target = torch.randn(64, 16, generator=generator)
    loop = Loop("toy", module, state, run_seconds, total_seconds=60.0, warmup=5, muon_lr=1e-2, adam_lr=1e-2)
    loop.run(lambda _: _loss(module, target, inputs), log_every=5)
    return loop


def test_loss_falls(tmp_path: Path) -> None:
    loop = _train(_module(), tmp_path, 1.0)
    losses = [float(line.split('"loss": ')[1].split(",")[0]) for line in loop.curve.read_text().splitlines()]
    assert losses[-1] < 0.5 * losses[0]


def test_a_second_run_continues_the_first(tmp_path: Path) -> None:
    first = _train(_module(), tmp_path, 0.5)
    second = Loop("toy", _module(), tmp_path, 0.5, total_seconds=60.0)
    assert second.step == first.step > 0
    assert second.elapsed == first.elapsed
    for key, value in first.ema_state_dict().items():
        assert torch.equal(second.ema_state_dict()[key], value)


def test_no_step_is_taken_after_the_total_time(tmp_path: Path) -> None:
    module = _module()
    loop = Loop("toy", module, tmp_path, run_seconds=5.0, total_seconds=0.0)
    loop.run(lambda _: {"loss": module(torch.ones(1, 16)).sum()})
    assert loop.step == 0


def test_runs_in_steps_end_as_one_run_does(tmp_path: Path) -> None:
    inputs = torch.randn(8, 16, generator=torch.Generator().manual_seed(2))

    def run(state: Path, steps: float, end: int) -> nn.Module:
        module = _module()
        loop = Loop("toy", module, state, run_steps=steps, total_steps=7, warmup=2, muon_lr=None)
        loop.run(lambda _: _loss(module, inputs.flip(0), inputs))
        assert loop.step == end
        return module

    whole = run(tmp_path / "whole", math.inf, 7)
    run(tmp_path / "parts", 3, 3)
    torch.testing.assert_close(run(tmp_path / "parts", 5, 7).state_dict(), whole.state_dict(), rtol=0, atol=0)


def test_the_average_lags_behind_the_parameters(tmp_path: Path) -> None:
    module = _module()
    start = {key: p.detach().clone() for key, p in module.named_parameters()}
    loop = _train(module, tmp_path, 0.3)
    key = "0.weight"
    average = loop.ema_state_dict()[key]
    now = module.get_parameter(key).detach()
    assert not torch.equal(average, now)
    assert (average - now).norm() < (start[key] - now).norm()


def test_decay_is_flat_then_reaches_zero() -> None:
    assert decay(0.0) == decay(0.4) == 1.0
    assert 0.0 < decay(0.9) < 0.2
    assert decay(1.0) == decay(1.5) == 0.0


def test_embeddings_and_vectors_are_not_hidden_matrices() -> None:
    assert is_hidden_matrix("blocks.0.attn1.to_q.weight", torch.zeros(64, 64))
    assert not is_hidden_matrix("part_embedding.weight", torch.zeros(32, 64))
    assert not is_hidden_matrix("blocks.0.norm1.weight", torch.zeros(64))
