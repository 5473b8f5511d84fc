"""A real PostgreSQL on loopback, for tests of several replicas."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest

from client.local.ensemble import free_port


def _found(program: str) -> str | None:
    """Where one of PostgreSQL's programs is; Debian does not put all of them on PATH."""
    folders = [os.environ["PATH"], *map(str, sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True))]
    return shutil.which(program, path=os.pathsep.join(folders))


needs_postgres = pytest.mark.skipif(_found("initdb") is None, reason="PostgreSQL is not installed")


def run_tool(program: str, *arguments: str, **options: Any) -> None:
    """Run one of PostgreSQL's programs, such as pg_dump, and see that it succeeds."""
    where = _found(program)
    assert where is not None, program
    done = subprocess.run([where, *arguments], capture_output=True, text=True, timeout=120, check=False, **options)
    assert done.returncode == 0, done.stdout + done.stderr


@contextmanager
def postgres() -> Iterator[str]:
    """A server with an empty database until the block ends; its SQLAlchemy URL."""
    port = free_port()
    user = {"user": "postgres", "group": "postgres", "extra_groups": []} if os.getuid() == 0 else {}
    with tempfile.TemporaryDirectory(prefix="postgres") as name:
        if user:  # it refuses to run as root
            shutil.chown(name, "postgres", "postgres")

        def call(program: str, *arguments: str) -> None:
            run_tool(program, "-D", f"{name}/data", *arguments, cwd=name, **user)

        call("initdb", "--username=spark", "--auth=trust", "--no-sync")
        options = f"-h 127.0.0.1 -p {port} -k {name} -c fsync=off"
        call("pg_ctl", "-w", "-t", "60", "-l", f"{name}/log", "-o", options, "start")
        try:
            yield f"postgresql://spark@127.0.0.1:{port}/postgres"
        finally:
            call("pg_ctl", "-w", "-t", "60", "-m", "immediate", "stop")


def new_database(server: str) -> str:
    """The URL of an empty database of its own on a server that `postgres` runs."""
    name = f"test_{uuid.uuid4().hex}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"'.encode())
    return server.replace("/postgres", f"/{name}")
