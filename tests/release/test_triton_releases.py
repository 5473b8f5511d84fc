"""Versions on two real tritonservers: loaded beside the stable one on both, checked, unloaded, refused."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from triton_server import triton_server
from triton_versions import BROKEN, FLAT, GOOD, add_version, repository

from gateway.releases import golden, state
from gateway.releases.state import Mode, ModelRecord
from gateway.releases.triton_control import TritonControl
from gateway.stages import shape
from gateway.triton import TritonModels
from serving.errors import ModelNotReady, VersionRefused

START = ModelRecord("part_dit", stable="1")


@pytest.fixture(scope="module")
def replicas(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Path]]:
    """Repositories by the address of the server that serves each."""
    folders = [tmp_path_factory.mktemp(name) for name in ("first", "second")]
    for folder in folders:
        repository(folder / "models")
        for version, code in {"2": GOOD, "3": BROKEN, "4": FLAT}.items():
            add_version(folder / "models", version, code)
        config = folder / "models/part_dit/config.pbtxt"
        config.write_text(config.read_text() + "version_policy { specific { versions: [ 1 ] } }\n")
    with (
        triton_server(folders[0] / "models", ["part_dit"], folders[0]) as one,
        triton_server(folders[1] / "models", ["part_dit"], folders[1]) as other,
    ):
        yield {one.address: folders[0] / "models", other.address: folders[1] / "models"}


@pytest.fixture
async def triton(replicas: dict[str, Path]) -> AsyncIterator[TritonModels]:
    models = TritonModels(",".join(replicas), use_shared_memory=True, repository=None)
    yield models
    await models.close()


@pytest.fixture
async def control(triton: TritonModels) -> TritonControl:
    control = TritonControl("part_dit", triton, golden.shape_request, shape.OUTPUTS, golden.shape_problem)
    await settle(control, START, {"1"})
    return control


def candidate(version: str) -> ModelRecord:
    return state.deploy(START, version, Mode.CANARY, 0.1, 0.0)


async def settle(control: TritonControl, record: ModelRecord, versions: set[str], held: tuple[str, ...] = ()) -> None:
    """Bring the replicas to a record's versions and wait until Triton has unloaded the others."""
    record = replace(record, retired=frozenset("12345") - record.wanted)
    async with asyncio.timeout(30):
        while any(set(one.versions or ()) != versions for one in await control.replicas(record)):
            await control.keep(record, held)
            await asyncio.sleep(0.2)


async def served(control: TritonControl) -> list[tuple[str, ...] | None]:
    return [one.versions for one in await control.replicas(None)]


async def test_a_version_is_loaded_beside_the_stable_one_on_every_replica(control: TritonControl) -> None:
    assert await control.stable() == "1"
    await control.load(candidate("2"))
    assert await served(control) == [("1", "2")] * 2


async def test_a_retired_version_stays_while_a_job_holds_it(control: TritonControl) -> None:
    await control.load(candidate("2"))
    gone = state.roll_back(candidate("2"), "by hand")
    await control.keep(gone, {"2"})
    assert await served(control) == [("1", "2")] * 2
    await settle(control, gone, {"1"})


async def test_a_replica_that_began_anew_gets_the_version(
    control: TritonControl, triton: TritonModels, replicas: dict[str, Path]
) -> None:
    await control.load(candidate("2"))
    first = next(iter(replicas))
    await triton.client(first, "part_dit").load_model("part_dit", config=None)
    await control.serve(first, frozenset({"1"}))
    record = state.loaded(candidate("2"))
    await control.keep(record, ())
    assert await served(control) == [("1", "2")] * 2


@pytest.mark.parametrize(
    ("version", "check", "word"),
    [("3", "load", "no weights"), ("4", "golden", "is off its box"), ("9", "load", "is not in its repository")],
    ids=["broken", "flat", "missing"],
)
async def test_a_version_that_cannot_be_used_is_refused_and_the_stable_one_serves_on(
    control: TritonControl, triton: TritonModels, version: str, check: str, word: str
) -> None:
    with pytest.raises(VersionRefused, match=word) as caught:
        await control.load(candidate(version))
    assert caught.value.metadata["check"] == check
    _, model = await triton.infer("part_dit", "1", golden.shape_request(), shape.OUTPUTS, 20)
    assert model.version == "1"
    await settle(control, START, {"1"})


async def test_a_replica_with_other_tensors_refuses_the_version(
    control: TritonControl, triton: TritonModels, replicas: dict[str, Path]
) -> None:
    other = list(replicas)[1]
    config = replicas[other] / "part_dit/config.pbtxt"
    before = config.read_text()
    try:
        config.write_text(before.replace('name: "seed" data_type: TYPE_INT64', 'name: "seed" data_type: TYPE_INT32'))
        await triton.client(other, "part_dit").load_model("part_dit")
        with pytest.raises(VersionRefused, match="has other tensors: seed") as caught:
            await control.load(candidate("2"))
        assert caught.value.metadata == {"check": "contract", "replica": other}
    finally:
        config.write_text(before)
        await triton.client(other, "part_dit").load_model("part_dit")


async def test_a_configuration_that_was_changed_with_the_version_is_refused_before_it_is_loaded(
    control: TritonControl, replicas: dict[str, Path], tmp_path: Path
) -> None:
    first = replicas[next(iter(replicas))]
    changed = tmp_path / "part_dit/config.pbtxt"
    changed.parent.mkdir()
    changed.write_text((first / "part_dit/config.pbtxt").read_text().replace('"part_boxes"', '"boxes"'))
    models = TritonModels(",".join(replicas), use_shared_memory=False, repository=tmp_path)
    watched = TritonControl("part_dit", models, golden.shape_request, shape.OUTPUTS, golden.shape_problem)
    with pytest.raises(VersionRefused, match=r"config\.pbtxt has other tensors than are served: boxes, part_boxes"):
        await watched.load(candidate("2"))
    assert await served(control) == [("1",)] * 2
    await models.close()


async def test_requests_go_to_the_replica_that_has_the_version(
    control: TritonControl, triton: TritonModels, replicas: dict[str, Path]
) -> None:
    await control.serve(list(replicas)[1], frozenset({"1", "2"}))
    for _ in range(4):
        _, model = await triton.infer("part_dit", "2", golden.shape_request(), shape.OUTPUTS, 20)
        assert model.version == "2"
    with pytest.raises(ModelNotReady):
        await triton.infer("part_dit", "9", golden.shape_request(), shape.OUTPUTS, 20)
