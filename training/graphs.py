"""CUDA graphs of a training step: launching its kernels one by one takes a small model longer than running them."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

Step = Callable[..., dict[str, Tensor]]


class GraphedStep:
    """A module from tensors to scalars, its forward and backward pass captured once for each set of input shapes.

    The module must not wait for the device or draw on the host. All graphs share memory, so what one call returns is
    valid until the next.

    Args:
        module: `loss` among its results is minimised; results that need no gradient are passed through.
        enabled: False calls the module as it is, as on a CPU.
    """

    def __init__(self, module: nn.Module, enabled: bool) -> None:
        self._module = module
        self._enabled = enabled
        self._graphs: dict[tuple[torch.Size, ...], Step] = {}
        self._memory = torch.cuda.graph_pool_handle() if enabled else None

    def __call__(self, *tensors: Tensor) -> dict[str, Tensor]:
        if not self._enabled:
            result: dict[str, Tensor] = self._module(*tensors)
            return result
        shapes = tuple(tensor.shape for tensor in tensors)
        if shapes not in self._graphs:
            # A fresh wrapper each: capturing replaces the forward method of what it is given.
            samples = tuple(tensor.clone() for tensor in tensors)
            self._graphs[shapes] = torch.cuda.make_graphed_callables(  # type: ignore[assignment]
                _Wrapper(self._module), samples, allow_unused_input=True, pool=self._memory
            )
        return self._graphs[shapes](*tensors)


class _Wrapper(nn.Module):
    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, *tensors: Tensor) -> dict[str, Tensor]:
        result: dict[str, Tensor] = self.module(*tensors)
        return result
