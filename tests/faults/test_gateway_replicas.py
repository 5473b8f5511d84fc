"""Several gateways on one PostgreSQL: what one had begun, another finishes."""

import asyncio
import signal
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from gateway_fixtures import GatewayProcess, local_gateway, toy_settings, until
from postgres import needs_postgres, new_database, postgres
from toy_services import ToyServices

import gateway.server
from client.local.ensemble import free_port
from gateway.settings import Settings
from gateway.takeover import NameTaken, Presence
from spark.v1 import reconstruction_service_pb2 as pb

pytestmark = needs_postgres

HOLDERS = """
SELECT pid FROM pg_locks JOIN pg_database ON pg_database.oid = database
WHERE locktype = 'advisory' AND datname = current_database()
AND (classid::bigint << 32 | objid::bigint) = hashtextextended('spark-gateway/gateway-0', 0)
"""
"""Whose connection holds the name of gateway-0."""


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with postgres() as url:
        yield url


@pytest.fixture
def database(server: str) -> str:
    """A database of this test alone."""
    return new_database(server)


def replica(folder: Path, toys: ToyServices, database: str, number: int) -> Settings:
    return toy_settings(
        folder / f"gateway-{number}",
        toys,
        database_url=database,
        store_url=(folder / "artifacts").as_uri(),
        executor_id=f"gateway-{number}",
    )


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
async def test_a_replica_that_goes_leaves_its_jobs_to_another(
    tmp_path: Path, database: str, number: signal.Signals, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gateway.server, "LOOK_SECONDS", 2)
    async with ToyServices() as toys:
        gate = toys.board.hold("part_dit")
        process = GatewayProcess(replica(tmp_path, toys, database, 0), free_port())
        try:
            going = await process.start()
            async with local_gateway(replica(tmp_path, toys, database, 1)) as staying:
                jobs = [await api.create(seed=n, last_stage=pb.STAGE_SHAPE) for n, api in enumerate((going, staying))]
                await until(lambda: toys.board.calls["part_dit"] == 2, 300)  # one for each replica
                await process.end(number)
                gate.set()
                done = [await staying.wait(job, 300) for job in jobs]
        finally:
            await process.end(signal.SIGKILL)
        assert {one.state for one in done} == {pb.RECONSTRUCTION_STATE_SUCCEEDED}
        # The stage that was cut off ran once more; every other stage ran once for each job.
        assert toys.board.calls == {"plan": 2, "guide": 2, "open": 2, "part_dit": 3}


async def test_a_replica_whose_connection_was_cut_takes_its_name_again(
    tmp_path: Path, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gateway.server, "LOOK_SECONDS", 1)
    async with (
        ToyServices() as toys,
        await psycopg.AsyncConnection.connect(database, autocommit=True) as connection,
        local_gateway(replica(tmp_path, toys, database, 0)),
    ):

        async def holder() -> list[int]:
            return [pid for (pid,) in await (await connection.execute(HOLDERS)).fetchall()]

        (before,) = await holder()
        await connection.execute("SELECT pg_terminate_backend(%s)", [before])
        async with asyncio.timeout(120):
            while await holder() in ([], [before]):
                await asyncio.sleep(0.1)


async def test_a_name_belongs_to_one_process(database: str) -> None:
    first, second = Presence(database, "gateway-0"), Presence(database, "gateway-0")
    await first.claim()
    with pytest.raises(NameTaken, match="SPARK_GATEWAY_EXECUTOR_ID"):
        await second.claim(seconds=0)
    await first.leave()
    await second.claim(seconds=0)
    await second.leave()
