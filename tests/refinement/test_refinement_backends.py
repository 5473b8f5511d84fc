"""Who draws: the renderer that the settings name."""

import sys

import pytest
from pydantic import ValidationError

from services.refinement.backends import Backend, BackendNotInstalled, renderer
from services.refinement.rasteriser import TorchRenderer
from services.refinement.settings import RefinementSettings


def test_our_own_renderer_draws_unless_told_otherwise() -> None:
    assert isinstance(renderer(RefinementSettings().renderer), TorchRenderer)


def test_the_environment_names_the_renderer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPARK_REFINEMENT_RENDERER", "pytorch3d")
    assert RefinementSettings().renderer is Backend.PYTORCH3D


def test_an_unknown_renderer_is_no_setting() -> None:
    with pytest.raises(ValidationError, match="'torch' or 'pytorch3d'"):
        RefinementSettings(renderer="opengl")


def test_a_missing_library_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "services.refinement.pytorch3d_renderer", raising=False)
    monkeypatch.setitem(sys.modules, "pytorch3d", None)
    for name in [name for name in sys.modules if name.startswith("pytorch3d.")]:
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(BackendNotInstalled, match=r"\.\[pytorch3d\]") as caught:
        renderer(Backend.PYTORCH3D)
    assert caught.value.name == "pytorch3d"
