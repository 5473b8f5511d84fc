from pathlib import Path

import pytest
from cabinets import cabinet

from articulation.asset import Asset
from gateway.package.build import build_asset
from gateway.package.validate import ValidationReport, validate
from gateway.package.write import write_asset


@pytest.fixture(scope="session")
def asset() -> Asset:
    return build_asset(*cabinet(), name="cabinet")


@pytest.fixture(scope="session")
def folder(asset: Asset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cabinet")
    write_asset(asset, folder)
    return folder


@pytest.fixture(scope="session")
def report(folder: Path) -> ValidationReport:
    return validate(folder)
