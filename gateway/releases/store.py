"""Records and outcomes in the database that all gateways share."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError, ProgrammingError
from sqlalchemy.schema import CreateTable

from gateway.releases.gate import Outcome
from gateway.releases.state import Mode, ModelRecord, Phase, Release
from serving.errors import ReleaseConflict

_tables = sa.MetaData()
_records = sa.Table(
    "spark_model_records",
    _tables,
    sa.Column("model", sa.String(64), primary_key=True),
    sa.Column("revision", sa.Integer, nullable=False),
    sa.Column("document", sa.Text, nullable=False),
)
_outcomes = sa.Table(
    "spark_model_outcomes",
    _tables,
    sa.Column("job", sa.String(128), primary_key=True),
    sa.Column("model", sa.String(64), primary_key=True),
    sa.Column("version", sa.String(64), primary_key=True),
    sa.Column("time", sa.Float, nullable=False),
    sa.Column("failed", sa.Boolean, nullable=False),
    sa.Column("refused", sa.Boolean, nullable=False),
    sa.Column("confidence", sa.Float),
    sa.Column("seconds", sa.Float),
)
T = TypeVar("T")


class ReleaseStore:
    """What the gateways know together.

    Args:
        database_url: of the workflow database.
    """

    def __init__(self, database_url: str) -> None:
        url = sa.make_url(database_url)
        if url.get_backend_name() == "postgresql":
            self._engine = sa.create_engine(url.set(drivername="postgresql+psycopg"), pool_pre_ping=True)
        else:
            self._engine = sa.create_engine(url, connect_args={"timeout": 30})
        for attempt in range(2):
            try:
                with self._engine.begin() as connection:
                    for table in _tables.sorted_tables:
                        connection.execute(CreateTable(table, if_not_exists=True))
                break
            except (IntegrityError, ProgrammingError):  # another gateway made them at the same moment
                if attempt:
                    raise

    def close(self) -> None:
        self._engine.dispose()

    async def get(self, model: str) -> ModelRecord | None:
        """A model's record; None before its first release."""
        return (await self.all()).get(model)

    async def all(self) -> dict[str, ModelRecord]:
        """Every record by its model, in the models' order."""
        select = sa.select(_records).order_by(_records.c.model)
        rows = await self._run(lambda connection: connection.execute(select).all())
        return {row.model: _from_json(row.document, row.revision) for row in rows}

    async def save(self, record: ModelRecord) -> ModelRecord:
        """Store a change of the record that `revision` counts.

        Raises:
            ReleaseConflict: somebody else was faster.
        """
        later = replace(record, revision=record.revision + 1)
        values = {"model": later.model, "revision": later.revision, "document": _to_json(later)}
        same = (_records.c.model == record.model) & (_records.c.revision == record.revision)
        change = (
            sa.update(_records).where(same).values(values) if record.revision else sa.insert(_records).values(values)
        )
        try:
            changed = await self._run(lambda connection: connection.execute(change.values(values)).rowcount)
        except IntegrityError:
            changed = 0
        if not changed:
            raise ReleaseConflict(
                f"another change of {record.model} came first; look at its status", metadata={"model": record.model}
            )
        return later

    async def add(self, job: str, model: str, outcome: Outcome) -> None:
        """Count how a job ended for one of its versions, once."""
        insert = sa.insert(_outcomes).values(job=job, model=model, time=time.time(), **asdict(outcome))
        try:
            await self._run(lambda connection: connection.execute(insert))
        except IntegrityError:
            return

    async def outcomes(self, record: ModelRecord) -> dict[str, list[Outcome]]:
        """By version, how jobs ended since the latest release began."""
        if record.release is None:
            return {}
        columns = (_outcomes.c[name] for name in ("version", "failed", "refused", "confidence", "seconds"))
        select = sa.select(*columns).where(_outcomes.c.model == record.model, _outcomes.c.time >= record.release.start)
        rows = await self._run(lambda connection: connection.execute(select).all())
        found: dict[str, list[Outcome]] = {}
        for row in rows:
            found.setdefault(row.version, []).append(Outcome(*row))
        return found

    async def forget_before(self, record: ModelRecord) -> None:
        """Drop the outcomes of earlier releases."""
        if record.release is None:
            return
        drop = sa.delete(_outcomes).where(_outcomes.c.model == record.model, _outcomes.c.time < record.release.start)
        await self._run(lambda connection: connection.execute(drop))

    async def _run(self, work: Callable[[sa.Connection], T]) -> T:
        def transaction() -> T:
            with self._engine.begin() as connection:
                return work(connection)

        return await asyncio.to_thread(transaction)


def _to_json(record: ModelRecord) -> str:
    content = asdict(record) | {"retired": sorted(record.retired)}
    del content["revision"]
    return json.dumps(content)


def _from_json(text: str, revision: int) -> ModelRecord:
    content: dict[str, Any] = json.loads(text)
    release = content.pop("release")
    if release:
        release = Release(**release | {"mode": Mode(release["mode"]), "phase": Phase(release["phase"])})
    retired = frozenset(content.pop("retired"))
    return ModelRecord(**content, retired=retired, release=release, revision=revision)
