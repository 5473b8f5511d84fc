"""What MuJoCo says of an asset's document: penetration, drift, and how far its motors move it."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import mujoco
import numpy as np

from articulation.joint import JointType
from articulation.tree import Articulation
from articulation.typing import Array

SETTLE_SECONDS = 1.0
STALL_SECONDS = 0.5
"""A driven joint that makes no progress for so long is stuck."""
PROGRESS = 1e-3
"""Progress, as a fraction of the way to the limit."""


class MujocoCheck:
    """A loaded document; parent and child collide too, which MuJoCo skips by default."""

    def __init__(self, document: bytes, files: Mapping[str, bytes], tree: Articulation) -> None:
        """Load a document.

        Args:
            document: URDF or MJCF.
            files: path to content of what it refers to.
            tree: its articulation.

        Raises:
            ValueError: MuJoCo refuses it.
            KeyError: a joint of the tree is missing.
        """
        self._model = mujoco.MjModel.from_xml_string(document.decode(), dict(files))
        self._model.opt.disableflags |= mujoco.mjtDisableBit.mjDSBL_FILTERPARENT
        self._data = mujoco.MjData(self._model)
        self._tree = tree
        joints = {index: self._model.joint(f"{tree.links[index].name}_joint") for index in tree.moving}
        self._qpos = {index: int(joint.qposadr[0]) for index, joint in joints.items()}
        self._dof = {index: int(joint.dofadr[0]) for index, joint in joints.items()}
        mujoco.mj_forward(self._model, self._data)
        self.diagonal = self._closed_diagonal()

    @property
    def joint_count(self) -> int:
        return int(self._model.njnt)

    def penetration(self, coordinates: Array) -> float:
        """Deepest penetration at the coordinates (L,), as a fraction of the diagonal."""
        self._place(coordinates)
        mujoco.mj_fwdPosition(self._model, self._data)
        deepest = min((float(contact.dist) for contact in self._data.contact[: self._data.ncon]), default=0.0)
        return abs(min(deepest, 0.0)) / self.diagonal

    def drifts(self) -> dict[int, float]:
        """How far each joint moves from the closed state without control, as a fraction of its range."""
        self._place(np.zeros(len(self._tree)))
        furthest = dict.fromkeys(self._qpos, 0.0)
        for _ in range(int(SETTLE_SECONDS / self._model.opt.timestep)):
            mujoco.mj_step(self._model, self._data)
            for index, address in self._qpos.items():
                furthest[index] = max(furthest[index], abs(float(self._data.qpos[address])))
        return {index: distance / _range(self._tree, index) for index, distance in furthest.items()}

    def reach(self, index: int, others: Array, effort: float) -> float:
        """Fraction in [0, 1] of the way to its upper limit that a joint gets.

        Args:
            index: the link whose joint is pushed.
            others: (L,) where the other joints start; they are free.
            effort: how hard [N or N m].
        """
        target = self._tree.links[index].joint.upper
        if self._tree.links[index].joint.type is JointType.CONTINUOUS:
            target = 2 * np.pi
        if target <= 0:
            return 1.0
        start = others.copy()
        start[index] = 0.0
        self._place(start)
        furthest, stalled = 0.0, 0
        while furthest < 1.0 and stalled * self._model.opt.timestep < STALL_SECONDS:
            self._data.qfrc_applied[self._dof[index]] = effort
            mujoco.mj_step(self._model, self._data)
            place = float(self._data.qpos[self._qpos[index]]) / target
            stalled = 0 if place > furthest + PROGRESS else stalled + 1
            furthest = max(furthest, place) if stalled == 0 else furthest
        return min(furthest, 1.0)

    def touched(self, carried: Collection[int]) -> int:
        """The link that some of `carried` press on hardest as the simulation stands, -1 if they touch no other."""
        links = {self._model.body(link.name).id: index for index, link in enumerate(self._tree)}
        strongest, other, force = 0.0, -1, np.zeros(6)
        for index, contact in enumerate(self._data.contact[: self._data.ncon]):
            pair = [links[int(self._model.geom_bodyid[geom])] for geom in contact.geom]
            outside = [link for link in pair if link not in carried]
            mujoco.mj_contactForce(self._model, self._data, index, force)
            if len(outside) == 1 and force[0] > strongest:
                strongest, other = float(force[0]), outside[0]
        return other

    def _place(self, coordinates: Array) -> None:
        mujoco.mj_resetData(self._model, self._data)
        for index, address in self._qpos.items():
            self._data.qpos[address] = coordinates[index]

    def _closed_diagonal(self) -> float:
        """[m] of the box around all mesh vertices at the closed state."""
        low, high = np.full(3, np.inf), np.full(3, -np.inf)
        for geom in range(self._model.ngeom):
            mesh = self._model.geom_dataid[geom]
            if mesh < 0:
                continue
            first, count = self._model.mesh_vertadr[mesh], self._model.mesh_vertnum[mesh]
            rotation = self._data.geom_xmat[geom].reshape(3, 3)
            points = self._model.mesh_vert[first : first + count] @ rotation.T + self._data.geom_xpos[geom]
            low, high = np.minimum(low, points.min(0)), np.maximum(high, points.max(0))
        return float(np.linalg.norm(high - low))


def _range(tree: Articulation, index: int) -> float:
    joint = tree.links[index].joint
    return 2 * np.pi if joint.type is JointType.CONTINUOUS else max(joint.upper - joint.lower, 1e-9)
