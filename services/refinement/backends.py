"""Which renderer draws, by the name that the settings give."""

from __future__ import annotations

from enum import StrEnum

from services.refinement.rasteriser import TorchRenderer
from services.refinement.renderer import Renderer


class Backend(StrEnum):
    """Libraries that can draw."""

    TORCH = "torch"
    PYTORCH3D = "pytorch3d"


class BackendNotInstalled(ImportError):
    """The library of a backend is missing; the message names the extra that brings it."""

    def __init__(self, backend: Backend) -> None:
        super().__init__(
            f"the renderer {backend} is not installed: pip install --no-build-isolation '.[{backend}]', after torch",
            name=backend,
        )


def renderer(backend: Backend) -> Renderer:
    """The renderer of that name.

    Raises:
        BackendNotInstalled: its library is missing.
    """
    match backend:
        case Backend.TORCH:
            return TorchRenderer()
        case Backend.PYTORCH3D:
            try:
                from services.refinement.pytorch3d_renderer import PyTorch3DRenderer
            except ModuleNotFoundError as error:
                raise BackendNotInstalled(backend) from error
            return PyTorch3DRenderer()
