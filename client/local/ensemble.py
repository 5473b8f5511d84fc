"""The whole ensemble as local processes: `spark up`, `spark status`, `spark down`.

Every member is the program that a container runs in production; only addresses and folders differ. State stands in
`HOME/ensemble.json`, logs in `HOME/logs`, the gateway's database and artifacts in `HOME/data`.
"""

from __future__ import annotations

import fcntl
import json
import os
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from client.local import process, triton
from client.local.process import ProcessRecord

START_SECONDS = 120.0
STOP_SECONDS = 15.0
GATEWAY_PORT = 50050
MODELS = ("part_dit", "texture")


class EnsembleError(RuntimeError):
    """A member could not be started; the message ends with the tail of its log."""


@dataclass(frozen=True)
class Member:
    """One process of the ensemble.

    Attributes:
        name: "triton", "vlm", "refinement" or "gateway".
        address: where its gRPC server listens.
        record: the process started last, if any.
    """

    name: str
    address: str
    record: ProcessRecord | None = None

    @property
    def running(self) -> bool:
        return self.record is not None and self.record.find() is not None

    @property
    def serving(self) -> bool:
        """Whether it runs and answers its health check with SERVING."""
        return self.running and healthy(self.address)


class Ensemble:
    """The members of one home folder."""

    def __init__(self, home: Path, models: Path) -> None:
        self.home = home.resolve()
        self.models = models.resolve()

    @property
    def gateway(self) -> str | None:
        """The gateway's address if it serves."""
        found = [member for member in self.members() if member.name == "gateway" and member.serving]
        return found[0].address if found else None

    def members(self) -> list[Member]:
        """All members in the order of their start, with what was started last."""
        path = self.home / "ensemble.json"
        if not path.exists():
            return []
        content = json.loads(path.read_text())
        return [Member(m["name"], m["address"], ProcessRecord(**m["record"]) if m["record"] else None) for m in content]

    def up(self, report: Callable[[str], None] = lambda _: None) -> list[Member]:
        """Start the members that do not run, and wait until each serves.

        Args:
            report: told the name of each member that starts.

        Raises:
            EnsembleError: a member ended or did not serve in time; the others stay up.
        """
        with self._lock():
            members = self.members() or [Member(name, address) for name, address in addresses().items()]
            where = {member.name: member.address for member in members}
            for index, member in enumerate(members):
                if not member.running:
                    report(member.name)
                    members[index] = replace(member, record=self._start(member.name, where))
                    self._save(members)
            for member in members:
                self._wait(member)
            return members

    def down(self) -> None:
        """Stop the gateway first, so that nothing new reaches the services."""
        with self._lock():
            for member in reversed(self.members()):
                if member.record:
                    member.record.stop(STOP_SECONDS)
            (self.home / "ensemble.json").unlink(missing_ok=True)

    def log(self, name: str) -> Path:
        return self.home / "logs" / f"{name}.log"

    def _start(self, name: str, where: dict[str, str]) -> ProcessRecord:
        environment = {**os.environ, **self._settings(where)}
        if name == "triton":
            grpc_port = int(where["triton"].rpartition(":")[2])
            ports = triton.TritonPorts(grpc_port, free_port(), free_port())
            command, settings = triton.command(self.models / "triton", MODELS, ports, self.home / "triton")
            environment.update(settings)
        else:
            package = "gateway" if name == "gateway" else f"services.{name}"
            command = [sys.executable, "-m", f"{package}.server"]
        return process.start(command, environment, self.log(name))

    def _settings(self, where: dict[str, str]) -> dict[str, str]:
        data = self.home / "data"
        data.mkdir(parents=True, exist_ok=True)
        return {
            "OMP_WAIT_POLICY": "PASSIVE",  # the members share the cores; spinning threads would starve one another
            "SPARK_VLM_ADDRESS": where["vlm"],
            "SPARK_VLM_PLAN_FOLDER": str(self.models / "vlm/compact-plan"),
            "SPARK_VLM_EDITOR_FOLDER": str(self.models / "vlm/compact-edit"),
            "SPARK_REFINEMENT_ADDRESS": where["refinement"],
            "SPARK_GATEWAY_ADDRESS": where["gateway"],
            "SPARK_GATEWAY_ADMIN_ADDRESS": where["gateway"],
            "SPARK_GATEWAY_DATA_FOLDER": str(data),
            "SPARK_GATEWAY_VLM_ADDRESS": where["vlm"],
            "SPARK_GATEWAY_TRITON_ADDRESS": where["triton"],
            "SPARK_GATEWAY_TRITON_REPOSITORY": str(self.models / "triton"),
            "SPARK_GATEWAY_REFINEMENT_ADDRESS": where["refinement"],
        }

    def _wait(self, member: Member) -> None:
        deadline = time.monotonic() + START_SECONDS
        while not member.serving:
            if not member.running or time.monotonic() > deadline:
                what = "did not serve in time" if member.running else "ended"
                lines = self.log(member.name).read_text(errors="replace").splitlines()[-15:]
                raise EnsembleError(f"{member.name} {what}; {self.log(member.name)} ends with:\n" + "\n".join(lines))
            time.sleep(0.2)

    def _save(self, members: list[Member]) -> None:
        path = self.home / "ensemble.json"
        path.write_text(json.dumps([asdict(member) for member in members], indent=2))

    @contextmanager
    def _lock(self) -> Iterator[None]:
        """One `up` or `down` at a time for a home."""
        self.home.mkdir(parents=True, exist_ok=True)
        with (self.home / "lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield


def addresses() -> dict[str, str]:
    """Loopback addresses by member: the gateway on its usual port if that is free, the others anywhere."""
    names = ("triton", "vlm", "refinement")
    return {
        **{name: f"127.0.0.1:{free_port()}" for name in names},
        "gateway": f"127.0.0.1:{free_port(GATEWAY_PORT)}",
    }


def free_port(preferred: int = 0) -> int:
    """A TCP port that nobody listens on now: `preferred` if possible."""
    for port in (preferred, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise EnsembleError("no TCP port is free on loopback")


def healthy(address: str) -> bool:
    """Whether the server at `address` answers grpc.health.v1 with SERVING."""
    with grpc.insecure_channel(address) as channel:
        try:
            reply = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=2.0)
        except grpc.RpcError:
            return False
    return bool(reply.status == health_pb2.HealthCheckResponse.SERVING)
