"""Errors of the SDK and the exit codes of the command.

ClientError
├── InvalidRequestError    the server refused the request; names the fields   exit 2
├── ServerUnavailableError nothing answers, or it lacks a part               exit 3
├── ReconstructionFailed   the operation ended with an error                  exit 1
├── ReconstructionCancelled                                                    exit 4
└── CorruptArtifactError   a download does not have the digest it was asked by exit 5
"""

from __future__ import annotations

from collections.abc import Sequence

import grpc
from google.rpc import code_pb2, error_details_pb2, status_pb2
from grpc_status import rpc_status


class ClientError(Exception):
    """Base of every error that the SDK raises.

    Attributes:
        code: canonical status name, e.g. "INVALID_ARGUMENT".
        reason: the server's ErrorInfo reason, or "".
        violations: (field, description) pairs of a refused request.
    """

    exit_code = 1

    def __init__(
        self, message: str, code: str = "UNKNOWN", reason: str = "", violations: Sequence[tuple[str, str]] = ()
    ) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason
        self.violations = tuple(violations)


class InvalidRequestError(ClientError):
    """The server refused the request before any work."""

    exit_code = 2


class ServerUnavailableError(ClientError):
    """No server answers at the address, or it cannot serve now."""

    exit_code = 3


class ReconstructionFailed(ClientError):
    """The reconstruction ended with an error; its finished stages are kept on the server."""


class ReconstructionCancelled(ClientError):
    """The reconstruction was cancelled."""

    exit_code = 4


class CorruptArtifactError(ClientError):
    """Downloaded bytes do not have the digest that they were asked by."""

    exit_code = 5


def from_rpc(error: grpc.RpcError) -> ClientError:
    """The typed error behind a failed call."""
    status = rpc_status.from_call(error)
    if status is None:
        code = error.code()
        status = status_pb2.Status(code=code.value[0], message=error.details() or code.name)
    return from_status(status)


def from_status(status: status_pb2.Status, failure: type[ClientError] = ClientError) -> ClientError:
    """The typed error of a google.rpc.Status.

    Args:
        failure: class for codes that say nothing about the request or the server.
    """
    reason = ""
    violations: list[tuple[str, str]] = []
    for detail in status.details:
        info, bad = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest()
        if detail.Unpack(info):
            reason = info.reason
        elif detail.Unpack(bad):
            violations.extend((v.field, v.description) for v in bad.field_violations)
    kind = {
        code_pb2.INVALID_ARGUMENT: InvalidRequestError,
        code_pb2.NOT_FOUND: InvalidRequestError,
        code_pb2.ALREADY_EXISTS: InvalidRequestError,
        code_pb2.UNAVAILABLE: ServerUnavailableError,
        code_pb2.DEADLINE_EXCEEDED: ServerUnavailableError,
        code_pb2.RESOURCE_EXHAUSTED: ServerUnavailableError,
        code_pb2.CANCELLED: ReconstructionCancelled,
    }.get(status.code, failure)
    return kind(status.message, code_pb2.Code.Name(status.code), reason, violations)
