"""One vLLM server for all tests of this folder, which takes minutes to start."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from vllm_process import Vllm, serving

ENVIRONMENT = "SPARK_TEST_VLLM"
"""Names the variable with the folder that `environment/make.sh` filled."""


@pytest.fixture(scope="session")
def vllm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Vllm]:
    environment = os.environ.get(ENVIRONMENT)
    if environment is None:
        pytest.skip("`make test-vllm` runs it")
    with serving(Path(environment).absolute(), tmp_path_factory.mktemp("vllm")) as server:
        yield server
