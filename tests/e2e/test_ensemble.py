"""A killed member of the real ensemble: the job ends typed, and goes on once the member is back."""

import uuid
from pathlib import Path

import pytest

from client.errors import ServerUnavailableError
from client.local.ensemble import Ensemble
from client.sdk import SparkClient
from spark.v1 import reconstruction_service_pb2 as pb


@pytest.mark.slow
def test_a_job_survives_a_killed_tritonserver(ensemble: Ensemble, server: str, examples: Path) -> None:
    image = (examples / "microwave.png").read_bytes()
    request_id = str(uuid.uuid4())
    triton = next(member for member in ensemble.members() if member.name == "triton")
    assert triton.record is not None
    process = triton.record.find()
    assert process is not None
    process.kill()
    process.wait(10)
    with SparkClient(server) as client:
        job = client.create(image, quality=pb.QUALITY_DRAFT, last_stage=pb.STAGE_SHAPE, request_id=request_id)
        with pytest.raises(ServerUnavailableError):
            client.result(job)
        ensemble.up()
        again = client.create(image, quality=pb.QUALITY_DRAFT, last_stage=pb.STAGE_SHAPE, request_id=request_id)
        assert again == job
        done = client.result(job)
    assert [stage.stage for stage in done.stages] == [pb.STAGE_PLAN, pb.STAGE_GUIDE, pb.STAGE_SHAPE]
