"""One gateway with toy services a test module: starting DBOS takes half a second."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from gateway_fixtures import Api, local_gateway, toy_settings
from toy_services import ToyServices


@pytest.fixture
async def toys() -> AsyncIterator[ToyServices]:
    async with ToyServices() as services:
        yield services


@pytest.fixture
async def api(toys: ToyServices, tmp_path: Path) -> AsyncIterator[Api]:
    async with local_gateway(toy_settings(tmp_path, toys)) as api:
        yield api
