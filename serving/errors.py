"""Errors that SPARK servers send to their callers (AIP-193).

SparkError                   code                  reason
├── InvalidRequest           INVALID_ARGUMENT      REQUEST_INVALID        a field breaks a rule
│   ├── InvalidImage         INVALID_ARGUMENT      IMAGE_INVALID          the image cannot be used
│   ├── ImageRefused         INVALID_ARGUMENT      IMAGE_REFUSED          it shows no object that can be planned
│   ├── InvalidPlan          INVALID_ARGUMENT      PLAN_INVALID           the plan cannot exist
│   └── UnknownModelVersion  INVALID_ARGUMENT      MODEL_VERSION_UNKNOWN  a pinned version is not served
├── NotFound                 NOT_FOUND             RESOURCE_NOT_FOUND
├── RequestIdReused          ALREADY_EXISTS        REQUEST_ID_REUSED      same request_id, other content
├── NotFinished              FAILED_PRECONDITION   NOT_FINISHED           the reconstruction is still at work
├── ModelNotReady            FAILED_PRECONDITION   MODEL_NOT_READY        a model has no weights loaded
├── ReleaseConflict          FAILED_PRECONDITION   RELEASE_CONFLICT       the model's release does not allow this now
├── VersionRefused           FAILED_PRECONDITION   VERSION_REFUSED        a new version failed its checks
├── ClusterForbidden         FAILED_PRECONDITION   CLUSTER_FORBIDDEN      Kubernetes denies what the gateway needs
├── StageFailed              FAILED_PRECONDITION   STAGE_FAILED           a stage found no acceptable result
│   ├── EmptyPart            FAILED_PRECONDITION   PART_EMPTY             a part came out without a surface
│   ├── DoubtfulJoints       FAILED_PRECONDITION   JOINTS_DOUBTFUL        joints are less sure than demanded
│   └── AssetInvalid         FAILED_PRECONDITION   ASSET_INVALID          the asset failed its checks
├── Overloaded               RESOURCE_EXHAUSTED    OVERLOADED             carries when to come back
├── StorageFull              RESOURCE_EXHAUSTED    STORAGE_FULL
├── DeadlineExceeded         DEADLINE_EXCEEDED     DEADLINE_EXCEEDED
├── Cancelled                CANCELLED             CANCELLED
├── Unavailable              UNAVAILABLE           PEER_UNAVAILABLE       the one code that callers retry (AIP-194)
└── InternalError            INTERNAL              INTERNAL               a bug; carries an id of the log entry

A class and a reason belong to each other one to one, so an error that one server sends is the same class again in the
server that called it (`serving.status`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import ClassVar, Self

import grpc


class Reason(StrEnum):
    """The published table of `ErrorInfo.reason`: each with its canonical code and meaning."""

    code: grpc.StatusCode
    meaning: str

    def __new__(cls, value: str, code: grpc.StatusCode, meaning: str) -> Self:
        member = str.__new__(cls, value)
        member._value_ = value
        member.code = code
        member.meaning = meaning
        return member

    REQUEST_INVALID = (
        "REQUEST_INVALID",
        grpc.StatusCode.INVALID_ARGUMENT,
        "A field breaks a rule of the contract; the field violations say which.",
    )
    IMAGE_INVALID = (
        "IMAGE_INVALID",
        grpc.StatusCode.INVALID_ARGUMENT,
        "The upload is no image that can be used: unreadable, truncated, too large, animated or of one colour.",
    )
    IMAGE_REFUSED = (
        "IMAGE_REFUSED",
        grpc.StatusCode.INVALID_ARGUMENT,
        "The picture shows no single whole articulated object, or the plan is less sure than `min_confidence`; "
        "metadata `refusal` is `no_object`, `several_objects`, `cut_off`, `unclear` or `uncertain`.",
    )
    PLAN_INVALID = (
        "PLAN_INVALID",
        grpc.StatusCode.INVALID_ARGUMENT,
        "The plan describes no object: a cycle, two roots, a dangling parent, a zero axis, swapped limits.",
    )
    MODEL_VERSION_UNKNOWN = (
        "MODEL_VERSION_UNKNOWN",
        grpc.StatusCode.INVALID_ARGUMENT,
        "A pinned model or version is not served; metadata `served` lists what is.",
    )
    RESOURCE_NOT_FOUND = (
        "RESOURCE_NOT_FOUND",
        grpc.StatusCode.NOT_FOUND,
        "No such reconstruction, operation or artifact.",
    )
    REQUEST_ID_REUSED = (
        "REQUEST_ID_REUSED",
        grpc.StatusCode.ALREADY_EXISTS,
        "The request_id was used before with other content.",
    )
    NOT_FINISHED = (
        "NOT_FINISHED",
        grpc.StatusCode.FAILED_PRECONDITION,
        "The reconstruction is still at work: wait for it or cancel it first.",
    )
    MODEL_NOT_READY = (
        "MODEL_NOT_READY",
        grpc.StatusCode.FAILED_PRECONDITION,
        "A model has no weights loaded; metadata `model` names it.",
    )
    RELEASE_CONFLICT = (
        "RELEASE_CONFLICT",
        grpc.StatusCode.FAILED_PRECONDITION,
        "Another version of the model is at release, none is, or its verdict is not READY; metadata `phase` tells.",
    )
    VERSION_REFUSED = (
        "VERSION_REFUSED",
        grpc.StatusCode.FAILED_PRECONDITION,
        "A new version failed a check, and the stable one serves on; metadata `check` is `load`, `contract` or "
        "`golden`, and `replica` says where.",
    )
    CLUSTER_FORBIDDEN = (
        "CLUSTER_FORBIDDEN",
        grpc.StatusCode.FAILED_PRECONDITION,
        "The Kubernetes API denies what the gateway needs to find its model servers; see its role.",
    )
    STAGE_FAILED = (
        "STAGE_FAILED",
        grpc.StatusCode.FAILED_PRECONDITION,
        "A stage found no acceptable result for this image; metadata `stage` names it.",
    )
    PART_EMPTY = (
        "PART_EMPTY",
        grpc.StatusCode.FAILED_PRECONDITION,
        "A planned part came out without a surface; metadata `part` names it.",
    )
    JOINTS_DOUBTFUL = (
        "JOINTS_DOUBTFUL",
        grpc.StatusCode.FAILED_PRECONDITION,
        "Joints are less sure than `min_joint_confidence`, and the request refuses such; metadata `joints` names them.",
    )
    ASSET_INVALID = (
        "ASSET_INVALID",
        grpc.StatusCode.FAILED_PRECONDITION,
        "The finished asset failed a physical check and is withheld; the artifacts of the stages are kept.",
    )
    OVERLOADED = (
        "OVERLOADED",
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        "The queue is full; RetryInfo says when to come back.",
    )
    STORAGE_FULL = (
        "STORAGE_FULL",
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        "The artifact store, or the disk that a stage works on, has no room left.",
    )
    DEADLINE_EXCEEDED = (
        "DEADLINE_EXCEEDED",
        grpc.StatusCode.DEADLINE_EXCEEDED,
        "The caller's deadline was over before the work was.",
    )
    CANCELLED = ("CANCELLED", grpc.StatusCode.CANCELLED, "The reconstruction was cancelled.")
    PEER_UNAVAILABLE = (
        "PEER_UNAVAILABLE",
        grpc.StatusCode.UNAVAILABLE,
        "A service behind the gateway cannot be reached; metadata `peer` names it. Retry.",
    )
    INTERNAL = (
        "INTERNAL",
        grpc.StatusCode.INTERNAL,
        "A bug; metadata `error_id` finds it in the log.",
    )


@dataclass(frozen=True)
class FieldViolation:
    """One request field, e.g. `options.model_versions[part_dit]`, and what is wrong with it."""

    field: str
    description: str


class SparkError(Exception):
    """Base of every error that a server sends on purpose.

    Attributes:
        message: for a developer, in English.
        violations: fields of the request that broke a rule.
        metadata: short facts that programs may read, as `ErrorInfo.metadata`.
        retry_after: when a repeated request may succeed, as `RetryInfo`.
    """

    reason: ClassVar[Reason]

    def __init__(
        self,
        message: str,
        *,
        violations: Sequence[FieldViolation] = (),
        metadata: Mapping[str, str] | None = None,
        retry_after: timedelta | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.violations = tuple(violations)
        self.metadata = dict(metadata or {})
        self.retry_after = retry_after

    @property
    def code(self) -> grpc.StatusCode:
        """The canonical code of the reason."""
        return self.reason.code

    @classmethod
    def at(cls, field: str, problem: str, **metadata: str) -> Self:
        """An error about one field of the request."""
        return cls(f"{field}: {problem}", violations=[FieldViolation(field, problem)], metadata=metadata)


class InvalidRequest(SparkError):
    """A field breaks a rule of the contract."""

    reason = Reason.REQUEST_INVALID


class InvalidImage(InvalidRequest):
    """The upload is no usable image."""

    reason = Reason.IMAGE_INVALID


class ImageRefused(InvalidRequest):
    """The picture shows no object that can be planned; say why in metadata `refusal`."""

    reason = Reason.IMAGE_REFUSED


class InvalidPlan(InvalidRequest):
    """The plan describes no object."""

    reason = Reason.PLAN_INVALID


class UnknownModelVersion(InvalidRequest):
    """A pinned model or version is not served."""

    reason = Reason.MODEL_VERSION_UNKNOWN


class NotFound(SparkError):
    """No such resource."""

    reason = Reason.RESOURCE_NOT_FOUND


class RequestIdReused(SparkError):
    """A request_id came back with other content (AIP-155)."""

    reason = Reason.REQUEST_ID_REUSED


class NotFinished(SparkError):
    """The reconstruction must end before this can be done."""

    reason = Reason.NOT_FINISHED


class ModelNotReady(SparkError):
    """A model has no weights loaded; say which in metadata `model`."""

    reason = Reason.MODEL_NOT_READY


class ReleaseConflict(SparkError):
    """The state of a model's release does not allow what was asked; say it in metadata `phase`."""

    reason = Reason.RELEASE_CONFLICT


class VersionRefused(SparkError):
    """A new version failed a check; say which in metadata `check`, and where in `replica`."""

    reason = Reason.VERSION_REFUSED


class ClusterForbidden(SparkError):
    """The Kubernetes API denies a request of ours."""

    reason = Reason.CLUSTER_FORBIDDEN


class StageFailed(SparkError):
    """A stage found no acceptable result; say which in metadata `stage`."""

    reason = Reason.STAGE_FAILED


class EmptyPart(StageFailed):
    """A planned part came out without a surface; say which in metadata `part`."""

    reason = Reason.PART_EMPTY


class DoubtfulJoints(StageFailed):
    """Joints are less sure than the caller demands; name them in metadata `joints`."""

    reason = Reason.JOINTS_DOUBTFUL


class AssetInvalid(StageFailed):
    """The finished asset failed a physical check."""

    reason = Reason.ASSET_INVALID


class Overloaded(SparkError):
    """The queue is full; say when to come back in `retry_after`."""

    reason = Reason.OVERLOADED


class StorageFull(SparkError):
    """The artifact store, or the disk that a stage works on, has no room left."""

    reason = Reason.STORAGE_FULL


class DeadlineExceeded(SparkError):
    """The caller's deadline is over."""

    reason = Reason.DEADLINE_EXCEEDED


class Cancelled(SparkError):
    """The reconstruction was cancelled."""

    reason = Reason.CANCELLED


class Unavailable(SparkError):
    """A service behind this one cannot be reached; say which in metadata `peer`."""

    reason = Reason.PEER_UNAVAILABLE


class InternalError(SparkError):
    """A bug, without its details; metadata `error_id` finds them in the log."""

    reason = Reason.INTERNAL
