"""USD of an asset: links as rigid bodies with convex collision, masses, textures, and UsdPhysics joints.

The stage is z up, in metres and kilograms. UsdPhysics wants revolute limits, and damping, in degrees. Joint friction
has no place in UsdPhysics; it is kept as the attribute `spark:jointFriction`. A joint that follows another has
Newton's schema for that, `NewtonMimicAPI`, in degrees as well. The same pairs of links collide as in
the MJCF: unless told otherwise, UsdPhysics lets the two bodies of a joint pass through each other, and lets bodies
collide that fixed joints hold together. What a link is, and what it is made of, are semantic labels, for simulated
cameras.
"""

from __future__ import annotations

import tempfile
from itertools import combinations
from pathlib import Path

import numpy as np
from pxr import Gf, Kind, Sdf, Usd, UsdGeom, UsdPhysics, UsdSemantics, UsdShade, Vt

from articulation.asset import Asset, Body, Inertial, Mesh, TexturedMesh, link_origins
from articulation.files import texture_path
from articulation.joint import JointType, Mimic
from articulation.materials import MATERIALS
from articulation.normals import corner_normals, face_normals
from articulation.tree import Link
from articulation.typing import AnyArray, Array, IntArray

JOINTS = "Joints"
"""The scope that holds the joints; no link has this name, since links have lower-case ones."""


def write_usd(asset: Asset) -> bytes:
    """The asset as a .usdc binary layer; textures are referred to by their path in the asset folder."""
    stage = Usd.Stage.CreateInMemory()
    UsdGeom.SetStageUpAxis(stage, UsdGeom.Tokens.z)
    UsdGeom.SetStageMetersPerUnit(stage, 1.0)
    UsdPhysics.SetStageKilogramsPerUnit(stage, 1.0)
    base = Sdf.Path.absoluteRootPath.AppendChild(asset.name)
    stage.SetDefaultPrim(UsdGeom.Xform.Define(stage, base).GetPrim())
    Usd.ModelAPI(stage.GetDefaultPrim()).SetKind(Kind.Tokens.component)
    origins = link_origins(asset.articulation)
    for link, body, origin in zip(asset.articulation, asset.bodies, origins, strict=True):
        _define_link(stage, base, link, body, origin)
    UsdGeom.Scope.Define(stage, base.AppendChild(JOINTS))
    for index, link in enumerate(asset.articulation):
        parent = asset.articulation.links[link.parent] if link.parent >= 0 else None
        offset = origins[index] - (origins[link.parent] if parent else 0.0)
        _define_joint(stage, base, link, parent, asset.bodies[index], offset)
        if link.joint.mimic:
            _set_mimic(stage, base.AppendChild(JOINTS), link, link.joint.mimic)
    for pair in _never_colliding(asset):
        first, second = (base.AppendChild(asset.articulation.links[index].name) for index in pair)
        filtered = UsdPhysics.FilteredPairsAPI.Apply(stage.GetPrimAtPath(first))
        filtered.CreateFilteredPairsRel().AddTarget(second)
    return _binary(stage.GetRootLayer())


def _never_colliding(asset: Asset) -> list[tuple[int, int]]:
    """Pairs of links that the asset excludes, or that fixed joints hold together."""
    links = asset.articulation.links
    carrier = list(range(len(links)))
    for index in asset.articulation.order():
        if links[index].parent >= 0 and not links[index].joint.type.moves:
            carrier[index] = carrier[links[index].parent]
    rigid = (pair for pair in combinations(range(len(links)), 2) if carrier[pair[0]] == carrier[pair[1]])
    return [*asset.excluded, *rigid]


def _binary(layer: Sdf.Layer) -> bytes:
    """The layer as crate, which USD writes to files only."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "layer.usdc"
        layer.Export(str(path))
        return path.read_bytes()


def _define_link(stage: Usd.Stage, base: Sdf.Path, link: Link, body: Body, origin: Array) -> None:
    path = base.AppendChild(link.name)
    xform = UsdGeom.Xform.Define(stage, path)
    xform.AddTranslateOp().Set(Gf.Vec3d(*origin.tolist()))
    UsdPhysics.RigidBodyAPI.Apply(xform.GetPrim())
    if link.parent < 0:
        UsdPhysics.ArticulationRootAPI.Apply(xform.GetPrim())
    _set_mass(xform.GetPrim(), body.inertial, origin)
    material = _define_material(stage, path.AppendChild("material"), link, body.visual)
    visual = _define_visual(stage, path.AppendChild("visual"), body.visual, origin)
    UsdShade.MaterialBindingAPI.Apply(visual.GetPrim()).Bind(material)
    if link.label:
        _add_label(xform.GetPrim(), "class", link.label)
    for index, piece in enumerate(body.collision):
        mesh = _define_collider(stage, path.AppendChild(f"collision_{index}"), piece, origin)
        UsdShade.MaterialBindingAPI.Apply(mesh.GetPrim()).Bind(
            material, UsdShade.Tokens.weakerThanDescendants, materialPurpose="physics"
        )


def _add_label(prim: Usd.Prim, taxonomy: str, label: str) -> None:
    UsdSemantics.LabelsAPI.Apply(prim, taxonomy).CreateLabelsAttr([label])


def _set_mass(prim: Usd.Prim, inertial: Inertial, origin: Array) -> None:
    moments, axes = np.linalg.eigh(inertial.inertia)
    axes[:, 2] *= np.sign(np.linalg.det(axes))
    mass = UsdPhysics.MassAPI.Apply(prim)
    mass.CreateMassAttr(inertial.mass)
    mass.CreateCenterOfMassAttr(Gf.Vec3f(*(inertial.center - origin).tolist()))
    mass.CreateDiagonalInertiaAttr(Gf.Vec3f(*moments.tolist()))
    mass.CreatePrincipalAxesAttr(Gf.Quatf(Gf.Matrix3d(*axes.T.reshape(-1).tolist()).ExtractRotation().GetQuat()))


def _define_visual(stage: Usd.Stage, path: Sdf.Path, source: TexturedMesh, origin: Array) -> UsdGeom.Mesh:
    points, faces, seen = _welded(source, origin)
    mesh = _define_mesh(stage, path, points, faces)
    _set_normals(mesh, corner_normals(points, faces), UsdGeom.Tokens.faceVarying)
    values, indices = np.unique(source.uvs[source.faces[seen]].reshape(-1, 2), axis=0, return_inverse=True)
    coordinates = UsdGeom.PrimvarsAPI(mesh).CreatePrimvar(
        "st", Sdf.ValueTypeNames.TexCoord2fArray, UsdGeom.Tokens.faceVarying
    )
    coordinates.Set(Vt.Vec2fArray.FromNumpy(values.astype(np.float32)))
    coordinates.SetIndices(Vt.IntArray.FromNumpy(indices.astype(np.int32)))
    return mesh


def _define_collider(stage: Usd.Stage, path: Sdf.Path, source: Mesh, origin: Array) -> UsdGeom.Mesh:
    points, faces, _ = _welded(source, origin)
    mesh = _define_mesh(stage, path, points, faces)
    _set_normals(mesh, face_normals(points[faces])[0], UsdGeom.Tokens.uniform)
    mesh.CreatePurposeAttr(UsdGeom.Tokens.guide)
    UsdPhysics.CollisionAPI.Apply(mesh.GetPrim())
    UsdPhysics.MeshCollisionAPI.Apply(mesh.GetPrim()).CreateApproximationAttr(UsdPhysics.Tokens.convexHull)
    return mesh


def _welded(mesh: Mesh, origin: Array) -> tuple[Array, IntArray, AnyArray]:
    """The mesh relative to `origin` in single precision, one point a place, without faces that have no area.

    Returns:
        (P, 3) points, (F, 3) indices into them, and the (N,) mask of the faces of `mesh` that are kept.
    """
    corners = (mesh.vertices - origin).astype(np.float32).astype(np.float64)[mesh.faces]
    seen = face_normals(corners)[1] > 0
    points, indices = np.unique(corners[seen].reshape(-1, 3), axis=0, return_inverse=True)
    return points, indices.reshape(-1, 3), seen


def _define_mesh(stage: Usd.Stage, path: Sdf.Path, points: Array, faces: IntArray) -> UsdGeom.Mesh:
    mesh = UsdGeom.Mesh.Define(stage, path)
    values = Vt.Vec3fArray.FromNumpy(points.astype(np.float32))
    mesh.CreatePointsAttr(values)
    mesh.CreateExtentAttr(UsdGeom.PointBased.ComputeExtent(values))
    mesh.CreateFaceVertexCountsAttr(Vt.IntArray.FromNumpy(np.full(len(faces), 3, np.int32)))
    mesh.CreateFaceVertexIndicesAttr(Vt.IntArray.FromNumpy(faces.reshape(-1).astype(np.int32)))
    mesh.CreateSubdivisionSchemeAttr(UsdGeom.Tokens.none)
    return mesh


def _set_normals(mesh: UsdGeom.Mesh, normals: Array, interpolation: str) -> None:
    """Author (..., 3) unit normals."""
    mesh.CreateNormalsAttr(Vt.Vec3fArray.FromNumpy(normals.reshape(-1, 3).astype(np.float32)))
    mesh.SetNormalsInterpolation(interpolation)


def _define_material(stage: Usd.Stage, path: Sdf.Path, link: Link, visual: TexturedMesh) -> UsdShade.Material:
    """A preview surface with the link's texture, and the physical material beside it."""
    material = UsdShade.Material.Define(stage, path)
    surface = UsdShade.Shader.Define(stage, path.AppendChild("surface"))
    surface.CreateIdAttr("UsdPreviewSurface")
    surface.CreateInput("roughness", Sdf.ValueTypeNames.Float).Set(0.8)
    reader = UsdShade.Shader.Define(stage, path.AppendChild("coordinates"))
    reader.CreateIdAttr("UsdPrimvarReader_float2")
    reader.CreateInput("varname", Sdf.ValueTypeNames.String).Set("st")
    texture = UsdShade.Shader.Define(stage, path.AppendChild("texture"))
    texture.CreateIdAttr("UsdUVTexture")
    texture.CreateInput("file", Sdf.ValueTypeNames.Asset).Set(f"./{texture_path(link.name)}")
    texture.CreateInput("sourceColorSpace", Sdf.ValueTypeNames.Token).Set("sRGB")
    average = visual.texture.reshape(-1, 3).mean(0) / 255.0
    texture.CreateInput("fallback", Sdf.ValueTypeNames.Float4).Set(Gf.Vec4f(*average.tolist(), 1.0))
    texture.CreateInput("st", Sdf.ValueTypeNames.Float2).ConnectToSource(
        reader.CreateOutput("result", Sdf.ValueTypeNames.Float2)
    )
    surface.CreateInput("diffuseColor", Sdf.ValueTypeNames.Color3f).ConnectToSource(
        texture.CreateOutput("rgb", Sdf.ValueTypeNames.Float3)
    )
    material.CreateSurfaceOutput().ConnectToSource(surface.CreateOutput("surface", Sdf.ValueTypeNames.Token))
    _add_label(material.GetPrim(), "material", link.material)
    physics = UsdPhysics.MaterialAPI.Apply(material.GetPrim())
    physics.CreateDensityAttr(MATERIALS[link.material].density)
    physics.CreateStaticFrictionAttr(MATERIALS[link.material].friction)
    physics.CreateDynamicFrictionAttr(MATERIALS[link.material].friction)
    return material


def _define_joint(stage: Usd.Stage, base: Sdf.Path, link: Link, parent: Link | None, body: Body, offset: Array) -> None:
    """The joint that holds the link to its parent, or the root to the world."""
    path = base.AppendChild(JOINTS).AppendChild(f"{link.name}_joint")
    joint = link.joint
    degrees = 180.0 / np.pi if joint.type.rotates else 1.0
    if joint.type.rotates:
        prim = UsdPhysics.RevoluteJoint.Define(stage, path)
    elif joint.type is JointType.PRISMATIC:
        prim = UsdPhysics.PrismaticJoint.Define(stage, path)
    else:
        prim = UsdPhysics.FixedJoint.Define(stage, path)
    if parent is not None:
        prim.CreateCollisionEnabledAttr(joint.type.moves)
        prim.CreateBody0Rel().SetTargets([base.AppendChild(parent.name)])
    prim.CreateBody1Rel().SetTargets([base.AppendChild(link.name)])
    prim.CreateLocalPos0Attr(Gf.Vec3f(*offset.tolist()))
    prim.CreateLocalPos1Attr(Gf.Vec3f(0.0))
    if not joint.type.moves:
        return
    turn = Gf.Quatf(Gf.Rotation(Gf.Vec3d(1, 0, 0), Gf.Vec3d(*joint.axis.tolist())).GetQuat())
    prim.CreateLocalRot0Attr(turn)
    prim.CreateLocalRot1Attr(turn)
    prim.CreateAxisAttr(UsdPhysics.Tokens.x)
    if joint.type is not JointType.CONTINUOUS:
        prim.CreateLowerLimitAttr(joint.lower * degrees)
        prim.CreateUpperLimitAttr(joint.upper * degrees)
    drive = UsdPhysics.DriveAPI.Apply(prim.GetPrim(), "angular" if joint.type.rotates else "linear")
    drive.CreateTypeAttr(UsdPhysics.Tokens.force)
    drive.CreateStiffnessAttr(0.0)
    drive.CreateDampingAttr(body.dynamics.damping / degrees)
    drive.CreateMaxForceAttr(body.dynamics.effort)
    friction = prim.GetPrim().CreateAttribute("spark:jointFriction", Sdf.ValueTypeNames.Float)
    friction.Set(body.dynamics.friction)


def _set_mimic(stage: Usd.Stage, joints: Sdf.Path, link: Link, mimic: Mimic) -> None:
    """Make the link's joint, which is there already, follow its leader's."""
    prim = stage.GetPrimAtPath(joints.AppendChild(f"{link.name}_joint"))
    prim.AddAppliedSchema("NewtonMimicAPI")
    prim.CreateRelationship("newton:mimicJoint", custom=False).AddTarget(joints.AppendChild(f"{mimic.leader}_joint"))
    degrees = 180.0 / np.pi if link.joint.type.rotates else 1.0
    for name, value in (("mimicCoef0", mimic.offset * degrees), ("mimicCoef1", mimic.multiplier)):
        prim.CreateAttribute(f"newton:{name}", Sdf.ValueTypeNames.Float, custom=False).Set(value)
