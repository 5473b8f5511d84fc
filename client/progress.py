"""The progress of one reconstruction on a terminal: a row a stage."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

from spark.v1 import reconstruction_service_pb2 as pb

STAGES = tuple(stage for stage in pb.Stage.values() if stage != pb.STAGE_UNSPECIFIED)


def stage_word(stage: int) -> str:
    """STAGE_PLAN -> "plan"."""
    return str(pb.Stage.Name(stage)).removeprefix("STAGE_").lower()


class StageProgress:
    """Shows events as they arrive; quiet on a console that is not a terminal, but for one line a finished stage."""

    def __init__(self, console: Console, last_stage: pb.Stage = pb.STAGE_UNSPECIFIED) -> None:
        self._console = console
        self._progress = Progress(
            SpinnerColumn(finished_text="[green]✓"),
            TextColumn("{task.description:<8}"),
            BarColumn(bar_width=24),
            TimeElapsedColumn(),
            TextColumn("{task.fields[note]}"),
            console=console,
            disable=not console.is_terminal,
        )
        stages = [stage for stage in STAGES if last_stage == pb.STAGE_UNSPECIFIED or stage <= last_stage]
        self._tasks: dict[int, TaskID] = {
            stage: self._progress.add_task(stage_word(stage), total=1.0, start=False, note="") for stage in stages
        }

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def show(self, event: pb.WatchReconstructionResponse) -> None:
        kind = event.WhichOneof("event")
        if kind == "stage_started":
            started = event.stage_started
            self._progress.start_task(self._tasks[started.stage])
            if started.attempt > 1:
                self._update(started.stage, note=f"try {started.attempt}")
        elif kind == "stage_progress":
            self._update(event.stage_progress.stage, event.stage_progress.fraction, event.stage_progress.message)
        elif kind == "stage_finished":
            finished = event.stage_finished
            seconds = finished.duration.ToMilliseconds() / 1000
            note = f"{seconds:.1f} s, {len(finished.artifacts)} artifacts"
            self._update(finished.stage, 1.0, note)
            self._progress.stop_task(self._tasks[finished.stage])
            if not self._console.is_terminal:
                self._console.print(f"{stage_word(finished.stage):<8} {note}", highlight=False)

    def _update(self, stage: int, fraction: float | None = None, note: str | None = None) -> None:
        task = self._tasks[stage]
        self._progress.update(task, completed=fraction)
        if note is not None:
            self._progress.update(task, note=note)
