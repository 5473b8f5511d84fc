"""URDF, read and written.

A URDF places each link's frame on its joint; here everything is kept in the object frame at the closed state instead
(`docs/frames.md`), and the writer puts each link's frame back on its joint's origin. A link's label travels in its
first visual's name and its material as the visual's material: a written document reads back the same; the joints'
confidences have no place in URDF. The limits of a continuous joint mean nothing and are not written.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from lxml import etree
from scipy.spatial.transform import Rotation

from articulation.asset import Asset, Inertial, JointDynamics, link_origins
from articulation.errors import InvalidDocument
from articulation.files import collision_path, visual_path
from articulation.formatting import number, numbers
from articulation.joint import Joint, JointType, Mimic
from articulation.materials import MATERIALS
from articulation.tree import Articulation, Link
from articulation.typing import Array

DEFAULT_MATERIAL = "plastic"
"""The material of a link whose document names none that we know."""


@dataclass(frozen=True)
class MeshShape:
    """A mesh file and its scale (3,) along the axes."""

    filename: str
    scale: tuple[float, float, float] = (1.0, 1.0, 1.0)


@dataclass(frozen=True)
class BoxShape:
    """Full side lengths [m]."""

    size: tuple[float, float, float]


@dataclass(frozen=True)
class CylinderShape:
    """A cylinder along z [m]."""

    radius: float
    length: float


@dataclass(frozen=True)
class SphereShape:
    """A ball [m]."""

    radius: float


Shape = MeshShape | BoxShape | CylinderShape | SphereShape


@dataclass(frozen=True, eq=False)
class Geometry:
    """A shape at `pose` (4, 4) in the object frame at the closed state."""

    shape: Shape
    pose: Array = field(default_factory=lambda: np.eye(4))


@dataclass(frozen=True, eq=False)
class UrdfLink:
    """What a document says of one link and its joint, beside the kinematics."""

    visuals: tuple[Geometry, ...] = ()
    collisions: tuple[Geometry, ...] = ()
    inertial: Inertial | None = None
    dynamics: JointDynamics = field(default_factory=JointDynamics)


@dataclass(frozen=True, eq=False)
class Urdf:
    """A document: `links[i]` belongs to `articulation.links[i]`. URDF frame [m, rad, kg]."""

    name: str
    articulation: Articulation
    links: tuple[UrdfLink, ...]


def asset_urdf(asset: Asset) -> Urdf:
    """The document of an asset whose files lie where `articulation.files` puts them."""
    links = []
    for link, body, origin in zip(asset.articulation, asset.bodies, link_origins(asset.articulation), strict=True):
        pose = np.eye(4)
        pose[:3, 3] = origin
        collisions = (MeshShape(collision_path(link.name, index)) for index in range(len(body.collision)))
        links.append(
            UrdfLink(
                visuals=(Geometry(MeshShape(visual_path(link.name)), pose),),
                collisions=tuple(Geometry(shape, pose) for shape in collisions),
                inertial=body.inertial,
                dynamics=body.dynamics,
            )
        )
    return Urdf(asset.name, asset.articulation, tuple(links))


def write_urdf(urdf: Urdf) -> bytes:
    """The document as UTF-8 XML, with MuJoCo's hints on how to load it, which other readers skip."""
    robot = etree.Element("robot", name=urdf.name)
    etree.SubElement(
        etree.SubElement(robot, "mujoco"), "compiler", strippath="false", discardvisual="false", fusestatic="false"
    )
    for material in sorted({link.material for link in urdf.articulation}):
        etree.SubElement(etree.SubElement(robot, "material", name=material), "color", rgba="1 1 1 1")
    origins = link_origins(urdf.articulation)
    for link, data, origin in zip(urdf.articulation, urdf.links, origins, strict=True):
        _write_link(robot, link, data, origin)
    for link, data, origin in zip(urdf.articulation, urdf.links, origins, strict=True):
        if link.parent >= 0:
            parent = urdf.articulation.links[link.parent].name
            _write_joint(robot, link, parent, data.dynamics, origin - origins[link.parent])
    document: bytes = etree.tostring(robot, xml_declaration=True, encoding="utf-8", pretty_print=True)
    return document


def _write_link(robot: etree._Element, link: Link, data: UrdfLink, origin: Array) -> None:
    element = etree.SubElement(robot, "link", name=link.name)
    if data.inertial is not None:
        inertial = etree.SubElement(element, "inertial")
        etree.SubElement(inertial, "origin", xyz=numbers(data.inertial.center - origin), rpy="0 0 0")
        etree.SubElement(inertial, "mass", value=number(data.inertial.mass))
        moments = {f"i{'xyz'[i]}{'xyz'[j]}": number(data.inertial.inertia[i, j]) for i in range(3) for j in range(i, 3)}
        etree.SubElement(inertial, "inertia", moments)
    for index, geometry in enumerate(data.visuals):
        visual = _write_geometry(element, "visual", geometry, origin)
        if link.label and index == 0:
            visual.set("name", f"{link.name}: {link.label}")
        etree.SubElement(visual, "material", name=link.material)
    for geometry in data.collisions:
        _write_geometry(element, "collision", geometry, origin)


def _write_geometry(link: etree._Element, tag: str, geometry: Geometry, origin: Array) -> etree._Element:
    element = etree.SubElement(link, tag)
    rpy = Rotation.from_matrix(geometry.pose[:3, :3]).as_euler("xyz")
    etree.SubElement(element, "origin", xyz=numbers(geometry.pose[:3, 3] - origin), rpy=numbers(rpy))
    parent = etree.SubElement(element, "geometry")
    match geometry.shape:
        case MeshShape(filename, scale):
            etree.SubElement(parent, "mesh", filename=filename, scale=numbers(scale))
        case BoxShape(size):
            etree.SubElement(parent, "box", size=numbers(size))
        case CylinderShape(radius, length):
            etree.SubElement(parent, "cylinder", radius=number(radius), length=number(length))
        case SphereShape(radius):
            etree.SubElement(parent, "sphere", radius=number(radius))
    return element


def _write_joint(robot: etree._Element, link: Link, parent: str, dynamics: JointDynamics, offset: Array) -> None:
    joint = etree.SubElement(robot, "joint", name=f"{link.name}_joint", type=link.joint.type.value)
    etree.SubElement(joint, "origin", xyz=numbers(offset), rpy="0 0 0")
    etree.SubElement(joint, "parent", link=parent)
    etree.SubElement(joint, "child", link=link.name)
    if not link.joint.type.moves:
        return
    etree.SubElement(joint, "axis", xyz=numbers(link.joint.axis))
    limit = etree.SubElement(joint, "limit", effort=number(dynamics.effort), velocity=number(dynamics.velocity))
    if link.joint.type is not JointType.CONTINUOUS:
        limit.set("lower", number(link.joint.lower))
        limit.set("upper", number(link.joint.upper))
    etree.SubElement(joint, "dynamics", damping=number(dynamics.damping), friction=number(dynamics.friction))
    if mimic := link.joint.mimic:
        numbers_of = {"multiplier": number(mimic.multiplier), "offset": number(mimic.offset)}
        etree.SubElement(joint, "mimic", {"joint": f"{mimic.leader}_joint", **numbers_of})


def read_urdf(document: bytes) -> Urdf:
    """Read a document.

    Raises:
        InvalidDocument: not XML, not a robot, or an element that is missing, malformed or of an unknown kind.
        InvalidArticulation: the links form no tree, or have names or limits that an articulation cannot have.
    """
    parser = etree.XMLParser(resolve_entities=False, no_network=True, remove_comments=True)
    try:
        robot = etree.fromstring(document, parser)
    except etree.XMLSyntaxError as error:
        raise InvalidDocument(f"is not XML: {error}") from error
    if robot.tag != "robot":
        raise InvalidDocument(f"<{robot.tag}> is not <robot>")
    elements = robot.findall("link")
    index = {_attribute(element, "name"): position for position, element in enumerate(elements)}
    joints: dict[int, etree._Element] = {}
    for joint in robot.findall("joint"):
        child = _link_index(joint, "child", index)
        if child in joints:
            raise InvalidDocument(f"{_where(joint)}: {_attribute(elements[child], 'name')!r} has two parents")
        joints[child] = joint
    parents = [_link_index(joints[i], "parent", index) if i in joints else -1 for i in range(len(elements))]
    frames = _closed_frames(joints, parents)
    moved = {_attribute(joint, "name"): _attribute(_child(joint, "child"), "link") for joint in joints.values()}
    links = []
    for position, element in enumerate(elements):
        joint_element = joints.get(position)
        joint = Joint(JointType.FIXED)
        if joint_element is not None:
            joint = replace(_read_joint(joint_element, frames[position]), mimic=_read_mimic(joint_element, moved))
        visual = element.find("visual")
        name = _attribute(element, "name")
        label = "" if visual is None else visual.get("name", "").removeprefix(f"{name}: ")
        links.append(Link(name, parents[position], joint, label, _material(visual)))
    data = tuple(_read_link(element, joints.get(i), frames[i]) for i, element in enumerate(elements))
    return Urdf(_attribute(robot, "name"), Articulation(tuple(links)), data)


def _closed_frames(joints: dict[int, etree._Element], parents: list[int]) -> list[Array]:
    """Pose (4, 4) of every link's frame in the root's frame, all joints at zero; a cycle is left to `Articulation`."""
    frames = []
    for index in range(len(parents)):
        pose, seen = np.eye(4), set[int]()
        while index in joints and index not in seen:
            seen.add(index)
            pose = _pose(joints[index]) @ pose
            index = parents[index]
        frames.append(pose)
    return frames


def _read_joint(element: etree._Element, frame: Array) -> Joint:
    name = _attribute(element, "type")
    if name not in {kind.value for kind in JointType}:
        raise InvalidDocument(f"{_where(element)}: joints of type {name!r} are not supported")
    kind = JointType(name)
    if not kind.moves:
        return Joint(kind, origin=frame[:3, 3])
    axis = _vector(element.find("axis"), "xyz", 3, default=(1.0, 0.0, 0.0))
    length = float(np.linalg.norm(axis))
    if length < 1e-9:
        raise InvalidDocument(f"{_where(element)}: the axis is zero")
    lower = upper = 0.0
    if kind is not JointType.CONTINUOUS:
        limit = _child(element, "limit")
        lower, upper = (float(_vector(limit, side, 1, default=(0.0,))[0]) for side in ("lower", "upper"))
    return Joint(kind, frame[:3, :3] @ axis / length, frame[:3, 3], lower, upper)


def _read_mimic(element: etree._Element, moved: dict[str, str]) -> Mimic | None:
    """What a joint follows; `moved` has the name of the link that each joint moves, by the joint's."""
    mimic = element.find("mimic")
    if mimic is None:
        return None
    leader = _attribute(mimic, "joint")
    if leader not in moved:
        raise InvalidDocument(f"{_where(element)}: mimic {leader!r} names no joint")
    multiplier, offset = (_vector(mimic, key, 1, (value,)) for key, value in (("multiplier", 1.0), ("offset", 0.0)))
    return Mimic(moved[leader], float(multiplier[0]), float(offset[0]))


def _read_link(element: etree._Element, joint: etree._Element | None, frame: Array) -> UrdfLink:
    dynamics = JointDynamics()
    if joint is not None:
        values = [
            float(_vector(joint.find(tag), key, 1, default=(0.0,))[0])
            for tag, key in (
                ("dynamics", "damping"),
                ("dynamics", "friction"),
                ("limit", "effort"),
                ("limit", "velocity"),
            )
        ]
        dynamics = JointDynamics(*values)
    return UrdfLink(
        visuals=tuple(_read_geometry(visual, frame) for visual in element.findall("visual")),
        collisions=tuple(_read_geometry(collision, frame) for collision in element.findall("collision")),
        inertial=_read_inertial(element.find("inertial"), frame),
        dynamics=dynamics,
    )


def _read_inertial(element: etree._Element | None, frame: Array) -> Inertial | None:
    if element is None:
        return None
    moments = _child(element, "inertia")
    xx, xy, xz, yy, yz, zz = (
        float(_vector(moments, key, 1, default=(0.0,))[0]) for key in ("ixx", "ixy", "ixz", "iyy", "iyz", "izz")
    )
    local = np.array([[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]])
    pose = frame @ _pose(element)
    mass = float(_vector(_child(element, "mass"), "value", 1)[0])
    return Inertial(mass, pose[:3, 3], pose[:3, :3] @ local @ pose[:3, :3].T)


def _read_geometry(element: etree._Element, frame: Array) -> Geometry:
    parent = _child(element, "geometry")
    if not len(parent):
        raise InvalidDocument(f"{_where(parent)} is empty")
    shape = parent[0]
    pose = frame @ _pose(element)
    match shape.tag:
        case "mesh":
            x, y, z = _vector(shape, "scale", 3, default=(1.0, 1.0, 1.0))
            return Geometry(MeshShape(_attribute(shape, "filename"), (float(x), float(y), float(z))), pose)
        case "box":
            x, y, z = _vector(shape, "size", 3)
            return Geometry(BoxShape((float(x), float(y), float(z))), pose)
        case "cylinder":
            radius, length = (float(_vector(shape, key, 1)[0]) for key in ("radius", "length"))
            return Geometry(CylinderShape(radius, length), pose)
        case "sphere":
            return Geometry(SphereShape(float(_vector(shape, "radius", 1)[0])), pose)
    raise InvalidDocument(f"{_where(shape)}: shapes of this kind are not supported")


def _material(visual: etree._Element | None) -> str:
    material = None if visual is None else visual.find("material")
    name = None if material is None else material.get("name")
    return name if name in MATERIALS else DEFAULT_MATERIAL


def _pose(element: etree._Element) -> Array:
    """(4, 4) of the element's <origin>; the identity without one."""
    origin = element.find("origin")
    pose = np.eye(4)
    pose[:3, 3] = _vector(origin, "xyz", 3, default=(0.0, 0.0, 0.0))
    pose[:3, :3] = Rotation.from_euler("xyz", _vector(origin, "rpy", 3, default=(0.0, 0.0, 0.0))).as_matrix()
    return pose


def _vector(element: etree._Element | None, key: str, count: int, default: tuple[float, ...] | None = None) -> Array:
    """The `count` finite numbers of an attribute, or `default` where the element or the attribute is absent."""
    text = None if element is None else element.get(key)
    if text is None and default is not None:
        return np.array(default)
    try:
        values = np.array([float(word) for word in (text or "").split()])
    except ValueError as error:
        raise InvalidDocument(f"{_where(element)}: {key}={text!r} is not numbers") from error
    if len(values) != count or not np.isfinite(values).all():
        raise InvalidDocument(f"{_where(element)}: {key}={text!r} is not {count} finite numbers")
    return values


def _link_index(joint: etree._Element, tag: str, index: dict[str, int]) -> int:
    name = _attribute(_child(joint, tag), "link")
    if name not in index:
        raise InvalidDocument(f"{_where(joint)}: {tag} {name!r} names no link")
    return index[name]


def _child(element: etree._Element, tag: str) -> etree._Element:
    child = element.find(tag)
    if child is None:
        raise InvalidDocument(f"{_where(element)} has no <{tag}>")
    return child


def _attribute(element: etree._Element, key: str) -> str:
    value = element.get(key)
    if value is None:
        raise InvalidDocument(f"{_where(element)} has no {key}")
    return str(value)


def _where(element: etree._Element | None) -> str:
    if element is None:
        return "a missing element"
    name = element.get("name")
    return f"<{element.tag}>" if name is None else f"<{element.tag} name={name!r}>"
