"""A plan and its meshes to an asset."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
from manifold3d import Manifold

from articulation.asset import Asset, Body, TexturedMesh
from articulation.frames import UrdfFrame
from articulation.inertia import link_inertial
from articulation.kinematics import with_led_limits
from articulation.plan import Plan
from articulation.tree import Articulation
from gateway.package.cavities import INSIDE, Room, carve_all, rooms, surface_points
from gateway.package.clean import close, drop_debris
from gateway.package.convex import MAX_PIECES, convex_pieces
from gateway.package.dynamics import drive_followers, joint_dynamics
from gateway.package.errors import JointBlocked, UnusableMesh
from gateway.package.matter import effective_density
from gateway.package.separate import Pieces, separate_at_rest
from gateway.package.solids import extent, hull_of, mesh_of, vertices_of
from gateway.package.straighten import straighten
from gateway.package.travel import carried_by, fit_limits, relieve_all
from gateway.package.unblock import drawn_out, drive_freed, unblock, with_joint

CLEARANCE = 0.001
"""Gap between the collision shapes of the closed object, as a fraction of its diagonal."""
THINNEST = 0.001
"""Collision pieces thinner than this fraction of the diagonal are dropped."""
SPACING = 0.02
"""Distance of the points that say where a part is, as a fraction of the diagonal."""
FLAT = 1e-6
"""A mesh is flat when its hull's volume is below this fraction of its diagonal's cube."""
SPECK = 1e-12
"""Simulators refuse meshes of little more volume than nothing; this is a cube of a tenth of a millimetre [m^3]."""


def build_asset(plan: Plan, meshes: Sequence[TexturedMesh], name: str, most_pieces: int = MAX_PIECES) -> Asset:
    """Make a simulation-ready asset.

    Args:
        plan: the refined plan, model space.
        meshes: one a part, in the plan's order, model space at the closed state.
        name: of the asset, as `articulation.asset.Asset`.
        most_pieces: collision pieces of one link, about.

    Raises:
        UnusableMesh: a part has no surface, or encloses nothing.
        JointBlocked: a joint cannot travel.
        AssetRejected: MuJoCo refuses the collision shapes.
    """
    frame = UrdfFrame(plan.size / 2, floor=min(float(mesh.vertices[:, 1].min()) for mesh in meshes))
    planned = Articulation(tuple(replace(link, joint=frame.joint(link.joint)) for link in plan.articulation()))
    tree = with_led_limits(planned)
    visuals = [replace(mesh, vertices=frame.points(mesh.vertices)) for mesh in map(drop_debris, meshes)]
    notes = [
        f"{link.name} goes as far as the joint that it follows takes it"
        for link, before in zip(tree, planned, strict=True)
        if not np.allclose((link.joint.lower, link.joint.upper), (before.joint.lower, before.joint.upper))
    ]
    solids = [_solid(link.name, mesh, notes) for link, mesh in zip(tree, visuals, strict=True)]
    tree, straightened = straighten(tree, solids)
    notes += straightened
    inside = INSIDE
    while True:
        try:
            return _assemble(name, tree, visuals, solids, notes, inside, most_pieces)
        except JointBlocked as error:
            if most_pieces < MAX_PIECES:  # finer shapes may leave the way free
                most_pieces = MAX_PIECES
            elif inside > 0.0:
                inside = 0.0
            else:
                tree = _draw_out(tree, visuals, error)
                notes.append(f"{error.part}, which turns about no line inside its parent, is drawn out")


def _draw_out(tree: Articulation, visuals: Sequence[TexturedMesh], blocked: JointBlocked) -> Articulation:
    """The tree with a slide for the joint that is blocked.

    Raises:
        JointBlocked: the same, of a part that cannot be drawn out.
    """
    index = next(i for i, link in enumerate(tree) if link.name == blocked.part)
    link = tree.links[index]
    slide = drawn_out(link.joint, visuals[index].vertices, visuals[link.parent].vertices)
    alone = tree.coupled_with(index) == (index,)
    if slide is None or not alone or blocked.other != tree.links[link.parent].name:
        raise blocked
    return with_joint(tree, index, slide)


def _assemble(
    name: str,
    tree: Articulation,
    visuals: Sequence[TexturedMesh],
    solids: Sequence[Manifold],
    notes: Sequence[str],
    inside: float,
    most_pieces: int,
) -> Asset:
    """Collision shapes, masses, limits and dynamics; `inside` says which parts get room in their parents."""
    diagonal = float(np.linalg.norm(np.ptp(np.concatenate([mesh.vertices for mesh in visuals]), axis=0)))
    carved = _make_room(tree, solids, diagonal, inside)
    with ThreadPoolExecutor(2) as threads:
        hulls = list(threads.map(lambda own: convex_pieces(own, THINNEST * diagonal, most_pieces), carved))
    hulls = [own or [solid.hull()] for own, solid in zip(hulls, solids, strict=True)]
    inertials = [
        link_inertial(mesh_of(Manifold.compose(own)), effective_density(link.material))
        for own, link in zip(carved, tree, strict=True)
    ]
    pieces = Pieces(hulls, THINNEST * diagonal)
    bodies = tuple(Body(visual, (), inertial) for visual, inertial in zip(visuals, inertials, strict=True))
    asset = separate_at_rest(Asset(name, tree, bodies, tuple(notes)), pieces, CLEARANCE * diagonal)
    asset = relieve_all(asset, pieces, CLEARANCE * diagonal)
    asset, pieces = unblock(asset, pieces, CLEARANCE * diagonal)
    asset = fit_limits(asset)
    carried = [sorted(carried_by(asset.articulation, index)) for index in range(len(tree))]
    dynamics = [joint_dynamics(asset.articulation, inertials, index, own) for index, own in enumerate(carried)]
    driven = drive_followers(asset.articulation, dynamics)
    moved = (replace(body, dynamics=own) for body, own in zip(asset.bodies, driven, strict=True))
    return drive_freed(replace(asset, bodies=tuple(moved)), pieces, CLEARANCE * diagonal)


def _solid(part: str, mesh: TexturedMesh, notes: list[str]) -> Manifold:
    """The solid that a part's mesh bounds, or the hull of a mesh that bounds none."""
    solid = close(mesh)
    if solid is not None and solid.hull().volume() > SPECK:
        return solid
    hull = hull_of(mesh.vertices)
    if hull.is_empty() or hull.volume() < max(SPECK, FLAT * float(np.linalg.norm(extent(hull))) ** 3):
        raise UnusableMesh(part, "its mesh is flat")
    notes.append(f"{part} has no closed surface: its convex hull stands for its mass and its collision shape")
    return hull


def _make_room(tree: Articulation, solids: Sequence[Manifold], diagonal: float, inside: float) -> list[list[Manifold]]:
    """Each link's solid without the room that its moving children need."""
    carved = []
    for index, solid in enumerate(solids):
        around = vertices_of(solid)
        wanted: list[Room] = []
        for child in tree.children(index):
            joint = tree.links[child].joint
            if joint.type.moves:
                points = surface_points(solids[child], SPACING * diagonal)
                wanted += rooms(points, joint, around, CLEARANCE * diagonal, inside)
        carved.append(carve_all([solid], wanted))
    return carved
