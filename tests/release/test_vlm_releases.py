"""Releases of the VLM, whose versions are servers of their own: canary, fallback, gate, mirror, promotion, pins."""

import asyncio

import pytest
from gateway_fixtures import Api, refusal, until
from toy_services import Switchboard, ToyServer, ToyServices, ToyVlm

from serving.errors import ClusterForbidden, InvalidRequest, NotFound, ReleaseConflict, VersionRefused
from spark.v1 import model_service_pb2 as mpb
from spark.v1 import reconstruction_service_pb2 as pb
from spark.v1 import vlm_service_pb2_grpc as vgrpc

VLM = "models/vlm"


@pytest.fixture
async def second():
    """Another VLM, with a switchboard of its own."""
    board = Switchboard()
    server = ToyServer(lambda s: vgrpc.add_VlmServiceServicer_to_server(ToyVlm(board), s))
    server.board = board
    await server.start()
    yield server
    await server.stop()


async def deploy(api: Api, server: ToyServer, weight: float = 1.0, mode=mpb.RELEASE_MODE_CANARY, version: str = "2"):
    return await api.models.DeployModel(
        mpb.DeployModelRequest(name=VLM, version=version, weight=weight, mode=mode, addresses=[server.address])
    )


async def model(api: Api) -> mpb.Model:
    return await api.models.GetModel(mpb.GetModelRequest(name=VLM))


async def reconstruct(api: Api, **options) -> pb.Reconstruction:
    return await api.wait(await api.create(last_stage=pb.STAGE_GUIDE, **options), seconds=240)


async def records(api: Api) -> dict[str, tuple[int, int]]:
    """Jobs and failures by version."""
    return {one.version: (one.jobs, one.failed) for one in (await model(api)).records}


async def test_before_any_release_the_service_of_the_settings_is_stable(api: Api, toys: ToyServices) -> None:
    found = await model(api)
    assert found.stable_version in ("", "1")
    assert not found.release.version
    assert [(one.address, list(one.versions)) for one in found.replicas] == [(toys.vlm.address, ["1"])]
    assert (await reconstruct(api)).model_versions["vlm"] == "1"
    listed = await api.models.ListModels(mpb.ListModelsRequest())
    assert [one.name for one in listed.models] == [f"models/{n}" for n in ("part_dit", "texture", "vlm", "refinement")]


async def test_a_canary_takes_jobs_and_is_promoted_when_it_is_no_worse(api: Api, toys: ToyServices, second) -> None:
    deployed = await deploy(api, second, weight=0.5)
    assert deployed.release.phase == mpb.RELEASE_PHASE_SERVING
    assert second.board.calls == {"plan": 1}  # the golden request
    refused = await refusal(api.models.PromoteModel(mpb.PromoteModelRequest(name=VLM, weight=1)))
    assert isinstance(refused, ReleaseConflict)
    assert refused.metadata["verdict"] == "hold"

    while (await model(api)).release.verdict != mpb.RELEASE_VERDICT_READY:
        done = await reconstruct(api)
        assert done.state == pb.RECONSTRUCTION_STATE_SUCCEEDED, done.error
        assert done.model_versions["vlm"] in ("1", "2")
    promoted = await api.models.PromoteModel(mpb.PromoteModelRequest(name=VLM, weight=1))
    assert (promoted.stable_version, promoted.previous_version) == ("2", "1")

    before = toys.board.calls["plan"]
    assert (await reconstruct(api)).model_versions["vlm"] == "2"
    assert toys.board.calls["plan"] == before
    back = await api.models.RollBackModel(mpb.RollBackModelRequest(name=VLM))
    assert (back.stable_version, back.release.phase) == ("1", mpb.RELEASE_PHASE_ROLLED_BACK)
    assert (await reconstruct(api)).model_versions["vlm"] == "1"


async def test_a_version_that_fails_costs_nobody_an_asset_and_goes_back_by_itself(api: Api, second) -> None:
    await deploy(api, second, weight=0.5)
    second.board.broken = True
    async with asyncio.timeout(240):
        while (await model(api)).release.phase == mpb.RELEASE_PHASE_SERVING:
            done = await reconstruct(api)
            assert done.state == pb.RECONSTRUCTION_STATE_SUCCEEDED, done.error
            assert done.model_versions["vlm"] == "1"
            assert [result.stage for result in done.stages] == [pb.STAGE_PLAN, pb.STAGE_GUIDE]
            assert done.plan.parts
    found = await model(api)
    assert found.release.phase == mpb.RELEASE_PHASE_ROLLED_BACK
    assert found.release.reason.startswith("it fails ")
    jobs, failed = (await records(api))["2"]
    assert jobs == failed > 0


async def test_a_mirrored_version_works_along_and_answers_nothing(api: Api, second) -> None:
    await deploy(api, second, mode=mpb.RELEASE_MODE_MIRROR)
    done = await reconstruct(api)
    assert done.model_versions["vlm"] == "1"
    await until(lambda: second.board.calls["open"] == 1, 120)
    async with asyncio.timeout(120):
        while "2" not in await records(api):
            await asyncio.sleep(0.1)
    assert await records(api) == {"1": (1, 0), "2": (1, 0)}


async def test_a_job_keeps_the_version_it_began_with(api: Api, toys: ToyServices, second) -> None:
    gate = toys.board.hold("guide")
    operation = await api.create(last_stage=pb.STAGE_GUIDE)
    await until(lambda: toys.board.calls["guide"], 120)
    await deploy(api, second, weight=1)
    await api.models.PromoteModel(mpb.PromoteModelRequest(name=VLM, weight=1, force=True))
    gate.set()
    assert (await api.wait(operation, 240)).model_versions["vlm"] == "1"
    assert second.board.calls == {"plan": 1}  # the golden request alone


async def test_a_version_can_be_pinned(api: Api, second) -> None:
    await deploy(api, second, weight=0.01)
    assert (await reconstruct(api, model_versions={"vlm": "2"})).model_versions["vlm"] == "2"
    assert not await records(api)  # whoever pins chose: it says nothing about the version


async def test_a_version_that_gives_a_wrong_plan_is_refused(api: Api, second) -> None:
    second.board.doorless = True
    error = await refusal(deploy(api, second))
    assert isinstance(error, VersionRefused)
    assert error.metadata == {"model": "vlm", "check": "golden", "replica": second.address}
    assert (await model(api)).release.phase == mpb.RELEASE_PHASE_FAILED
    assert (await reconstruct(api)).model_versions["vlm"] == "1"


async def test_a_version_where_nobody_listens_is_refused(api: Api, second) -> None:
    await second.stop()
    error = await refusal(deploy(api, second))
    assert isinstance(error, VersionRefused)
    assert error.metadata["check"] == "load"


async def test_two_releases_at_once_are_refused(api: Api, second) -> None:
    answers = await asyncio.gather(
        *(deploy(api, second, weight=0.1, version=version) for version in ("2", "3")), return_exceptions=True
    )
    refused = [answer for answer in answers if isinstance(answer, Exception)]
    assert len(refused) == 1
    assert isinstance(await refusal(deploy(api, second, version="4")), ReleaseConflict)


@pytest.mark.parametrize(
    ("request_", "kind", "field"),
    [
        (mpb.DeployModelRequest(name="models/nobody", version="2", weight=0.1), NotFound, ""),
        (mpb.DeployModelRequest(name=VLM, version="2", weight=0.1), InvalidRequest, "addresses"),
        (mpb.DeployModelRequest(name=VLM, version="2", weight=0), InvalidRequest, "weight"),
        (mpb.DeployModelRequest(name=VLM, version="2", weight=1.5), InvalidRequest, "weight"),
        (mpb.DeployModelRequest(name=VLM, version="2", weight=1, addresses=["x"]), InvalidRequest, "addresses[0]"),
        (mpb.DeployModelRequest(name=VLM, version="../2", weight=1), InvalidRequest, "version"),
        (mpb.DeployModelRequest(name="models/part_dit", version="new", weight=1), InvalidRequest, "version"),
        (
            mpb.DeployModelRequest(name="models/part_dit", version="2", weight=1, addresses=["a:1"]),
            InvalidRequest,
            "addresses",
        ),
    ],
)
async def test_a_bad_request_names_its_field(api: Api, request_: mpb.DeployModelRequest, kind, field: str) -> None:
    error = await refusal(api.models.DeployModel(request_))
    assert isinstance(error, kind)
    assert [violation.field for violation in error.violations] == ([field] if field else [])


async def test_a_denied_cluster_refuses_a_release_and_jobs_go_on(toys: ToyServices, second, tmp_path) -> None:
    from gateway_fixtures import local_gateway, toy_settings
    from kubernetes_api import NAMESPACE, kubernetes_api

    from gateway.cluster import KubernetesReplicas, api_client

    with kubernetes_api() as (cluster, configuration), pytest.MonkeyPatch.context() as patch:
        replicas = KubernetesReplicas(api_client(configuration), NAMESPACE)
        patch.setattr("gateway.server.find_replicas", lambda by: replicas)
        cluster.status = 403
        async with local_gateway(toy_settings(tmp_path, toys, release_seconds=1.0)) as api:
            error = await refusal(deploy(api, second))
            assert isinstance(error, ClusterForbidden)
            found = await model(api)
            assert found.replicas_error.message.startswith("the Kubernetes API answers 403")
            assert not found.release.version
            assert (await reconstruct(api)).state == pb.RECONSTRUCTION_STATE_SUCCEEDED
            assert cluster.requests
