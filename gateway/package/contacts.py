"""Contacts between links in MuJoCo, at any joint coordinates."""

from __future__ import annotations

from dataclasses import dataclass

import mujoco
import numpy as np

from articulation.asset import Asset
from articulation.files import collision_files
from articulation.kinematics import coupled
from articulation.mjcf import write_mjcf
from articulation.typing import Array
from gateway.package.errors import AssetRejected


@dataclass(frozen=True, eq=False)
class Contact:
    """Two convex pieces that are closer than the margin.

    Attributes:
        first: link and piece index.
        second: link and piece index, of another link.
        depth: penetration [m]; negative is a gap.
        point: (3,) half-way between the surfaces, world frame [m].
        normal: (3,) unit vector from the first piece to the second.
    """

    first: tuple[int, int]
    second: tuple[int, int]
    depth: float
    point: Array
    normal: Array


class CollisionModel:
    """An asset's collision pieces in MuJoCo.

    Pairs of parent and child collide too, which MuJoCo skips by default; links that are fixed to each other do not.
    """

    def __init__(self, asset: Asset, margin: float = 0.0) -> None:
        """Compile the asset; contacts count from a gap of `margin` [m] on.

        Raises:
            AssetRejected: MuJoCo refuses it.
        """
        files = collision_files(asset)
        try:
            self._model = mujoco.MjModel.from_xml_string(write_mjcf(asset, visuals=False).decode(), files)
        except ValueError as error:
            raise AssetRejected((f"MuJoCo refuses it: {error}",)) from error
        self._model.opt.disableflags |= mujoco.mjtDisableBit.mjDSBL_FILTERPARENT
        self._model.geom_margin[:] = margin / 2
        self._data = mujoco.MjData(self._model)
        tree = asset.articulation
        self._tree, self._moving = tree, list(tree.moving)
        self._address = [self._model.joint(f"{tree.links[i].name}_joint").qposadr[0] for i in self._moving]
        self._owner = {
            self._model.geom(f"{link.name}.{piece}").id: (index, piece)
            for index, link in enumerate(tree)
            for piece in range(len(asset.bodies[index].collision))
        }

    def contacts(self, coordinates: Array) -> list[Contact]:
        """All contacts at the coordinates (L,) of the links, deepest first; those of followers are their leaders'."""
        self._data.qpos[self._address] = coupled(self._tree, coordinates)[self._moving]
        mujoco.mj_kinematics(self._model, self._data)
        mujoco.mj_comPos(self._model, self._data)
        mujoco.mj_collision(self._model, self._data)
        contacts = [
            Contact(
                self._owner[int(found.geom1)],
                self._owner[int(found.geom2)],
                -float(found.dist),
                np.array(found.pos),
                np.array(found.frame[:3]),
            )
            for found in self._data.contact[: self._data.ncon]
        ]
        return sorted(contacts, key=lambda contact: -contact.depth)

    def depth(self, coordinates: Array) -> float:
        """Deepest penetration [m] at the coordinates (L,); 0 without contact."""
        return max((contact.depth for contact in self.contacts(coordinates)), default=0.0)
