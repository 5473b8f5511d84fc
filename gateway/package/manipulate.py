"""A hand opens an asset's doors, drawers and lids in MuJoCo, contacts on: what the asset is for.

The hand is a spring on the handle: its end goes along the handle's true arc in three seconds, and drags the handle
along with no more force than a person has. It lets go at the end. Nothing else is driven, nothing else is held.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mujoco
import numpy as np

from articulation.joint import JointType
from articulation.kinematics import coupled, link_poses, transform_points
from articulation.tree import Articulation
from articulation.typing import Array
from articulation.urdf import read_urdf
from gateway.package.grasp import Grasp, find_grasp, lever, open_end
from gateway.package.mujoco_check import MujocoCheck, joint_range
from gateway.package.travel import open_coordinates
from gateway.package.write import MJCF, URDF

LEAST_OPENED = 0.8
"""Fraction of the way to its limit that a part must be opened."""
MOST_DISTURBED = 0.05
"""Another joint may move by this fraction of its range meanwhile."""
FORCE = 150.0
"""What the hand pulls at most [N]."""
STIFFNESS = 60.0
"""Natural frequency of the part on the hand's spring [rad/s]; the spring is critically damped."""
OPEN_SECONDS = 3.0
HOLD_SECONDS = 0.5
"""The hand waits at the end of its way before it lets go."""
REST_SECONDS = 30.0
"""A part that was let go comes to rest within this time: it stays, or swings back; a door whose hinge is out of plumb
does that slowly."""
CALM_SECONDS = 0.25
"""So long without motion is rest."""
REST_SPEED = 0.02
"""Slower is at rest [ranges per second]."""
TOO_FAST = 10.0
"""A simulation that moves a joint faster than this many times its speed limit is unstable."""
GRASPABLE = 0.05
"""A hand opens what moves by so much where it is held, and turns on at least such a lever [m]: buttons are pressed and
knobs turned by fingers."""
FRAMES_PER_SECOND = 12
LAST_FRAME = OPEN_SECONDS + HOLD_SECONDS + 1.0
"""What comes later is not filmed [s]."""
BROKEN = (mujoco.mjtWarning.mjWARN_BADQPOS, mujoco.mjtWarning.mjWARN_BADQVEL, mujoco.mjtWarning.mjWARN_BADQACC)
"""MuJoCo's warnings of numbers that are not finite or much too large."""


@dataclass(frozen=True)
class Manipulation:
    """What became of one moving part.

    Attributes:
        link: the part.
        held: the link that was held: the part, or its handle.
        point: where, object frame at the closed state [m].
        applicable: whether a hand opens such a part; if not, nothing was tried.
        opened: fraction of the way to its limit when the hand let go.
        force: the largest that the hand pulled with [N].
        disturbed: the furthest that another joint moved meanwhile, as a fraction of its range.
        needs_open: whether the other joints had to be open.
        stable: no number overflowed, no joint was too fast, and all came to rest after the hand let go.
    """

    link: str
    held: str
    point: tuple[float, float, float]
    applicable: bool
    opened: float = 0.0
    force: float = 0.0
    disturbed: float = 0.0
    needs_open: bool = False
    stable: bool = True

    @property
    def problems(self) -> tuple[str, ...]:
        """One sentence each; none for a success, or where a hand has no business."""
        if not self.applicable:
            return ()
        found = []
        if self.opened < LEAST_OPENED:
            found.append(f"a hand opens {self.link} only {self.opened:.0%} of the way")
        if self.disturbed > MOST_DISTURBED:
            found.append(f"opening {self.link} moves another joint by {self.disturbed:.0%} of its range")
        if not self.stable:
            found.append(f"the simulation of opening {self.link} is unstable")
        return tuple(found)


@dataclass(frozen=True, eq=False)
class Demonstration:
    """A manipulation and how it went.

    Attributes:
        result: what became of it.
        path: (K, L) coordinates of all links, `FRAMES_PER_SECOND` up to `LAST_FRAME`; empty where nothing was tried.
    """

    result: Manipulation
    path: Array


def demonstrate(folder: Path) -> tuple[Demonstration, ...]:
    """Open each moving part of an asset, one after the other, each from the closed state.

    Raises:
        OSError: a document cannot be read.
        articulation.errors.ArticulationError: the URDF is none.
        ValueError, KeyError: MuJoCo refuses the MJCF, or it lacks a joint.
    """
    document = read_urdf((folder / URDF).read_bytes())
    tree = document.articulation
    files = {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.glob("*/**/*.*")}
    simulation = MujocoCheck((folder / MJCF).read_bytes(), files, tree)
    bounds = np.full(simulation.model.nv, np.inf)
    for index, dof in simulation.dof.items():
        bounds[dof] = TOO_FAST * (document.links[index].dynamics.velocity or np.inf)
    return tuple(_demonstrate(simulation, tree, index, bounds) for index in tree.moving)


def _demonstrate(simulation: MujocoCheck, tree: Articulation, index: int, bounds: Array) -> Demonstration:
    """Open one part; `bounds` (nv,) are speeds that no joint has in a stable simulation."""
    closed = np.zeros(len(tree))
    simulation.place(closed)
    mujoco.mj_forward(simulation.model, simulation.data)
    grasp = find_grasp(tree, index, simulation.triangles)
    if not is_graspable(tree, index, grasp):
        return Demonstration(_result(tree, index, grasp, applicable=False), np.empty((0, len(tree))))
    first = _Attempt(simulation, tree, index, grasp, bounds, closed).run()
    if not first.result.problems:
        return first
    others = open_coordinates(tree)
    others[tree.leader(index)] = 0.0
    second = _Attempt(simulation, tree, index, grasp, bounds, others).run()
    return second if not second.result.problems or second.result.opened > first.result.opened else first


def is_graspable(tree: Articulation, index: int, grasp: Grasp) -> bool:
    """Whether a hand opens such a part: not a button, a knob or a wheel."""
    joint = tree.links[index].joint
    if joint.type is JointType.CONTINUOUS:
        return False
    arm = lever(joint, grasp.point)
    return min(arm, arm * abs(open_end(joint))) >= GRASPABLE


def _result(tree: Articulation, index: int, grasp: Grasp, **found: Any) -> Manipulation:
    x, y, z = (float(value) for value in grasp.point)
    return Manipulation(tree.links[index].name, tree.links[grasp.link].name, (x, y, z), **found)


class _Hand:
    """A damped spring on a point of a body."""

    def __init__(self, simulation: MujocoCheck, body: int, point: Array, mass: float) -> None:
        """Take hold.

        Args:
            simulation: as it stands, forward kinematics done.
            body: MuJoCo's number.
            point: (3,) world frame [m].
            mass: what it is to move [kg].
        """
        self._model, self._data, self._body = simulation.model, simulation.data, body
        self._local = self._data.xmat[body].reshape(3, 3).T @ (point - self._data.xpos[body])
        self._stiffness, self._damping = mass * STIFFNESS**2, 2 * mass * STIFFNESS
        self._jacobian = np.zeros((3, self._model.nv))

    def pull(self, target: Array, velocity: Array) -> float:
        """Push the handle towards a target (3,) [m] that moves (3,) [m/s]; returns the force [N]."""
        data = self._data
        point = data.xpos[self._body] + data.xmat[self._body].reshape(3, 3) @ self._local
        mujoco.mj_jac(self._model, data, self._jacobian, None, point, self._body)
        force = self._stiffness * (target - point) + self._damping * (velocity - self._jacobian @ data.qvel)
        strength = float(np.linalg.norm(force))
        force *= min(1.0, FORCE / max(strength, 1e-12))
        data.qfrc_applied[:] = self._jacobian.T @ force
        return min(strength, FORCE)

    def release(self) -> None:
        self._data.qfrc_applied[:] = 0.0


class _Attempt:
    """One try to open one part, from coordinates (L,) at which the joints start."""

    def __init__(
        self, simulation: MujocoCheck, tree: Articulation, index: int, grasp: Grasp, bounds: Array, start: Array
    ) -> None:
        self._simulation, self._tree, self._index, self._grasp = simulation, tree, index, grasp
        self._model, self._data, self._bounds = simulation.model, simulation.data, bounds
        self._start, self._leader = coupled(tree, start), tree.leader(index)
        self._path: list[Array] = []
        self._stable = True
        simulation.place(start)
        mujoco.mj_forward(self._model, self._data)

    def run(self) -> Demonstration:
        """Pull, wait, let go."""
        targets = self._targets()
        velocities = np.gradient(targets, self._model.opt.timestep, axis=0)
        body = self._model.body(self._tree.links[self._grasp.link].name).id
        hand = _Hand(self._simulation, body, targets[0], self._mass_at_hand())
        others = set(self._tree.moving) - set(self._tree.coupled_with(self._index))
        force = disturbed = 0.0
        for target, velocity in zip(targets, velocities, strict=True):
            force = max(force, hand.pull(target, velocity))
            coordinates = self._step()
            if not self._stable:
                break
            moved = (abs(coordinates[i] - self._start[i]) / joint_range(self._tree, i) for i in others)
            disturbed = max(disturbed, *moved, 0.0)
        opened = coordinates[self._leader] / open_end(self._tree.links[self._leader].joint) if self._stable else 0.0
        hand.release()
        self._rest()
        result = _result(
            self._tree,
            self._index,
            self._grasp,
            applicable=True,
            opened=float(np.clip(opened, 0.0, 1.0)),
            force=force,
            disturbed=float(disturbed),
            needs_open=not np.array_equal(self._start, coupled(self._tree, np.zeros(len(self._tree)))),
            stable=self._stable,
        )
        return Demonstration(result, np.array(self._path))

    def _targets(self) -> Array:
        """(T, 3) where the handle should be at each step [m]: along its arc, gently at both ends, and held there."""
        timestep = self._model.opt.timestep
        time = np.clip(np.arange(round((OPEN_SECONDS + HOLD_SECONDS) / timestep)) * timestep / OPEN_SECONDS, 0, 1)
        coordinates = np.repeat(self._start[None], len(time), axis=0)
        coordinates[:, self._leader] = time**2 * (3 - 2 * time) * open_end(self._tree.links[self._leader].joint)
        poses = link_poses(self._tree, coordinates)[:, self._grasp.link]
        return transform_points(poses, self._grasp.point[None])[:, 0]

    def _mass_at_hand(self) -> float:
        """What the part, and those that move together with it, weigh to whom moves its handle [kg]."""
        rates = {i: self._rate(i) for i in self._tree.coupled_with(self._index)}
        velocity, momentum = np.zeros((2, self._model.nv))
        for index, rate in rates.items():
            velocity[self._simulation.dof[index]] = rate / rates[self._index]
        mujoco.mj_mulM(self._model, self._data, momentum, velocity)
        return float(velocity @ momentum) / lever(self._tree.links[self._index].joint, self._grasp.point) ** 2

    def _rate(self, index: int) -> float:
        """How fast a joint moves for its leader's one."""
        mimic = self._tree.links[index].joint.mimic
        return 1.0 if mimic is None else mimic.multiplier

    def _rest(self) -> None:
        """Let everything go its way until it is at rest; it is unstable if it never is."""
        ranges = np.array([joint_range(self._tree, index) for index in self._tree.moving])
        dofs = [self._simulation.dof[index] for index in self._tree.moving]
        calm = 0.0
        for _ in range(round(REST_SECONDS / self._model.opt.timestep)):
            if not self._stable or calm >= CALM_SECONDS:
                return
            self._step()
            still = (np.abs(self._data.qvel[dofs]) < REST_SPEED * ranges).all()
            calm = calm + self._model.opt.timestep if still else 0.0
        self._stable = self._stable and calm >= CALM_SECONDS

    def _step(self) -> Array:
        """One step of time; (L,) the coordinates after it."""
        if len(self._path) <= min(self._data.time, LAST_FRAME) * FRAMES_PER_SECOND:
            self._path.append(self._coordinates())
        mujoco.mj_step(self._model, self._data)
        bad = sum(int(self._data.warning[kind].number) for kind in BROKEN)
        self._stable = not bad and bool((np.abs(self._data.qvel) <= self._bounds).all())
        return self._coordinates()

    def _coordinates(self) -> Array:
        """(L,) of all links, 0 for fixed ones."""
        coordinates = np.zeros(len(self._tree))
        for index, address in self._simulation.qpos.items():
            coordinates[index] = self._data.qpos[address]
        return coordinates
