"""Random articulations and assets for the tests of the core."""

import numpy as np
import trimesh
from hypothesis import strategies as st

from articulation.asset import Asset, Body, JointDynamics, Mesh, TexturedMesh
from articulation.inertia import mesh_inertial
from articulation.joint import Joint, JointType
from articulation.materials import MATERIALS
from articulation.tree import Articulation, Link
from articulation.typing import Array

coordinate = st.floats(-2, 2, allow_nan=False, allow_subnormal=False)


@st.composite
def vectors(draw: st.DrawFn) -> Array:
    return np.array([draw(coordinate) for _ in range(3)])


@st.composite
def unit_vectors(draw: st.DrawFn) -> Array:
    vector = draw(vectors().filter(lambda v: np.linalg.norm(v) > 1e-2))
    return vector / np.linalg.norm(vector)


@st.composite
def joints(draw: st.DrawFn, kinds: tuple[JointType, ...] = tuple(JointType)) -> Joint:
    kind = draw(st.sampled_from(kinds))
    if not kind.moves:
        return Joint(kind, origin=draw(vectors()))
    lower, upper = 0.0, 0.0
    if kind is not JointType.CONTINUOUS:
        lower, upper = -draw(st.floats(0, 2, allow_subnormal=False)), draw(st.floats(0.01, 3, allow_subnormal=False))
    return Joint(kind, draw(unit_vectors()), draw(vectors()), lower, upper)


@st.composite
def articulations(draw: st.DrawFn, most: int = 6) -> Articulation:
    """Trees in a shuffled link order, so that parents may follow their children."""
    count = draw(st.integers(1, most))
    place = draw(st.permutations(range(count)))
    links: list[Link | None] = [None] * count
    for index in range(count):
        parent = -1 if index == 0 else place[draw(st.integers(0, index - 1))]
        joint = Joint(JointType.FIXED) if index == 0 else draw(joints())
        material = draw(st.sampled_from(sorted(MATERIALS)))
        links[place[index]] = Link(
            f"link_{index}", parent, joint, draw(st.sampled_from(["", "door", "front drawer"])), material
        )
    return Articulation(tuple(link for link in links if link is not None))


@st.composite
def assets(draw: st.DrawFn, most: int = 5) -> Asset:
    """One box a link, somewhere."""
    articulation = draw(articulations(most))
    bodies = []
    for link in articulation:
        size = [draw(st.floats(0.05, 0.5, allow_subnormal=False)) for _ in range(3)]
        box = box_mesh(draw(vectors()), size)
        dynamics = JointDynamics(0.5, 0.25, 10.0, 2.0) if link.joint.type.moves else JointDynamics()
        bodies.append(Body(textured(box), (box,), mesh_inertial(box, 100.0), dynamics))
    return Asset("thing", articulation, tuple(bodies))


def box_mesh(center: Array, size: Array | list[float]) -> Mesh:
    box = trimesh.creation.box(size)
    return Mesh(np.asarray(box.vertices) + center, np.asarray(box.faces))


def textured(mesh: Mesh) -> TexturedMesh:
    """The mesh with a 4 x 4 texture and coordinates from its first two axes."""
    low, span = mesh.vertices.min(0), np.ptp(mesh.vertices, axis=0)
    uvs = ((mesh.vertices - low) / span)[:, :2]
    texture = np.arange(48, dtype=np.uint8).reshape(4, 4, 3) * 5
    return TexturedMesh(mesh.vertices, mesh.faces, uvs, texture)
