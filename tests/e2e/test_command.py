"""The `spark` command against the real services and the shipped weights, as a user runs it."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image, ImageDraw
from typer.testing import CliRunner

from client.cli import INTERRUPTED, app
from client.sdk import SparkClient
from spark.v1 import reconstruction_service_pb2 as pb

EXPECTED = {"asset.urdf", "asset.xml", "asset.usdc", "asset.glb", "report.json", "preview.png"}


def _reconstruct(image: Path, out: Path, server: str, *more: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["reconstruct", str(image), "-o", str(out), "--server", server, "--json", *more])
    return result.exit_code, result.output


@pytest.mark.slow
def test_an_image_becomes_an_asset_that_validates(examples: Path, server: str, tmp_path: Path) -> None:
    code, text = _reconstruct(examples / "microwave.png", tmp_path / "asset", server, "--quality", "draft")
    assert code == 0, text
    summary = json.loads(text)
    assert set(summary["files"]) >= EXPECTED
    assert set(summary["stage_seconds"]) == {"plan", "guide", "shape", "texture", "refine", "package"}
    validation = CliRunner().invoke(app, ["validate", str(tmp_path / "asset")])
    assert validation.exit_code == 0, validation.output


@pytest.mark.slow
def test_different_images_give_different_plans(examples: Path, server: str) -> None:
    with SparkClient(server) as client:
        images = [examples / f"{name}.png" for name in ("safe", "washing_machine")]
        jobs = [client.create(image.read_bytes(), last_stage=pb.STAGE_PLAN) for image in images]
        plans = [client.result(job).plan for job in jobs]
    assert [plan.category for plan in plans] == ["safe", "washing_machine"]


@pytest.mark.slow
def test_a_box_drawn_elsewhere_gives_an_asset_or_a_typed_refusal(server: str, tmp_path: Path) -> None:
    picture = Image.new("RGB", (400, 300), "white")
    draw = ImageDraw.Draw(picture)
    draw.rectangle((100, 60, 300, 240), fill=(150, 150, 160), outline="black", width=3)
    draw.line((220, 60, 220, 240), fill="black", width=3)
    picture.save(tmp_path / "box.png")
    code, text = _reconstruct(tmp_path / "box.png", tmp_path / "asset", server, "--quality", "draft")
    assert code in (0, 1, 2), text
    assert "INTERNAL" not in text


def test_a_text_file_is_refused_with_the_field_named(server: str, tmp_path: Path) -> None:
    (tmp_path / "notes.png").write_text("no picture")
    code, text = _reconstruct(tmp_path / "notes.png", tmp_path / "asset", server)
    assert code == 2
    assert "image" in text


def test_an_unknown_quality_is_a_usage_error(examples: Path, server: str, tmp_path: Path) -> None:
    code, text = _reconstruct(examples / "safe.png", tmp_path / "asset", server, "--quality", "best")
    assert code == 2
    assert "draft" in text


@pytest.mark.slow
def test_an_interrupt_cancels_on_the_server(examples: Path, server: str, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "client.cli", "reconstruct", str(examples / "table.png")]
    command += ["-o", str(tmp_path / "asset"), "--server", server]
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job would ignore it
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env={**os.environ, "COLUMNS": "120"})
    signal.signal(signal.SIGINT, before)
    with process:
        assert process.stderr is not None
        assert "plan" in process.stderr.readline()
        process.send_signal(signal.SIGINT)
        rest = process.stderr.read()
        assert process.wait(timeout=60) == INTERRUPTED, rest
    name = next(line.split()[1] for line in rest.splitlines() if line.startswith("cancelled"))
    with SparkClient(server) as client:
        list(client.watch(name))
        assert client.get(name).state == pb.RECONSTRUCTION_STATE_CANCELLED
