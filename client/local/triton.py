"""Start a real tritonserver from the `nvidia-pytriton` wheel on a plain model repository.

The wheel carries the server and the Python backend, but keeps the backend's per-version stubs apart; a private backend
folder joins the two, so that site-packages stays untouched.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
import sysconfig
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

STUB = "triton_python_backend_stub"


class TritonUnavailable(RuntimeError):
    """The wheel or the Python shared library that tritonserver needs is not installed."""


@dataclass(frozen=True)
class TritonPorts:
    """Loopback ports of one server."""

    grpc: int
    http: int
    metrics: int


def command(
    repository: Path, models: Sequence[str], ports: TritonPorts, work: Path
) -> tuple[list[str], dict[str, str]]:
    """The command line and environment of a tritonserver that serves `models` out of `repository` on loopback.

    Args:
        work: a private folder that this call fills with the joined backend.

    Raises:
        TritonUnavailable: saying what to install.
    """
    wheel = _wheel()
    server = wheel / "pytriton/tritonserver"
    libraries = [wheel / "nvidia_pytriton.libs", _libpython()]
    environment = {
        **os.environ,
        "LD_LIBRARY_PATH": os.pathsep.join(map(str, libraries)),
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]),
    }
    arguments = [
        str(server / "bin/tritonserver"),
        f"--model-repository={repository}",
        f"--backend-directory={_joined_backends(server, work / 'backends')}",
        f"--cache-directory={server / 'caches'}",
        "--model-control-mode=explicit",
        *(f"--load-model={model}" for model in models),
        "--exit-on-error=false",
        "--strict-readiness=true",
        "--disable-auto-complete-config",
        "--allow-gpu-metrics=false",
        "--grpc-address=127.0.0.1",
        f"--grpc-port={ports.grpc}",
        "--http-address=127.0.0.1",
        f"--http-port={ports.http}",
        "--metrics-address=127.0.0.1",
        f"--metrics-port={ports.metrics}",
    ]
    return arguments, environment


def _wheel() -> Path:
    spec = importlib.util.find_spec("pytriton")
    if spec is None or spec.origin is None:
        raise TritonUnavailable("nvidia-pytriton is not installed: pip install 'spark-articulation[local]'")
    return Path(spec.origin).parent.parent


def _libpython() -> Path:
    """The folder of this interpreter's shared library, which the backend's stub is linked against."""
    name = f"libpython{sys.version_info.major}.{sys.version_info.minor}.so.1.0"
    multiarch = sysconfig.get_config_var("MULTIARCH") or "x86_64-linux-gnu"
    candidates = [
        Path(sysconfig.get_config_var("LIBDIR") or "/usr/lib"),
        Path("/usr/lib") / multiarch,
        Path("/usr/lib64"),
    ]
    for folder in candidates:
        if (folder / name).exists():
            return folder
    package = name.split(".so")[0]
    raise TritonUnavailable(f"tritonserver needs {name}: apt-get install {package}")


def _joined_backends(server: Path, target: Path) -> Path:
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    python = target / "python"
    shutil.copytree(server / "backends/python", python, dirs_exist_ok=True)
    shutil.copy2(server / "python_backend_stubs" / version / STUB, python / STUB)
    return target
