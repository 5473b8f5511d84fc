"""Tests of the refine stage run on one thread: their tensors are small, and other tests run beside them."""

import pytest
import torch

from services.refinement import backends
from services.refinement.renderer import Renderer

torch.set_num_threads(1)


@pytest.fixture(params=list(backends.Backend))
def renderer(request: pytest.FixtureRequest) -> Renderer:
    """Each renderer that is installed."""
    try:
        return backends.renderer(request.param)
    except backends.BackendNotInstalled as error:
        pytest.skip(str(error))
