"""Calls to the Triton models, in numeric tensors; large inputs go through system shared memory on one host."""

from __future__ import annotations

import asyncio
import os
import uuid
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType

import grpc
import numpy as np
import structlog
from tritonclient.grpc import service_pb2
from tritonclient.grpc.aio import InferenceServerClient, InferInput, InferRequestedOutput
from tritonclient.utils import InferenceServerException, np_to_triton_dtype, shared_memory

from articulation.typing import AnyArray
from checkpoints.digest import folder_digest
from gateway.peers import CHANNEL_OPTIONS
from serving.errors import DeadlineExceeded, ModelNotReady, SparkError, Unavailable
from serving.status import hidden
from serving.tls import Identity
from spark.v1 import model_pb2

PEER = "triton"
SHARED_MEMORY_BYTES = 64 * 1024
"""A request whose large tensors together reach this size hands them over in shared memory."""

UNMAP_ATTEMPTS = 8
UNMAP_SECONDS = 0.05
"""Pause before the second try; it doubles each time."""
_log = structlog.get_logger(__name__)
_UNAVAILABLE = str(grpc.StatusCode.UNAVAILABLE)
_DEADLINE = str(grpc.StatusCode.DEADLINE_EXCEEDED)


class TritonModels:
    """The models of one Triton server, or of several.

    Args:
        address: host and port of its gRPC endpoint.
        use_shared_memory: it runs on this host and sees the same /dev/shm.
        repository: the folder it serves, for digests; None where it cannot be read.
        elsewhere: models that other servers serve, and the addresses of those.
        identity: who calls, and whom it believes; None calls in the clear.
    """

    def __init__(
        self,
        address: str,
        use_shared_memory: bool,
        repository: Path | None,
        elsewhere: Mapping[str, str] = MappingProxyType({}),
        identity: Identity | None = None,
    ) -> None:
        self._address = address
        self._elsewhere = elsewhere
        self._identity = identity
        self._clients: dict[tuple[str, tuple[int, ...]], InferenceServerClient] = {}
        self._use_shared_memory = use_shared_memory
        self._repository = repository

    async def close(self) -> None:
        await asyncio.gather(*(client.close() for client in self._clients.values()))

    def _client(self, address: str) -> InferenceServerClient:
        """The connection to a server; a new one where the caller's certificate has changed."""
        tls = self._identity
        at = address, tls.stamp if tls else ()
        if at not in self._clients:
            files = (tls.ca, tls.key, tls.certificate) if tls else (None, None, None)
            root, key, chain = (str(path) if path else None for path in files)
            self._clients[at] = InferenceServerClient(
                address,
                ssl=tls is not None,
                root_certificates=root,
                private_key=key,
                certificate_chain=chain,
                channel_args=CHANNEL_OPTIONS,
            )
        return self._clients[at]

    async def served(self) -> dict[str, list[str]]:
        """Every model in service and its versions.

        Raises:
            Unavailable: a Triton cannot be reached.
        """
        try:
            addresses = {self._address, *self._elsewhere.values()}
            indices = await asyncio.gather(*(self._client(one).get_model_repository_index() for one in addresses))
        except InferenceServerException as error:
            raise _spark_error(error) from error
        versions: dict[str, list[str]] = {}
        for model in (model for index in indices for model in index.models):
            if model.state == "READY":
                versions.setdefault(model.name, []).append(model.version)
        return versions

    async def infer(
        self, model: str, version: str, tensors: Mapping[str, AnyArray], outputs: Sequence[str], timeout_seconds: float
    ) -> tuple[dict[str, AnyArray], model_pb2.ModelVersion]:
        """Run a model once.

        Args:
            version: a served version; empty for the one in service.
            tensors: inputs by name, as `docs/tensors.md` lists them.

        Returns:
            outputs by name, and the version that answered.

        Raises:
            ModelNotReady: Triton runs and does not serve the model.
            Unavailable: Triton cannot be reached.
            DeadlineExceeded: it took longer than `timeout_seconds`.
        """
        client = self._client(self._elsewhere.get(model, self._address))
        try:
            if not await client.is_model_ready(model, version):
                raise ModelNotReady(f"triton does not serve {model} {version}".rstrip(), metadata={"model": model})
            async with self._inputs(client, tensors) as inputs:
                answer = await client.infer(
                    model,
                    inputs,
                    model_version=version,
                    outputs=[InferRequestedOutput(name) for name in outputs],
                    client_timeout=timeout_seconds,
                )
        except InferenceServerException as error:
            raise _spark_error(error) from error
        response: service_pb2.ModelInferResponse = answer.get_response()
        arrays = {name: answer.as_numpy(name) for name in outputs}
        digest = await asyncio.to_thread(self._digest, model, response.model_version)
        return arrays, model_pb2.ModelVersion(model=model, version=response.model_version, digest=digest)

    def _digest(self, model: str, version: str) -> str:
        return "" if self._repository is None else _weights_digest(self._repository / model / version / "weights")

    @asynccontextmanager
    async def _inputs(
        self, client: InferenceServerClient, tensors: Mapping[str, AnyArray]
    ) -> AsyncIterator[list[InferInput]]:
        """The request's tensors; those in shared memory live as long as the context."""
        inputs = {
            name: InferInput(name, list(array.shape), np_to_triton_dtype(array.dtype))
            for name, array in tensors.items()
        }
        total = sum(array.nbytes for array in tensors.values())
        if not self._use_shared_memory or total < SHARED_MEMORY_BYTES:
            for name, array in tensors.items():
                inputs[name].set_data_from_numpy(np.ascontiguousarray(array))
            yield list(inputs.values())
            return
        region = f"spark_{os.getpid()}_{uuid.uuid4().hex}"
        handle = shared_memory.create_shared_memory_region(region, region, total, create_only=True)
        try:
            shared_memory.set_shared_memory_region(handle, [np.ascontiguousarray(a) for a in tensors.values()])
            await client.register_system_shared_memory(region, region, total)
            try:
                offset = 0
                for name, array in tensors.items():
                    inputs[name].set_shared_memory(region, array.nbytes, offset)
                    offset += array.nbytes
                yield list(inputs.values())
            finally:
                await _forget(client, region)
        finally:
            shared_memory.destroy_shared_memory_region(handle)


async def _forget(client: InferenceServerClient, region: str) -> None:
    """Let Triton unmap a region: it keeps one for a moment after it answered. The answer counts, come what may."""
    for attempt in range(UNMAP_ATTEMPTS):
        try:
            await client.unregister_system_shared_memory(region)
        except InferenceServerException as error:
            if error.status() == _UNAVAILABLE:  # a Triton that died has unmapped it
                return
            _log.info("region in use", region=region, error=str(error))
            await asyncio.sleep(UNMAP_SECONDS * 2**attempt)
        else:
            return
    _log.warning("region left mapped", region=region)


@lru_cache(maxsize=64)
def _weights_digest(folder: Path) -> str:
    """A version's digest; a version in service never changes, so it is computed once."""
    return folder_digest(folder)


def _spark_error(error: InferenceServerException) -> SparkError:
    if error.status() == _UNAVAILABLE:
        return Unavailable(f"{PEER} cannot be reached", metadata={"peer": PEER})
    if error.status() == _DEADLINE:
        return DeadlineExceeded(f"{PEER} did not answer in time", metadata={"peer": PEER})
    return hidden(error, PEER)
