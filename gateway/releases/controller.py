"""The controller: takes every release a step further, and keeps replicas at the versions that jobs need.

Every gateway runs one. They meet in the records, whose changes are refused where another came first; loading and
checking twice does no harm.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection, Mapping

import structlog
from prometheus_client import Gauge
from sqlalchemy.exc import SQLAlchemyError

from gateway.models import ON_TRITON
from gateway.releases import state
from gateway.releases.control import Control
from gateway.releases.gate import Limits, Summary, Verdict, judge, summarise
from gateway.releases.state import Mode, ModelRecord, Phase
from gateway.releases.store import ReleaseStore
from serving.errors import (
    DeadlineExceeded,
    InvalidRequest,
    NotFound,
    ReleaseConflict,
    SparkError,
    Unavailable,
    VersionRefused,
)

WEIGHT = Gauge("spark_model_weight", "Share of new jobs that a version gets.", ["model", "version"])
_log = structlog.get_logger(__name__)


class Controller:
    """The releases of all models.

    Args:
        store: their records.
        controls: the servers of each model.
        held: versions of a model that jobs at work began with.
        limits: of the gate.
        seconds: pause between two looks.
    """

    def __init__(
        self,
        store: ReleaseStore,
        controls: Mapping[str, Control],
        held: Callable[[str], Awaitable[Collection[str]]],
        limits: Limits,
        seconds: float,
    ) -> None:
        self._store = store
        self._held = held
        self._limits = limits
        self._seconds = seconds
        self.controls = controls

    async def run(self) -> None:
        """Look after every model until cancelled."""
        async with asyncio.TaskGroup() as group:
            for model in self.controls:
                group.create_task(self._look_after(model))

    async def record(self, model: str) -> ModelRecord:
        """What is known of a model; before its first release, that it has none.

        Raises:
            NotFound: there is no such model.
        """
        if model not in self.controls:
            raise NotFound(f"there is no models/{model}; there are {', '.join(self.controls)}")
        return await self._store.get(model) or ModelRecord(model, stable="")

    async def deploy(self, model: str, version: str, mode: Mode, weight: float, addresses: str) -> ModelRecord:
        """Begin a release and wait until the version takes jobs or is refused.

        Raises:
            NotFound: there is no such model.
            InvalidRequest: the version is no version of the model, or its addresses are missing or too many.
            ReleaseConflict: another version is at release.
            VersionRefused: the version failed a check.
            Unavailable, ClusterForbidden: its servers cannot be found.
        """
        record = await self.record(model)
        _check_version(model, version, addresses)
        if not record.revision:
            record = await self._adopt(model)
        later = state.deploy(record, version, mode, weight, time.time(), addresses)
        await self.controls[model].replicas(record)
        record = await self._store.save(later)
        await self._store.forget_before(record)
        began = record.release
        assert began is not None
        while record.release and record.release.start == began.start and record.release.phase is Phase.LOADING:
            await asyncio.sleep(min(self._seconds, 0.5))
            record = await self.record(model)
        if record.release and record.release.start == began.start and record.release.phase is Phase.FAILED:
            raise VersionRefused(record.release.reason, metadata={"model": model, **record.release.facts})
        return record

    async def promote(self, model: str, weight: float, force: bool) -> ModelRecord:
        """Give the version at release more jobs, or all.

        Raises:
            NotFound: there is no such model.
            ReleaseConflict: it has no version that takes jobs, or the gate does not say that it is ready.
        """
        record = await self.record(model)
        later = state.promote(record, weight)
        verdict, reason = await self.verdict(record)
        if verdict is not Verdict.READY and not force:
            raise ReleaseConflict(
                f"{model} {record.candidate} is not ready: {reason}",
                metadata={"model": model, "phase": Phase.SERVING, "verdict": verdict},
            )
        return await self._store.save(later)

    async def roll_back(self, model: str) -> ModelRecord:
        """End the release at work, or go back to the version before; raises NotFound, ReleaseConflict."""
        return await self._store.save(state.roll_back(await self.record(model), "rolled back by hand"))

    async def summaries(self, record: ModelRecord) -> dict[str, Summary]:
        """How the jobs of each version ended since the release began."""
        return {version: summarise(found) for version, found in (await self._store.outcomes(record)).items()}

    async def verdict(self, record: ModelRecord) -> tuple[Verdict, str]:
        """What the gate says of the version at release."""
        found = await self.summaries(record)
        nothing = summarise(())
        return judge(found.get(record.stable, nothing), found.get(record.candidate, nothing), self._limits)

    async def _look_after(self, model: str) -> None:
        told = ""
        while True:
            try:
                record = await self._store.get(model) or await self._adopt(model)
                await self._step(record)
                told = ""
            except (SparkError, SQLAlchemyError) as error:
                if str(error) != told:  # a server that is away is no news twice
                    _log.warning("a look at a model failed", model=model, error=str(error))
                told = str(error)
            await asyncio.sleep(self._seconds)

    async def _adopt(self, model: str) -> ModelRecord:
        """Note what is in service: a version that appears beside it then takes no jobs unless it is deployed."""
        found = ModelRecord(model, await self.controls[model].stable())
        try:
            return await self._store.save(found)
        except ReleaseConflict:  # another gateway did
            return await self.record(model)

    async def _step(self, record: ModelRecord) -> None:
        """One look at one model."""
        _show(record)
        if record.release and record.release.phase is Phase.LOADING:
            await self._load(record)
            return
        held = await self._held(record.model) if record.retired else ()
        await self.controls[record.model].keep(record, held)
        if record.candidate:
            verdict, reason = await self.verdict(record)
            if verdict is Verdict.WORSE:
                await self._store.save(state.roll_back(record, reason))
                _log.warning("rolled back", model=record.model, version=record.candidate, reason=reason)

    async def _load(self, record: ModelRecord) -> None:
        try:
            await self.controls[record.model].load(record)
            later = state.loaded(record)
        except (VersionRefused, Unavailable, DeadlineExceeded) as error:
            facts = {key: value for key, value in error.metadata.items() if key != "model"}
            later = state.failed(record, error.message, facts)
            _log.warning("version refused", model=record.model, version=record.candidate, reason=error.message)
        await self._store.save(later)


def _check_version(model: str, version: str, addresses: str) -> None:
    if model in ON_TRITON:
        if not version.isdecimal() or version.startswith("0"):
            raise InvalidRequest.at("version", f"{version} is no version of a model on Triton: those are 1, 2, 3, ...")
        if addresses:
            raise InvalidRequest.at("addresses", f"{model} is on Triton, whose replicas have all versions")
    elif not addresses:
        raise InvalidRequest.at("addresses", f"where do the servers of {model} {version} listen?")


def _show(record: ModelRecord) -> None:
    """The weights as metrics."""
    release = record.release
    takes = release.weight if release and release.phase is Phase.SERVING and release.mode is Mode.CANARY else 0.0
    for version in record.retired | record.wanted:
        WEIGHT.labels(record.model, version).set(0)
    WEIGHT.labels(record.model, record.stable).set(1 - takes)
    if takes:
        WEIGHT.labels(record.model, record.candidate).set(takes)
