"""The shell lines that lay out Triton's repository, run as the pod would run them."""

import subprocess
from pathlib import Path

import pytest
from chart import VERSIONS, pod, rendered, workloads


@pytest.fixture
def laid_out(tmp_path: Path) -> Path:
    """The repository that `part_dit`'s pod would serve, of an image and a cache below `tmp_path`."""
    code = tmp_path / "models/part_dit"
    (code / "1").mkdir(parents=True)
    (code / "config.pbtxt").write_text('name: "part_dit"\n')
    (code / "1/model.py").write_text("code\n")
    for version in VERSIONS:
        folder = tmp_path / "weights" / version["digest"] / version["url"].rpartition("/")[2]
        folder.mkdir(parents=True)
        (folder / "model.safetensors").write_text(version["version"])
    _, container = pod(workloads(rendered("everything"))["part_dit"])["initContainers"]
    moved = [
        text.replace("/models/", f"{tmp_path}/models/")
        .replace("/repository/", f"{tmp_path}/repository/")
        .replace("=/weights/", f"={tmp_path}/weights/")
        for text in container["args"]
    ]
    subprocess.run([*container["command"], *moved], check=True)
    return tmp_path / "repository/part_dit"


def test_every_version_has_the_images_code_and_its_own_weights(laid_out: Path) -> None:
    for version in VERSIONS:
        folder = laid_out / version["version"]
        assert (folder / "model.py").read_text() == "code\n"
        assert (folder / "weights/model.safetensors").read_text() == version["version"]


def test_all_versions_are_served(laid_out: Path) -> None:
    assert "version_policy { all { } }" in (laid_out / "config.pbtxt").read_text()
