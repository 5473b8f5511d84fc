"""The chart's pods as containers of this machine: their images, commands, variables, rights, volumes and probes.

`SPARK_ENGINE` is the command line of docker or podman. What only a cluster has is left out: policies, limits of CPU and
memory, the pause before SIGTERM, and the API by which a gateway finds replicas: there is one of each server.
"""

from __future__ import annotations

import ipaddress
import os
import shlex
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from chart import Object, component, main_container, pod

from serving.probe import serves

PREFIX = "spark-images-"
NETWORK = f"{PREFIX}network"
WITHOUT_CLUSTER = {"gateway": {"SPARK_GATEWAY_REPLICAS": "addresses"}}
SUBNET = ipaddress.ip_network("10.213.77.0/24")


def engine(*arguments: str) -> str:
    """What docker or podman prints.

    Raises:
        AssertionError: it failed; with what it said.
    """
    done = _run(arguments)
    assert done.returncode == 0, f"{shlex.join(done.args)}: {done.stderr}"
    return done.stdout.strip()


def _run(arguments: Sequence[str]) -> subprocess.CompletedProcess[str]:
    command = [*shlex.split(os.environ.get("SPARK_ENGINE", "podman")), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@dataclass(frozen=True)
class Stopped:
    """How a container ended on SIGTERM: after how long [s], and with which exit code."""

    seconds: float
    code: int


class PodContainer:
    """The main container of a workload that the chart renders.

    Args:
        workload: a Deployment or StatefulSet.
        hosts: the address of each service by its name, this one's included.

    Attributes:
        component: its name in the chart's values.
        service: its name in the network.
        endpoint: host and port of its gRPC.
        grace_seconds: between SIGTERM and SIGKILL [s].
    """

    def __init__(self, workload: Object, hosts: Mapping[str, str]) -> None:
        self.component = component(workload)
        self.service = workload["metadata"]["name"]
        self._name = PREFIX + self.service
        self._pod = pod(workload)
        self._spec = main_container(workload)
        self._address = hosts[self.service]
        self.endpoint = f"{self._address}:{self._port('grpc')}"
        self.grace_seconds: int = self._pod["terminationGracePeriodSeconds"]
        self._create(hosts)

    def _create(self, hosts: Mapping[str, str]) -> None:
        rights, user = self._spec["securityContext"], self._pod["securityContext"]
        assert rights["readOnlyRootFilesystem"]
        assert not rights["allowPrivilegeEscalation"]
        program, *arguments = [*self._spec["command"], *self._spec.get("args", [])]
        engine(
            "create",
            f"--name={self._name}",
            f"--network={NETWORK}",
            f"--ip={self._address}",
            f"--mac-address={_mac(self._address)}",
            f"--user={user['runAsUser']}:{user['runAsGroup']}",
            "--read-only",
            "--security-opt=no-new-privileges",
            *(f"--cap-drop={capability}" for capability in rights["capabilities"]["drop"]),
            *(f"--add-host={name}:{address}" for name, address in hosts.items()),
            *(f"--env={entry['name']}={entry.get('value', self._name)}" for entry in self._spec["env"]),
            *(f"--env={name}={value}" for name, value in WITHOUT_CLUSTER.get(self.component, {}).items()),
            *map(self._volume, self._spec["volumeMounts"]),
            f"--entrypoint={program}",
            self._spec["image"],
            *arguments,
        )

    def _volume(self, mount: Object) -> str:
        name, path = mount["name"], mount["mountPath"]
        kind = next((one for one in self._pod["volumes"] if one["name"] == name), None)
        if kind is None:  # claimed by the StatefulSet
            return f"--volume={self._name}-{name}:{path}"
        size = kind["emptyDir"]["sizeLimit"].removesuffix("i").lower()
        return f"--shm-size={size}" if path == "/dev/shm" else f"--tmpfs={path}:rw,mode=1777,size={size}"

    def start(self) -> float:
        """Start, and wait until its readiness probe succeeds: how long that took [s].

        Raises:
            AssertionError: it ended, or was not ready within the startup probe's time; with its log.
        """
        begin = time.monotonic()
        engine("start", self._name)
        startup = self._spec["startupProbe"]
        patience = startup["periodSeconds"] * startup["failureThreshold"]
        while not self._succeeds(self._spec["readinessProbe"]):
            running = engine("inspect", "--format", "{{.State.Running}}", self._name) == "true"
            assert running and time.monotonic() - begin < patience, self.log()
            time.sleep(0.2)
        return time.monotonic() - begin

    def stop(self) -> Stopped:
        """SIGTERM, and SIGKILL after the pod's grace period."""
        begin = time.monotonic()
        engine("stop", f"--time={self.grace_seconds}", self._name)
        seconds = time.monotonic() - begin
        return Stopped(seconds, int(engine("inspect", "--format", "{{.State.ExitCode}}", self._name)))

    def run(self, *command: str) -> str:
        """What a command inside prints.

        Raises:
            AssertionError: it failed.
        """
        return engine("exec", self._name, *command)

    def log(self) -> str:
        """The end of what it wrote; servers write to standard error."""
        return _run(("logs", "--tail=50", self._name)).stderr

    def image_bytes(self) -> int:
        return int(engine("image", "inspect", "--format", "{{.Size}}", self._spec["image"]))

    def _port(self, name: str) -> int:
        return int(next(port["containerPort"] for port in self._spec["ports"] if port["name"] == name))

    def _succeeds(self, probe: Object) -> bool:
        if "grpc" in probe:
            return serves(f"{self._address}:{probe['grpc']['port']}", probe["timeoutSeconds"])
        get = probe["httpGet"]
        try:
            with urllib.request.urlopen(f"http://{self._address}:{self._port(get['port'])}{get['path']}", timeout=3):
                return True
        except (urllib.error.URLError, OSError):
            return False


def _mac(address: str) -> str:
    """The same at every start: else neighbours look for a restarted container at its old one, for up to a minute."""
    return ":".join(["02", "00", *(f"{int(octet):02x}" for octet in address.split("."))])


def create_network() -> None:
    """A network of the containers' own, in which each keeps its address when it starts again."""
    engine("network", "create", f"--subnet={SUBNET}", NETWORK)


def remove_all() -> None:
    """Remove the containers, volumes and network of this module, those of a run that was cut off included."""
    for name in engine("ps", "--all", "--format", "{{.Names}}", "--filter", f"name=^{PREFIX}").split():
        engine("rm", "--force", "--volumes", name)
    for name in engine("volume", "ls", "--format", "{{.Name}}").split():
        if name.startswith(PREFIX):
            engine("volume", "rm", name)
    if NETWORK in engine("network", "ls", "--format", "{{.Name}}").split():
        engine("network", "rm", NETWORK)
