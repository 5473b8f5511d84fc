"""The whole way, packaging included: from a picture to a checked asset."""

import io
import json

import mujoco
import trimesh
from gateway_fixtures import Api
from PIL import Image
from toy_services import ToyServices, picture

from serving.status import from_status
from spark.v1 import reconstruction_service_pb2 as pb


async def test_a_picture_becomes_a_checked_asset(api: Api, toys: ToyServices, tmp_path) -> None:
    done = await api.wait(await api.create(seed=3, last_stage=pb.STAGE_UNSPECIFIED), seconds=90)
    assert done.state == pb.RECONSTRUCTION_STATE_SUCCEEDED, done.error
    assert [stage.stage for stage in done.stages] == [1, 2, 3, 4, 5, 6]
    files = {a.path.removeprefix("asset/"): await api.download(a.digest) for a in done.stages[-1].artifacts}
    assert {"asset.urdf", "asset.xml", "asset.usdc", "asset.glb", "preview.png", "report.json"} <= files.keys()

    for path, data in files.items():
        target = tmp_path / "copy" / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
    model = mujoco.MjModel.from_xml_path(str(tmp_path / "copy/asset.xml"))
    assert [model.joint(index).type[0] for index in range(model.njnt)] == [mujoco.mjtJoint.mjJNT_HINGE]
    assert len(trimesh.load_scene(io.BytesIO(files["asset.glb"]), "glb").geometry) == 3
    assert Image.open(io.BytesIO(files["preview.png"])).size == (1536, 512)

    report = json.loads(files["report.json"])
    assert report["seed"] == 3
    assert list(report["stage_seconds"]) == ["plan", "guide", "shape", "texture", "refine", "package"]
    assert {model["model"] for model in report["models"]} == {"toy", "part_dit", "texture"}
    assert report["joint_confidences"] == {"door": 0.75}
    assert report["checks"]["ok"]
    assert report["plan"]["parts"][1]["joint"]["upper"] == 1.5


async def test_an_asset_that_fails_is_an_error_with_its_artifacts_kept(api: Api) -> None:
    options = {"part_hints": ["behave: jammed"], "last_stage": pb.STAGE_UNSPECIFIED}
    failed = await api.wait(await api.create(image=picture(), **options), seconds=90)
    error = from_status(failed.error)
    assert (error.reason, error.metadata["stage"]) == ("ASSET_INVALID", "package")
    assert [stage.stage for stage in failed.stages] == [1, 2, 3, 4, 5]
    assert await api.download(failed.stages[3].artifacts[0].digest)
