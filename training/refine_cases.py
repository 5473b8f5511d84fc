"""What `training.bench_refine` refines: objects whose joints start wrong, and how far a joint is off.

Each case is a request to the refinement service, so both kinds take the way that the gateway's requests take:

- `with_true_shapes`: the object's own meshes and an open picture drawn by the generator.
- `with_own_shapes`: meshes, pictures, camera and part list that a reconstruction of the object's photograph left. The
  joints of parts that match true parts that move start from the truth, disturbed alike; the others stay as planned.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from articulation.camera import Camera
from articulation.files import png
from articulation.joint import Joint, JointType
from articulation.metrics import joint_scores
from articulation.plan import Plan, PlannedPart
from articulation.typing import Array
from gateway.meshes import write_glb
from gateway.plans import openings
from gateway.stages import guide, shape
from spark.convert import plan_to_proto
from spark.v1 import refinement_service_pb2 as pb
from training.eval_case import Subject
from training.eval_run import Run
from training.preview import to_bytes
from training.render import render
from training.scene import pack
from training.scoring import Result, Truth, match
from training.spec import ObjectSpec

AXIS_ERROR = np.radians(20)
ORIGIN_ERROR = 0.15
SWAPPED = 0.2
"""Share of joints that start with the wrong type."""
START_CONFIDENCE = 0.0
"""Probability that a joint that starts so is right: none is, an axis 20 degrees off is beyond what counts as right."""
SWAPPED_TRAVEL, SWAPPED_TURN = 0.5, np.pi / 2
"""Upper limits of swapped joints [model units, rad]."""
CAMERA_ERROR = np.array([0.06, 0.05, 0.15, 0.03, 0.02, 0.02])
OPENING_ERROR = 0.3
IMAGE_SIZE = 256

AXIS_TOLERANCE, ORIGIN_TOLERANCE = np.radians(2), 0.02
"""A joint further off than it began by no more than this is not worse: what the goals count as right."""


@dataclass(frozen=True, eq=False)
class Trial:
    """One object to refine.

    Attributes:
        start: the plan with wrong joints.
        request: the start, meshes and pictures.
        truth: true joint by planned part, for the parts that are scored.
        camera: the true one.
        points: (N, 3) on the object, for camera errors.
        missed: true parts that move and that no planned part stands for.
    """

    start: Plan
    request: pb.RefineArticulationRequest
    truth: Mapping[int, Joint]
    camera: Camera
    points: Array
    missed: int


@dataclass(frozen=True)
class JointError:
    """How far one joint is off.

    Attributes:
        label: of its part.
        type_right: whether it has the true type.
        axis: [rad], direction counting; the undirected angle for a continuous joint.
        origin: distance of the axis lines; None unless both turn.
        offset: distance of the line from the true one's point beside the part; None unless both turn. Lines that are
            tilted against each other may meet far from the part, and `origin` then reads small.
    """

    label: str
    type_right: bool
    axis: float
    origin: float | None
    offset: float | None

    @classmethod
    def of(cls, part: PlannedPart, guess: Joint, truth: Joint) -> JointError:
        # The axis of a joint of the wrong type is an axis all the same; a fixed one has none, and is off by all.
        alike = replace(truth, type=guess.type) if guess.type.moves else guess
        scores = joint_scores(guess, alike)
        undirected = truth.type is JointType.CONTINUOUS
        axis = scores.axis_sign_free if undirected else scores.axis
        offset = None
        if guess.type.rotates and truth.type.rotates:
            beside = truth.origin + (part.box.center - truth.origin) @ truth.axis * truth.axis
            offset = float(np.linalg.norm(np.cross(beside - guess.origin, guess.axis)))
        return cls(
            label=part.label,
            type_right=guess.type is truth.type,
            axis=np.pi if axis is None else axis,
            origin=None if offset is None else scores.origin,
            offset=offset,
        )

    def worse_than(self, start: JointError) -> bool:
        """Whether the type was lost, or axis or line lie further off by more than the tolerances."""
        if start.type_right and not self.type_right:
            return True
        if self.axis > start.axis + AXIS_TOLERANCE:
            return True
        if self.offset is None or start.offset is None:
            return False
        return self.offset > start.offset + ORIGIN_TOLERANCE


@dataclass(frozen=True)
class CameraError:
    """How far a camera is off.

    Attributes:
        azimuth: [rad].
        fov: [rad].
        reprojection: mean distance of the object's points in the picture [image heights].
    """

    azimuth: float
    fov: float
    reprojection: float

    @classmethod
    def of(cls, guess: Camera, truth: Camera, points: Array) -> CameraError:
        between = guess.project(points)[0] - truth.project(points)[0]
        turn = (guess.azimuth - truth.azimuth + np.pi) % (2 * np.pi) - np.pi
        # Normalised image coordinates span 2.
        return cls(abs(turn), abs(guess.fov - truth.fov), float(np.linalg.norm(between, axis=1).mean() / 2))


def errors(trial: Trial, plan: Plan) -> tuple[JointError, ...]:
    """One entry a scored part."""
    return tuple(JointError.of(plan.parts[i], plan.parts[i].joint, true) for i, true in trial.truth.items())


def with_true_shapes(subject: Subject) -> Trial:
    """The object itself, opened to 40 to 100 % of each limit, as far as refinement is told but for 30 %."""
    rng = np.random.default_rng([subject.seed, subject.index])
    spec = subject.spec
    fractions = rng.uniform(0.4, 1.0, len(spec.links))
    exact = spec.plan(subject.camera)
    start = disturbed(exact, {i: link.joint for i, link in enumerate(spec.links) if link.joint.type.moves}, rng)
    start = replace(start, camera=Camera.from_array(subject.camera.to_array() + CAMERA_ERROR * rng.uniform(-1, 1, 6)))
    told = fractions * (1 + rng.uniform(-OPENING_ERROR, OPENING_ERROR, len(fractions)))
    moves = np.array([link.joint.type.moves for link in spec.links])
    closed, opened = pictures(subject, spec.open_coordinates(fractions))
    request = pb.RefineArticulationRequest(
        plan=plan_to_proto(start),
        part_meshes=[write_glb(np.asarray(mesh.vertices), np.asarray(mesh.faces)) for mesh in spec.link_meshes()],
        closed_image=closed,
        open_image=opened,
        opening=np.where(moves, np.clip(told, 0, 1), 0),
    )
    truth = {i: link.joint for i, link in enumerate(spec.links) if link.joint.type.moves}
    return Trial(start, request, truth, subject.camera, corners(spec), 0)


def with_own_shapes(subject: Subject, run: Run) -> Trial:
    """What the service made of the object's photograph, with the true joints, disturbed, on the parts that it found."""
    plan = run.plan("shape")
    spec = subject.spec
    matched = match(Truth.of(spec), Result(plan, run.meshes()))
    truth = {guess: spec.links[true].joint for guess, true in matched.pairs if spec.links[true].joint.type.moves}
    start = disturbed(plan, truth, np.random.default_rng([subject.seed, subject.index]))
    moving = sum(link.joint.type.moves for link in spec.links)
    return Trial(start, own_request(start, run), truth, subject.camera, corners(spec), moving - len(truth))


def own_request(plan: Plan, run: Run) -> pb.RefineArticulationRequest:
    """A plan to be refined with the meshes and pictures of a run."""
    return pb.RefineArticulationRequest(
        plan=plan_to_proto(plan),
        part_meshes=[run.files[shape.mesh_path(part.name)] for part in plan.parts],
        closed_image=run.files[guide.OBJECT_PATH],
        open_image=run.files[guide.OPEN_PATH],
        opening=openings(plan),
    )


def disturbed(plan: Plan, truth: Mapping[int, Joint], rng: np.random.Generator) -> Plan:
    """The plan with the true joints of some parts, made wrong."""
    parts = list(plan.parts)
    for index, joint in truth.items():
        parts[index] = replace(parts[index], joint=disturbed_joint(joint, parts[index].box.center, rng))
    return replace(plan, parts=tuple(parts))


def disturbed_joint(joint: Joint, center: Array, rng: np.random.Generator) -> Joint:
    """Axis turned by `AXIS_ERROR`, line shifted by `ORIGIN_ERROR` across it, and one type in five swapped.

    Args:
        joint: a joint that moves.
        center: (3,) of the part, through which a slide that is taken for a hinge turns.
        rng: of the directions and of the choice.
    """
    across = np.cross(joint.axis, rng.normal(size=3))
    across /= np.linalg.norm(across)
    axis = np.cos(AXIS_ERROR) * joint.axis + np.sin(AXIS_ERROR) * across
    shift = np.cross(axis, rng.normal(size=3))
    shift *= ORIGIN_ERROR / np.linalg.norm(shift)
    wrong = replace(joint, axis=axis, origin=joint.origin + shift, confidence=START_CONFIDENCE)
    if rng.random() >= SWAPPED:
        return wrong
    if joint.type.rotates:
        return replace(wrong, type=JointType.PRISMATIC, lower=0.0, upper=SWAPPED_TRAVEL)
    return replace(wrong, type=JointType.REVOLUTE, origin=center + shift, lower=0.0, upper=SWAPPED_TURN)


def pictures(subject: Subject, q: Array) -> tuple[bytes, bytes]:
    """PNG of the object closed and at its (L,) coordinates, on white."""
    scene = pack([subject.spec], torch.device("cpu"))[torch.zeros(2, dtype=torch.int64)]
    camera = torch.tensor(subject.camera.to_array(), dtype=torch.float32).expand(2, -1)
    coordinates = torch.zeros_like(scene.joint_upper)
    coordinates[1, : len(q)] = torch.tensor(q)
    generator = torch.Generator().manual_seed(subject.index)
    shown = render(scene, camera, coordinates, scene.link_valid, IMAGE_SIZE, generator=generator)
    closed, opened = to_bytes(shown.rgb)
    return png(closed), png(opened)


def corners(spec: ObjectSpec) -> Array:
    """(8 L, 3) corners of all parts' boxes."""
    signs: Sequence[tuple[int, int, int]] = [(x, y, z) for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)]
    return np.concatenate([spec.boxes[:, :3] + np.array(sign) * spec.boxes[:, 3:] for sign in signs])
