"""The public API over a real socket, with toy services behind it."""

from gateway_fixtures import Api
from toy_services import ToyServices

from spark.v1 import reconstruction_service_pb2 as pb


async def test_a_picture_becomes_five_stages_of_artifacts(api: Api, toys: ToyServices) -> None:
    done = await api.wait(await api.create())
    assert done.state == pb.RECONSTRUCTION_STATE_SUCCEEDED, done.error
    assert [stage.stage for stage in done.stages] == [1, 2, 3, 4, 5]
