"""The run of a service that makes no mistake, built from the object itself."""

from __future__ import annotations

import json

import numpy as np
import torch
from google.protobuf import json_format
from google.protobuf.duration_pb2 import Duration

from articulation.camera import Camera
from articulation.files import png
from gateway.meshes import write_glb
from gateway.plans import OPENING, plan_to_json
from spark.v1 import reconstruction_service_pb2 as pb
from training.eval_run import Run
from training.preview import to_bytes
from training.render import render
from training.scene import pack
from training.spec import ObjectSpec

SIZE = 96
STAGES = ("plan", "guide", "shape", "texture", "refine", "package")


def perfect_run(spec: ObjectSpec, camera: Camera) -> Run:
    """Every file that evaluation reads; the textures are black."""
    names = [link.name for link in spec.links]
    plan = plan_to_json(spec.plan(camera))
    count = len(names)
    visible = torch.cat([torch.eye(count), torch.ones(2, count)]).bool()
    q = torch.zeros(count + 2, count)
    q[-1] = torch.tensor(spec.open_coordinates(OPENING))
    scene = pack([spec], "cpu")[torch.zeros(count + 2, dtype=torch.int64)]
    view = torch.tensor(camera.to_array()).expand(count + 2, -1)
    shown = render(scene, view, q, visible, SIZE)
    rgb = torch.where(shown.link[..., None] >= 0, shown.rgb.clamp(max=0.9), torch.ones(3))
    pictures = [png(picture) for picture in to_bytes(rgb)]
    meshes = [(np.asarray(mesh.vertices), np.asarray(mesh.faces)) for mesh in spec.link_meshes()]
    black = np.zeros((4, 4, 3), np.uint8)
    done = pb.Reconstruction(
        name="reconstructions/1",
        stages=[pb.StageResult(stage=f"STAGE_{word.upper()}", duration=Duration(seconds=2)) for word in STAGES],
    )
    checks = {"diagonal": 1.0, "rest_penetration": 0.001, "joints": []}
    return Run(
        {
            "input.png": pictures[-2],
            "reconstruction.json": json_format.MessageToJson(done).encode(),
            "plan/plan.json": plan,
            "refine/plan.json": plan,
            "guide/object.png": pictures[-2],
            "guide/open.png": pictures[-1],
            "asset/report.json": json.dumps({"checks": checks}).encode(),
            **{f"guide/parts/{name}.png": picture for name, picture in zip(names, pictures, strict=False)},
            **{f"shape/parts/{name}.glb": write_glb(*mesh) for name, mesh in zip(names, meshes, strict=True)},
            **{
                f"texture/parts/{name}.glb": write_glb(*mesh, np.zeros((len(mesh[0]), 2)), black)
                for name, mesh in zip(names, meshes, strict=True)
            },
        }
    )
