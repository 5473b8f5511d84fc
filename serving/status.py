"""`SparkError` to and from `google.rpc.Status`, the form in which errors travel and are stored."""

from __future__ import annotations

import uuid
from datetime import timedelta

import grpc
import structlog
from google.protobuf.any_pb2 import Any
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.rpc import error_details_pb2 as details
from google.rpc import status_pb2

from serving.errors import Cancelled, DeadlineExceeded, FieldViolation, InternalError, SparkError, Unavailable

DOMAIN = "spark.v1"
DETAILS_KEY = "grpc-status-details-bin"

_log = structlog.get_logger(__name__)

_TRANSPORT_ERRORS: dict[grpc.StatusCode, type[SparkError]] = {
    grpc.StatusCode.UNAVAILABLE: Unavailable,
    grpc.StatusCode.DEADLINE_EXCEEDED: DeadlineExceeded,
    grpc.StatusCode.CANCELLED: Cancelled,
}
_CODE_FROM_NUMBER = {code.value[0]: code for code in grpc.StatusCode}


def _classes(base: type[SparkError]) -> dict[str, type[SparkError]]:
    found: dict[str, type[SparkError]] = {cls.reason: cls for cls in base.__subclasses__()}
    for cls in base.__subclasses__():
        found |= _classes(cls)
    return found


ERROR_FROM_REASON = _classes(SparkError)
"""Every reason of the published table and its exception class."""


def to_status(error: SparkError) -> status_pb2.Status:
    """Pack an error with ErrorInfo and, where it has them, BadRequest and RetryInfo."""
    parts: list[Message] = [details.ErrorInfo(reason=error.reason, domain=DOMAIN, metadata=error.metadata)]
    if error.violations:
        parts.append(
            details.BadRequest(
                field_violations=[
                    details.BadRequest.FieldViolation(field=v.field, description=v.description)
                    for v in error.violations
                ]
            )
        )
    if error.retry_after is not None:
        delay = Duration()
        delay.FromTimedelta(error.retry_after)
        parts.append(details.RetryInfo(retry_delay=delay))
    status = status_pb2.Status(code=error.code.value[0], message=error.message)
    for part in parts:
        packed = Any()
        packed.Pack(part)
        status.details.append(packed)
    return status


def from_status(status: status_pb2.Status) -> SparkError:
    """The error that `to_status` packed; `InternalError` for a status that no SPARK server wrote."""
    info, bad, retry = details.ErrorInfo(), details.BadRequest(), details.RetryInfo()
    retry_after: timedelta | None = None
    for packed in status.details:
        packed.Unpack(info)
        packed.Unpack(bad)
        if packed.Unpack(retry):
            retry_after = retry.retry_delay.ToTimedelta()
    if info.domain != DOMAIN or info.reason not in ERROR_FROM_REASON:
        return InternalError(f"{_CODE_FROM_NUMBER[status.code].name}: {status.message}")
    return ERROR_FROM_REASON[info.reason](
        status.message,
        violations=[FieldViolation(v.field, v.description) for v in bad.field_violations],
        metadata=dict(info.metadata),
        retry_after=retry_after,
    )


def from_rpc_error(error: grpc.aio.AioRpcError, peer: str) -> SparkError:
    """What a failed call to `peer` means to the server that made it.

    An error that a SPARK server sent keeps its class. Without our details, UNAVAILABLE, DEADLINE_EXCEEDED and CANCELLED
    come from the transport; any other code is a bug and stays hidden, since no server of ours sends it.
    """
    for key, value in error.trailing_metadata() or ():
        if key == DETAILS_KEY:
            return from_status(status_pb2.Status.FromString(value))
    cls = _TRANSPORT_ERRORS.get(error.code())
    if cls is None:
        return hidden(error, peer)
    return cls(f"{peer}: {error.code().name}", metadata={"peer": peer})


def hidden(error: Exception, where: str) -> InternalError:
    """An error that nobody foresaw, logged under an id; the caller sees the id and nothing else."""
    error_id = uuid.uuid4().hex
    _log.error("unexpected error", where=where, error_id=error_id, exc_info=error)
    return InternalError(f"internal error {error_id}", metadata={"error_id": error_id})
