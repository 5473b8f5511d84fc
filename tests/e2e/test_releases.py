"""Golden requests are put to the shipped weights, which pass, and to spoilt ones, which do not."""

import shutil
import time
from collections.abc import Callable, Iterator
from functools import partial

import pytest
from spoilt_weights import change
from typer.testing import CliRunner

from client.cli import MODELS, app
from client.local.ensemble import Ensemble

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


def without_knowledge(tensors: dict) -> None:
    """What a training run that diverged might leave: the right layout, finite, and nothing learned."""
    for tensor in tensors.values():
        if tensor.is_floating_point():
            tensor.mul_(0.5)


@pytest.fixture(scope="module")
def ensemble(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ensemble]:
    """The shipped models, and on Triton a version 2 with the same weights and a version 3 with spoilt ones."""
    models = tmp_path_factory.mktemp("models")
    (models / "vlm").symlink_to(MODELS / "vlm")
    for name in ("part_dit", "texture"):
        folder = models / "triton" / name
        for version in ("1", "2", "3"):
            shutil.copytree(MODELS / "triton" / name / "1", folder / version)
        for file in (folder / "3/weights").rglob("*.safetensors"):
            change(file, without_knowledge)
        config = (MODELS / "triton" / name / "config.pbtxt").read_text()
        (folder / "config.pbtxt").write_text(config + "version_policy { specific { versions: [ 1 ] } }\n")
    running = Ensemble(tmp_path_factory.mktemp("home"), models)
    running.up()
    try:
        _wait_until_adopted(running)
        yield running
    finally:
        running.down()


def _wait_until_adopted(ensemble: Ensemble) -> None:
    """A gateway that has just begun looks for the versions in service every few seconds."""
    deadline = time.monotonic() + 60
    while _spark(ensemble, "status")[1].count("stable 1") < 4:
        assert time.monotonic() < deadline
        time.sleep(0.5)


def _spark(ensemble: Ensemble, *arguments: str) -> tuple[int, str]:
    """`spark models ...`: the exit code, and what was printed."""
    done = CliRunner().invoke(app, ["models", *arguments, "--admin", str(ensemble.gateway)], env={"COLUMNS": "200"})
    return done.exit_code, " ".join(done.output.split())


@pytest.fixture
def spark(ensemble: Ensemble) -> Callable[..., tuple[int, str]]:
    return partial(_spark, ensemble)


@pytest.mark.parametrize("model", ["part_dit", "texture"])
def test_the_shipped_weights_pass_as_a_version_on_triton_and_spoilt_ones_do_not(spark, model: str) -> None:
    code, said = spark("deploy", model, "--version", "2", "--canary", "50%")
    assert code == 0, said
    assert spark("rollback", model)[0] == 0
    code, said = spark("deploy", model, "--version", "3", "--canary", "50%")
    assert code == 1 and "VERSION_REFUSED" in said and "golden" in said, said


@pytest.mark.parametrize("model", ["vlm", "refinement"])
def test_the_shipped_server_passes_as_a_version(spark, ensemble: Ensemble, model: str) -> None:
    address = next(member.address for member in ensemble.members() if member.name == model)
    code, said = spark("deploy", model, "--version", "2", "--canary", "50%", "--address", address)
    assert code == 0, said
    assert spark("rollback", model)[0] == 0
