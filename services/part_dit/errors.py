"""Errors of the shape stage.

Not those of `serving.errors`: this code runs inside Triton, on the extra `part_dit` alone, which has no gRPC.
Triton's model.py gives each its canonical code. Weights that cannot be used are a `checkpoints.errors.CheckpointError`.

PartDitError
├── InvalidInput         a tensor of the request that cannot be used; names it   INVALID_ARGUMENT
├── WeightsMissing       a component of the weights folder is absent             the model refuses to load
└── GenerationCancelled  the caller gave up before the end                       CANCELLED
"""


class PartDitError(Exception):
    """Base of every error that the shape stage raises on purpose."""


class InvalidInput(PartDitError, ValueError):
    """A tensor of the request that cannot be used.

    Attributes:
        field: name of the tensor, e.g. `part_boxes`.
        problem: what is wrong with it, in words.
    """

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(f"{field}: {problem}")
        self.field = field
        self.problem = problem


class WeightsMissing(PartDitError):
    """A component of the weights folder is absent."""


class GenerationCancelled(PartDitError):
    """The caller gave up before the end."""
