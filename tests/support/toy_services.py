"""Small real gRPC servers that keep the contracts of the VLM, Triton and refinement services with toy geometry.

Their answers follow from their input: boxes from the picture's extent, meshes from boxes, colours from pictures. A part
hint "behave: WORD" makes the toy VLM misbehave. Every call is counted, and each stage can be held up by a gate.
"""

from __future__ import annotations

import asyncio
import io
from collections import Counter
from pathlib import Path

import grpc
import numpy as np
import trimesh
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from PIL import Image, ImageDraw
from tritonclient.grpc import service_pb2 as kserve
from tritonclient.grpc import service_pb2_grpc as kserve_grpc
from tritonclient.utils import triton_to_np_dtype

from articulation.camera import Camera
from articulation.files import png
from serving.errors import ImageRefused, ModelNotReady, SparkError
from serving.interceptors import SparkInterceptor
from spark.v1 import articulation_pb2 as apb
from spark.v1 import model_pb2
from spark.v1 import refinement_service_pb2 as rpb
from spark.v1 import refinement_service_pb2_grpc as rgrpc
from spark.v1 import vlm_service_pb2 as vpb
from spark.v1 import vlm_service_pb2_grpc as vgrpc

CAMERA = Camera(0.5, 0.3, 5.0, 0.6)
MODEL = model_pb2.ModelVersion(model="toy", version="1", digest="0" * 64)


def picture(width: int = 320, height: int = 200, colour: tuple[int, int, int] = (160, 60, 40)) -> bytes:
    """A PNG of a box with a door line, as somebody would draw it."""
    image = Image.new("RGB", (400, 400), "white")
    draw = ImageDraw.Draw(image)
    left, top = (400 - width) // 2, (400 - height) // 2
    draw.rectangle([left, top, left + width, top + height], fill=colour)
    draw.line([left + width // 2, top, left + width // 2, top + height], fill="black", width=3)
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


class Switchboard:
    """What the tests see and steer of the toys.

    Attributes:
        calls: number of calls that arrived, by method or model name.
        gates: by the same name; while one exists and is not set, calls wait for it.
        versions: Triton's models and their versions.
        shared_memory_inputs: how many tensors came through shared memory.
        refinement_warning: what refinement warns of; nothing while empty.
        refinement_error: what refinement answers with.
        time_budget: what refinement was given last [s].
        broken: the VLM answers with no part images.
        doorless: the VLM plans a body alone.
    """

    def __init__(self) -> None:
        self.calls: Counter[str] = Counter()
        self.gates: dict[str, asyncio.Event] = {}
        self.versions = {"part_dit": ["1", "2"], "texture": ["1"]}
        self.shared_memory_inputs = 0
        self.refinement_warning = ""
        self.refinement_error: SparkError | None = None
        self.time_budget = 0.0
        self.broken = False
        self.doorless = False
        self.cancelled: Counter[str] = Counter()

    def hold(self, name: str) -> asyncio.Event:
        return self.gates.setdefault(name, asyncio.Event())

    async def arrive(self, name: str) -> None:
        self.calls[name] += 1
        if name in self.gates:
            try:
                await self.gates[name].wait()
            except asyncio.CancelledError:
                self.cancelled[name] += 1
                raise


def _vector(values) -> apb.Vector3:
    return apb.Vector3(x=float(values[0]), y=float(values[1]), z=float(values[2]))


def _box(center, half_extent) -> apb.Box:
    return apb.Box(center=_vector(center), half_extent=_vector(half_extent))


def _pixels(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))


class ToyVlm(vgrpc.VlmServiceServicer):
    """A body as wide and high as what is drawn, with one door hinged on its left."""

    def __init__(self, board: Switchboard) -> None:
        self.board = board

    async def PlanArticulation(self, request, context):
        await self.board.arrive("plan")
        words = {hint.removeprefix("behave: ") for hint in request.part_hints}
        if "no weights" in words:
            raise ModelNotReady("compact-plan has no weights", metadata={"model": "compact-plan"})
        if "refuse" in words:
            raise ImageRefused.at("image", "the picture shows several objects", refusal="several_objects")
        drawn = (_pixels(request.image) < 250).any(-1)
        height, width = np.ptp(np.argwhere(drawn), axis=0) + 1
        w, h = width / max(width, height), height / max(width, height)
        d = 0.5
        body = apb.Part(
            name="body",
            label="body",
            parent_index=-1,
            box=_box([0, 0, -0.05], [w, h, d - 0.05]),
            joint=apb.Joint(type=apb.JOINT_TYPE_FIXED, confidence=1),
            material="wood",
            confidence=1,
        )
        door = apb.Part(
            name="door",
            label="door",
            parent_index=0,
            box=_box([0, 0, d - 0.05], [w, h, 0.05]),
            joint=apb.Joint(
                type=apb.JOINT_TYPE_REVOLUTE,
                axis=_vector([1, 0, 0]),
                origin=_vector([0, -h, d]),
                lower=0,
                upper=1.5,
                confidence=0.75,
            ),
            material="wood",
            confidence=0.9,
        )
        knob = apb.Part(
            name="knob",
            label="knob",
            parent_index=1,
            box=_box([0.8 * w, 0, d + 0.04], [0.04, 0.04, 0.04]),
            joint=apb.Joint(type=apb.JOINT_TYPE_FIXED, confidence=1),
            material="metal",
            confidence=0.8,
        )
        if "cycle" in words:
            door.parent_index, knob.parent_index = 2, 1
        if "jammed" in words:  # the knob stays where it is, right before the door
            knob.parent_index = 0
        if "unsure" in words:
            door.joint.confidence = 0.25
        if "slash" in words:
            door.name = "../door"
        a, e, r, fov, u, v = CAMERA.to_array()
        plan = apb.ArticulationPlan(
            category="safe",
            size=0.4,
            parts=[body, door, knob],
            camera=apb.Camera(azimuth=a, elevation=e, distance=r, fov=fov, shift_u=u, shift_v=v),
            confidence=0.3 if "unsure" in words else 0.8,
        )
        if self.board.doorless:
            del plan.parts[1:]
        for part in plan.parts:
            part.caption = "without surface" if f"empty {part.name}" in words else f"a {part.label}"
        return vpb.PlanArticulationResponse(plan=plan, model=MODEL)

    async def GeneratePartReferences(self, request, context):
        await self.board.arrive("guide")
        pixels = _pixels(request.image)
        colour = pixels[(pixels < 250).any(-1)].mean(0)
        images = []
        for part in [] if self.board.broken else request.plan.parts:
            canvas = np.full_like(pixels, 255)
            if part.caption != "without surface":
                canvas[100:-100, 100:-100] = colour
            images.append(png(canvas))
        return vpb.GeneratePartReferencesResponse(object_image=png(pixels), part_images=images, model=MODEL)

    async def PredictOpenState(self, request, context):
        await self.board.arrive("open")
        assert len(request.opening) == len(request.plan.parts)
        return vpb.PredictOpenStateResponse(
            image=png((_pixels(request.image) * 0.9 + 20).astype(np.uint8)), model=MODEL
        )


class ToyTriton(kserve_grpc.GRPCInferenceServiceServicer):
    """KServe v2 with two models: boxes from planned boxes, and flat colours from part images."""

    def __init__(self, board: Switchboard) -> None:
        self.board = board
        self.regions: dict[str, str] = {}

    async def RepositoryIndex(self, request, context):
        models = [
            kserve.RepositoryIndexResponse.ModelIndex(name=name, version=version, state="READY")
            for name, versions in self.board.versions.items()
            for version in versions
        ]
        return kserve.RepositoryIndexResponse(models=models)

    async def ModelReady(self, request, context):
        versions = self.board.versions.get(request.name, [])
        return kserve.ModelReadyResponse(ready=bool(versions) and request.version in ("", *versions))

    async def SystemSharedMemoryRegister(self, request, context):
        self.regions[request.name] = request.key
        return kserve.SystemSharedMemoryRegisterResponse()

    async def SystemSharedMemoryUnregister(self, request, context):
        self.regions.pop(request.name, None)
        return kserve.SystemSharedMemoryUnregisterResponse()

    async def ModelInfer(self, request, context):
        await self.board.arrive(request.model_name)
        inputs = self._inputs(request)
        outputs = (_shape if request.model_name == "part_dit" else _texture)(**inputs)
        answer = kserve.ModelInferResponse(
            model_name=request.model_name,
            model_version=request.model_version or self.board.versions[request.model_name][-1],
        )
        kinds = {"f": "FP32", "i": "INT32", "u": "UINT8"}
        for name, array in outputs.items():
            answer.outputs.add(name=name, datatype=kinds[array.dtype.kind], shape=array.shape)
            answer.raw_output_contents.append(array.tobytes())
        return answer

    def _inputs(self, request) -> dict[str, np.ndarray]:
        arrays, inline = {}, iter(request.raw_input_contents)
        for tensor in request.inputs:
            dtype = triton_to_np_dtype(tensor.datatype)
            if "shared_memory_region" in tensor.parameters:
                self.board.shared_memory_inputs += 1
                region = tensor.parameters["shared_memory_region"].string_param
                offset = tensor.parameters["shared_memory_offset"].int64_param
                size = tensor.parameters["shared_memory_byte_size"].int64_param
                data = Path("/dev/shm", self.regions[region]).read_bytes()[offset : offset + size]
            else:
                data = next(inline)
            arrays[tensor.name] = np.frombuffer(data, dtype).reshape(list(tensor.shape))
        return arrays


def _shape(
    object_image, part_images, parent_index, part_boxes, seed, num_steps, guidance_scale, resolution, **switches
):
    meshes = []
    for box, image in zip(part_boxes, part_images, strict=True):
        if (image == 255).all():
            meshes.append((np.zeros((0, 3)), np.zeros((0, 3))))
            continue
        size = 2 * box[3:] * (1 - 1e-4 * (seed[0] % 100))
        mesh = trimesh.creation.box(size, trimesh.transformations.translation_matrix(box[:3])).subdivide()
        meshes.append((mesh.vertices, mesh.faces))
    return _packed(meshes)


def _packed(meshes, prefix=""):
    return {
        f"{prefix}vertices": np.concatenate([v for v, _ in meshes]).astype(np.float32),
        f"{prefix}faces": np.concatenate([f for _, f in meshes]).astype(np.int32),
        f"{prefix}vertex_offsets": np.cumsum([0, *(len(v) for v, _ in meshes)]).astype(np.int32),
        f"{prefix}face_offsets": np.cumsum([0, *(len(f) for _, f in meshes)]).astype(np.int32),
    }


def _texture(
    vertices, faces, vertex_offsets, face_offsets, photograph, object_image, part_images, camera, texture_size, seed
):
    side = int(texture_size[0])
    colours = [image[(image < 250).any(-1)].mean(0) for image in part_images]
    textures = np.stack([np.full((side, side, 3), colour) for colour in colours]).astype(np.uint8)
    parts = [
        (vertices[vertex_offsets[k] : vertex_offsets[k + 1]], faces[face_offsets[k] : face_offsets[k + 1]])
        for k in range(len(part_images))
    ]
    uvs = (vertices[:, :2] * 0.4 + 0.5).clip(0, 1).astype(np.float32)
    return _packed(parts, "out_") | {"uvs": uvs, "textures": textures}


class ToyRefinement(rgrpc.RefinementServiceServicer):
    """Moves every hinge a little towards the mesh's edge, in five steps."""

    def __init__(self, board: Switchboard) -> None:
        self.board = board

    async def RefineArticulation(self, request, context):
        self.board.time_budget = request.time_budget.ToTimedelta().total_seconds()
        await self.board.arrive("refine")
        if self.board.refinement_error:
            raise self.board.refinement_error
        assert len(request.part_meshes) == len(request.plan.parts) == len(request.opening)
        loss = float(np.abs(_pixels(request.closed_image) - _pixels(request.open_image).astype(float)).mean())
        for step in range(1, 6):
            await asyncio.sleep(0.12)
            progress = rpb.RefinementProgress(step=step, total_steps=5, loss=loss / step)
            yield rpb.RefineArticulationResponse(progress=progress)
        for part in request.plan.parts:
            part.joint.origin.z -= 0.01
        result = rpb.RefinementResult(
            plan=request.plan,
            initial_loss=loss,
            final_loss=loss / 5,
            coordinates=[f * p.joint.upper for f, p in zip(request.opening, request.plan.parts, strict=True)],
            model=MODEL,
        )
        if self.board.refinement_warning:
            result.warnings.add(message=self.board.refinement_warning)
        yield rpb.RefineArticulationResponse(result=result)


class ToyServer:
    """One of the toys on a port of its own, which it keeps when it is stopped and started again."""

    def __init__(self, register) -> None:
        self._register = register
        self._server: grpc.aio.Server | None = None
        self.port = 0

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    async def start(self) -> None:
        self._server = grpc.aio.server(
            interceptors=[SparkInterceptor()], options=[("grpc.max_receive_message_length", 256 << 20)]
        )
        self._register(self._server)
        checks = health.aio.HealthServicer()
        health_pb2_grpc.add_HealthServicer_to_server(checks, self._server)
        await checks.set("", health_pb2.HealthCheckResponse.SERVING)
        self.port = self._server.add_insecure_port(self.address)
        await self._server.start()

    async def stop(self) -> None:
        """At once, as if killed: calls in flight break off."""
        if self._server is not None:
            await self._server.stop(0)
            self._server = None


class ToyServices:
    """All three, and their switchboard."""

    def __init__(self) -> None:
        self.board = Switchboard()
        self.vlm = ToyServer(lambda s: vgrpc.add_VlmServiceServicer_to_server(ToyVlm(self.board), s))
        self.triton = ToyServer(
            lambda s: kserve_grpc.add_GRPCInferenceServiceServicer_to_server(ToyTriton(self.board), s)
        )
        self.refinement = ToyServer(
            lambda s: rgrpc.add_RefinementServiceServicer_to_server(ToyRefinement(self.board), s)
        )

    async def __aenter__(self) -> ToyServices:
        for server in (self.vlm, self.triton, self.refinement):
            await server.start()
        return self

    async def __aexit__(self, *unused: object) -> None:
        for server in (self.vlm, self.triton, self.refinement):
            await server.stop()
