"""The whole ensemble with the shipped compact models, started once for all end-to-end tests."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from client.cli import MODELS
from client.local.ensemble import Ensemble


@pytest.fixture(scope="session")
def ensemble(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ensemble]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SPARK_GATEWAY_STAGE_ATTEMPTS", "2")
        running = Ensemble(tmp_path_factory.mktemp("home"), MODELS)
        running.up()
        try:
            yield running
        finally:
            running.down()


@pytest.fixture
def server(ensemble: Ensemble) -> str:
    address = ensemble.gateway
    assert address is not None
    return address


@pytest.fixture
def examples() -> Path:
    return MODELS.parent / "examples"
