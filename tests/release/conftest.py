"""A gateway with toy services whose model versions can be released, and its operators' API."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from gateway_fixtures import Api, local_gateway, toy_settings
from toy_services import ToyServices

SETTINGS = {"release_seconds": 1.0, "release_min_jobs": 3, "stage_attempts": 2, "concurrency": 2}


@pytest.fixture
async def toys() -> AsyncIterator[ToyServices]:
    async with ToyServices() as services:
        yield services


@pytest.fixture
async def api(toys: ToyServices, tmp_path: Path) -> AsyncIterator[Api]:
    async with local_gateway(toy_settings(tmp_path, toys, **SETTINGS)) as api:
        yield api
