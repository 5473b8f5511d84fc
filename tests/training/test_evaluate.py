"""The evaluation against a real gateway with toy services behind it."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import grpc
import pytest
from gateway_fixtures import GatewayProcess, toy_settings
from PIL import Image
from toy_services import ToyServices

from client.local.ensemble import free_port
from client.sdk import SparkClient
from spark.v1 import reconstruction_service_pb2 as pb
from training.draw import Split
from training.evaluate import evaluate, held_out_objects, reconstruct
from training.evaluation_report import Case, write_report
from training.objects import CATEGORIES
from training.preview import photograph


@pytest.mark.slow
async def test_images_go_through_the_public_api_and_are_scored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("training.evaluate.IMAGE_SIZE", 96)
    specs = held_out_objects(2, seed=1)
    async with ToyServices() as toys:
        server = GatewayProcess(toy_settings(tmp_path / "data", toys), free_port())
        await server.start()
        with SparkClient(server.address) as client:
            cases = await asyncio.to_thread(evaluate, client, specs, 1, pb.STAGE_REFINE, Split.TEST)
            plans = await asyncio.to_thread(evaluate, client, specs[:1], 1, pb.STAGE_PLAN, Split.TEST)
        await server.end(15)
        assert toys.board.calls["part_dit"] == 2
    for case in cases:
        assert case.scores is not None and case.scores.shape is not None
        assert 0 < case.scores.shape.chamfer < 2
        assert case.scores.seconds > 0
    assert plans[0].scores is not None and plans[0].scores.shape is None

    lost = Case(2, specs[0], cases[0].image, None, "INTERNAL STAGE_FAILED: why", None)
    page = write_report(tmp_path / "report", [*cases, lost], {"chamfer": 0.2}, {"seed": 1})
    report = json.loads((tmp_path / "report" / "report.json").read_text())
    assert report["compact"]["n"] == 3
    assert report["compact"]["coverage"] == pytest.approx(2 / 3)
    assert report["baseline_mean_shape"] == {"chamfer": 0.2}
    assert report["errors"] == {"INTERNAL STAGE_FAILED": 1}
    assert "| chamfer |" in page.read_text()
    assert Image.open(tmp_path / "report" / "median.png").width >= 3 * 256


def test_an_unreachable_server_is_a_failure_of_the_image(tmp_path: Path) -> None:
    (spec,) = held_out_objects(1, seed=1)
    image = photograph(spec, Split.TEST, 64, 0)
    with SparkClient(f"127.0.0.1:{free_port()}") as client:
        answer = reconstruct(client, image, 0, pb.STAGE_PLAN)
    assert answer.result is None
    assert answer.error.startswith(grpc.StatusCode.UNAVAILABLE.name)


def test_the_same_seed_asks_for_the_same_objects_of_all_categories() -> None:
    first, second = held_out_objects(6, seed=3), held_out_objects(6, seed=3)
    assert [spec.style for spec in first] == [spec.style for spec in second]
    assert {spec.category for spec in first} == set(CATEGORIES)
