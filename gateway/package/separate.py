"""Collision pieces trimmed until links no longer overlap.

Generated parts overlap a little where they meet: a door and its frame, a knob and its door. A contact of two convex
pieces has a plane; what each piece has beyond it is cut off, from whichever piece loses least.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from manifold3d import Manifold

from articulation.asset import Asset
from articulation.kinematics import link_poses
from articulation.typing import Array
from gateway.package.contacts import CollisionModel, Contact
from gateway.package.solids import clip, hull_of, is_sliver, mesh_of, vertices_of

ROUNDS = 12
"""Rounds of trimming at rest."""


class Pieces:
    """The convex pieces of all links, object frame at the closed state."""

    def __init__(self, pieces: Sequence[Sequence[Manifold]], thinnest: float) -> None:
        self._pieces: list[list[Manifold | None]] = [list(own) for own in pieces]
        self._thinnest = thinnest
        self.mark()

    def copy(self) -> Pieces:
        """The same pieces, to be cut apart from these."""
        return Pieces([self.of(link) for link in range(len(self._pieces))], self._thinnest)

    def mark(self) -> None:
        """Count what links lose from now on."""
        self._whole = [sum(piece.volume() for piece in self.of(link)) for link in range(len(self._pieces))]

    def of(self, link: int) -> list[Manifold]:
        """What is left of a link."""
        return [piece for piece in self._pieces[link] if piece is not None]

    def compact(self) -> None:
        """Forget the pieces that are gone, so that indices agree with an asset made by `apply`."""
        self._pieces = [[piece for piece in own if piece is not None] for own in self._pieces]

    def apply(self, asset: Asset) -> Asset:
        """The asset with these pieces as its collision shapes."""
        self.compact()
        bodies = tuple(
            replace(body, collision=tuple(mesh_of(piece) for piece in self.of(index)))
            for index, body in enumerate(asset.bodies)
        )
        return replace(asset, bodies=bodies)

    def trim(self, contact: Contact, poses: Array, clearance: float, most: float) -> bool:
        """Cut the two pieces of a contact apart.

        Args:
            contact: of an asset that `apply` made.
            poses: (L, 4, 4) of the links where the contact was found.
            clearance: gap to leave [m].
            most: largest fraction of its volume that a link may lose since `mark`; its last piece never goes whole.

        Returns:
            Whether the pieces were cut.
        """
        sides = ((contact.first, contact.normal), (contact.second, -contact.normal))
        reach = max(contact.depth, 0.0) / 2
        options = []
        for shares in ((0.5, 0.5), (1.0, 0.0), (0.0, 1.0)):
            cuts = []
            for (place, normal), share in zip(sides, shares, strict=True):
                offset = normal @ contact.point + reach - share * (2 * reach + clearance)
                cuts.append(self._cut(place, poses[place[0]], normal, float(offset)) if share else (None, 0.0))
            options.append((max(loss for _, loss in cuts), cuts))
        worst, cuts = min(options, key=lambda option: option[0])
        if worst > most:
            return False
        for (place, _), (rest, loss) in zip(sides, cuts, strict=True):
            if loss > 0:
                self._pieces[place[0]][place[1]] = rest
        return True

    def trim_all(self, contacts: Sequence[Contact], poses: Array, clearance: float, most: float) -> bool:
        """`trim` for each contact whose pieces have not been cut for an earlier one; whether anything was cut."""
        touched: set[tuple[int, int]] = set()
        for contact in contacts:
            pair = {contact.first, contact.second}
            if touched.isdisjoint(pair) and self.trim(contact, poses, clearance, most):
                touched |= pair
        return bool(touched)

    def _cut(self, place: tuple[int, int], pose: Array, normal: Array, offset: float) -> tuple[Manifold | None, float]:
        """A piece without what lies beyond a plane of the world frame, and what fraction its link has then lost."""
        link, index = place
        piece = self._pieces[link][index]
        if piece is None:
            return None, 0.0
        local = pose[:3, :3].T @ normal
        kept = clip(piece, local, offset - float(normal @ pose[:3, 3]))
        if not kept.is_empty():
            kept = hull_of(vertices_of(kept))
        left = sum(own.volume() for own in self.of(link)) - piece.volume()
        if is_sliver(kept, self._thinnest):
            return None, 1 - left / self._whole[link] if left else np.inf
        return kept, float(1 - (left + kept.volume()) / self._whole[link])


def separate_at_rest(asset: Asset, pieces: Pieces, clearance: float) -> Asset:
    """Trim until the links of the closed object are `clearance` apart, or nothing more can be trimmed."""
    closed = np.zeros(len(asset.articulation))
    poses = link_poses(asset.articulation, closed)
    asset = pieces.apply(asset)
    for _ in range(ROUNDS):
        contacts = [c for c in CollisionModel(asset, clearance).contacts(closed) if c.depth > -0.5 * clearance]
        if not pieces.trim_all(contacts, poses, clearance, most=1.0):
            break
        asset = pieces.apply(asset)
    return asset
