"""Errors of the texture stage.

Not those of `serving.errors`: this code runs inside Triton, on the extra `texture` alone, which has no gRPC.
Triton's model.py gives each its canonical code.

TextureError
├── InvalidInput      a tensor that breaks the contract; names it      INVALID_ARGUMENT
├── WeightsMissing    no checkpoint folder where one should be         the model refuses to load
└── Cancelled         the caller went away                             CANCELLED
"""


class TextureError(Exception):
    """Base of every error that `services.texture` raises."""


class InvalidInput(TextureError):
    """A tensor that breaks the contract of `docs/tensors.md`.

    Attributes:
        field: name of the tensor.
        problem: what is wrong with it, in words.
    """

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(f"{field}: {problem}")
        self.field = field
        self.problem = problem


class WeightsMissing(TextureError):
    """The checkpoint folder does not exist or lacks a file."""


class Cancelled(TextureError):
    """The caller no longer wants the result."""
