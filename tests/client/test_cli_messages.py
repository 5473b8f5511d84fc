"""What the `spark` command says about refused pictures and unsure plans."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from typer.testing import CliRunner

from client import cli
from client.errors import InvalidRequestError
from spark.v1 import reconstruction_service_pb2 as pb


class Answering:
    """A client whose reconstructions end as prepared."""

    def __init__(self, result: pb.Reconstruction | Exception) -> None:
        self.result = result
        self.asked: dict[str, object] = {}

    def create(self, image: bytes, **options: object) -> str:
        self.asked = options
        return "reconstructions/1"

    def watch(self, name: str) -> Iterator[pb.WatchReconstructionResponse]:
        return iter(())

    def get(self, name: str) -> pb.Reconstruction:
        if isinstance(self.result, Exception):
            raise self.result
        return self.result

    def download_asset(self, reconstruction: pb.Reconstruction, folder: Path) -> list[Path]:
        return []


def run(answer: Answering, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *more: str) -> tuple[int, str]:
    @contextmanager
    def connect(address: str, tls: object) -> Iterator[Answering]:
        yield answer

    monkeypatch.setattr(cli, "SparkClient", connect)
    (tmp_path / "cat.png").write_bytes(b"picture")
    arguments = ["reconstruct", str(tmp_path / "cat.png"), "-o", str(tmp_path / "asset"), "--server", "nowhere", *more]
    result = CliRunner().invoke(cli.app, arguments, env={"COLUMNS": "300"})
    return result.exit_code, " ".join(result.output.split())


def test_a_refused_picture_says_once_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    advice = "the picture shows several objects: crop it to the one that is meant"
    error = InvalidRequestError(f"image: {advice}", "INVALID_ARGUMENT", "IMAGE_REFUSED", [("image", advice)])
    code, text = run(Answering(error), tmp_path, monkeypatch)
    assert code == 2
    assert text.count("crop it") == 1
    assert "IMAGE_REFUSED" in text


def test_an_unsure_result_is_printed_with_its_warnings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    result = pb.Reconstruction(state=pb.RECONSTRUCTION_STATE_SUCCEEDED, warnings=["The plan is uncertain."])
    answer = Answering(result)
    code, text = run(answer, tmp_path, monkeypatch, "--min-confidence", "0.2")
    assert code == 0
    assert "warning: The plan is uncertain." in text
    assert answer.asked["min_confidence"] == 0.2


def test_what_becomes_of_doubtful_joints_is_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answer = Answering(pb.Reconstruction(state=pb.RECONSTRUCTION_STATE_SUCCEEDED))
    run(answer, tmp_path, monkeypatch, "--min-joint-confidence", "0.8", "--refuse-doubtful-joints")
    assert answer.asked["min_joint_confidence"] == 0.8
    assert answer.asked["doubtful_joints"] == pb.DOUBTFUL_JOINTS_REFUSE


def test_joints_are_flagged_by_the_servers_default_unless_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = Answering(pb.Reconstruction(state=pb.RECONSTRUCTION_STATE_SUCCEEDED))
    run(answer, tmp_path, monkeypatch)
    assert answer.asked["min_joint_confidence"] is None
    assert answer.asked["doubtful_joints"] == pb.DOUBTFUL_JOINTS_UNSPECIFIED


def test_an_impossible_confidence_is_a_usage_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code, text = run(Answering(pb.Reconstruction()), tmp_path, monkeypatch, "--min-confidence", "2")
    assert code == 2
    assert "min-confidence" in text


def test_a_folder_with_other_files_is_refused_before_anything_is_sent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "asset").mkdir()
    (tmp_path / "asset/thesis.tex").write_text("years of work")
    answer = Answering(pb.Reconstruction(state=pb.RECONSTRUCTION_STATE_SUCCEEDED))
    code, text = run(answer, tmp_path, monkeypatch)
    assert code == 2
    assert "other files" in text
    assert answer.asked == {}
    assert (tmp_path / "asset/thesis.tex").exists()
