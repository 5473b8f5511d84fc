"""`spark models`: which models there are, what they ask for, and whether what lies on the disk is right.

Releases of their versions are in `client.releases`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from rich.console import Console
from rich.progress import DownloadColumn, Progress, TextColumn, TransferSpeedColumn
from rich.table import Table

from checkpoints.digest import folder_digest
from checkpoints.errors import CheckpointCorrupt, CheckpointError, DigestMismatch, HubError, ManifestInvalid
from checkpoints.hub import ENDPOINT, Hub, pull
from checkpoints.manifest import MANIFEST, Manifest, ModelEntry
from client import releases

MODELS = Path(__file__).resolve().parents[1] / "models"

app = typer.Typer(
    help="The models: list, pull, verify, licences, releases.", no_args_is_help=True, rich_markup_mode=None
)
releases.add_to(app)
errors = Console(stderr=True, highlight=False)
output = Console(highlight=False)

Models = Annotated[Path, typer.Option(envvar="SPARK_MODELS", help="Folder with the models' weights.")]
Names = Annotated[list[str] | None, typer.Argument(help="Models by name; all if none is given.")]


@app.command("list")
def list_models(models: Models = MODELS) -> None:
    """Show every model, the stage that it serves, the GPU memory that it needs, and whether it is here."""
    with _reported():
        manifest = Manifest.read(models / MANIFEST)
    table = Table("model", "family", "stage", "source", "GPU GiB", "state")
    for column in table.columns:
        column.no_wrap = column.header != "source"
        column.overflow = "fold"
    for entry in manifest.entries:
        here = manifest.folder(entry).is_dir()
        state = "absent" if not here else "here" if entry.pinned else "here, unpinned"
        source = "@".join(filter(None, (entry.repository, entry.revision[:8]))) or "this repository"
        table.add_row(entry.name, entry.family, entry.stage, source, f"{entry.gpu_memory_gib:g}", state)
    output.print(table)


@app.command()
def licenses(names: Names = None, models: Models = MODELS) -> None:
    """Show under which terms each model may be used."""
    with _reported():
        chosen = _chosen(Manifest.read(models / MANIFEST), names)
    for entry in chosen:
        output.print(f"{entry.name}: {entry.licence}" + (f". {entry.licence_note}" if entry.licence_note else ""))


@app.command()
def verify(names: Names = None, models: Models = MODELS) -> None:
    """Compare models with the manifest; absent and unpinned ones count only if named. Exits with 5 on a difference."""
    wrong: list[CheckpointError] = []
    with _reported():
        manifest = Manifest.read(models / MANIFEST)
        for entry in _chosen(manifest, names):
            if not names and not manifest.folder(entry).is_dir():
                output.print(f"{entry.name}: absent")
                continue
            if not names and not entry.pinned:
                output.print(f"{entry.name}: unpinned")
                continue
            try:
                output.print(f"{entry.name}: {manifest.verify(entry)}")
            except CheckpointError as error:
                output.print(f"{entry.name}: [red]wrong[/red]")
                wrong.append(error)
    for problem in wrong:
        errors.print(f"[red]error:[/red] {problem}")
    if wrong:
        raise typer.Exit(5)


@app.command("pull")
def pull_models(
    names: Annotated[list[str], typer.Argument(help="Models by name.")],
    endpoint: Annotated[str, typer.Option(envvar="HF_ENDPOINT", help="The hub.")] = ENDPOINT,
    pin: Annotated[
        bool, typer.Option("--pin", help="Write revision and digest of what the hub has now into the manifest.")
    ] = False,
    models: Models = MODELS,
) -> None:
    """Fetch models from the hub; one that was cut off goes on where it stopped. HF_TOKEN is for closed repositories."""
    hub = Hub(endpoint, os.environ.get("HF_TOKEN"))
    columns = (TextColumn("{task.description}"), DownloadColumn(), TransferSpeedColumn())
    try:
        with _reported(), Progress(*columns, console=errors) as progress:
            manifest = Manifest.read(models / MANIFEST)
            for entry in _chosen(manifest, names):
                told = partial(progress.advance, progress.add_task(entry.name, total=None))
                digest = pull(manifest, entry, hub, pin=pin, told=told)
                output.print(f"{entry.name}: {digest}")
    finally:
        hub.close()


@app.command()
def pin(names: Annotated[list[str], typer.Argument(help="Models by name.")], models: Models = MODELS) -> None:
    """Take the folders as they are: write their digests into the manifest, after a training for instance."""
    with _reported():
        manifest = Manifest.read(models / MANIFEST)
        for entry in _chosen(manifest, names):
            digest = folder_digest(manifest.folder(entry))
            manifest.pin(entry, digest)
            output.print(f"{entry.name}: {digest}")


def _chosen(manifest: Manifest, names: list[str] | None) -> list[ModelEntry]:
    return [manifest[name] for name in names] if names else list(manifest.entries)


@contextmanager
def _reported() -> Iterator[None]:
    """End the command with a message and an exit code where something is wrong."""
    try:
        yield
    except ManifestInvalid as error:
        _fail(error, 2)
    except (CheckpointCorrupt, DigestMismatch) as error:
        _fail(error, 5)
    except HubError as error:
        _fail(error, 3)
    except (CheckpointError, OSError) as error:
        _fail(error, 1)


def _fail(error: Exception, code: int) -> NoReturn:
    errors.print(f"[red]error:[/red] {error}")
    raise typer.Exit(code)
