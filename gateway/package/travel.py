"""Joint limits that the collision shapes allow.

Each joint is driven over its planned range, those that follow it with it, the others closed, and again with the others
open: a drawer behind a door moves only when the door is open. Where a part meets another near its hinge, a little is
trimmed off the pieces; beyond that, the limit shrinks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from articulation.asset import Asset
from articulation.files import collision_files
from articulation.joint import JointType
from articulation.kinematics import coupled, link_poses, with_led_limits
from articulation.mjcf import write_mjcf
from articulation.tree import Articulation
from articulation.typing import Array
from gateway.package.contacts import CollisionModel, Contact
from gateway.package.errors import JointBlocked
from gateway.package.mujoco_check import MujocoCheck
from gateway.package.separate import Pieces

SAMPLES = 48
"""Coordinates tried from the closed state to either limit."""
FIRST_SAMPLES = 3
FIRST_STEPS = 8
"""What catches is trimmed at so many coordinates up to each of the first samples."""
DEPTH = 0.005
"""Penetration above this fraction of the diagonal stops a joint: half of what a finished asset may show."""
CATCH_GAP = 0.25
"""A gap below this fraction of the clearance at rest would hold a real motion up, in which parts sag a little: it is
widened, as `Relief` says ..."""
RELIEF_ROUNDS = 12
"""... in at most so many rounds a joint, each of which costs a new collision model."""
DRIVEN = 0.98
"""A motor must bring its joint so far towards the limit."""
DRIVE_ROUNDS = 4
"""Most rounds of driving all joints."""
LEAST_TRAVEL = 0.1
"""A joint that is free over less than this fraction of its planned range is blocked."""


@dataclass(frozen=True)
class Relief:
    """How much may be trimmed to let a part move.

    Attributes:
        depth: deepest contact that is trimmed, as a fraction of the diagonal.
        loss: largest fraction of its volume that a link may lose.
    """

    depth: float
    loss: float


RELIEF = Relief(depth=0.05, loss=0.05)
GENEROUS = Relief(depth=0.1, loss=0.15)
"""For a joint that would else be refused."""


@dataclass(frozen=True)
class Travel:
    """How far one joint may go in one direction.

    Attributes:
        limit: the furthest free coordinate [rad or m].
        obstacle: the link in the way of going further; -1 when there is none.
    """

    limit: float
    obstacle: int


@dataclass(frozen=True)
class FreeTravel:
    """What is free of a joint's planned range.

    Attributes:
        travels: towards each of `ends_of`.
        fraction: of the planned range, in [0, 1].
        needs_open: whether the other joints must be open for it.
    """

    travels: list[Travel]
    fraction: float
    needs_open: bool


def relieve_all(asset: Asset, pieces: Pieces, clearance: float) -> Asset:
    """Trim what catches near each joint's hinge, parents first."""
    for index in asset.articulation.order():
        if index in asset.articulation.independent:
            asset = relieve(asset, pieces, index, clearance, RELIEF)
    return asset


def fit_limits(asset: Asset) -> Asset:
    """Shrink every joint's limits to its free travel.

    Raises:
        JointBlocked: a joint keeps less than `LEAST_TRAVEL` of its planned range.
    """
    notes = list(asset.notes)
    model = CollisionModel(asset)
    links = list(asset.articulation.links)
    for index in asset.articulation.independent:
        link = links[index]
        found = free_travel(model, asset, index)
        if found.needs_open:
            notes.append(f"{link.name} travels its whole range only while the other joints are open")
        if found.fraction < LEAST_TRAVEL:
            obstacle = next(t.obstacle for t in found.travels if t.obstacle >= 0)
            raise JointBlocked(link.name, links[obstacle].name, found.fraction)
        if found.fraction < 1:
            joint = link.joint
            lower, upper = min(t.limit for t in found.travels), max(t.limit for t in found.travels)
            if joint.type is JointType.CONTINUOUS:
                joint = replace(joint, type=JointType.REVOLUTE)
            links[index] = replace(link, joint=replace(joint, lower=min(lower, 0.0), upper=max(upper, 0.0)))
            notes.append(f"{link.name} keeps {found.fraction:.0%} of its planned range")
    return replace(asset, articulation=with_led_limits(Articulation(tuple(links))), notes=tuple(notes))


def free_travel(model: CollisionModel, asset: Asset, index: int) -> FreeTravel:
    """Drive one joint over its range, the others closed, and, if something is in its way, the others open."""
    ends = ends_of(asset.articulation, index)
    whole = max(sum(abs(end) for end in ends), 1e-12)
    travels = [_travel(model, asset, index, end, np.zeros(len(asset.articulation))) for end in ends]
    free = sum(abs(travel.limit) for travel in travels)
    if any(travel.obstacle >= 0 for travel in travels):
        opened = open_coordinates(asset.articulation)
        others = [_travel(model, asset, index, end, opened) for end in ends]
        if sum(abs(travel.limit) for travel in others) > free:
            return FreeTravel(others, sum(abs(travel.limit) for travel in others) / whole, needs_open=True)
    return FreeTravel(travels, free / whole, needs_open=False)


def drive_limits(asset: Asset) -> Asset:
    """Shrink the upper limits to where each joint gets when its motor pushes it in a simulation.

    A shrunk limit changes what stands in another joint's way, so that rounds follow until all agree.

    Raises:
        JointBlocked: a joint gets less than `LEAST_TRAVEL` of the way.
    """
    for _ in range(DRIVE_ROUNDS):
        driven = _drive_once(asset)
        if driven is asset:
            break
        asset = driven
    return asset


def _drive_once(asset: Asset) -> Asset:
    """One round of `drive_limits`; the asset itself when every joint gets to its limit."""
    tree = asset.articulation
    simulation = MujocoCheck(write_mjcf(asset, visuals=False), collision_files(asset), tree)
    links, notes = list(tree.links), list(asset.notes)
    for index in tree.independent:
        effort = asset.bodies[index].dynamics.effort
        starts = (np.zeros(len(tree)), open_coordinates(tree))
        reach = 0.0
        for start in starts:
            if reach < DRIVEN:
                reach = max(reach, simulation.reach(index, start, effort))
        joint = links[index].joint
        if reach >= DRIVEN or joint.type is JointType.CONTINUOUS:
            continue
        if reach < LEAST_TRAVEL:
            other = simulation.touched(carried_by(tree, index))
            raise JointBlocked(links[index].name, links[other].name if other >= 0 else "its own weight", reach)
        links[index] = replace(links[index], joint=replace(joint, upper=reach * joint.upper))
        notes.append(f"{links[index].name} is held up at {reach:.0%} of its range, where its limit is now")
    if len(notes) == len(asset.notes):
        return asset
    return replace(asset, articulation=with_led_limits(Articulation(tuple(links))), notes=tuple(notes))


def ends_of(tree: Articulation, index: int) -> tuple[float, ...]:
    """The coordinates to drive a joint to from the closed state, one or two."""
    joint = tree.links[index].joint
    if joint.type is JointType.CONTINUOUS:
        return (2 * np.pi,)
    return tuple(end for end in (joint.lower, joint.upper) if end != 0.0)


def open_coordinates(tree: Articulation) -> Array:
    """(L,) every joint at its upper limit, continuous ones at rest, followers where their leaders take them."""
    limited = (JointType.REVOLUTE, JointType.PRISMATIC)
    return coupled(tree, np.array([link.joint.upper if link.joint.type in limited else 0.0 for link in tree]))


def _travel(model: CollisionModel, asset: Asset, index: int, end: float, others: Array) -> Travel:
    """Drive one joint towards `end` while the others stay."""
    limit, coordinates = 0.0, others.copy()
    for value in np.linspace(0.0, end, SAMPLES + 1)[1:]:
        coordinates[index] = value
        obstacles = _obstacles(model.contacts(coordinates), asset, index, DEPTH)
        if obstacles:
            return Travel(limit, _other(obstacles[0], asset.articulation, index))
        limit = float(value)
    return Travel(limit, -1)


def relieve(asset: Asset, pieces: Pieces, index: int, clearance: float, relief: Relief) -> Asset:
    """Trim what a joint's part runs into, the others closed, as far as relief goes."""
    rounds = 0
    pieces.mark()
    coordinates = np.zeros(len(asset.articulation))
    model = CollisionModel(asset, CATCH_GAP * clearance)
    catch = -CATCH_GAP * clearance / asset.diagonal
    for values in relief_steps(ends_of(asset.articulation, index)):
        for value in values:
            coordinates[index] = value
            poses = link_poses(asset.articulation, coordinates)
            while found := _obstacles(model.contacts(coordinates), asset, index, catch):
                shallow = found[0].depth <= relief.depth * asset.diagonal and rounds < RELIEF_ROUNDS
                if not shallow or not pieces.trim_all(found, poses, clearance, relief.loss):
                    break
                rounds += 1
                asset = pieces.apply(asset)
                model = CollisionModel(asset, CATCH_GAP * clearance)
            if found and found[0].depth > DEPTH * asset.diagonal:
                break
    if not rounds:
        return asset
    note = f"collision shapes around {asset.articulation.links[index].name} were trimmed to let it move"
    return replace(asset, notes=(*asset.notes, note))


def relief_steps(ends: Sequence[float]) -> list[Array]:
    """Coordinates from the closed state to each limit; then, with what may still be trimmed, finer ones up to the first
    few of these: there parts that are a hair apart may hook into each other, and one would drag the other along."""
    whole = [np.linspace(0.0, end, SAMPLES + 1)[1:] for end in ends]
    fine = FIRST_SAMPLES * FIRST_STEPS
    return whole + [np.linspace(0.0, values[FIRST_SAMPLES - 1], fine + 1)[1:-1] for values in whole]


def touching(model: CollisionModel, asset: Asset, index: int, value: float, depth: float) -> set[int]:
    """The two links whose contact stops a joint at a coordinate, the others closed; none if it is free."""
    coordinates = np.zeros(len(asset.articulation))
    coordinates[index] = value
    found = _obstacles(model.contacts(coordinates), asset, index, depth)
    return {found[0].first[0], found[0].second[0]} if found else set()


def _obstacles(contacts: list[Contact], asset: Asset, index: int, depth: float) -> list[Contact]:
    """The contacts of links whose distance depends on the joint, deeper than a fraction of the diagonal, the deepest
    first.
    """
    held = carriers(asset.articulation, index)
    deep = (contact for contact in contacts if contact.depth > depth * asset.diagonal)
    return [contact for contact in deep if held[contact.first[0]] != held[contact.second[0]]]


def _other(contact: Contact, tree: Articulation, index: int) -> int:
    return contact.second[0] if carriers(tree, index)[contact.first[0]] else contact.first[0]


def carriers(tree: Articulation, index: int) -> tuple[frozenset[int], ...]:
    """Of each link, the joints that carry it, among a joint and those that move together with it.

    Links that the same ones carry stay as they are to each other, whatever the joint's coordinate.
    """
    carried = {joint: carried_by(tree, joint) for joint in tree.coupled_with(index)}
    return tuple(frozenset(joint for joint, own in carried.items() if link in own) for link in range(len(tree)))


def carried_by(tree: Articulation, index: int) -> set[int]:
    """The link and all that hang on it."""
    carried = {index}
    for link in tree.order():
        if tree.links[link].parent in carried:
            carried.add(link)
    return carried
