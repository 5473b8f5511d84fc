"""The optimisation loop that every model shares: Muon and AdamW, EMA, a time-based schedule, resumable checkpoints.

A run is bounded in seconds, because accelerator time is what is short, or in steps, which makes it repeatable; several
short runs continue one another. The learning rate follows the fraction already spent of the total over all runs.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from checkpoints.errors import CheckpointMismatch
from checkpoints.folder import shown
from training.muon import BatchedMuon
from training.whole_file import written_whole

FLAT_FRACTION = 0.4
"""Share of the total at full learning rate; the rest decays linearly to zero."""

CHECKPOINT_SECONDS = 60.0


class Loop:
    """Minimise a loss until the time is over.

    Hidden matrices are trained by Muon, everything else (embeddings, norms, biases, convolutions) by AdamW; training
    small transformers from scratch this way needs about a fifth of AdamW's steps.

    Where a process group exists (`training.processes.join`), every process starts from rank 0's parameters and steps by
    the mean of all gradients, so a step sees the batches of all of them.

    Args:
        run_seconds, run_steps: after either of them this run ends.
        total_seconds, total_steps: after either of them all runs are over; the learning rate follows the nearer one.
        muon_lr: None trains hidden matrices by AdamW too.
        checkpoint_seconds: between two checkpoints of a run, at least.
        started: `time.monotonic()` at which this run's seconds began, so that data preparation counts; default: now.

    Raises:
        CheckpointMismatch: the state is that of another model.

    Attributes:
        step: optimiser steps taken over all runs.
        elapsed: seconds spent over all runs.
    """

    def __init__(
        self,
        name: str,
        module: nn.Module,
        state: Path,
        run_seconds: float = math.inf,
        total_seconds: float = math.inf,
        *,
        run_steps: float = math.inf,
        total_steps: float = math.inf,
        muon_lr: float | None = 1e-3,
        adam_lr: float = 1e-3,
        warmup: int = 200,
        ema: float = 0.998,
        clip: float = 1.0,
        weight_decay: float = 0.01,
        checkpoint_seconds: float = CHECKPOINT_SECONDS,
        started: float | None = None,
    ) -> None:
        self.name = name
        self.module = module
        self.run_seconds = run_seconds
        self.total_seconds = total_seconds
        self.run_steps = run_steps
        self.total_steps = total_steps
        self.checkpoint_seconds = checkpoint_seconds
        self.warmup = warmup
        self.clip = clip
        self.step = 0
        self.elapsed = 0.0
        self._ema = ema
        self._state = state
        state.mkdir(parents=True, exist_ok=True)
        self._parameters = {key: p for key, p in module.named_parameters() if p.requires_grad}
        hidden = [p for key, p in self._parameters.items() if muon_lr is not None and is_hidden_matrix(key, p)]
        chosen = {id(p) for p in hidden}
        rest = [p for p in self._parameters.values() if id(p) not in chosen]
        self._optimisers: list[torch.optim.Optimizer] = []
        if muon_lr is not None and hidden:
            self._optimisers.append(BatchedMuon(hidden, lr=muon_lr, weight_decay=weight_decay))
        if rest:
            fused = rest[0].is_cuda
            self._optimisers.append(
                torch.optim.AdamW(rest, lr=adam_lr, betas=(0.9, 0.99), weight_decay=weight_decay, fused=fused)
            )
        self._rates = [group["lr"] for optimiser in self._optimisers for group in optimiser.param_groups]
        if torch.distributed.is_initialized():
            for p in self._parameters.values():
                torch.distributed.broadcast(p.detach(), src=0)
        self._average = {key: p.detach().clone().float() for key, p in self._parameters.items()}
        self._buffers = dict(module.named_buffers())
        if self.checkpoint.exists():
            self._resume(module)
        self._started = time.monotonic() if started is None else started

    @property
    def checkpoint(self) -> Path:
        return self._state / f"{self.name}.pt"

    @property
    def curve(self) -> Path:
        return self._state / f"{self.name}-curve.jsonl"

    @property
    def is_main(self) -> bool:
        """Whether this process writes files and logs (rank 0, or not distributed)."""
        return not torch.distributed.is_initialized() or torch.distributed.get_rank() == 0

    def run(self, loss: Callable[[int], dict[str, Tensor]], log_every: int = 100) -> None:
        """Step until this run or all runs are over.

        Args:
            loss: step number to scalars; "loss" is minimised, the others are logged.
            log_every: steps between lines of the curve, which hold the mean over all processes.
        """
        saved = time.monotonic()
        for _ in self._until(self.elapsed):
            self._schedule()
            scalars = loss(self.step)
            scalars["loss"].backward()
            self._average_gradients()
            norm = torch.nn.utils.clip_grad_norm_(self._parameters.values(), self.clip)
            for optimiser in self._optimisers:
                optimiser.step()
                optimiser.zero_grad(set_to_none=True)
            self._update_average()
            self.step += 1
            if self.step % log_every == 0:
                self.log({**_mean(scalars), "gradient_norm": norm})
                if self.is_main and time.monotonic() - saved > self.checkpoint_seconds:
                    self.save()
                    saved = time.monotonic()
        if self.is_main:
            self.save()

    def log(self, scalars: dict[str, Tensor] | dict[str, float]) -> None:
        """Append a line to the curve and print it."""
        if not self.is_main:
            return
        line = {"step": self.step, "seconds": round(self.elapsed, 1)}
        line.update({key: float(torch.as_tensor(value).detach()) for key, value in scalars.items()})
        with self.curve.open("a") as file:
            file.write(json.dumps(line) + "\n")
        text = " ".join(f"{key}={value:.4g}" for key, value in line.items())
        print(f"[{self.name}] {text}", flush=True)

    def ema_state_dict(self) -> dict[str, Tensor]:
        """Averaged float32 parameters and current buffers, named as in the module."""
        return {**self._buffers, **self._average}

    def save(self) -> None:
        """Write the checkpoint in one rename, so that a kill leaves the last whole one."""
        content = {
            "parameters": {key: p.detach() for key, p in self._parameters.items()},
            "average": self._average,
            "optimisers": [optimiser.state_dict() for optimiser in self._optimisers],
            "step": self.step,
            "elapsed": self.elapsed,
        }
        with written_whole(self.checkpoint) as part:
            torch.save(content, part)

    def _resume(self, module: nn.Module) -> None:
        device = next(module.parameters()).device
        content = torch.load(self.checkpoint, map_location=device, weights_only=True)
        other = content["parameters"].keys() ^ self._parameters.keys()
        if other:
            raise CheckpointMismatch(f"{self.checkpoint.name} is of another model: {shown(other)}")
        with torch.no_grad():
            for key, p in self._parameters.items():
                p.copy_(content["parameters"][key])
        self._average = content["average"]
        for optimiser, saved in zip(self._optimisers, content["optimisers"], strict=True):
            optimiser.load_state_dict(saved)
        self.step = content["step"]
        self.elapsed = content["elapsed"]

    def _until(self, before: float) -> Iterator[None]:
        """Yield while there is time; ranks agree every ten steps, since their clocks differ."""
        last = min(self.step + self.run_steps, self.total_steps)
        while True:
            spent = time.monotonic() - self._started
            self.elapsed = before + spent
            late = spent >= self.run_seconds or self.elapsed >= self.total_seconds
            if torch.distributed.is_initialized() and math.isfinite(min(self.run_seconds, self.total_seconds)):
                late = self.step % 10 == 0 and self._any_rank(late)
            if late or self.step >= last:
                return
            yield

    def _any_rank(self, flag: bool) -> bool:
        device = next(iter(self._parameters.values())).device
        votes = torch.tensor(float(flag), device=device)
        torch.distributed.all_reduce(votes)
        return bool(votes > 0)

    def _average_gradients(self) -> None:
        """One reduction for all gradients: many small ones would cost more than a small model's backward pass."""
        if not torch.distributed.is_initialized():
            return
        gradients = [p.grad for p in self._parameters.values() if p.grad is not None]
        flat = torch.cat([gradient.flatten() for gradient in gradients])
        torch.distributed.all_reduce(flat)
        flat /= torch.distributed.get_world_size()
        pieces = flat.split([gradient.numel() for gradient in gradients])
        torch._foreach_copy_(gradients, [x.view_as(g) for x, g in zip(pieces, gradients, strict=True)])

    def _fraction(self) -> float:
        """How much of the total over all runs is spent."""
        return max(self.elapsed / self.total_seconds, self.step / self.total_steps)

    def _schedule(self) -> None:
        scale = min(1.0, (self.step + 1) / self.warmup) * decay(self._fraction())
        groups = [group for optimiser in self._optimisers for group in optimiser.param_groups]
        for group, rate in zip(groups, self._rates, strict=True):
            group["lr"] = rate * scale

    @torch.no_grad()
    def _update_average(self) -> None:
        weight = 1 - min(self._ema, (1 + self.step) / (10 + self.step))
        averages = list(self._average.values())
        current = [p.detach().float() for p in self._parameters.values()]
        torch._foreach_lerp_(averages, current, weight)


def _mean(scalars: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Over all processes, each of which has the same scalars."""
    if not torch.distributed.is_initialized():
        return dict(scalars)
    values = torch.stack([value.detach().float() for value in scalars.values()])
    torch.distributed.all_reduce(values)
    return dict(zip(scalars, values / torch.distributed.get_world_size(), strict=True))


def decay(fraction: float) -> float:
    """Learning-rate factor after a fraction of the total: flat, then linear to zero."""
    return max(0.0, min(1.0, (1 - fraction) / (1 - FLAT_FRACTION)))


def is_hidden_matrix(name: str, parameter: Tensor) -> bool:
    """Whether Muon should train this parameter: a matrix that is neither an embedding nor a head."""
    outer = ("embed", "lm_head", "token", "proj_out", "position")
    return parameter.ndim == 2 and min(parameter.shape) > 8 and not any(word in name for word in outer)
