"""Steps without CUDA graphs are the module's own; graphs need an accelerator."""

import torch

from training.graphs import GraphedStep


class Square(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.tensor(3.0))

    def forward(self, values: torch.Tensor) -> dict[str, torch.Tensor]:
        loss = (self.weight * values).square().mean()
        return {"loss": loss, "half": loss.detach() / 2}


def test_a_step_that_is_not_captured_has_the_module_s_gradient() -> None:
    module = Square()
    result = GraphedStep(module, enabled=False)(torch.tensor([2.0]))
    result["loss"].backward()
    assert float(module.weight.grad) == 24.0
    assert float(result["half"]) == 18.0
