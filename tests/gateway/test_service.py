"""The public API over a real socket, with toy services behind it."""

import asyncio
import hashlib
import json
import uuid

import grpc
import pytest
from gateway_fixtures import Api, local_gateway, refusal, resource, toy_settings, until
from google.longrunning import operations_pb2 as ops
from google.protobuf.duration_pb2 import Duration
from toy_services import ToyServices, picture

from gateway.meshes import read_glb
from serving.errors import (
    InvalidRequest,
    ModelNotReady,
    NotFinished,
    NotFound,
    Overloaded,
    RequestIdReused,
    UnknownModelVersion,
)
from serving.status import from_status
from spark.v1 import reconstruction_service_pb2 as pb


async def test_a_picture_becomes_artifacts_of_every_stage(api: Api, toys: ToyServices) -> None:
    done = await api.wait(await api.create(seed=7))
    assert done.state == pb.RECONSTRUCTION_STATE_SUCCEEDED, done.error
    assert [stage.stage for stage in done.stages] == [1, 2, 3, 4, 5]
    paths = {artifact.path for stage in done.stages for artifact in stage.artifacts}
    assert paths == {
        *("plan.json", "guide/object.png", "guide/open.png", "refine/result.json"),
        *(f"guide/parts/{name}.png" for name in ("body", "door", "knob")),
        *(f"{stage}/parts/{name}.glb" for stage in ("shape", "texture") for name in ("body", "door", "knob")),
    }
    for artifact in (artifact for stage in done.stages for artifact in stage.artifacts):
        data = await api.download(artifact.digest)
        assert artifact.digest == f"sha256:{hashlib.sha256(data).hexdigest()}"
        assert artifact.size_bytes == len(data)
    assert all(stage.duration.ToNanoseconds() > 0 and stage.models for stage in done.stages)
    # The refined plan is the one that counts: the toy moves hinges 0.01 back.
    assert done.plan.parts[1].joint.origin.z == pytest.approx(0.49)


async def test_meshes_follow_the_picture(api: Api, toys: ToyServices) -> None:
    """Through JSON, PNG, shared memory, tensors and GLB, the body keeps the proportions that were drawn."""
    done = await api.wait(await api.create(image=picture(300, 150), last_stage=pb.STAGE_SHAPE))
    digest = next(a.digest for a in done.stages[2].artifacts if a.path == "shape/parts/body.glb")
    vertices, _ = read_glb(await api.download(digest))
    width, height, _ = vertices.max(0) - vertices.min(0)
    assert width / height == pytest.approx(2, rel=0.03)
    assert toys.board.shared_memory_inputs > 0


async def test_the_last_stage_wanted_is_the_last_run(api: Api, toys: ToyServices) -> None:
    done = await api.wait(await api.create(last_stage=pb.STAGE_PLAN))
    assert [stage.stage for stage in done.stages] == [pb.STAGE_PLAN]
    assert toys.board.calls["guide"] == 0


async def test_the_same_request_id_is_the_same_operation(api: Api, toys: ToyServices) -> None:
    identifier = str(uuid.uuid4())
    first, second = await asyncio.gather(
        api.create(request_id=identifier, last_stage=pb.STAGE_PLAN),
        api.create(request_id=identifier.upper(), last_stage=pb.STAGE_PLAN),
    )
    assert first.name == second.name == f"operations/{identifier}"
    await api.wait(first)
    assert (await api.create(request_id=identifier, last_stage=pb.STAGE_PLAN)).done
    assert toys.board.calls["plan"] == 1


@pytest.mark.parametrize("change", [{"seed": 5}, {"image": picture(100, 300)}], ids=["options", "image"])
async def test_the_same_request_id_with_other_content_is_refused(api: Api, change: dict) -> None:
    identifier = str(uuid.uuid4())
    await api.create(request_id=identifier, last_stage=pb.STAGE_PLAN)
    error = await refusal(api.create(request_id=identifier, last_stage=pb.STAGE_PLAN, **change))
    assert isinstance(error, RequestIdReused)
    assert error.violations[0].field == "request_id"


async def test_validate_only_checks_and_starts_nothing(api: Api, toys: ToyServices) -> None:
    operation = await api.create(validate_only=True)
    assert not operation.done
    assert (await refusal(api.create(image=b"no image", validate_only=True))).reason == "IMAGE_INVALID"
    listed = await api.service.ListReconstructions(pb.ListReconstructionsRequest())
    assert not listed.reconstructions
    assert not toys.board.calls


async def test_a_served_version_can_be_pinned(api: Api) -> None:
    done = await api.wait(await api.create(model_versions={"part_dit": "1"}, last_stage=pb.STAGE_SHAPE))
    assert [(m.model, m.version) for m in done.stages[2].models] == [("part_dit", "1")]


@pytest.mark.parametrize(
    ("pin", "served"),
    [
        ({"part_dit": "9"}, "part_dit/1,part_dit/2"),
        ({"texture": "2"}, "texture/1"),
        ({"vlm": "2"}, "vlm/1"),
        ({"nonsense": "1"}, ""),
    ],
)
async def test_an_unknown_version_names_its_field(api: Api, toys: ToyServices, pin: dict, served: str) -> None:
    error = await refusal(api.create(model_versions=pin))
    assert isinstance(error, UnknownModelVersion)
    assert error.violations[0].field == f"options.model_versions[{next(iter(pin))}]"
    assert error.metadata["served"] == served
    assert not toys.board.calls


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        (pb.CreateReconstructionRequest(), "image"),
        (pb.CreateReconstructionRequest(image=b"x", request_id="7"), "request_id"),
        (pb.CreateReconstructionRequest(image=b"x", options={"part_hints": [""]}), "options.part_hints[0]"),
        (pb.CreateReconstructionRequest(image=b"x", options={"last_stage": 9}), "options.last_stage"),
        (pb.CreateReconstructionRequest(image=b"x", options={"min_confidence": 1.5}), "options.min_confidence"),
        (
            pb.CreateReconstructionRequest(image=b"x", options={"min_joint_confidence": -0.5}),
            "options.min_joint_confidence",
        ),
        (pb.CreateReconstructionRequest(image=b"x", options={"doubtful_joints": 9}), "options.doubtful_joints"),
        (pb.CreateReconstructionRequest(image=b"x" * (16 * 1024 * 1024 + 1)), "image"),
    ],
    ids=[
        "no image",
        "request id",
        "empty hint",
        "unknown stage",
        "confidence",
        "joint confidence",
        "doubtful",
        "17 MiB",
    ],
)
async def test_a_broken_rule_names_its_field(api: Api, request_: pb.CreateReconstructionRequest, field: str) -> None:
    error = await refusal(api.service.CreateReconstruction(request_))
    assert isinstance(error, InvalidRequest)
    assert [v.field for v in error.violations] == [field]


async def test_a_model_without_weights_fails_the_job_with_its_name(api: Api) -> None:
    failed = await api.wait(await api.create(part_hints=["behave: no weights"]))
    assert failed.state == pb.RECONSTRUCTION_STATE_FAILED
    error = from_status(failed.error)
    assert isinstance(error, ModelNotReady)
    assert error.metadata == {"model": "compact-plan", "stage": "plan"}


async def test_a_model_that_triton_lacks_is_not_ready(api: Api, toys: ToyServices) -> None:
    del toys.board.versions["texture"]
    failed = await api.wait(await api.create())
    assert from_status(failed.error).metadata == {"model": "texture", "stage": "texture"}
    assert [stage.stage for stage in failed.stages] == [1, 2, 3]


async def test_a_refused_picture_costs_one_plan_and_names_its_field(api: Api, toys: ToyServices) -> None:
    failed = await api.wait(await api.create(part_hints=["behave: refuse"]))
    error = from_status(failed.error)
    assert (error.reason, error.metadata) == ("IMAGE_REFUSED", {"refusal": "several_objects", "stage": "plan"})
    assert [violation.field for violation in error.violations] == ["image"]
    assert toys.board.calls == {"plan": 1}


async def test_an_unsure_plan_is_flagged_with_its_joints(api: Api) -> None:
    sure = await api.wait(await api.create(last_stage=pb.STAGE_PLAN))
    assert not sure.warnings
    unsure = await api.wait(await api.create(last_stage=pb.STAGE_PLAN, part_hints=["behave: unsure"]))
    assert unsure.state == pb.RECONSTRUCTION_STATE_SUCCEEDED
    plan, joints = unsure.warnings
    assert "0.30" in plan
    assert "door (0.25)" in joints


async def test_a_plan_less_sure_than_demanded_is_refused_before_any_other_model(api: Api, toys: ToyServices) -> None:
    failed = await api.wait(await api.create(min_confidence=0.4, part_hints=["behave: unsure"]))
    error = from_status(failed.error)
    assert (error.reason, error.metadata["refusal"]) == ("IMAGE_REFUSED", "uncertain")
    assert error.metadata["confidence"] == "0.3000"
    assert set(toys.board.calls) == {"plan"}
    done = await api.wait(await api.create(min_confidence=0.4, last_stage=pb.STAGE_PLAN))
    assert done.state == pb.RECONSTRUCTION_STATE_SUCCEEDED


@pytest.mark.parametrize(("word", "field"), [("cycle", "plan.parts[1].parent_index"), ("slash", "plan.parts[1].name")])
async def test_an_impossible_plan_stops_before_any_other_model(
    api: Api, toys: ToyServices, word: str, field: str
) -> None:
    failed = await api.wait(await api.create(part_hints=[f"behave: {word}"]))
    error = from_status(failed.error)
    assert error.reason == "PLAN_INVALID"
    assert field in [v.field for v in error.violations]
    assert set(toys.board.calls) == {"plan"}


async def test_a_leaf_without_surface_is_left_out(api: Api) -> None:
    done = await api.wait(await api.create(part_hints=["behave: empty knob"]))
    assert done.state == pb.RECONSTRUCTION_STATE_SUCCEEDED, done.error
    assert [part.name for part in done.plan.parts] == ["body", "door"]


async def test_a_part_that_carries_others_must_have_a_surface(api: Api) -> None:
    failed = await api.wait(await api.create(part_hints=["behave: empty door"]))
    error = from_status(failed.error)
    assert (error.reason, error.metadata) == ("PART_EMPTY", {"part": "door", "stage": "shape"})


async def test_events_are_numbered_and_end_with_the_result(api: Api) -> None:
    operation = await api.create()
    events = await api.events(operation)  # watched live, from the start
    assert [event.event_number for event in events] == list(range(len(events)))
    kinds = [event.WhichOneof("event") for event in events]
    assert kinds.count("stage_started") == kinds.count("stage_finished") == 5
    assert kinds[-1] == "finished"
    assert "stage_progress" in kinds
    assert events[-1].finished == await api.get(operation)


async def test_a_watch_resumes_where_it_broke_off(api: Api) -> None:
    operation = await api.create()
    await api.wait(operation)
    events = await api.events(operation)
    assert await api.events(operation, first=4) == events[4:]
    assert await api.events(operation, first=len(events) + 3) == events[-1:]


async def test_two_watch_at_once_and_see_the_same(api: Api) -> None:
    operation = await api.create()
    one, two = await asyncio.gather(api.events(operation), api.events(operation))
    assert one == two


async def test_lists_are_paged_newest_first_and_stable_while_others_arrive(api: Api) -> None:
    names = [resource(await api.create(seed=seed, last_stage=pb.STAGE_PLAN)) for seed in range(5)]
    first = await api.service.ListReconstructions(pb.ListReconstructionsRequest(page_size=2))
    await asyncio.sleep(1.1)  # SQLite's clock knows whole seconds
    await api.create(seed=9, last_stage=pb.STAGE_PLAN)
    seen, token = [r.name for r in first.reconstructions], first.next_page_token
    while token:
        page = await api.service.ListReconstructions(pb.ListReconstructionsRequest(page_size=2, page_token=token))
        seen += [r.name for r in page.reconstructions]
        token = page.next_page_token
    assert seen == names[::-1]
    listed = await api.operations.ListOperations(ops.ListOperationsRequest())
    assert len(listed.operations) == 6


async def test_a_made_up_page_token_is_refused(api: Api) -> None:
    error = await refusal(api.service.ListReconstructions(pb.ListReconstructionsRequest(page_token="next")))
    assert error.violations[0].field == "page_token"


async def test_downloads_resume_at_an_offset(api: Api) -> None:
    done = await api.wait(await api.create(last_stage=pb.STAGE_PLAN))
    (artifact,) = done.stages[0].artifacts
    whole = await api.download(artifact.digest)
    assert json.loads(whole)["category"] == "safe"
    assert await api.download(artifact.digest, offset=100) == whole[100:]
    assert await api.download(artifact.digest, offset=len(whole)) == b""
    assert (await refusal(api.download(artifact.digest, len(whole) + 1))).violations[0].field == "offset"


async def test_unknown_names_and_digests_are_not_found(api: Api) -> None:
    nobody = ops.Operation(name="operations/nobody")
    for call in (api.get(nobody), api.events(nobody), api.cancel(nobody), api.download("sha256:" + "0" * 64)):
        assert isinstance(await refusal(call), NotFound)


async def test_wait_returns_at_its_timeout_and_at_the_end(api: Api, toys: ToyServices) -> None:
    gate = toys.board.hold("plan")
    operation = await api.create(last_stage=pb.STAGE_PLAN)
    request = ops.WaitOperationRequest(name=operation.name, timeout=Duration(nanos=300_000_000))
    early = await api.operations.WaitOperation(request)
    assert not early.done
    gate.set()
    late = await api.operations.WaitOperation(ops.WaitOperationRequest(name=operation.name), timeout=30)
    result = pb.Reconstruction()
    assert late.done
    assert late.response.Unpack(result)
    assert result.name == resource(operation)
    metadata = pb.ReconstructionMetadata()
    assert late.metadata.Unpack(metadata)
    assert metadata.progress == 1


async def test_cancel_stops_the_call_at_work_and_keeps_finished_stages(api: Api, toys: ToyServices) -> None:
    toys.board.hold("part_dit")
    operation = await api.create()
    await until(lambda: toys.board.calls["part_dit"])
    watching = asyncio.create_task(api.events(operation))
    await api.cancel(operation)
    cancelled = await api.wait(operation)
    assert cancelled.state == pb.RECONSTRUCTION_STATE_CANCELLED
    assert from_status(cancelled.error).code is grpc.StatusCode.CANCELLED
    assert [stage.stage for stage in cancelled.stages] == [1, 2]
    await until(lambda: toys.board.cancelled["part_dit"])
    assert (await watching)[-1].finished == cancelled
    await api.cancel(operation)  # again: no effect, no error


async def test_delete_removes_only_artifacts_that_nobody_else_uses(api: Api) -> None:
    one = await api.create(seed=1, last_stage=pb.STAGE_SHAPE)
    two = await api.create(seed=2, last_stage=pb.STAGE_SHAPE)
    first, second = await api.wait(one), await api.wait(two)
    mine = {a.digest for s in first.stages for a in s.artifacts}
    shared = mine & {a.digest for s in second.stages for a in s.artifacts}
    assert shared
    assert mine - shared
    await api.service.DeleteReconstruction(pb.DeleteReconstructionRequest(name=first.name))
    assert isinstance(await refusal(api.get(one)), NotFound)
    for digest in mine - shared:
        assert isinstance(await refusal(api.download(digest)), NotFound)
    for digest in shared:
        assert await api.download(digest)


async def test_what_is_at_work_cannot_be_deleted(api: Api, toys: ToyServices) -> None:
    toys.board.hold("plan")
    operation = await api.create()
    request = ops.DeleteOperationRequest(name=operation.name)
    assert isinstance(await refusal(api.operations.DeleteOperation(request)), NotFinished)
    toys.board.gates["plan"].set()


async def test_sixteen_at_once_queue_and_all_finish(api: Api, toys: ToyServices) -> None:
    gate = toys.board.hold("plan")
    operations = await asyncio.gather(*(api.create(seed=seed, last_stage=pb.STAGE_PLAN) for seed in range(16)))
    await until(lambda: toys.board.calls["plan"])
    await asyncio.sleep(1)
    assert toys.board.calls["plan"] == 1  # one at work, fifteen queued
    states = [(await api.get(operation)).state for operation in operations]
    assert states.count(pb.RECONSTRUCTION_STATE_QUEUED) == 15
    gate.set()
    done = [await api.wait(operation) for operation in operations]
    assert {one.state for one in done} == {pb.RECONSTRUCTION_STATE_SUCCEEDED}


async def test_a_full_queue_says_when_to_come_back(toys: ToyServices, tmp_path) -> None:
    toys.board.hold("plan")
    async with local_gateway(toy_settings(tmp_path, toys, max_queued=2)) as api:
        for seed in range(2):
            await api.create(seed=seed)
        error = await refusal(api.create(seed=3))
    assert isinstance(error, Overloaded)
    assert error.retry_after is not None


async def test_a_deadline_already_past_starts_nothing(api: Api, toys: ToyServices) -> None:
    request = pb.CreateReconstructionRequest(image=picture())
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await api.service.CreateReconstruction(request, timeout=-1)
    assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    assert not (await api.service.ListReconstructions(pb.ListReconstructionsRequest())).reconstructions
