"""The evaluation against a real gateway with toy services behind it."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from pathlib import Path

import grpc
import pytest
from gateway_fixtures import GatewayProcess, toy_settings
from perfect_runs import perfect_run
from PIL import Image
from toy_services import ToyServices

from client.errors import ClientError, ReconstructionCancelled
from client.local.ensemble import free_port
from client.sdk import SparkClient
from spark.v1 import reconstruction_service_pb2 as pb
from training.draw import Split
from training.eval_ablations import CALLED, SUMMARIES, Ablations
from training.eval_case import Case, CaseFolder, Subject
from training.evaluate import Evaluator, evaluate
from training.evaluation_report import notable, write_report
from training.objects import CATEGORIES


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("training.eval_case.IMAGE_SIZE", 96)


@pytest.mark.slow
async def test_images_go_through_the_public_api_once_and_are_scored(tmp_path: Path) -> None:
    subjects = [Subject.draw(Split.TEST, 1, index) for index in range(2)]
    folder = CaseFolder(tmp_path / "cases")
    async with ToyServices() as toys:
        server = GatewayProcess(toy_settings(tmp_path / "data", toys), free_port())
        await server.start()

        def run(ablations: Ablations | None = None) -> list[Case]:
            with SparkClient(server.address) as client:
                return evaluate(
                    Evaluator(client, folder, pb.STAGE_REFINE, 0, ablations, mean_of=2), subjects, parallel=2
                )

        first = await asyncio.to_thread(run)
        assert toys.board.calls["part_dit"] == 2
        again = await asyncio.to_thread(run)
        for stored in (tmp_path / "cases").glob("*.json"):
            stored.unlink()
        measured_again = await asyncio.to_thread(run)
        assert toys.board.calls["plan"] == toys.board.calls["part_dit"] == 2, "the stored files are enough"
        with Ablations(toys.triton.address, toys.refinement.address) as services:
            ablated = await asyncio.to_thread(run, services)
        assert toys.board.calls["part_dit"] == 2 + 2 * 2 and toys.board.calls["plan"] == 2
        await server.end(15)

    assert first == again == measured_again
    for case in first:
        assert case.measures is not None and case.measures.complete.shape is not None
        assert 0 < case.measures.complete.shape.chamfer < 2
        assert case.measures.texture_psnr is not None and case.measures.open_state_iou is not None
        assert sum(case.measures.seconds.values()) > 0
        assert case.models
    assert all(set(case.ablations) == set(CALLED) for case in ablated)

    lost = replace(first[0], name="lost", measures=None, error="INTERNAL STAGE_FAILED: why")
    other = replace(first[0], split=Split.VAL)
    named = {subject.name: subject for subject in subjects}
    settings = {"split": "test", "seed": 1}
    page = write_report(tmp_path / "report", [*ablated, lost, other], named, folder, settings)
    report = json.loads((tmp_path / "report" / "report.json").read_text())
    assert report["compact"]["n"] == 3
    assert report["compact"]["coverage"] == pytest.approx(2 / 3)
    assert report["errors"] == {"INTERNAL STAGE_FAILED": 1}
    assert report["held_out_styles"]["validation"]["n"] == 1
    assert all(report[name]["n"] == 2 for name in SUMMARIES)
    assert report["mean_shape"]["chamfer"] > 0 and report["boxes"]["part_chamfer"] > 0
    assert "| chamfer |" in page.read_text()
    assert Image.open(tmp_path / "report" / "median.png").width > 1000


def test_an_unreachable_server_stops_the_evaluation_and_stores_nothing(tmp_path: Path) -> None:
    subject = Subject.draw(Split.TEST, 1, 0)
    folder = CaseFolder(tmp_path)
    with SparkClient(f"127.0.0.1:{free_port()}") as client, pytest.raises(ClientError) as raised:
        evaluate(Evaluator(client, folder, pb.STAGE_PLAN, 0, mean_of=2), [subject])
    assert raised.value.code == grpc.StatusCode.UNAVAILABLE.name
    assert folder.case(subject) is None


def test_a_call_that_was_cut_off_is_no_outcome_of_the_object(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def closed(*_: object, **__: object) -> str:
        raise ReconstructionCancelled("Stream removed", code=grpc.StatusCode.CANCELLED.name)

    subject = Subject.draw(Split.TEST, 1, 0)
    folder = CaseFolder(tmp_path)
    monkeypatch.setattr(SparkClient, "create", closed)
    with SparkClient("127.0.0.1:1") as client, pytest.raises(ReconstructionCancelled):
        evaluate(Evaluator(client, folder, pb.STAGE_PLAN, 0, mean_of=2), [subject])
    assert folder.case(subject) is None


def test_the_same_seed_asks_for_the_same_objects_of_all_categories() -> None:
    first, second = ([Subject.draw(Split.TEST, 3, i) for i in range(len(CATEGORIES))] for _ in range(2))
    assert [one.fingerprint() for one in first] == [one.fingerprint() for one in second]
    assert {subject.spec.category for subject in first} == set(CATEGORIES)
    assert len({subject.fingerprint() for subject in first}) == len(CATEGORIES)


async def test_another_object_under_the_same_name_is_not_taken_for_it(tmp_path: Path) -> None:
    subject = Subject.draw(Split.TEST, 1, 0)
    folder = CaseFolder(tmp_path)
    folder.save_run(subject, perfect_run(subject.spec, subject.camera))
    with SparkClient("127.0.0.1:1") as client:
        (case,) = evaluate(Evaluator(client, folder, pb.STAGE_PACKAGE, 0, mean_of=2), [subject])
    assert folder.case(subject) == case
    folder.save(replace(case, fingerprint="another generator's"))
    assert folder.case(subject) is None
    moved = replace(subject, camera=replace(subject.camera, azimuth=0.1))
    assert folder.run(subject) is not None and folder.run(moved) is None


def test_best_median_and_worst_are_ranked_by_chamfer(tmp_path: Path) -> None:
    subject = Subject.draw(Split.TEST, 1, 0)
    folder = CaseFolder(tmp_path)
    folder.save_run(subject, perfect_run(subject.spec, subject.camera))
    with SparkClient("127.0.0.1:1") as client:
        (case,) = evaluate(Evaluator(client, folder, pb.STAGE_PACKAGE, 0, mean_of=2), [subject])
    measures = case.measures
    assert measures is not None and measures.complete.shape is not None
    cases = []
    for distance in (0.3, 0.1, 0.2):
        complete = replace(measures.complete, shape=replace(measures.complete.shape, chamfer=distance))
        cases.append(replace(case, name=str(distance), measures=replace(measures, complete=complete)))
    ranked = notable(cases)
    assert [one.name for _, one in ranked] == ["0.1", "0.2", "0.3"]
    assert ranked[0][0].startswith("Best") and ranked[2][0].startswith("Worst")
