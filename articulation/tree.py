"""Articulation: links joined in one tree, checked once at construction."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from articulation.errors import InvalidArticulation
from articulation.joint import Joint, JointType

MAX_LINKS = 32
NAME_PATTERN = re.compile(r"^[a-z][a-z0-9_]{0,62}$")


@dataclass(frozen=True)
class Link:
    """One rigid part and the joint that holds it to its parent.

    Attributes:
        name: unique in the tree; lower-case letters, digits and underscores, safe as a file name.
        parent: index of the parent link, -1 for the root.
        joint: motion against the parent; the root's joint is fixed.
        label: what the part is, e.g. "door".
        material: name in `articulation.materials`.
    """

    name: str
    parent: int
    joint: Joint
    label: str = ""
    material: str = "plastic"


@dataclass(frozen=True)
class Articulation:
    """A tree of 1 to 32 links; link 0 need not be the root, and a parent may follow its child.

    Raises:
        InvalidArticulation: no or too many links, a bad or repeated name, a dangling parent, a cycle, not one root, a
            joint that follows one which it cannot.
    """

    links: tuple[Link, ...]

    def __post_init__(self) -> None:
        check_tree([link.parent for link in self.links])
        seen: set[str] = set()
        for index, link in enumerate(self.links):
            if not NAME_PATTERN.match(link.name):
                raise InvalidArticulation(
                    f"parts[{index}].name", f"{link.name!r} does not match {NAME_PATTERN.pattern}"
                )
            if link.name in seen:
                raise InvalidArticulation(f"parts[{index}].name", f"{link.name!r} is used twice")
            seen.add(link.name)
        if self.links[self.root].joint.type is not JointType.FIXED:
            raise InvalidArticulation(f"parts[{self.root}].joint.type", "the root must be fixed")
        for index in range(len(self.links)):
            self._check_mimic(index)

    def _check_mimic(self, index: int) -> None:
        joint, field = self.links[index].joint, f"parts[{index}].joint.mimic"
        if joint.mimic is None:
            return
        leader = next((link.joint for link in self.links if link.name == joint.mimic.leader), None)
        if leader is None:
            raise InvalidArticulation(field, f"{joint.mimic.leader!r} names no link")
        if leader.mimic is not None:
            raise InvalidArticulation(field, f"{joint.mimic.leader!r} follows another joint itself")
        alike = leader.type.rotates == joint.type.rotates
        if not (joint.type.moves and leader.type.moves and alike):
            raise InvalidArticulation(field, f"a {joint.type} joint cannot follow a {leader.type} one")

    def __len__(self) -> int:
        return len(self.links)

    def __iter__(self) -> Iterator[Link]:
        return iter(self.links)

    @property
    def parents(self) -> tuple[int, ...]:
        """Parent index of every link, -1 for the root."""
        return tuple(link.parent for link in self.links)

    @property
    def root(self) -> int:
        return self.parents.index(-1)

    @property
    def moving(self) -> tuple[int, ...]:
        """Indices of the links whose joint moves, in link order: the order of a joint vector q."""
        return tuple(i for i, link in enumerate(self.links) if link.joint.type.moves)

    @property
    def independent(self) -> tuple[int, ...]:
        """Those of `moving` whose joint follows no other."""
        return tuple(i for i in self.moving if self.links[i].joint.mimic is None)

    def leader(self, index: int) -> int:
        """The link whose joint says where this one's is: itself, unless it follows another."""
        mimic = self.links[index].joint.mimic
        return index if mimic is None else next(i for i, link in enumerate(self.links) if link.name == mimic.leader)

    def coupled_with(self, index: int) -> tuple[int, ...]:
        """The links whose joints move together with this one's, itself among them."""
        leader = self.leader(index)
        return tuple(i for i in range(len(self)) if self.leader(i) == leader)

    def order(self) -> tuple[int, ...]:
        """Link indices with every parent before its children."""
        return topological_order(self.parents)

    def children(self, index: int) -> tuple[int, ...]:
        return tuple(i for i, parent in enumerate(self.parents) if parent == index)


def check_tree(parents: Sequence[int]) -> None:
    """Refuse parent indices that do not form one tree.

    Raises:
        InvalidArticulation: naming `parts` or `parts[i].parent_index`.
    """
    if not 1 <= len(parents) <= MAX_LINKS:
        raise InvalidArticulation("parts", f"must hold 1 to {MAX_LINKS} parts, got {len(parents)}")
    for index, parent in enumerate(parents):
        if not -1 <= parent < len(parents):
            raise InvalidArticulation(f"parts[{index}].parent_index", f"{parent} names no part")
    roots = [index for index, parent in enumerate(parents) if parent == -1]
    if len(roots) != 1:
        raise InvalidArticulation("parts", f"must have exactly one root, got {len(roots)}")
    reached = topological_order(parents)
    if len(reached) != len(parents):
        lost = min(set(range(len(parents))) - set(reached))
        raise InvalidArticulation(f"parts[{lost}].parent_index", "is part of a cycle")


def topological_order(parents: Sequence[int]) -> tuple[int, ...]:
    """Indices reachable from the root, every parent before its children."""
    order = [index for index, parent in enumerate(parents) if parent == -1]
    for index in order:
        order.extend(child for child, parent in enumerate(parents) if parent == index)
    return tuple(order)
