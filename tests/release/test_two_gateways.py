"""Two gateways on one PostgreSQL release a model together: what one is told, the other does too."""

import asyncio
import signal
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import grpc
import pytest
from gateway_fixtures import Api, GatewayProcess, local_gateway, toy_settings
from grpc_status import rpc_status
from postgres import needs_postgres, new_database, postgres
from toy_services import ToyServices

from client.local.ensemble import free_port
from serving.status import from_status
from spark.v1 import model_service_pb2 as mpb
from spark.v1 import reconstruction_service_pb2 as pb

pytestmark = needs_postgres

VLM = "models/vlm"


@pytest.fixture(scope="module")
def database() -> Iterator[str]:
    with postgres() as url:
        yield new_database(url)


@pytest.fixture
async def gateways(tmp_path: Path, database: str) -> AsyncIterator[tuple[Api, Api, str]]:
    """Two gateways, and where a second version of the VLM listens."""
    common = {
        "database_url": database,
        "store_url": (tmp_path / "artifacts").as_uri(),
        "release_seconds": 0.5,
        "release_min_jobs": 1,
    }
    port = free_port()
    async with ToyServices() as toys, ToyServices() as new:
        here = toy_settings(tmp_path / "gateway-0", toys, executor_id="gateway-0", **common)
        there = toy_settings(
            tmp_path / "gateway-1", toys, executor_id="gateway-1", admin_address=f"127.0.0.1:{port}", **common
        )
        process = GatewayProcess(there, port)  # DBOS is one a process
        try:
            async with local_gateway(here) as first:
                yield first, await process.start(), new.vlm.address
        finally:
            await process.end(signal.SIGTERM)


async def versions(*gateways: Api) -> list[str]:
    """With which version of the VLM each gateway answers a new job."""
    found = []
    for api in gateways:
        done = await api.wait(await api.create(last_stage=pb.STAGE_PLAN), 120)
        assert done.state == pb.RECONSTRUCTION_STATE_SUCCEEDED, done.error
        found.append(done.model_versions["vlm"])
    return found


async def deploy(api: Api, address: str) -> str:
    """Deploy version 2; the phase in which it then is, or the reason of a refusal."""
    deployment = mpb.DeployModelRequest(
        name=VLM, version="2", weight=1, mode=mpb.RELEASE_MODE_CANARY, addresses=[address]
    )
    try:
        return mpb.ReleasePhase.Name((await api.models.DeployModel(deployment)).release.phase)
    except grpc.aio.AioRpcError as error:
        return from_status(rpc_status.from_call(error)).reason


async def test_either_gateway_deploys_promotes_and_rolls_back_for_both(gateways: tuple[Api, Api, str]) -> None:
    first, second, address = gateways
    answers = await asyncio.gather(deploy(first, address), deploy(second, address))
    assert sorted(answers) == ["RELEASE_CONFLICT", "RELEASE_PHASE_SERVING"]
    assert await versions(first, second) == ["2", "2"]

    promoted = await second.models.PromoteModel(mpb.PromoteModelRequest(name=VLM, weight=1, force=True))
    assert promoted.stable_version == "2"
    assert (await first.models.GetModel(mpb.GetModelRequest(name=VLM))).stable_version == "2"
    await first.models.RollBackModel(mpb.RollBackModelRequest(name=VLM))
    assert await versions(first, second) == ["1", "1"]
