"""Calls to the Triton models, in numeric tensors; large inputs go through system shared memory on one host."""

from __future__ import annotations

import asyncio
import os
import uuid
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import lru_cache
from itertools import count
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
from gateway.peers import CHANNEL_OPTIONS, tls_name
from gateway.replicas import Replicas, StaticReplicas, host
from serving.errors import DeadlineExceeded, ModelNotReady, SparkError, Unavailable
from serving.status import hidden
from serving.tls import Identity
from spark.v1 import model_pb2

PEER = "triton"
STATIC = StaticReplicas()
QUICK_SECONDS = 5.0
"""Longest time for an answer that takes no work; a replica that needs longer counts as one that is gone."""
SHARED_MEMORY_BYTES = 64 * 1024
"""A request whose large tensors together reach this size hands them over in shared memory."""

UNMAP_ATTEMPTS = 8
UNMAP_SECONDS = 0.05
"""Pause before the second try; it doubles each time."""
_log = structlog.get_logger(__name__)
_UNAVAILABLE = str(grpc.StatusCode.UNAVAILABLE)
_DEADLINE = str(grpc.StatusCode.DEADLINE_EXCEEDED)


class TritonModels:
    """The models of one Triton server or of several, each of which may have replicas.

    Args:
        address: host and port of its gRPC endpoint; those of its replicas with commas.
        use_shared_memory: it runs on this host and sees the same /dev/shm.
        repository: the folder it serves, for digests; None where it cannot be read.
        elsewhere: models that other servers serve, and the addresses of those.
        replicas: who knows the replicas behind an address.
        identity: who calls, and whom it believes; None calls in the clear.
    """

    def __init__(
        self,
        address: str,
        use_shared_memory: bool,
        repository: Path | None,
        elsewhere: Mapping[str, str] = MappingProxyType({}),
        replicas: Replicas = STATIC,
        identity: Identity | None = None,
    ) -> None:
        self._address = address
        self._elsewhere = elsewhere
        self._replicas = replicas
        self._identity = identity
        self._clients: dict[tuple[str, str, tuple[int, ...]], InferenceServerClient] = {}
        self._turn = count()
        self._use_shared_memory = use_shared_memory
        self.repository = repository

    async def close(self) -> None:
        await asyncio.gather(*(client.close() for client in self._clients.values()))

    def client(self, replica: str, model: str) -> InferenceServerClient:
        """The connection to a replica of a model; it is kept. A new one where the caller's certificate has changed."""
        tls = self._identity
        at = replica, host(self._server(model)), tls.stamp if tls else ()
        if at not in self._clients:
            files = (tls.ca, tls.key, tls.certificate) if tls else (None, None, None)
            root, key, chain = (str(path) if path else None for path in files)
            self._clients[at] = InferenceServerClient(
                replica,
                ssl=tls is not None,
                root_certificates=root,
                private_key=key,
                certificate_chain=chain,
                channel_args=[*CHANNEL_OPTIONS, tls_name(host(self._server(model)))],
            )
        return self._clients[at]

    async def replicas(self, model: str, *, fresh: bool = False) -> tuple[str, ...]:
        """Where the replicas of a model listen; raises as `Replicas.find`."""
        return await self._replicas.find(self._server(model), fresh=fresh)

    async def versions(self, replica: str, model: str) -> frozenset[str]:
        """Versions of a model that one replica has in service.

        Raises:
            Unavailable: it cannot be reached.
        """
        try:
            index = await self.client(replica, model).get_model_repository_index(client_timeout=QUICK_SECONDS)
        except InferenceServerException as error:
            raise spark_error(error) from error
        return frozenset(one.version for one in index.models if one.name == model and one.state == "READY")

    async def served(self, model: str) -> list[str]:
        """Versions of a model that its replicas have in service, in order.

        Raises:
            Unavailable: none of them can be reached.
        """
        found: set[str] = set()
        unreachable: Unavailable | None = None
        replicas = await self.replicas(model)
        answers = await asyncio.gather(*(self.versions(one, model) for one in replicas), return_exceptions=True)
        for answer in answers:
            if isinstance(answer, Unavailable | DeadlineExceeded):
                unreachable = Unavailable(answer.message, metadata=answer.metadata)
            elif isinstance(answer, BaseException):
                raise answer
            else:
                found |= answer
        if unreachable and not found:
            raise unreachable
        return sorted(found, key=lambda version: (len(version), version))

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
            ModelNotReady: every replica runs, and none serves the model.
            Unavailable: no replica that serves it can be reached, or the one at work broke off.
            DeadlineExceeded: it took longer than `timeout_seconds`.
        """
        client = await self._ready(model, version)
        return await self.infer_on(client, model, version, tensors, outputs, timeout_seconds)

    async def infer_on(
        self,
        client: InferenceServerClient,
        model: str,
        version: str,
        tensors: Mapping[str, AnyArray],
        outputs: Sequence[str],
        timeout_seconds: float,
    ) -> tuple[dict[str, AnyArray], model_pb2.ModelVersion]:
        """As `infer`, by one replica, ready or not."""
        try:
            async with self._inputs(client, tensors) as inputs:
                answer = await client.infer(
                    model,
                    inputs,
                    model_version=version,
                    outputs=[InferRequestedOutput(name) for name in outputs],
                    client_timeout=timeout_seconds,
                )
        except InferenceServerException as error:
            raise spark_error(error) from error
        response: service_pb2.ModelInferResponse = answer.get_response()
        arrays = {name: answer.as_numpy(name) for name in outputs}
        digest = await asyncio.to_thread(self._digest, model, response.model_version)
        return arrays, model_pb2.ModelVersion(model=model, version=response.model_version, digest=digest)

    async def _ready(self, model: str, version: str) -> InferenceServerClient:
        """The next replica in turn that serves a version."""
        replicas = await self.replicas(model)
        first = next(self._turn)
        unreachable: SparkError | None = None
        for index in range(len(replicas)):
            client = self.client(replicas[(first + index) % len(replicas)], model)
            try:
                if await client.is_model_ready(model, version, client_timeout=QUICK_SECONDS):
                    return client
            except InferenceServerException as error:
                unreachable = spark_error(error)
        if isinstance(unreachable, DeadlineExceeded):  # of the question, not of the work
            raise Unavailable(unreachable.message, metadata=unreachable.metadata)
        raise unreachable or ModelNotReady(
            f"triton does not serve {model} {version}".rstrip(), metadata={"model": model}
        )

    def _server(self, model: str) -> str:
        """The address that the settings give the Triton of a model."""
        return self._elsewhere.get(model, self._address)

    def _digest(self, model: str, version: str) -> str:
        return "" if self.repository is None else _weights_digest(self.repository / model / version / "weights")

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


def spark_error(error: InferenceServerException) -> SparkError:
    """What a failed call to a replica means."""
    return silence(error) or hidden(error, PEER)


def silence(error: InferenceServerException) -> Unavailable | DeadlineExceeded | None:
    """What it means that a replica did not answer; None where it did, by a refusal."""
    if error.status() == _UNAVAILABLE:
        return Unavailable(f"{PEER} cannot be reached", metadata={"peer": PEER})
    if error.status() == _DEADLINE:
        return DeadlineExceeded(f"{PEER} did not answer in time", metadata={"peer": PEER})
    return None
