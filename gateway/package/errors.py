"""Why an asset could not be packaged.

PackageError
├── UnusableMesh    a part's mesh has no surface, or no solid can be made of it; names the part
├── JointBlocked    a joint cannot travel without its part going through another; names the part
└── AssetRejected   the finished asset failed a check in a simulator; lists the problems

They cross a process boundary, so that each is rebuilt from its arguments.
"""

from __future__ import annotations


class PackageError(Exception):
    """Base of every reason to withhold an asset."""


class UnusableMesh(PackageError):
    """No solid can be made of a part's mesh.

    Attributes:
        part: the link's name.
        problem: what is wrong with it, in words.
    """

    def __init__(self, part: str, problem: str) -> None:
        super().__init__(part, problem)
        self.part, self.problem = part, problem

    def __str__(self) -> str:
        return f"{self.part}: {self.problem}"


class JointBlocked(PackageError):
    """A joint cannot travel.

    Attributes:
        part: the link that the joint moves.
        other: the link in its way.
        travel: fraction of the planned range that is free.
    """

    def __init__(self, part: str, other: str, travel: float) -> None:
        super().__init__(part, other, travel)
        self.part, self.other, self.travel = part, other, travel

    def __str__(self) -> str:
        return f"{self.part}: only {self.travel:.0%} of its planned travel is free of {self.other}"


class AssetRejected(PackageError):
    """The finished asset failed a check.

    Attributes:
        problems: one sentence each.
    """

    def __init__(self, problems: tuple[str, ...]) -> None:
        super().__init__(problems)
        self.problems = problems

    def __str__(self) -> str:
        return "; ".join(self.problems)
