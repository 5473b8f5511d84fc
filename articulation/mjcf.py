"""MJCF, the MuJoCo document of an asset.

Each link is a body whose frame lies on its joint. The root has no joint: it stands fixed in the world. Visual and
collision geometry are separate geoms, groups 2 and 3; masses are given, not derived. Collision pieces of different
links do not touch at the closed state (`gateway.package` sees to it), so that parent and child collide, which MuJoCo
skips unless told, and no pair is excluded from contact but those that the asset names.
"""

from __future__ import annotations

import numpy as np
from lxml import etree

from articulation.asset import Asset, Inertial, link_origins
from articulation.files import collision_path, texture_path, visual_path
from articulation.formatting import number, numbers
from articulation.joint import JointType
from articulation.materials import MATERIALS
from articulation.typing import Array

ARMATURE_FRACTION = 0.01
"""Inertia that MuJoCo adds to a joint, as a fraction of the link's own: keeps light knobs stable."""

RIGID = "0.9999 0.9999 0.001"
"""Impedance, as large as MuJoCo allows: at 0.99 dry friction lets a part creep by a millimetre a second under its own
weight, and a joint lag behind the one that it follows."""

FOLLOWING = "0.004 1"
"""Time constant [s], the least for our time step, and damping ratio of a joint that follows another."""


def write_mjcf(asset: Asset, visuals: bool = True) -> bytes:
    """The document as UTF-8 XML; file names are those of `articulation.files`.

    Args:
        asset: what to write.
        visuals: whether to write visual geoms, meshes and textures too; collision tests do without.
    """
    mujoco = etree.Element("mujoco", model=asset.name)
    etree.SubElement(mujoco, "compiler", angle="radian", autolimits="true", inertiafromgeom="false")
    option = etree.SubElement(mujoco, "option", integrator="implicitfast", timestep="0.002")
    etree.SubElement(option, "flag", filterparent="disable")
    default = etree.SubElement(mujoco, "default")
    if visuals:
        visual = etree.SubElement(default, "default", {"class": "visual"})
        etree.SubElement(visual, "geom", type="mesh", contype="0", conaffinity="0", group="2")
    collision = etree.SubElement(default, "default", {"class": "collision"})
    etree.SubElement(collision, "geom", type="mesh", group="3", condim="4", rgba="0.6 0.7 0.9 0.4")
    files = etree.SubElement(mujoco, "asset")
    world = etree.SubElement(mujoco, "worldbody")
    if visuals:
        etree.SubElement(world, "light", pos="2 -1 3", dir="-2 1 -3", directional="true")
    bodies: dict[int, etree._Element] = {}
    origins = link_origins(asset.articulation)
    for index in asset.articulation.order():
        _declare_files(files, asset, index, visuals)
        parent = asset.articulation.links[index].parent
        element = world if parent < 0 else bodies[parent]
        offset = origins[index] - (origins[parent] if parent >= 0 else 0.0)
        bodies[index] = _write_body(element, asset, index, offset, origins[index], visuals)
    contact = etree.SubElement(mujoco, "contact")
    for pair in asset.excluded:
        first, second = (asset.articulation.links[index].name for index in pair)
        etree.SubElement(contact, "exclude", body1=first, body2=second)
    _write_equalities(mujoco, asset)
    _write_actuators(mujoco, asset)
    document: bytes = etree.tostring(mujoco, xml_declaration=True, encoding="utf-8", pretty_print=True)
    return document


def _declare_files(files: etree._Element, asset: Asset, index: int, visuals: bool) -> None:
    name = asset.articulation.links[index].name
    if visuals:
        etree.SubElement(files, "texture", name=name, type="2d", file=texture_path(name))
        etree.SubElement(files, "material", name=name, texture=name, specular="0.2", shininess="0.2")
        # A visual mesh may be open, of which no volume can be taken; as a shell it always compiles.
        etree.SubElement(files, "mesh", name=name, file=visual_path(name), inertia="shell")
    for piece in range(len(asset.bodies[index].collision)):
        etree.SubElement(files, "mesh", name=f"{name}.{piece}", file=collision_path(name, piece))


def _write_body(
    parent: etree._Element, asset: Asset, index: int, offset: Array, origin: Array, visuals: bool
) -> etree._Element:
    link, body = asset.articulation.links[index], asset.bodies[index]
    element = etree.SubElement(parent, "body", name=link.name, pos=numbers(offset))
    _write_inertial(element, body.inertial, origin)
    if link.joint.type.moves:
        joint = etree.SubElement(
            element,
            "joint",
            name=f"{link.name}_joint",
            type="slide" if link.joint.type is JointType.PRISMATIC else "hinge",
            axis=numbers(link.joint.axis),
            damping=number(body.dynamics.damping),
            frictionloss=number(body.dynamics.friction),
            solimpfriction=RIGID,
            armature=number(ARMATURE_FRACTION * body.inertial.mass * _squared_arm(asset, index)),
        )
        if link.joint.type is not JointType.CONTINUOUS:
            joint.set("range", numbers((link.joint.lower, link.joint.upper)))
    if visuals:
        etree.SubElement(element, "geom", {"class": "visual"}, mesh=link.name, material=link.name)
    friction = f"{number(MATERIALS[link.material].friction)} 0.005 0.0001"
    for piece in range(len(body.collision)):
        name = f"{link.name}.{piece}"
        etree.SubElement(element, "geom", {"class": "collision"}, name=name, mesh=name, friction=friction)
    return element


def _squared_arm(asset: Asset, index: int) -> float:
    """Squared lever [m^2] that turns a mass into the joint's inertia: 1 for prismatic joints."""
    if asset.articulation.links[index].joint.type is JointType.PRISMATIC:
        return 1.0
    return float(np.ptp(asset.bodies[index].visual.vertices, axis=0).max()) ** 2


def _write_inertial(body: etree._Element, inertial: Inertial, origin: Array) -> None:
    inertia = inertial.inertia
    moments = (inertia[0, 0], inertia[1, 1], inertia[2, 2], inertia[0, 1], inertia[0, 2], inertia[1, 2])
    etree.SubElement(
        body,
        "inertial",
        pos=numbers(inertial.center - origin),
        mass=number(inertial.mass),
        fullinertia=numbers(moments),
    )


def _write_equalities(mujoco: etree._Element, asset: Asset) -> None:
    """One constraint a joint that follows another."""
    equality = etree.SubElement(mujoco, "equality")
    for link in asset.articulation:
        if mimic := link.joint.mimic:
            etree.SubElement(
                equality,
                "joint",
                joint1=f"{link.name}_joint",
                joint2=f"{mimic.leader}_joint",
                polycoef=numbers((mimic.offset, mimic.multiplier, 0.0, 0.0, 0.0)),
                solref=FOLLOWING,
                solimp=RIGID,
            )


def _write_actuators(mujoco: etree._Element, asset: Asset) -> None:
    """One motor a joint that moves by itself; with no control the joint is passive."""
    actuators = etree.SubElement(mujoco, "actuator")
    led = {index for index, link in enumerate(asset.articulation) if link.joint.mimic}
    for index in sorted(set(asset.articulation.moving) - led):
        name, effort = asset.articulation.links[index].name, asset.bodies[index].dynamics.effort
        if effort > 0:
            etree.SubElement(
                actuators, "motor", name=f"{name}_motor", joint=f"{name}_joint", ctrlrange=numbers((-effort, effort))
            )
