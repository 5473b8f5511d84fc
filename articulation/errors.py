"""Errors of the articulated object.

ArticulationError
├── InvalidArticulation   a tree, joint or plan that cannot exist; names the field
├── InvalidDocument       a URDF that cannot be read; names the element
└── InvalidMesh           a mesh without volume, with NaN, or with indices out of range
"""


class ArticulationError(ValueError):
    """Base of every error that `articulation` raises."""


class InvalidArticulation(ArticulationError):
    """A tree, joint or plan that cannot exist.

    Attributes:
        field: path of the offending field, e.g. `parts[3].joint.axis`.
        problem: what is wrong with it, in words.
    """

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(f"{field}: {problem}")
        self.field = field
        self.problem = problem


class InvalidDocument(ArticulationError):
    """A URDF document that cannot be read as an articulation."""


class InvalidMesh(ArticulationError):
    """A mesh that has no volume, holds NaN, or indexes vertices it does not have."""
