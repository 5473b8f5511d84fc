"""`spark models deploy | status | promote | rollback`: releases of model versions, over ModelService."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import grpc
import typer
from google.protobuf.json_format import MessageToJson
from rich.console import Console
from rich.table import Table

from client.errors import ClientError, from_rpc
from client.local.ensemble import Ensemble
from spark.v1 import model_service_pb2 as pb
from spark.v1.model_service_pb2_grpc import ModelServiceStub

DEPLOY_SECONDS = 1800.0
"""Loading and checking a version on every replica may take this long [s]."""
SECONDS = 30.0

errors = Console(stderr=True, highlight=False)
output = Console(highlight=False)

Name = Annotated[str, typer.Argument(metavar="MODEL", help="part_dit, texture, vlm or refinement.")]
Admin = Annotated[
    str | None,
    typer.Option(envvar="SPARK_ADMIN", help="Where the gateway's ModelService listens; default: the local ensemble."),
]


def add_to(app: typer.Typer) -> None:
    """Make the four commands part of `spark models`."""
    for command in (deploy, status, promote, rollback):
        app.command()(command)


def share(text: str | float) -> float:
    """`10%` or `0.1` as a share in (0, 1]; typer hands the default over as the number that it is."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)(%?)", str(text))
    value = float(found[1]) / (100 if found[2] else 1) if found else 0.0
    if not 0 < value <= 1:
        raise typer.BadParameter(f"{text!r} is no share of the jobs, such as 10% or 0.1")
    return value


def deploy(
    model: Name,
    version: Annotated[str, typer.Option(help="Of Triton's repository, e.g. 3; for vlm and refinement, any name.")],
    canary: Annotated[
        float | None, typer.Option(parser=share, metavar="SHARE", help="Share of new jobs it answers, e.g. 10%.")
    ] = None,
    mirror: Annotated[
        float | None,
        typer.Option(parser=share, metavar="SHARE", help="Share of jobs it works on too, after they were answered."),
    ] = None,
    address: Annotated[
        list[str] | None, typer.Option(help="vlm and refinement: where servers of the version listen; repeatable.")
    ] = None,
    admin: Admin = None,
) -> None:
    """Load a version on every replica, check it there, and let it take part. It goes back by itself if it is worse."""
    if (canary is None) == (mirror is None):
        raise typer.BadParameter("give one of --canary and --mirror")
    mode = pb.RELEASE_MODE_CANARY if mirror is None else pb.RELEASE_MODE_MIRROR
    request = pb.DeployModelRequest(
        name=f"models/{model}", version=version, mode=mode, weight=canary or mirror, addresses=address or ()
    )
    with _service(admin) as service:
        with errors.status(f"loading {model} {version} on every replica and checking its answers"):
            deployed = service.DeployModel(request, timeout=DEPLOY_SECONDS)
        _show(deployed)


def status(
    model: Annotated[str | None, typer.Argument(metavar="[MODEL]", help="All if none is given.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print as JSON, nothing else.")] = False,
    admin: Admin = None,
) -> None:
    """Show the versions of each model, how their jobs ended, and the replicas."""
    with _service(admin) as service:
        if model:
            answer: Any = service.GetModel(pb.GetModelRequest(name=f"models/{model}"), timeout=SECONDS)
        else:
            answer = service.ListModels(pb.ListModelsRequest(), timeout=SECONDS)
    if as_json:
        print(MessageToJson(answer, preserving_proto_field_name=True))
        return
    for one in [answer] if model else answer.models:
        _show(one)


def promote(
    model: Name,
    to: Annotated[
        float, typer.Option(parser=share, metavar="SHARE", help="Share of new jobs; 100% makes it the stable version.")
    ] = 1.0,
    force: Annotated[bool, typer.Option("--force", help="Also where the gate does not say that it is ready.")] = False,
    admin: Admin = None,
) -> None:
    """Give the version at release more of the jobs, or all of them."""
    with _service(admin) as service:
        request = pb.PromoteModelRequest(name=f"models/{model}", weight=to, force=force)
        _show(service.PromoteModel(request, timeout=SECONDS))


def rollback(model: Name, admin: Admin = None) -> None:
    """End the release at work; where there is none, go back to the version that was stable before."""
    with _service(admin) as service:
        _show(service.RollBackModel(pb.RollBackModelRequest(name=f"models/{model}"), timeout=SECONDS))


@contextmanager
def _service(admin: str | None) -> Iterator[ModelServiceStub]:
    """A connection; an error of a call ends the command with a message and an exit code."""
    address = admin or _local()
    with grpc.insecure_channel(address) as channel:
        try:
            yield ModelServiceStub(channel)
        except grpc.RpcError as error:
            _fail(from_rpc(error))


def _local() -> str:
    """The gateway of the local ensemble."""
    home = Path(os.environ.get("SPARK_HOME", typer.get_app_dir("spark")))
    address = Ensemble(home, home).gateway
    if address is None:
        errors.print("[red]error:[/red] no local ensemble runs; name a gateway by --admin or SPARK_ADMIN")
        raise typer.Exit(3)
    return address


def _fail(error: ClientError) -> None:
    errors.print(f"[red]error:[/red] {error}")
    errors.print(f"  [dim]{error.code}{' ' + error.reason if error.reason else ''}[/dim]")
    raise typer.Exit(error.exit_code)


def _show(model: pb.Model) -> None:
    name = model.name.removeprefix("models/")
    release = model.release
    output.print(f"[bold]{name}[/bold]: stable {model.stable_version or 'what Triton serves'}", end="")
    output.print(f", before {model.previous_version}" if model.previous_version else "")
    if release.version:
        phase = _word(pb.ReleasePhase, release.phase)
        mode = _word(pb.ReleaseMode, release.mode)
        weight = f", {mode} {release.weight:.0%}" if release.phase == pb.RELEASE_PHASE_SERVING else ""
        verdict = f", {_word(pb.ReleaseVerdict, release.verdict)}" if release.verdict else ""
        reason = f": {release.reason}" if release.reason else ""
        output.print(f"version {release.version}: {phase}{weight}{verdict}{reason}")
    if model.records:
        table = Table("version", "jobs", "failed", "refused", "joint confidence", "median [s]", "p95 [s]")
        for one in model.records:
            numbers = (_number(one, field) for field in ("joint_confidence", "median_seconds", "p95_seconds"))
            table.add_row(one.version, str(one.jobs), str(one.failed), str(one.refused), *numbers)
        output.print(table)
    if model.replicas:
        table = Table("replica", "versions in service")
        for replica in model.replicas:
            table.add_row(replica.address, ", ".join(replica.versions) if replica.reachable else "[red]no answer[/red]")
        output.print(table)
    if model.replicas_error.code:
        output.print(f"[yellow]replicas unknown:[/yellow] {model.replicas_error.message}")


def _number(record: pb.VersionRecord, field: str) -> str:
    return f"{getattr(record, field):.2f}" if record.HasField(field) else ""


def _word(kind: Any, value: int) -> str:
    """RELEASE_PHASE_ROLLED_BACK -> "rolled back"."""
    return str(kind.Name(value)).split("_", 2)[2].lower().replace("_", " ")
