"""The error tree, its published table, and the way errors travel."""

from datetime import timedelta

import grpc
import pytest
from google.rpc import status_pb2

from serving import errors
from serving.errors import FieldViolation, InternalError, Overloaded, Reason, SparkError
from serving.status import ERROR_FROM_REASON, from_status, to_status


def test_every_reason_has_exactly_one_class() -> None:
    assert set(ERROR_FROM_REASON) == {reason.value for reason in Reason}


@pytest.mark.parametrize("reason", Reason)
def test_the_tree_at_the_top_states_class_code_and_reason(reason: Reason) -> None:
    name = ERROR_FROM_REASON[reason].__name__
    line = next(line for line in (errors.__doc__ or "").splitlines() if f"── {name} " in line)
    assert [reason.code.name, reason.value] == line.split(name, 1)[1].split()[:2]


@pytest.mark.parametrize("reason", Reason)
def test_an_error_survives_the_wire(reason: Reason) -> None:
    sent = ERROR_FROM_REASON[reason](
        "why",
        violations=[FieldViolation("options.seed", "is odd")],
        metadata={"model": "part_dit"},
        retry_after=timedelta(seconds=3),
    )
    got = from_status(status_pb2.Status.FromString(to_status(sent).SerializeToString()))
    assert type(got) is type(sent)
    assert (got.message, got.violations, got.metadata, got.retry_after, got.code) == (
        "why",
        sent.violations,
        sent.metadata,
        sent.retry_after,
        reason.code,
    )


def test_a_status_of_another_program_is_internal() -> None:
    got = from_status(status_pb2.Status(code=grpc.StatusCode.DATA_LOSS.value[0], message="disk"))
    assert isinstance(got, InternalError)
    assert "DATA_LOSS" in got.message


def test_at_names_the_field_in_text_and_violation() -> None:
    error = errors.InvalidImage.at("image", "is truncated")
    assert error.message == "image: is truncated"
    assert error.violations == (FieldViolation("image", "is truncated"),)


def test_one_except_clause_catches_the_tree() -> None:
    with pytest.raises(SparkError):
        raise Overloaded("later", retry_after=timedelta(seconds=1))
