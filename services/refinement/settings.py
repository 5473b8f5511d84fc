"""Configuration of the refinement server, from the environment: `SPARK_REFINEMENT_ADDRESS` and so on."""

from __future__ import annotations

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from services.refinement.backends import Backend
from serving.tls import TlsSettings


class RefinementSettings(TlsSettings):
    """How the server listens and works."""

    model_config = SettingsConfigDict(env_prefix="SPARK_REFINEMENT_", frozen=True)

    address: str = "127.0.0.1:50052"
    """Host and port to listen on."""
    metrics_port: int | None = None
    """Where Prometheus reads; none by default."""
    log_level: str = "INFO"
    """Lowest level that is logged."""
    grace_seconds: float = Field(default=30.0, ge=0)
    """How long calls in flight may go on after SIGTERM [s]."""
    device: str = "cpu"
    """Torch device, e.g. "cuda:0"."""
    renderer: Backend = Backend.TORCH
    """Who draws; "pytorch3d" needs the extra of that name."""
    threads: int = Field(default=1, ge=1)
    """CPU threads of one torch operation; the tensors are small, and idle threads spin."""
    concurrency: int = Field(default=1, ge=1)
    """Requests that are optimised at the same time."""
    queue: int = Field(default=32, ge=0)
    """Requests that may wait; further ones are refused with RESOURCE_EXHAUSTED."""
    faces_per_part: int = Field(default=300, ge=12)
    """Size of a part's low-poly proxy."""
    max_faces: int = Field(default=2_000_000, ge=1)
    """Largest part mesh that is accepted."""
    max_pixels: int = Field(default=4096 * 4096, ge=1)
    """Largest image that is accepted."""
