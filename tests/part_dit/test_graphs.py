"""Steps that CUDA graphs can capture: they never wait for the device, nor bring anything from the host.

On the meta device, where tensors have no values, whoever asks for a value fails, and what lies on the host is seen.
"""

from collections.abc import Sequence
from dataclasses import asdict

import pytest
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from services.part_dit.vae import TripoSGVAEModel
from training.graphs import GraphedStep
from training.part_dit_model import TOY, ShapeModel
from training.train_vae import TOY as TOY_VAE
from training.train_vae import Reconstruction


class Square(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(3.0))

    def forward(self, values: Tensor) -> dict[str, Tensor]:
        loss = (self.weight * values).square().mean()
        return {"loss": loss, "half": loss.detach() / 2}


def test_a_step_that_is_not_captured_has_the_module_s_gradient() -> None:
    module = Square()
    result = GraphedStep(module, enabled=False)(torch.tensor([2.0]))
    result["loss"].backward()
    assert float(module.weight.grad) == 24.0
    assert float(result["half"]) == 18.0


class HostTensors(TorchDispatchMode):
    """Names of the operators that took or gave a tensor on the host."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()

    def __torch_dispatch__(
        self, function: object, types: object, args: Sequence[object] = (), kwargs: dict[str, object] | None = None
    ) -> object:
        result = function(*args, **(kwargs or {}))
        tensors = [x for x in tree_leaves((args, kwargs, result)) if isinstance(x, Tensor)]
        if any(tensor.device.type == "cpu" for tensor in tensors):
            self.names.add(str(function))
        return result


def shape_step() -> tuple[nn.Module, tuple[Tensor, ...]]:
    side = TOY.image_size
    return ShapeModel(TOY, 8, 4), (
        torch.empty(2, side, side, 3, dtype=torch.uint8),
        torch.empty(2, 3, side, side, 3, dtype=torch.uint8),
        torch.empty(2, 3, 4, 8),
        torch.empty(2, 3, 6),
        torch.empty(2, 3, dtype=torch.int64),
    )


def vae_step() -> tuple[nn.Module, tuple[Tensor, ...]]:
    return Reconstruction(TripoSGVAEModel(**asdict(TOY_VAE)), 0.1), (torch.empty(2, 64, 6), torch.empty(2, 32, 4))


@pytest.mark.parametrize("step", [shape_step, vae_step])
def test_a_training_step_stays_on_the_device(step: object) -> None:
    module, tensors = step()
    module = module.to("meta")
    arguments = [tensor.to("meta") for tensor in tensors]
    with HostTensors() as host:
        module(*arguments)["loss"].backward()
    assert not host.names
    assert all(p.grad is not None for p in module.parameters())
