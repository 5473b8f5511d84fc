"""The `spark` command."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from rich.console import Console
from rich.table import Table

from client.errors import ClientError, ServerUnavailableError
from client.folder import is_replaceable, replaced
from client.local.ensemble import Ensemble, EnsembleError
from client.local.triton import TritonUnavailable
from client.models import MODELS as MODELS
from client.models import Models
from client.models import app as models_app
from client.progress import StageProgress, stage_word
from client.sdk import SparkClient, checked
from client.template import read_template
from client.tls import Tls
from client.validation import print_validation
from spark.v1 import reconstruction_service_pb2 as pb

INTERRUPTED = 130

app = typer.Typer(
    help="One image of an articulated object to a simulation-ready asset.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    epilog="Exit codes: 0 done, 1 the reconstruction failed or an asset is invalid, 2 bad request or picture, "
    "3 no server, 4 cancelled, 5 corrupt download, 130 interrupted.",
)
app.add_typer(models_app, name="models")
errors = Console(stderr=True, highlight=False)
output = Console(highlight=False)

Home = Annotated[Path, typer.Option(envvar="SPARK_HOME", help="State, logs and data of the local ensemble.")]
DEFAULT_HOME = Path(typer.get_app_dir("spark"))


def _fail(error: Exception, exit_code: int) -> NoReturn:
    errors.print(f"[red]error:[/red] {error}")
    if isinstance(error, ClientError):
        for field, description in error.violations:
            if description not in str(error):
                errors.print(f"  {field}: {description}")
        errors.print(f"  [dim]{error.code}{' ' + error.reason if error.reason else ''}[/dim]")
    raise typer.Exit(exit_code)


@app.command()
def reconstruct(
    image: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="A PNG, JPEG or WebP file.")],
    out: Annotated[
        Path, typer.Option("-o", "--out", file_okay=False, help="Folder for the asset; an older asset there goes.")
    ] = Path("asset"),
    server: Annotated[
        str | None, typer.Option(envvar="SPARK_SERVER", help="Gateway address; default: the local ensemble.")
    ] = None,
    seed: Annotated[int, typer.Option(help="The same seed gives the same asset.")] = 0,
    hint: Annotated[list[str] | None, typer.Option(help='What you know, e.g. "two drawers"; repeatable.')] = None,
    quality: Annotated[str, typer.Option(help="draft, standard or high.")] = "standard",
    min_confidence: Annotated[
        float, typer.Option(min=0, max=1, help="Fail early where the plan is right with a lower probability.")
    ] = 0.0,
    min_joint_confidence: Annotated[
        float | None, typer.Option(min=0, max=1, help="A joint below is doubtful, and named; default 0.5.")
    ] = None,
    refuse_doubtful_joints: Annotated[
        bool, typer.Option("--refuse-doubtful-joints", help="Fail after the refine stage where a joint is doubtful.")
    ] = False,
    template: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="A plan of your own as JSON; no model plans then.")
    ] = None,
    save_plan: Annotated[
        Path | None, typer.Option(dir_okay=False, help="Write the plan here as JSON, a --template to edit.")
    ] = None,
    request_id: Annotated[
        str | None, typer.Option(help="The id of a job that failed for want of a service: go on where it stopped.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON, nothing else.")] = False,
    tls: Annotated[bool, typer.Option("--tls", envvar="SPARK_TLS", help="Speak TLS; so do the next three.")] = False,
    tls_ca: Annotated[
        Path | None, typer.Option(envvar="SPARK_TLS_CA", help="PEM file of the gateway's authorities.")
    ] = None,
    tls_certificate: Annotated[
        Path | None, typer.Option(envvar="SPARK_TLS_CERTIFICATE", help="PEM file to show to the gateway.")
    ] = None,
    tls_key: Annotated[Path | None, typer.Option(envvar="SPARK_TLS_KEY", help="PEM file of its key.")] = None,
    home: Home = DEFAULT_HOME,
    models: Models = MODELS,
) -> None:
    """Reconstruct IMAGE; starts the local ensemble if no server is given and none runs. Ctrl-C cancels."""
    try:
        quality_value = pb.Quality.Value(f"QUALITY_{quality.upper()}")
    except ValueError:
        raise typer.BadParameter(f"{quality!r} is not draft, standard or high", param_hint="--quality") from None
    if not is_replaceable(out):
        raise typer.BadParameter(f"{out} holds other files than an asset's; they stay untouched", param_hint="--out")
    try:
        own_plan = read_template(template.read_bytes()) if template else None
        address = server or _local_gateway(home, models)
        credentials = (tls_ca, tls_certificate, tls_key)
        with SparkClient(address, tls=Tls(*credentials) if tls or any(credentials) else None) as client:
            name = client.create(
                image.read_bytes(),
                seed=seed,
                quality=quality_value,
                part_hints=hint or (),
                min_confidence=min_confidence,
                min_joint_confidence=min_joint_confidence,
                doubtful_joints=pb.DOUBTFUL_JOINTS_REFUSE if refuse_doubtful_joints else pb.DOUBTFUL_JOINTS_UNSPECIFIED,
                template=own_plan,
                request_id=request_id,
            )
            result = _follow(client, name, quiet=as_json)
            if save_plan:
                save_plan.parent.mkdir(parents=True, exist_ok=True)
                save_plan.write_bytes(client.download_plan(result))
            with replaced(out) as fresh:
                files = [path.relative_to(fresh) for path in client.download_asset(result, fresh)]
    except ClientError as error:
        _fail(error, error.exit_code)
    except (EnsembleError, TritonUnavailable) as error:
        _fail(error, 3)
    if as_json:
        print(json.dumps(_summary(result, out, files), indent=2))
    else:
        output.print(f"{len(files)} files in {out}")
        for warning in result.warnings:
            errors.print(f"[yellow]warning:[/yellow] {warning}")


def _local_gateway(home: Path, models: Path) -> str:
    ensemble = Ensemble(home, models)
    if ensemble.gateway is None:
        errors.print("starting the local ensemble; `spark down` stops it")
        ensemble.up(lambda name: errors.print(f"  {name}"))
    assert ensemble.gateway is not None
    return ensemble.gateway


def _follow(client: SparkClient, name: str, quiet: bool) -> pb.Reconstruction:
    """Show a reconstruction's progress to its end; an interrupt cancels it on the server."""
    try:
        with StageProgress(Console(stderr=True, quiet=quiet)) as progress:
            for event in client.watch(name):
                progress.show(event)
    except KeyboardInterrupt:
        client.cancel(name)
        errors.print(f"cancelled {name}")
        raise typer.Exit(INTERRUPTED) from None
    try:
        return checked(client.get(name))
    except ServerUnavailableError:
        errors.print(f"to go on where it stopped, repeat the command with --request-id {name.partition('/')[2]}")
        raise


def _summary(result: pb.Reconstruction, out: Path, files: list[Path]) -> dict[str, Any]:
    return {
        "name": result.name,
        "folder": str(out),
        "confidence": result.plan.confidence,
        "warnings": list(result.warnings),
        "files": sorted(map(str, files)),
        "stage_seconds": {stage_word(s.stage): s.duration.ToMilliseconds() / 1000 for s in result.stages},
        "models": {m.model: {"version": m.version, "digest": m.digest} for s in result.stages for m in s.models},
    }


@app.command()
def up(home: Home = DEFAULT_HOME, models: Models = MODELS) -> None:
    """Start the ensemble on this machine: tritonserver, VLM, refinement, gateway."""
    try:
        members = Ensemble(home, models).up(lambda name: output.print(f"starting {name}"))
    except (EnsembleError, TritonUnavailable) as error:
        _fail(error, 3)
    for member in members:
        output.print(f"{member.name:<11} serves at {member.address}")


@app.command()
def down(home: Home = DEFAULT_HOME, models: Models = MODELS) -> None:
    """Stop the local ensemble. Accepted work goes on at the next `spark up`."""
    Ensemble(home, models).down()


@app.command()
def status(home: Home = DEFAULT_HOME, models: Models = MODELS) -> None:
    """Show the local ensemble; exits with 3 unless everything serves."""
    ensemble = Ensemble(home, models)
    table = Table("member", "state", "address", "pid", "log")
    members = ensemble.members()
    serving = [member.serving for member in members]
    for member, good in zip(members, serving, strict=True):
        state = "serving" if good else "not serving" if member.running else "stopped"
        pid = str(member.record.pid) if member.record else ""
        table.add_row(member.name, state, member.address, pid, str(ensemble.log(member.name)))
    output.print(table if members else "nothing was started; `spark up` starts the ensemble")
    if not members or not all(serving):
        raise typer.Exit(3)


@app.command()
def validate(
    folder: Annotated[Path, typer.Argument(exists=True, file_okay=False, help="An asset folder.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON, nothing else.")] = False,
    manipulate: Annotated[
        bool, typer.Option("--manipulate", help="Also have a simulated hand open each door, drawer and lid in MuJoCo.")
    ] = False,
    film: Annotated[
        Path | None, typer.Option(dir_okay=False, help="Write an animated GIF of --manipulate into this file.")
    ] = None,
) -> None:
    """Load an asset in MuJoCo, PyBullet and USD, and drive each joint over its range; exits with 1 on a problem."""
    if film and not manipulate:
        raise typer.BadParameter("shows what --manipulate does; give that too", param_hint="--film")
    try:
        # The package stage's own checks; simulators come with the extra `packaging`, not with the SDK.
        from gateway.package import validate as checks
        from gateway.package.film import film as filmed
    except ImportError as error:
        _fail(RuntimeError(f"{error.name} is not installed: pip install 'spark-articulation[packaging]'"), 3)
    try:
        report, shown = checks.validate_by_hand(folder) if manipulate else (checks.validate(folder), ())
        if film and shown:
            film.parent.mkdir(parents=True, exist_ok=True)
            film.write_bytes(filmed(folder, shown))
    except OSError as error:
        _fail(error, 2)
    if as_json:
        print(json.dumps(report.to_json(), indent=2))
    else:
        print_validation(report, output)
        if film:
            output.print(f"film: {film}" if shown else "no film: no joint moves")
    if not report.ok:
        raise typer.Exit(1)


if __name__ == "__main__":
    app()
