"""Versions of a model on Triton: loaded by the server's own repository API, checked on every replica.

Triton keeps the model's other versions in service while it loads one more. Three of its habits matter here. Which
versions it serves is the `version_policy` of the configuration that comes with a load, and that configuration counts
until config.pbtxt is touched. A version whose folder is missing is no error of the load: only the index tells. And a
version that failed makes the server's own health NOT_SERVING, although the others answer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence

import structlog
from google.protobuf import json_format, text_format
from tritonclient.grpc import model_config_pb2 as config_pb
from tritonclient.grpc import service_pb2
from tritonclient.grpc.aio import InferenceServerClient
from tritonclient.utils import InferenceServerException

from articulation.typing import AnyArray
from gateway.releases.control import ReplicaState, refused
from gateway.releases.state import ModelRecord
from gateway.triton import QUICK_SECONDS, TritonModels, silence, spark_error
from serving.errors import DeadlineExceeded, ReleaseConflict, SparkError, Unavailable

LOAD_SECONDS = 600.0
GOLDEN_SECONDS = 300.0

_log = structlog.get_logger(__name__)

Tensors = Mapping[str, tuple[str, tuple[int, ...]]]
"""Name to dtype and shape."""


class TritonControl:
    """One model on the replicas of its Triton.

    Args:
        model: its name.
        triton: connections.
        golden: tensors of the golden request.
        outputs: tensors to ask for.
        problem: what is wrong with an answer; empty if nothing is.
    """

    def __init__(
        self,
        model: str,
        triton: TritonModels,
        golden: Callable[[], dict[str, AnyArray]],
        outputs: Sequence[str],
        problem: Callable[[dict[str, AnyArray]], str],
    ) -> None:
        self._model = model
        self._triton = triton
        self._golden = golden
        self._outputs = outputs
        self._problem = problem

    async def stable(self) -> str:
        found = [state.versions for state in await self.replicas(None) if state.versions]
        highest = {max(versions, key=int) for versions in found}
        if not highest:
            raise Unavailable(f"no replica serves {self._model}", metadata={"peer": "triton"})
        if len(highest) > 1:
            raise ReleaseConflict(
                f"the replicas of {self._model} serve versions {', '.join(sorted(highest))}; which one is stable?",
                metadata={"model": self._model, "phase": "none"},
            )
        return highest.pop()

    async def load(self, record: ModelRecord) -> None:
        replicas = await self._reachable()
        for replica in replicas:  # one after the other: a broken version meets the first one only
            self._same_config(replica, await self._config(replica))
            await self.serve(replica, await self._triton.versions(replica, self._model) | {record.candidate})
        await self._same_tensors(replicas, record)
        for replica in replicas:
            await self._golden_request(replica, record.candidate)

    async def keep(self, record: ModelRecord, held: Collection[str]) -> None:
        for replica in await self._triton.replicas(self._model):
            try:
                served = await self._triton.versions(replica, self._model)
                await self.serve(replica, (served | record.wanted) - (record.retired - frozenset(held)))
            except (Unavailable, DeadlineExceeded):
                continue  # it is brought along when it is back
            except SparkError as error:
                _log.warning("a replica lacks versions", model=self._model, replica=replica, error=error.message)

    async def replicas(self, record: ModelRecord | None) -> list[ReplicaState]:
        addresses = await self._triton.replicas(self._model, fresh=True)
        return list(await asyncio.gather(*(self._state(address) for address in addresses)))

    def _client(self, replica: str) -> InferenceServerClient:
        return self._triton.client(replica, self._model)

    async def _state(self, replica: str) -> ReplicaState:
        try:
            served = await self._triton.versions(replica, self._model)
        except (Unavailable, DeadlineExceeded):
            return ReplicaState(replica, None)
        return ReplicaState(replica, tuple(sorted(served, key=int)))

    async def _reachable(self) -> list[str]:
        """Replicas that answer; one that is down is brought along when it comes back."""
        found = [state.address for state in await self.replicas(None) if state.versions is not None]
        if not found:
            raise Unavailable(f"no replica of {self._model} answers", metadata={"peer": "triton"})
        return found

    async def serve(self, replica: str, target: frozenset[str]) -> None:
        """Bring one replica to the versions; nothing is done where it has them already."""
        if target == await self._triton.versions(replica, self._model):
            return
        config = await self._config(replica)
        config.version_policy.CopyFrom(_policy(target))
        text = json_format.MessageToJson(config, preserving_proto_field_name=True)
        try:
            await self._client(replica).load_model(self._model, config=text, client_timeout=LOAD_SECONDS)
        except InferenceServerException as error:
            if unanswered := silence(error):
                raise unanswered from error
            raise refused("load", replica, str(error.message()).strip()) from error
        missing = target - await self._triton.versions(replica, self._model)
        if missing:
            raise refused("load", replica, f"{self._model} {', '.join(sorted(missing))} is not in its repository")
        _log.info("versions loaded", model=self._model, replica=replica, versions=sorted(target))

    async def _config(self, replica: str) -> config_pb.ModelConfig:
        try:
            answer = await self._client(replica).get_model_config(self._model, client_timeout=QUICK_SECONDS)
        except InferenceServerException as error:
            raise spark_error(error) from error
        return answer.config

    def _same_config(self, replica: str, served: config_pb.ModelConfig) -> None:
        """Where the repository can be read: a config.pbtxt that came with the new version is another contract."""
        if self._triton.repository is None:
            return
        written = text_format.Parse(
            (self._triton.repository / self._model / "config.pbtxt").read_text(), config_pb.ModelConfig()
        )
        differences = _differences(_of_config(served), _of_config(written))
        if differences:
            raise refused("contract", replica, f"config.pbtxt has other tensors than are served: {differences}")

    async def _same_tensors(self, replicas: Sequence[str], record: ModelRecord) -> None:
        """The candidate must take and give on every replica what the stable version does on the first."""
        served = await self._triton.versions(replicas[0], self._model)
        stable = await self._tensors(replicas[0], record.stable if record.stable in served else record.candidate)
        for replica in replicas:
            differences = _differences(stable, await self._tensors(replica, record.candidate))
            if differences:
                raise refused("contract", replica, f"{self._model} {record.candidate} has other tensors: {differences}")

    async def _tensors(self, replica: str, version: str) -> Tensors:
        try:
            metadata: service_pb2.ModelMetadataResponse = await self._client(replica).get_model_metadata(
                self._model, version, client_timeout=QUICK_SECONDS
            )
        except InferenceServerException as error:
            raise spark_error(error) from error
        return {one.name: (one.datatype, tuple(one.shape)) for one in (*metadata.inputs, *metadata.outputs)}

    async def _golden_request(self, replica: str, version: str) -> None:
        tensors = await asyncio.to_thread(self._golden)
        client = self._client(replica)
        try:
            outputs, _ = await self._triton.infer_on(
                client, self._model, version, tensors, self._outputs, GOLDEN_SECONDS
            )
            problem = self._problem(outputs)
        except SparkError as error:
            problem = str(error.__cause__ or error.message)
        if problem:
            raise refused("golden", replica, problem)


def _policy(versions: Collection[str]) -> config_pb.ModelVersionPolicy:
    specific = config_pb.ModelVersionPolicy.Specific(versions=sorted(map(int, versions)))
    return config_pb.ModelVersionPolicy(specific=specific)


def _of_config(config: config_pb.ModelConfig) -> Tensors:
    data_type = config_pb.DataType.Name
    return {one.name: (data_type(one.data_type), tuple(one.dims)) for one in (*config.input, *config.output)}


def _differences(expected: Tensors, found: Tensors) -> str:
    """The tensors that one of the two lacks or has otherwise."""
    return ", ".join(sorted(name for name in expected.keys() | found.keys() if expected.get(name) != found.get(name)))
