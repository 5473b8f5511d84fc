"""Which replicas live; what a dead one had begun goes back into the queue.

Each replica holds an advisory lock of PostgreSQL under its executor id, on a connection that lives as long as its
process. A lock that another replica can take therefore belongs to nobody alive, however its owner ended, and needs
neither clocks nor heartbeats. A replica that was only cut off from the database loses its work in the same way: DBOS
lets it record nothing more of what another has taken over.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import psycopg
import structlog
from dbos import DBOS
from sqlalchemy import make_url

from gateway.settings import Settings
from gateway.workflow import APPLICATION, NAME, WORKFLOW_VERSION

_log = structlog.get_logger(__name__)

CLAIM_SECONDS = 60.0
"""How long a new process waits for its name [s]: longer than PostgreSQL needs to notice that the last one is gone."""
KEEPALIVE = "-c tcp_keepalives_idle=10 -c tcp_keepalives_interval=5 -c tcp_keepalives_count=3"
"""PostgreSQL drops the connection of a node that vanished after 25 seconds, not after hours."""


class NameTaken(RuntimeError):
    """Another process works under this replica's executor id."""


class Presence:
    """This replica's name in the database, and a look at the others'.

    Args:
        url: SQLAlchemy URL of a PostgreSQL database, reached without a pooler that shares connections.
        name: this replica's executor id.
    """

    def __init__(self, url: str, name: str) -> None:
        self._url = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
        self._name = name
        self._connection: psycopg.AsyncConnection | None = None

    async def claim(self, seconds: float = CLAIM_SECONDS) -> None:
        """Take this replica's name.

        Raises:
            NameTaken: another process has held it for `seconds`.
            psycopg.OperationalError: the database cannot be reached.
        """
        await self.leave()
        self._connection = await psycopg.AsyncConnection.connect(self._url, autocommit=True, options=KEEPALIVE)
        end = time.monotonic() + seconds
        while not await self._lock(self._name):
            if time.monotonic() > end:
                await self.leave()
                raise NameTaken(f"SPARK_GATEWAY_EXECUTOR_ID: another gateway works as {self._name} on this database")
            await asyncio.sleep(0.5)

    async def take_over(self) -> None:
        """Put what dead replicas had begun back into the queue."""
        if self._connection is None or self._connection.closed:
            await self.claim()
        await self._ask("SELECT %s <> ''", self._name)  # fails where the connection, and with it the name, is lost
        pending = await DBOS.list_workflows_async(
            name=NAME, status="PENDING", app_version=WORKFLOW_VERSION, load_input=False, load_output=False
        )
        for other in {status.executor_id for status in pending if status.executor_id} - {self._name}:
            if await self._lock(other):
                try:
                    # Not resume: that would forget how often a job was taken up, and start one that is cancelled now.
                    jobs = await asyncio.to_thread(DBOS._recover_pending_workflows, [other])
                finally:
                    await self._ask("SELECT pg_advisory_unlock(hashtextextended(%s, 0))", other)
                _log.warning("replica is gone", replica=other, taken_over=len(jobs))

    async def leave(self) -> None:
        """Give the name up."""
        if self._connection is not None:
            await self._connection.close()
            self._connection = None

    async def _lock(self, name: str) -> bool:
        return await self._ask("SELECT pg_try_advisory_lock(hashtextextended(%s, 0))", name)

    async def _ask(self, query: str, name: str) -> bool:
        assert self._connection is not None
        answer = await (await self._connection.execute(query, [f"{APPLICATION}/{name}"])).fetchone()
        assert answer is not None
        return bool(answer[0])


@asynccontextmanager
async def presence(settings: Settings) -> AsyncIterator[Presence | None]:
    """This replica's presence while the context is open; None on SQLite, which belongs to one process.

    Raises:
        NameTaken: another process works under the same executor id.
        psycopg.OperationalError: the database cannot be reached.
    """
    if settings.resolved_database_url.startswith("sqlite"):
        yield None
        return
    own = Presence(settings.resolved_database_url, settings.executor_id)
    await own.claim()
    try:
        yield own
    finally:
        await own.leave()
