"""One reconstruction through the public API, and the files that it left: all that evaluation measures.

A run is kept as one zip file, so that scores can be taken again without the service.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from google.protobuf import json_format
from PIL import Image

from articulation.asset import Mesh, TexturedMesh
from articulation.plan import Plan
from articulation.typing import ImageArray
from client.progress import stage_word
from client.sdk import SparkClient
from gateway.meshes import read_glb, read_textured_glb
from gateway.plans import PATH, plan_from_json
from gateway.stages import guide, shape, texture
from gateway.stages.work import INPUT_PATH
from spark.v1 import reconstruction_service_pb2 as pb
from training.whole_file import written_whole

RECONSTRUCTION = "reconstruction.json"
ASSET_FILES = ("asset/preview.png", "asset/report.json")
"""What evaluation reads of the asset folder; its meshes are those of the texture stage."""


@contextmanager
def connected(address: str | None) -> Iterator[SparkClient | None]:
    """A client of the gateway at `address`; None where there is none."""
    if address is None:
        yield None
        return
    with SparkClient(address) as client:
        yield client


@dataclass(frozen=True, eq=False)
class Run:
    """A finished reconstruction.

    Attributes:
        files: path to bytes: `input.png`, `reconstruction.json`, what the stages wrote, and each stage's plan as
            `STAGE/plan.json`.
    """

    files: Mapping[str, bytes]

    @classmethod
    def fetch(cls, client: SparkClient, image: bytes, seed: int, last_stage: int, quality: int) -> Run:
        """Send one image through the service and download what it made.

        Raises:
            client.errors.ClientError: the service refused or failed.
        """
        name = client.create(image, seed=seed, last_stage=last_stage, quality=quality)
        done = client.result(name)
        message = json_format.MessageToJson(done, preserving_proto_field_name=True)
        files = {INPUT_PATH: image, RECONSTRUCTION: message.encode()}
        for stage in done.stages:
            for artifact in stage.artifacts:
                if stage.stage != pb.STAGE_PACKAGE or artifact.path in ASSET_FILES:
                    path = f"{stage_word(stage.stage)}/{PATH}" if artifact.path == PATH else artifact.path
                    files[path] = client.download(artifact.digest)
        return cls(files)

    @classmethod
    def load(cls, path: Path) -> Run:
        """What `save` wrote."""
        with zipfile.ZipFile(path) as archive:
            return cls({name: archive.read(name) for name in archive.namelist()})

    def save(self, path: Path) -> None:
        """Write a zip file, whole or not at all."""
        with written_whole(path) as part, zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
            for name, data in self.files.items():
                archive.writestr(name, data)

    def reconstruction(self) -> pb.Reconstruction:
        return json_format.Parse(self.files[RECONSTRUCTION], pb.Reconstruction())

    def seconds(self) -> dict[str, float]:
        """Duration of each stage [s]."""
        return {stage_word(s.stage): s.duration.ToMilliseconds() / 1000 for s in self.reconstruction().stages}

    def models(self) -> tuple[str, ...]:
        """Name, version and digest of every model that worked."""
        used = (model for stage in self.reconstruction().stages for model in stage.models)
        return tuple(f"{model.model} {model.version} {model.digest[:12]}".strip() for model in used)

    def plan(self, last: str = "refine") -> Plan:
        """The plan as it stood after a stage."""
        stages = ("plan", "shape", "refine")
        known = [f"{stage}/{PATH}" for stage in stages[: stages.index(last) + 1] if f"{stage}/{PATH}" in self.files]
        return plan_from_json(self.files[known[-1]])

    def meshes(self) -> tuple[Mesh, ...]:
        """One mesh a part of the latest plan, model space; empty if the run ended before the shape stage."""
        paths = [shape.mesh_path(part.name) for part in self.plan().parts]
        return tuple(Mesh(*read_glb(self.files[path])) for path in paths if path in self.files)

    def textured(self) -> tuple[TexturedMesh, ...]:
        """The same with their textures; empty if the run ended before the texture stage."""
        paths = [texture.mesh_path(part.name) for part in self.plan().parts]
        return tuple(read_textured_glb(self.files[path]) for path in paths if path in self.files)

    def picture(self, path: str) -> ImageArray | None:
        """(H, W, 3 or 4) a picture as the service wrote it; None if there is none."""
        data = self.files.get(path)
        if data is None:
            return None
        image = Image.open(io.BytesIO(data))
        return np.asarray(image.convert("RGBA" if "A" in image.getbands() else "RGB"))

    def part_pictures(self) -> dict[str, ImageArray]:
        """Name to part reference image, of every part that the guide stage drew."""
        drawn = {part.name: self.picture(guide.part_path(part.name)) for part in self.plan("plan").parts}
        return {name: picture for name, picture in drawn.items() if picture is not None}
