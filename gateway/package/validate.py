"""An asset folder, checked from its files alone, in MuJoCo, in PyBullet and as USD; if asked, a hand opens it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from pxr import Tf, Usd, UsdPhysics
from scipy.spatial import ConvexHull, QhullError

from articulation.errors import ArticulationError
from articulation.inertia import is_physical
from articulation.kinematics import transform_points
from articulation.tree import Articulation
from articulation.typing import Array
from articulation.urdf import Geometry, MeshShape, Urdf, read_urdf
from gateway.package import bullet
from gateway.package.manipulate import Demonstration, Manipulation, demonstrate
from gateway.package.mujoco_check import MujocoCheck, joint_range
from gateway.package.travel import ends_of, open_coordinates
from gateway.package.write import MJCF, URDF, USD

MAX_PENETRATION = 0.01
"""Deepest penetration, as a fraction of the diagonal."""
MAX_DRIFT = 0.02
"""Furthest that a joint may move by itself from the closed state within a second, as a fraction of its range."""
MIN_REACH = 0.95
"""Fraction of its range that a driven joint must reach."""
HULL_MARGIN = 1e-6
"""Rounding in the files may put a centre of mass outside its hull by this fraction of the hull's diagonal."""


@dataclass(frozen=True)
class JointCheck:
    """One moving joint; where it follows another, that one is driven.

    Attributes:
        link: the link that it moves.
        type: URDF joint type.
        lower: limit [rad or m].
        upper: limit [rad or m].
        penetration: deepest over its travel, as a fraction of the diagonal.
        reach_mujoco: fraction of the way to its upper limit that its motor drives it in MuJoCo.
        reach_pybullet: the same in PyBullet.
        drift: how far it moves by itself from the closed state within a second, as a fraction of its range.
        drift_absolute: the same [rad or m].
        needs_open: whether it travels only while the other joints are open.
    """

    link: str
    type: str
    lower: float
    upper: float
    penetration: float
    reach_mujoco: float
    reach_pybullet: float
    drift: float
    drift_absolute: float
    needs_open: bool


@dataclass(frozen=True)
class LinkCheck:
    """One link.

    Attributes:
        link: its name.
        mass: [kg].
        physical: mass positive, inertia positive definite and obeying the triangle inequality.
        center_inside: the centre of mass lies in the convex hull of what is seen and touched.
        collision_pieces: how many convex shapes it has.
    """

    link: str
    mass: float
    physical: bool
    center_inside: bool
    collision_pieces: int


@dataclass(frozen=True)
class ValidationReport:
    """What the checks found; `problems` is empty for a good asset.

    Attributes:
        name: of the asset.
        diagonal: of the closed object's bounding box [m].
        rest_penetration: at the closed state, as a fraction of the diagonal.
        joints: one for each moving joint.
        links: one for each link.
        usd_joints: joints in the USD stage, the one to the world included.
        problems: one sentence each.
        manipulations: one for each moving joint; None when no hand was asked for.
    """

    name: str
    diagonal: float
    rest_penetration: float
    joints: tuple[JointCheck, ...]
    links: tuple[LinkCheck, ...]
    usd_joints: int
    problems: tuple[str, ...]
    manipulations: tuple[Manipulation, ...] | None = None

    @property
    def ok(self) -> bool:
        return not self.problems

    def to_json(self) -> dict[str, Any]:
        """Plain data for `report.json`."""
        return asdict(self) | {"ok": self.ok}


def validate(folder: Path) -> ValidationReport:
    """Check an asset folder. A document that does not load is a problem in the report, not an error.

    Raises:
        OSError: the URDF cannot be read.
    """
    try:
        document = read_urdf((folder / URDF).read_bytes())
    except ArticulationError as error:
        return ValidationReport(folder.name, 0.0, 0.0, (), (), 0, (f"{URDF}: {error}",))
    tree = document.articulation
    problems: list[str] = []
    # Through memory: MuJoCo remembers meshes by path, and would take an older asset's of the same folder.
    files = {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.glob("*/**/*.*")}
    links = tuple(_check_link(document, index, files) for index in range(len(tree)))
    usd_joints = _count_usd_joints(folder / USD, problems)
    if usd_joints != len(tree):
        problems.append(f"{USD} has {usd_joints} joints for {len(tree)} links")
    problems += [f"{check.link} has an impossible mass or inertia" for check in links if not check.physical]
    problems += [f"{check.link} has its centre of mass outside its hull" for check in links if not check.center_inside]
    problems += [f"{check.link} has no collision shape" for check in links if not check.collision_pieces]
    try:
        simulation = MujocoCheck((folder / MJCF).read_bytes(), files, tree)
        from_urdf = MujocoCheck((folder / URDF).read_bytes(), files, tree)
        reaches = bullet.reaches(folder / URDF, tree, {i: document.links[i].dynamics for i in tree.moving})
    except (ValueError, KeyError, bullet.LoadFailed) as error:
        return ValidationReport(document.name, 0.0, 0.0, (), links, usd_joints, (*problems, f"does not load: {error}"))
    if from_urdf.joint_count != simulation.joint_count:
        problems.append(f"{URDF} has {from_urdf.joint_count} joints in MuJoCo, {MJCF} {simulation.joint_count}")
    rest = simulation.penetration(np.zeros(len(tree)))
    if rest > MAX_PENETRATION:
        problems.append(f"links penetrate by {rest:.1%} of the diagonal at the closed state")
    drifts = simulation.drifts()
    joints = tuple(_check_joint(simulation, document, i, reaches[i], drifts[i]) for i in tree.moving)
    for check in joints:
        problems += _joint_problems(check)
    return ValidationReport(document.name, simulation.diagonal, rest, joints, links, usd_joints, tuple(problems))


def validate_by_hand(folder: Path) -> tuple[ValidationReport, tuple[Demonstration, ...]]:
    """Check an asset folder, and open each of its parts by hand; none of an asset that does not load.

    Raises:
        OSError: the URDF cannot be read.
    """
    report = validate(folder)
    demonstrations = demonstrate(folder) if report.joints else ()
    results = tuple(demonstration.result for demonstration in demonstrations)
    problems = tuple(problem for result in results for problem in result.problems)
    return replace(report, manipulations=results, problems=(*report.problems, *problems)), demonstrations


def _check_link(document: Urdf, index: int, files: Mapping[str, bytes]) -> LinkCheck:
    link, data = document.articulation.links[index], document.links[index]
    if data.inertial is None:
        return LinkCheck(link.name, 0.0, False, False, len(data.collisions))
    points = np.concatenate([_vertices(geometry, files) for geometry in (*data.visuals, *data.collisions)])
    inside = is_inside_hull(data.inertial.center, points)
    return LinkCheck(link.name, data.inertial.mass, is_physical(data.inertial), inside, len(data.collisions))


def is_inside_hull(point: Array, points: Array) -> bool:
    """Whether a point (3,) lies in the convex hull of some points (N, 3); a flat set has none."""
    try:
        equations = ConvexHull(points).equations
    except (QhullError, ValueError):
        return False
    margin = HULL_MARGIN * float(np.linalg.norm(np.ptp(points, axis=0)))
    return bool((equations[:, :3] @ point + equations[:, 3] <= margin).all())


def _vertices(geometry: Geometry, files: Mapping[str, bytes]) -> Array:
    """(V, 3) of a mesh at its place in the object frame [m]; none of other shapes and of files that are missing."""
    if not isinstance(geometry.shape, MeshShape):
        return np.empty((0, 3))
    lines = files.get(geometry.shape.filename, b"").splitlines()
    rows = [line.split()[1:4] for line in lines if line.startswith(b"v ")]
    return transform_points(geometry.pose, np.array(rows, dtype=np.float64).reshape(-1, 3) * geometry.shape.scale)


def _check_joint(simulation: MujocoCheck, document: Urdf, index: int, reach: float, drift: float) -> JointCheck:
    tree = document.articulation
    link, leader = tree.links[index], tree.leader(index)
    closed, opened = np.zeros(len(tree)), open_coordinates(tree)
    depth, needs_open = _deepest(simulation, tree, leader, closed), False
    if depth > MAX_PENETRATION:
        other = _deepest(simulation, tree, leader, opened)
        depth, needs_open = min(depth, other), other < depth
    effort = document.links[leader].dynamics.effort
    reached = simulation.reach(leader, opened if needs_open else closed, effort)
    if reached < MIN_REACH and not needs_open:
        reached = simulation.reach(leader, opened, effort)
        needs_open = reached >= MIN_REACH
    joint = link.joint
    drifted = drift * joint_range(tree, index)
    limits = (joint.lower, joint.upper)
    return JointCheck(link.name, joint.type.value, *limits, depth, reached, reach, drift, drifted, needs_open)


def _deepest(simulation: MujocoCheck, tree: Articulation, index: int, others: Array) -> float:
    """Deepest penetration over a joint's travel, as a fraction of the diagonal."""
    depth, coordinates = 0.0, others.copy()
    for end in ends_of(tree, index):
        for value in np.linspace(0.0, end, 49):
            coordinates[index] = value
            depth = max(depth, simulation.penetration(coordinates))
    return depth


def _joint_problems(check: JointCheck) -> list[str]:
    problems = []
    if check.penetration > MAX_PENETRATION:
        problems.append(f"{check.link} penetrates by {check.penetration:.1%} of the diagonal on its way")
    if check.drift > MAX_DRIFT:
        problems.append(f"{check.link} moves by itself: {check.drift:.1%} of its range within a second")
    for simulator, reach in (("MuJoCo", check.reach_mujoco), ("PyBullet", check.reach_pybullet)):
        if reach < MIN_REACH:
            problems.append(f"{check.link} reaches only {reach:.0%} of its range in {simulator}")
    return problems


def _count_usd_joints(path: Path, problems: list[str]) -> int:
    try:
        stage = Usd.Stage.Open(str(path))
    except Tf.ErrorException as error:
        problems.append(f"{USD} does not open: {error}")
        return 0
    return sum(prim.IsA(UsdPhysics.Joint) for prim in stage.Traverse())
