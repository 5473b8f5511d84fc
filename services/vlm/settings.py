"""Configuration of the VLM server: `SPARK_VLM_ADDRESS` and so on, or `--address` on the command line."""

from __future__ import annotations

from pathlib import Path

from pydantic import AnyHttpUrl, Field, SecretStr
from pydantic_settings import SettingsConfigDict

from serving.tls import TlsSettings


class VlmSettings(TlsSettings):
    """How the server listens and which models it loads."""

    model_config = SettingsConfigDict(env_prefix="SPARK_VLM_", frozen=True, cli_kebab_case=True)

    address: str = "127.0.0.1:50051"
    """Host and port to listen on; port 0 takes a free one."""
    metrics_port: int | None = None
    """Where Prometheus reads; none by default."""
    log_level: str = "INFO"
    """Lowest level that is logged."""
    grace_seconds: float = Field(default=30.0, ge=0)
    """How long calls in flight may go on after SIGTERM [s]."""
    plan_folder: Path = Path("models/vlm/compact-plan")
    """Qwen3-VL folder of the plan stage."""
    plan_server: AnyHttpUrl | None = None
    """A server with OpenAI's API, such as vLLM, that runs the plan model; none runs it in this process."""
    plan_model: str = ""
    """Name by which the plan server knows the model; empty is `plan_folder`'s, which then is the model's folder."""
    plan_digest: str = ""
    """Digest by which results name the plan server's model, where `plan_model` is set."""
    plan_api_key: SecretStr = SecretStr("")
    """Key of the plan server; empty sends none."""
    plan_timeout_seconds: float = Field(default=120.0, gt=0)
    """Longest time of one answer of the plan server [s]."""
    plan_concurrency: int = Field(default=16, ge=1)
    """Requests that the plan server is asked at the same time."""
    editor_folder: Path = Path("models/vlm/compact-edit")
    """Diffusers folder of the image editor, for the guide stage."""
    editor_server: AnyHttpUrl | None = None
    """A server with OpenAI's images API, such as vLLM-Omni, that edits instead; none edits in this process."""
    editor_model: str = "Qwen/Qwen-Image-Edit-2511"
    """Name by which the editor server knows its model."""
    editor_digest: str = ""
    """Digest by which results name the editor server's model."""
    editor_api_key: SecretStr = SecretStr("")
    """Key of the editor server; empty sends none."""
    editor_timeout_seconds: float = Field(default=300.0, gt=0)
    """Longest time of one edit of the editor server [s]."""
    editor_concurrency: int = Field(default=4, ge=1)
    """Edits that the editor server is asked for at the same time."""
    editor_size: int = Field(default=1024, ge=64, le=2048, multiple_of=16)
    """Side of the editor server's pictures [pixels]."""
    device: str = "cpu"
    """Torch device of the VLM, e.g. "cuda:0"."""
    threads: int = Field(default=2, ge=1)
    """CPU threads of one torch operation."""
    queue: int = Field(default=32, ge=0)
    """Requests that may wait; further ones are refused with RESOURCE_EXHAUSTED."""
    max_pixels: int = Field(default=4096 * 4096, ge=1)
    """Largest image that is accepted."""
