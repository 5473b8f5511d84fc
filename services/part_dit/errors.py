"""Errors of the shape stage, free of any transport.

PartDitError
├── InvalidInput         a tensor of the request that cannot be used; names it
├── WeightsMissing       the weights folder is absent or incomplete
└── GenerationCancelled  the caller gave up between two steps
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
    """The weights folder is absent or incomplete."""


class GenerationCancelled(PartDitError):
    """The caller gave up between two steps."""
