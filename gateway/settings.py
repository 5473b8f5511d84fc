"""Settings of the gateway, from the environment: `SPARK_GATEWAY_DATA_FOLDER=/var/lib/spark` and so on."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from serving.tls import Identity, TlsSettings


class Settings(TlsSettings):
    """How one gateway process runs; a cluster differs from a laptop in these only."""

    model_config = SettingsConfigDict(env_prefix="SPARK_GATEWAY_", frozen=True, protected_namespaces=())

    address: str = "127.0.0.1:50050"
    """Where the public API listens."""
    admin_address: str = ""
    """Where ModelService listens, for operators; the same as `address` for beside the public API, empty for nowhere."""
    metrics_port: int | None = None
    """Where Prometheus reads; None for nowhere."""
    log_level: str = "INFO"

    data_folder: Path = Path(".spark/data")
    """Home of the database and the artifacts, unless the URLs below name others."""
    database_url: str = ""
    """SQLAlchemy URL of the workflow database; empty for SQLite in the data folder."""
    store_url: str = ""
    """obstore URL of the artifacts, e.g. `s3://bucket/prefix`; empty for a folder in the data folder."""
    executor_id: str = "gateway-0"
    """Stable name of this replica: after a crash it takes up again what it had begun under this name."""

    replicas: Literal["addresses", "kubernetes"] = "addresses"
    """Whether each of the next five names replicas, with commas, or a Kubernetes service whose endpoints they are."""
    vlm_address: str = "127.0.0.1:50051"
    triton_address: str = "127.0.0.1:8001"
    """Triton, of the models that the next two do not place elsewhere."""
    part_dit_address: str = ""
    """A Triton for part_dit alone; empty for the one above."""
    texture_address: str = ""
    """A Triton for texture alone; empty for the one above."""
    refinement_address: str = "127.0.0.1:50052"
    triton_shared_memory: bool = True
    """Hand large tensors to Triton through /dev/shm; only where both run on one host."""
    triton_repository: Path | None = None
    """The folder that Triton serves, if it can be read here: reports then carry the weights' digests."""

    peer_ca: Path | None = None
    """PEM file of the authorities of the services' certificates; none calls them in the clear."""
    peer_certificate: Path | None = None
    """PEM file of the certificate that the gateway shows to services."""
    peer_key: Path | None = None
    """PEM file of its key."""

    concurrency: Annotated[int, Field(ge=1)] = 1
    """Reconstructions that this replica works on at once; the others queue."""
    max_queued: Annotated[int, Field(ge=1)] = 1000
    """Accepted and unfinished reconstructions beyond which new ones are refused."""
    stage_attempts: Annotated[int, Field(ge=1)] = 6
    """Tries of a stage whose service is unavailable."""
    stage_retry_seconds: Annotated[float, Field(gt=0)] = 1.0
    """Pause before the second try [s]; it doubles each time."""
    stage_timeout_seconds: Annotated[float, Field(gt=0)] = 900.0
    """Longest time one try of a stage may take [s]."""
    guidance_scale: Annotated[float, Field(ge=1)] = 1.0
    """Classifier-free guidance of part_dit; 1 is none, takes half the time, and is no worse on the compact weights."""
    release_seconds: Annotated[float, Field(gt=0)] = 5.0
    """Pause between two looks at the versions at release and at the replicas [s]."""
    release_min_jobs: Annotated[int, Field(ge=1)] = 20
    """Jobs of each version before a version at release is called ready."""
    grace_seconds: Annotated[float, Field(ge=0)] = 10.0
    """How long calls in flight may go on after SIGTERM [s]; work goes on at the next start."""

    TLS_NEEDS = (
        *TlsSettings.TLS_NEEDS,
        ("peer_certificate", "peer_key"),
        ("peer_key", "peer_certificate"),
        ("peer_certificate", "peer_ca"),
    )

    @property
    def peer_identity(self) -> Identity | None:
        """Towards the services; None in the clear."""
        return Identity(self.peer_certificate, self.peer_key, self.peer_ca) if self.peer_ca else None

    @property
    def resolved_part_dit_address(self) -> str:
        return self.part_dit_address or self.triton_address

    @property
    def resolved_texture_address(self) -> str:
        return self.texture_address or self.triton_address

    @property
    def resolved_database_url(self) -> str:
        return self.database_url or f"sqlite:///{(self.data_folder / 'gateway.sqlite').resolve()}"

    @property
    def resolved_store_url(self) -> str:
        return self.store_url or (self.data_folder / "artifacts").resolve().as_uri()
