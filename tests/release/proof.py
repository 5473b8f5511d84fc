"""`make test-release`: two Triton and two VLM replicas under steady traffic while versions come and go.

Real: the gateway process, tritonserver, gRPC, the database, ModelService, the `spark models` command. Toys: the weights
(boxes instead of a diffusion model), the VLM and refinement servers, so that it fits two cores. Each is a process of
its own that can be killed. Exits with 1 unless every request got its result and no job mixed versions.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.table import Table

sys.path[:0] = [str(Path(__file__).parents[1] / "support"), str(Path(__file__).parent)]

from gateway_fixtures import Api, healthy_channel  # noqa: E402
from toy_services import picture  # noqa: E402
from triton_server import triton_server  # noqa: E402
from triton_versions import BAD, BROKEN, GOOD, INVALID, add_version, repository  # noqa: E402

from client.local.ensemble import free_port  # noqa: E402
from spark.v1 import model_service_pb2 as mpb  # noqa: E402
from spark.v1 import reconstruction_service_pb2 as pb  # noqa: E402

MODELS = ("part_dit", "vlm")
MIN_JOBS = 6
PACE_SECONDS = 0.5
"""Between two requests of the steady traffic."""
WHOLE = 4
"""Every so many of them goes all the way to an asset; the others end with refine."""
console = Console(width=140, highlight=False)


@dataclass
class Traffic:
    """Requests one after the other, and what became of each."""

    api: Api
    started: list[tuple[float, object]] = field(default_factory=list)
    stopping: bool = False

    async def run(self) -> None:
        number = 0
        while not self.stopping:
            number += 1
            last = pb.STAGE_REFINE if number % WHOLE else pb.STAGE_PACKAGE
            operation = await self.api.create(picture(width=240 + number % 60), seed=number, last_stage=last)
            self.started.append((time.time(), operation))
            await asyncio.sleep(PACE_SECONDS)

    async def ended(self) -> list[tuple[float, pb.Reconstruction]]:
        return [(start, await self.api.wait(operation, 300)) for start, operation in self.started]


@dataclass
class Event:
    """One thing that was done meanwhile, and how it came out."""

    name: str
    came_out: str
    start: float
    end: float


def mixed(job: pb.Reconstruction) -> bool:
    """Whether two versions of one model worked on a job, or another than it began with."""
    seen: dict[str, set[str]] = {}
    for stage in job.stages:
        for model in stage.models:
            seen.setdefault(model.model, set()).add(model.version)
    expected = {name: {job.model_versions[name]} for name in MODELS}
    return {name: seen.get(name, set()) for name in expected} != expected


async def spark(admin: str, *arguments: str) -> tuple[int, str]:
    """Run `spark models ...`."""
    command = [str(Path(sys.executable).parent / "spark"), "models", *arguments, "--admin", admin]
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT, env=os.environ | {"COLUMNS": "140"}
    )
    output, _ = await process.communicate()
    return process.returncode or 0, output.decode()


@asynccontextmanager
async def process(*command: str, **environment: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """A process until the block ends."""
    started = await asyncio.create_subprocess_exec(*command, env=os.environ | environment)
    try:
        yield started
    finally:
        if started.returncode is None:
            started.terminate()
            await started.wait()


class Proof:
    """The scenario."""

    def __init__(self, api: Api, admin: str, traffic: Traffic) -> None:
        self.api = api
        self.admin = admin
        self.traffic = traffic
        self.events: list[Event] = []

    async def step(self, name: str, work: Callable[[], Awaitable[str]]) -> None:
        start = time.time()
        came_out = await work()
        self.events.append(Event(name, came_out, start, time.time()))
        console.print(f"[dim]{name}: {came_out}")

    async def model(self, name: str) -> mpb.Model:
        return await self.api.models.GetModel(mpb.GetModelRequest(name=f"models/{name}"))

    async def command(self, *arguments: str, code: int = 0, says: str = "") -> str:
        found, output = await spark(self.admin, *arguments)
        assert found == code and says in " ".join(output.split()), f"exit {found}: {output}"
        return f"spark models {' '.join(arguments[:2])}: exit {found}" + (f", {says}" if says else "")

    async def until(self, name: str, condition: Callable[[mpb.Model], bool], seconds: float = 240) -> mpb.Model:
        async with asyncio.timeout(seconds):
            while not condition(found := await self.model(name)):
                await asyncio.sleep(0.5)
        return found

    async def ready(self, name: str) -> str:
        found = await self.until(name, lambda m: m.release.verdict == mpb.RELEASE_VERDICT_READY)
        return f"READY after {sum(one.jobs for one in found.records)} jobs: {found.release.reason}"

    async def back(self, name: str) -> str:
        found = await self.until(name, lambda m: m.release.phase == mpb.RELEASE_PHASE_ROLLED_BACK)
        return f"rolled back by the gate: {found.release.reason}"


async def scenario(
    proof: Proof, second_vlm: str, kill_triton: Callable[[], None], kill_vlm: Callable[[], None]
) -> None:
    """What operators and faults do meanwhile."""
    step, command = proof.step, proof.command
    shape = ("deploy", "part_dit", "--canary", "50%", "--version")
    await step("steady traffic", lambda: asyncio.sleep(5, "two replicas of part_dit and of the VLM"))
    await step("deploy part_dit 2, canary 50%", lambda: command(*shape, "2"))
    await step("a second release meanwhile", lambda: command(*shape, "4", code=1, says="RELEASE_CONFLICT"))
    await step("canary", lambda: proof.ready("part_dit"))
    await step("promote", lambda: command("promote", "part_dit", says="stable 2, before 1"))
    await step("a version that fails to load", lambda: command(*shape, "3", code=1, says="no weights"))
    await step("a version that does not exist", lambda: command(*shape, "9", code=1, says="VERSION_REFUSED"))
    await step("a version with bad meshes", lambda: command(*shape, "4"))
    await step("the gate", lambda: proof.back("part_dit"))
    await step("a version with invalid assets", lambda: command(*shape, "6"))
    await step("the gate again", lambda: proof.back("part_dit"))
    await step("deploy 5, mirror", lambda: command("deploy", "part_dit", "--version", "5", "--mirror", "100%"))
    await step("mirror", lambda: proof.ready("part_dit"))
    await step("promote it", lambda: command("promote", "part_dit", says="stable 5, before 2"))
    await step("rollback", lambda: command("rollback", "part_dit", says="stable 2"))
    vlm = ("deploy", "vlm", "--version", "2", "--canary", "50%", "--address", second_vlm)
    await step("deploy vlm 2, canary 50%", lambda: command(*vlm))
    await step("canary of the VLM", lambda: proof.ready("vlm"))
    await step("promote the VLM", lambda: command("promote", "vlm", says="stable 2, before 1"))
    await step("rollback of the VLM", lambda: command("rollback", "vlm", says="stable 1"))
    kill_triton()
    await step("a Triton replica is killed", lambda: asyncio.sleep(8, "SIGKILL"))
    kill_vlm()
    await step("a VLM replica is killed", lambda: asyncio.sleep(8, "SIGKILL"))


async def main() -> int:
    folder = Path(tempfile.mkdtemp(prefix="spark-release-"))
    async with AsyncExitStack() as stack:
        servers = []
        for name in ("first", "second"):
            models = repository(folder / name / "models")
            for version, code in {"2": GOOD, "3": BROKEN, "4": BAD, "5": GOOD, "6": INVALID}.items():
                add_version(models, version, code)
            config = models / "part_dit/config.pbtxt"
            config.write_text(config.read_text() + "version_policy { specific { versions: [ 1 ] } }\n")
            servers.append(stack.enter_context(triton_server(models, ["part_dit"], folder / name)))
        toys = Path(__file__).with_name("toy_servers.py")
        ports = [free_port() for _ in range(5)]
        vlms = [f"127.0.0.1:{port}" for port in ports[:3]]
        refinement, texture = (f"127.0.0.1:{port}" for port in ports[3:])
        kinds = [("vlm", "1", vlms[0]), ("vlm", "1", vlms[1]), ("vlm", "2", vlms[2])]
        kinds += [("refinement", "1", refinement), ("triton", "1", texture)]
        started = [
            await stack.enter_async_context(process(sys.executable, str(toys), kind, version, address))
            for kind, version, address in kinds
        ]
        for address in (*vlms, refinement):
            await healthy_channel(address)
        address, admin = (f"127.0.0.1:{free_port()}" for _ in range(2))
        settings = {
            "ADDRESS": address,
            "ADMIN_ADDRESS": admin,
            "DATA_FOLDER": str(folder / "data"),
            "VLM_ADDRESS": ",".join(vlms[:2]),
            "PART_DIT_ADDRESS": ",".join(server.address for server in servers),
            "TEXTURE_ADDRESS": texture,
            "REFINEMENT_ADDRESS": refinement,
            "CONCURRENCY": "4",
            "RELEASE_SECONDS": "1",
            "RELEASE_MIN_JOBS": str(MIN_JOBS),
            "LOG_LEVEL": "WARNING",
        }
        await stack.enter_async_context(
            process(sys.executable, "-m", "gateway.server", **{f"SPARK_GATEWAY_{k}": v for k, v in settings.items()})
        )
        api, operators = [Api(await healthy_channel(where), where) for where in (address, admin)]
        api.models = operators.models
        traffic = Traffic(api)
        work = asyncio.create_task(traffic.run())
        proof = Proof(api, admin, traffic)
        try:
            await scenario(proof, vlms[2], lambda: servers[0].kill(), lambda: started[0].send_signal(signal.SIGKILL))
        finally:
            traffic.stopping = True
            await work
            jobs = await traffic.ended()
        return report(proof.events, jobs)


def report(events: list[Event], jobs: list[tuple[float, pb.Reconstruction]]) -> int:
    """Print the table; 0 if nothing failed and nothing was mixed."""
    table = Table("meanwhile", "came out", "s", "requests", "failed", "mixed", "part_dit", "vlm")
    for event in events:
        own = [job for start, job in jobs if event.start <= start < event.end]
        table.add_row(event.name, event.came_out, f"{event.end - event.start:.0f}", *_counts(own))
    table.add_section()
    everything = [job for _, job in jobs]
    table.add_row("all", "", f"{events[-1].end - events[0].start:.0f}", *_counts(everything))
    console.print(table)
    bad = [job for job in everything if job.state != pb.RECONSTRUCTION_STATE_SUCCEEDED or mixed(job)]
    for job in bad:
        console.print(job.name, job.error.message, json.dumps(dict(job.model_versions)))
    return 1 if bad or not everything else 0


def _counts(jobs: list[pb.Reconstruction]) -> list[str]:
    """Requests, failed, mixed, and how many jobs each version of the two models answered."""
    failed = sum(job.state != pb.RECONSTRUCTION_STATE_SUCCEEDED for job in jobs)
    counts = [sorted(Counter(job.model_versions[model] for job in jobs).items()) for model in MODELS]
    shares = [", ".join(f"{version}: {count}" for version, count in found) for found in counts]
    return [str(len(jobs)), str(failed), str(sum(map(mixed, jobs))), *shares]


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
