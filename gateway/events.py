"""The numbered, persistent events of a reconstruction.

They live in the workflow database, in a stream whose offsets are the event numbers. The last event, `finished`, is not
stored: it is the reconstruction itself once it has ended, however it ended, under the next number. When a
reconstruction that failed is taken up again, that number goes to the next event.
"""

from __future__ import annotations

from dbos import DBOS

from spark.v1 import reconstruction_service_pb2 as pb

STREAM = "events"


async def _write(event: pb.WatchReconstructionResponse) -> None:
    event.time.GetCurrentTime()
    await DBOS.write_stream_async(STREAM, event.SerializeToString())


async def started(stage: pb.Stage, attempt: int) -> None:
    await _write(pb.WatchReconstructionResponse(stage_started=pb.StageStarted(stage=stage, attempt=attempt)))


async def progressed(stage: pb.Stage, fraction: float, message: str) -> None:
    progress = pb.StageProgress(stage=stage, fraction=fraction, message=message)
    await _write(pb.WatchReconstructionResponse(stage_progress=progress))


async def finished(result: pb.StageResult) -> None:
    await _write(pb.WatchReconstructionResponse(stage_finished=result))
