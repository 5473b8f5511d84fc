"""The guide's back-up and restore: by its commands, from one PostgreSQL to another, with a job at work."""

import shutil
import signal
from pathlib import Path

import pytest
from gateway_fixtures import GatewayProcess, local_gateway, toy_settings, until
from postgres import needs_postgres, new_database, postgres, run_tool
from toy_services import ToyServices

from client.local.ensemble import free_port
from gateway.settings import Settings
from spark.v1 import reconstruction_service_pb2 as pb

pytestmark = [needs_postgres, pytest.mark.slow]


def settings(folder: Path, toys: ToyServices, database: str) -> Settings:
    return toy_settings(folder, toys, database_url=database, store_url=(folder / "artifacts").as_uri())


async def test_what_was_done_comes_back_and_what_was_at_work_goes_on(tmp_path: Path) -> None:
    before, after, dump = tmp_path / "before", tmp_path / "after", tmp_path / "spark.dump"
    with postgres() as server:
        lost, restored = new_database(server), new_database(server)
        async with ToyServices() as toys:
            process = GatewayProcess(settings(before, toys, lost), free_port())
            try:
                api = await process.start()
                done = await api.wait(await api.create(seed=1, last_stage=pb.STAGE_GUIDE), 120)
                gate = toys.board.hold("part_dit")
                at_work = await api.create(seed=2, last_stage=pb.STAGE_SHAPE)
                await until(lambda: toys.board.calls["part_dit"], 120)
                run_tool("pg_dump", "--format=custom", f"--file={dump}", lost)
                shutil.copytree(before / "artifacts", after / "artifacts")
            finally:
                await process.end(signal.SIGKILL)
            run_tool("pg_restore", "--clean", "--if-exists", f"--dbname={restored}", str(dump))
            gate.set()
            async with local_gateway(settings(after, toys, restored)) as api:
                finished = await api.wait(at_work, 120)
                assert finished.state == pb.RECONSTRUCTION_STATE_SUCCEEDED, finished.error
                assert toys.board.calls == {"plan": 2, "guide": 2, "open": 2, "part_dit": 2}
                again = await api.service.GetReconstruction(pb.GetReconstructionRequest(name=done.name))
                assert again == done
                for artifact in done.stages[-1].artifacts:
                    assert len(await api.download(artifact.digest)) == artifact.size_bytes
