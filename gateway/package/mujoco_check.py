"""What MuJoCo says of an asset's document: penetration, drift, and how far its motors move it."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import mujoco
import numpy as np

from articulation.joint import JointType
from articulation.kinematics import coupled
from articulation.tree import Articulation
from articulation.typing import Array, IntArray

SETTLE_SECONDS = 1.0
STALL_SECONDS = 0.5
"""A driven joint that makes no progress for so long is stuck."""
PROGRESS = 1e-3
"""Progress, as a fraction of the way to the limit."""


class MujocoCheck:
    """A loaded document; parent and child collide too, which MuJoCo skips by default.

    Attributes:
        model: as MuJoCo compiled it.
        data: the state of the simulation.
        qpos: place of each moving link's joint in `data.qpos`.
        dof: the same in `data.qvel`.
        diagonal: of the closed object's bounding box [m].
    """

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
        self.model = mujoco.MjModel.from_xml_string(document.decode(), dict(files))
        self.model.opt.disableflags |= mujoco.mjtDisableBit.mjDSBL_FILTERPARENT
        self.data = mujoco.MjData(self.model)
        self._tree = tree
        joints = {index: self.model.joint(f"{tree.links[index].name}_joint") for index in tree.moving}
        self.qpos = {index: int(joint.qposadr[0]) for index, joint in joints.items()}
        self.dof = {index: int(joint.dofadr[0]) for index, joint in joints.items()}
        mujoco.mj_forward(self.model, self.data)
        self.diagonal = self._closed_diagonal()

    @property
    def joint_count(self) -> int:
        return int(self.model.njnt)

    def penetration(self, coordinates: Array) -> float:
        """Deepest penetration at the coordinates (L,), as a fraction of the diagonal."""
        self.place(coordinates)
        mujoco.mj_fwdPosition(self.model, self.data)
        deepest = min((float(contact.dist) for contact in self.data.contact[: self.data.ncon]), default=0.0)
        return abs(min(deepest, 0.0)) / self.diagonal

    def drifts(self) -> dict[int, float]:
        """How far each joint moves from the closed state without control, as a fraction of its range."""
        closed = np.zeros(len(self._tree))
        self.place(closed)
        start = coupled(self._tree, closed)
        furthest = dict.fromkeys(self.qpos, 0.0)
        for _ in range(int(SETTLE_SECONDS / self.model.opt.timestep)):
            mujoco.mj_step(self.model, self.data)
            for index, address in self.qpos.items():
                furthest[index] = max(furthest[index], abs(float(self.data.qpos[address]) - start[index]))
        return {index: distance / joint_range(self._tree, index) for index, distance in furthest.items()}

    def reach(self, index: int, others: Array, effort: float) -> float:
        """Fraction in [0, 1] of the way to its upper limit that a joint gets.

        Args:
            index: the link whose joint is pushed; it follows no other.
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
        self.place(start)
        furthest, stalled = 0.0, 0
        while furthest < 1.0 and stalled * self.model.opt.timestep < STALL_SECONDS:
            self.data.qfrc_applied[self.dof[index]] = effort
            mujoco.mj_step(self.model, self.data)
            place = float(self.data.qpos[self.qpos[index]]) / target
            stalled = 0 if place > furthest + PROGRESS else stalled + 1
            furthest = max(furthest, place) if stalled == 0 else furthest
        return min(furthest, 1.0)

    def touched(self, carried: Collection[int]) -> int:
        """The link that some of `carried` press on hardest as the simulation stands, -1 if they touch no other."""
        links = {self.model.body(link.name).id: index for index, link in enumerate(self._tree)}
        strongest, other, force = 0.0, -1, np.zeros(6)
        for index, contact in enumerate(self.data.contact[: self.data.ncon]):
            pair = [links[int(self.model.geom_bodyid[geom])] for geom in contact.geom]
            outside = [link for link in pair if link not in carried]
            mujoco.mj_contactForce(self.model, self.data, index, force)
            if len(outside) == 1 and force[0] > strongest:
                strongest, other = float(force[0]), outside[0]
        return other

    def triangles(self, index: int) -> Array:
        """(F, 3, 3) corners of what is seen of a link, where it stands now [m]."""
        body = self.model.body(self._tree.links[index].name).id
        seen = [geom for geom in self._meshes(body) if not self.model.geom_contype[geom]]
        corners = [self._vertices(geom)[self._faces(geom)] for geom in seen]
        return np.concatenate([np.empty((0, 3, 3)), *corners])

    def place(self, coordinates: Array) -> None:
        """Start anew at the coordinates (L,), at rest; those of followers are their leaders'."""
        mujoco.mj_resetData(self.model, self.data)
        together = coupled(self._tree, coordinates)
        for index, address in self.qpos.items():
            self.data.qpos[address] = together[index]

    def _closed_diagonal(self) -> float:
        """[m] of the box around all mesh vertices at the closed state."""
        low, high = np.full(3, np.inf), np.full(3, -np.inf)
        for body in range(self.model.nbody):
            for points in map(self._vertices, self._meshes(body)):
                low, high = np.minimum(low, points.min(0)), np.maximum(high, points.max(0))
        return float(np.linalg.norm(high - low))

    def _meshes(self, body: int) -> list[int]:
        """The geoms of a body that are meshes."""
        first, count = int(self.model.body_geomadr[body]), int(self.model.body_geomnum[body])
        return [geom for geom in range(first, first + count) if self.model.geom_dataid[geom] >= 0]

    def _vertices(self, geom: int) -> Array:
        """(V, 3) of a mesh, where it stands now [m]."""
        mesh = self.model.geom_dataid[geom]
        first, count = self.model.mesh_vertadr[mesh], self.model.mesh_vertnum[mesh]
        rotation = self.data.geom_xmat[geom].reshape(3, 3)
        points: Array = self.model.mesh_vert[first : first + count] @ rotation.T + self.data.geom_xpos[geom]
        return points

    def _faces(self, geom: int) -> IntArray:
        """(F, 3) vertex indices of a mesh."""
        mesh = self.model.geom_dataid[geom]
        first, count = self.model.mesh_faceadr[mesh], self.model.mesh_facenum[mesh]
        faces: IntArray = self.model.mesh_face[first : first + count]
        return faces


def joint_range(tree: Articulation, index: int) -> float:
    """How far a link's joint goes from one limit to the other [rad or m]; a full turn for a continuous one."""
    joint = tree.links[index].joint
    return 2 * np.pi if joint.type is JointType.CONTINUOUS else max(joint.upper - joint.lower, 1e-9)
