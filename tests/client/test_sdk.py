"""What the SDK does with errors, paths and digests; its calls against a real gateway are in tests/e2e."""

from pathlib import Path

import pytest
from google.protobuf import any_pb2
from google.rpc import code_pb2, error_details_pb2, status_pb2

from client.errors import (
    CorruptArtifactError,
    InvalidRequestError,
    ReconstructionCancelled,
    ReconstructionFailed,
    ServerUnavailableError,
    from_status,
)
from client.sdk import SparkClient, safe_join


def _status(code: int, *details: object) -> status_pb2.Status:
    status = status_pb2.Status(code=code, message="because")
    for detail in details:
        packed = any_pb2.Any()
        packed.Pack(detail)
        status.details.append(packed)
    return status


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (code_pb2.INVALID_ARGUMENT, InvalidRequestError),
        (code_pb2.UNAVAILABLE, ServerUnavailableError),
        (code_pb2.CANCELLED, ReconstructionCancelled),
        (code_pb2.FAILED_PRECONDITION, ReconstructionFailed),
    ],
)
def test_a_status_becomes_a_typed_error(code: int, kind: type[Exception]) -> None:
    assert type(from_status(_status(code), ReconstructionFailed)) is kind


def test_reason_and_fields_survive() -> None:
    bad = error_details_pb2.BadRequest()
    bad.field_violations.add(field="image", description="is empty")
    error = from_status(_status(code_pb2.INVALID_ARGUMENT, error_details_pb2.ErrorInfo(reason="IMAGE_INVALID"), bad))
    assert (error.reason, error.violations) == ("IMAGE_INVALID", (("image", "is empty"),))


@pytest.mark.parametrize("path", ["../evil", "/etc/passwd", "a/../../evil"])
def test_a_path_outside_the_folder_is_refused(tmp_path: Path, path: str) -> None:
    with pytest.raises(CorruptArtifactError):
        safe_join(tmp_path, path)


def test_a_path_inside_the_folder_is_joined(tmp_path: Path) -> None:
    assert safe_join(tmp_path, "meshes/door.obj") == (tmp_path / "meshes/door.obj").resolve()


def test_no_server_is_a_typed_error() -> None:
    with SparkClient("127.0.0.1:1", timeout_seconds=1.0) as client, pytest.raises(ServerUnavailableError):
        client.get("reconstructions/none")
