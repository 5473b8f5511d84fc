import datetime

from buf.validate import validate_pb2 as _validate_pb2
from google.api import field_behavior_pb2 as _field_behavior_pb2
from google.longrunning import operations_pb2 as _operations_pb2
from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import empty_pb2 as _empty_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.rpc import status_pb2 as _status_pb2
from spark.v1 import articulation_pb2 as _articulation_pb2
from spark.v1 import model_pb2 as _model_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Stage(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    STAGE_UNSPECIFIED: _ClassVar[Stage]
    STAGE_PLAN: _ClassVar[Stage]
    STAGE_GUIDE: _ClassVar[Stage]
    STAGE_SHAPE: _ClassVar[Stage]
    STAGE_TEXTURE: _ClassVar[Stage]
    STAGE_REFINE: _ClassVar[Stage]
    STAGE_PACKAGE: _ClassVar[Stage]

class Quality(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    QUALITY_UNSPECIFIED: _ClassVar[Quality]
    QUALITY_DRAFT: _ClassVar[Quality]
    QUALITY_STANDARD: _ClassVar[Quality]
    QUALITY_HIGH: _ClassVar[Quality]

class ReconstructionState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    RECONSTRUCTION_STATE_UNSPECIFIED: _ClassVar[ReconstructionState]
    RECONSTRUCTION_STATE_QUEUED: _ClassVar[ReconstructionState]
    RECONSTRUCTION_STATE_RUNNING: _ClassVar[ReconstructionState]
    RECONSTRUCTION_STATE_SUCCEEDED: _ClassVar[ReconstructionState]
    RECONSTRUCTION_STATE_FAILED: _ClassVar[ReconstructionState]
    RECONSTRUCTION_STATE_CANCELLED: _ClassVar[ReconstructionState]

class DoubtfulJoints(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    DOUBTFUL_JOINTS_UNSPECIFIED: _ClassVar[DoubtfulJoints]
    DOUBTFUL_JOINTS_FLAG: _ClassVar[DoubtfulJoints]
    DOUBTFUL_JOINTS_REFUSE: _ClassVar[DoubtfulJoints]
STAGE_UNSPECIFIED: Stage
STAGE_PLAN: Stage
STAGE_GUIDE: Stage
STAGE_SHAPE: Stage
STAGE_TEXTURE: Stage
STAGE_REFINE: Stage
STAGE_PACKAGE: Stage
QUALITY_UNSPECIFIED: Quality
QUALITY_DRAFT: Quality
QUALITY_STANDARD: Quality
QUALITY_HIGH: Quality
RECONSTRUCTION_STATE_UNSPECIFIED: ReconstructionState
RECONSTRUCTION_STATE_QUEUED: ReconstructionState
RECONSTRUCTION_STATE_RUNNING: ReconstructionState
RECONSTRUCTION_STATE_SUCCEEDED: ReconstructionState
RECONSTRUCTION_STATE_FAILED: ReconstructionState
RECONSTRUCTION_STATE_CANCELLED: ReconstructionState
DOUBTFUL_JOINTS_UNSPECIFIED: DoubtfulJoints
DOUBTFUL_JOINTS_FLAG: DoubtfulJoints
DOUBTFUL_JOINTS_REFUSE: DoubtfulJoints

class ReconstructionOptions(_message.Message):
    __slots__ = ("seed", "quality", "part_hints", "model_versions", "last_stage", "min_confidence", "min_joint_confidence", "doubtful_joints", "template")
    class ModelVersionsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    SEED_FIELD_NUMBER: _ClassVar[int]
    QUALITY_FIELD_NUMBER: _ClassVar[int]
    PART_HINTS_FIELD_NUMBER: _ClassVar[int]
    MODEL_VERSIONS_FIELD_NUMBER: _ClassVar[int]
    LAST_STAGE_FIELD_NUMBER: _ClassVar[int]
    MIN_CONFIDENCE_FIELD_NUMBER: _ClassVar[int]
    MIN_JOINT_CONFIDENCE_FIELD_NUMBER: _ClassVar[int]
    DOUBTFUL_JOINTS_FIELD_NUMBER: _ClassVar[int]
    TEMPLATE_FIELD_NUMBER: _ClassVar[int]
    seed: int
    quality: Quality
    part_hints: _containers.RepeatedScalarFieldContainer[str]
    model_versions: _containers.ScalarMap[str, str]
    last_stage: Stage
    min_confidence: float
    min_joint_confidence: float
    doubtful_joints: DoubtfulJoints
    template: _articulation_pb2.ArticulationPlan
    def __init__(self, seed: _Optional[int] = ..., quality: _Optional[_Union[Quality, str]] = ..., part_hints: _Optional[_Iterable[str]] = ..., model_versions: _Optional[_Mapping[str, str]] = ..., last_stage: _Optional[_Union[Stage, str]] = ..., min_confidence: _Optional[float] = ..., min_joint_confidence: _Optional[float] = ..., doubtful_joints: _Optional[_Union[DoubtfulJoints, str]] = ..., template: _Optional[_Union[_articulation_pb2.ArticulationPlan, _Mapping]] = ...) -> None: ...

class CreateReconstructionRequest(_message.Message):
    __slots__ = ("image", "options", "request_id", "validate_only")
    IMAGE_FIELD_NUMBER: _ClassVar[int]
    OPTIONS_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    VALIDATE_ONLY_FIELD_NUMBER: _ClassVar[int]
    image: bytes
    options: ReconstructionOptions
    request_id: str
    validate_only: bool
    def __init__(self, image: _Optional[bytes] = ..., options: _Optional[_Union[ReconstructionOptions, _Mapping]] = ..., request_id: _Optional[str] = ..., validate_only: _Optional[bool] = ...) -> None: ...

class Artifact(_message.Message):
    __slots__ = ("digest", "path", "media_type", "size_bytes")
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    PATH_FIELD_NUMBER: _ClassVar[int]
    MEDIA_TYPE_FIELD_NUMBER: _ClassVar[int]
    SIZE_BYTES_FIELD_NUMBER: _ClassVar[int]
    digest: str
    path: str
    media_type: str
    size_bytes: int
    def __init__(self, digest: _Optional[str] = ..., path: _Optional[str] = ..., media_type: _Optional[str] = ..., size_bytes: _Optional[int] = ...) -> None: ...

class StageResult(_message.Message):
    __slots__ = ("stage", "artifacts", "models", "start_time", "duration", "warnings")
    STAGE_FIELD_NUMBER: _ClassVar[int]
    ARTIFACTS_FIELD_NUMBER: _ClassVar[int]
    MODELS_FIELD_NUMBER: _ClassVar[int]
    START_TIME_FIELD_NUMBER: _ClassVar[int]
    DURATION_FIELD_NUMBER: _ClassVar[int]
    WARNINGS_FIELD_NUMBER: _ClassVar[int]
    stage: Stage
    artifacts: _containers.RepeatedCompositeFieldContainer[Artifact]
    models: _containers.RepeatedCompositeFieldContainer[_model_pb2.ModelVersion]
    start_time: _timestamp_pb2.Timestamp
    duration: _duration_pb2.Duration
    warnings: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, stage: _Optional[_Union[Stage, str]] = ..., artifacts: _Optional[_Iterable[_Union[Artifact, _Mapping]]] = ..., models: _Optional[_Iterable[_Union[_model_pb2.ModelVersion, _Mapping]]] = ..., start_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., duration: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., warnings: _Optional[_Iterable[str]] = ...) -> None: ...

class Reconstruction(_message.Message):
    __slots__ = ("name", "state", "options", "create_time", "end_time", "stages", "plan", "error", "warnings", "model_versions")
    class ModelVersionsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    NAME_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    OPTIONS_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    END_TIME_FIELD_NUMBER: _ClassVar[int]
    STAGES_FIELD_NUMBER: _ClassVar[int]
    PLAN_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    WARNINGS_FIELD_NUMBER: _ClassVar[int]
    MODEL_VERSIONS_FIELD_NUMBER: _ClassVar[int]
    name: str
    state: ReconstructionState
    options: ReconstructionOptions
    create_time: _timestamp_pb2.Timestamp
    end_time: _timestamp_pb2.Timestamp
    stages: _containers.RepeatedCompositeFieldContainer[StageResult]
    plan: _articulation_pb2.ArticulationPlan
    error: _status_pb2.Status
    warnings: _containers.RepeatedScalarFieldContainer[str]
    model_versions: _containers.ScalarMap[str, str]
    def __init__(self, name: _Optional[str] = ..., state: _Optional[_Union[ReconstructionState, str]] = ..., options: _Optional[_Union[ReconstructionOptions, _Mapping]] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., end_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., stages: _Optional[_Iterable[_Union[StageResult, _Mapping]]] = ..., plan: _Optional[_Union[_articulation_pb2.ArticulationPlan, _Mapping]] = ..., error: _Optional[_Union[_status_pb2.Status, _Mapping]] = ..., warnings: _Optional[_Iterable[str]] = ..., model_versions: _Optional[_Mapping[str, str]] = ...) -> None: ...

class ReconstructionMetadata(_message.Message):
    __slots__ = ("reconstruction", "state", "stage", "progress")
    RECONSTRUCTION_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    STAGE_FIELD_NUMBER: _ClassVar[int]
    PROGRESS_FIELD_NUMBER: _ClassVar[int]
    reconstruction: str
    state: ReconstructionState
    stage: Stage
    progress: float
    def __init__(self, reconstruction: _Optional[str] = ..., state: _Optional[_Union[ReconstructionState, str]] = ..., stage: _Optional[_Union[Stage, str]] = ..., progress: _Optional[float] = ...) -> None: ...

class GetReconstructionRequest(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class ListReconstructionsRequest(_message.Message):
    __slots__ = ("page_size", "page_token")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListReconstructionsResponse(_message.Message):
    __slots__ = ("reconstructions", "next_page_token")
    RECONSTRUCTIONS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    reconstructions: _containers.RepeatedCompositeFieldContainer[Reconstruction]
    next_page_token: str
    def __init__(self, reconstructions: _Optional[_Iterable[_Union[Reconstruction, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class WatchReconstructionRequest(_message.Message):
    __slots__ = ("name", "first_event")
    NAME_FIELD_NUMBER: _ClassVar[int]
    FIRST_EVENT_FIELD_NUMBER: _ClassVar[int]
    name: str
    first_event: int
    def __init__(self, name: _Optional[str] = ..., first_event: _Optional[int] = ...) -> None: ...

class WatchReconstructionResponse(_message.Message):
    __slots__ = ("event_number", "time", "stage_started", "stage_progress", "stage_finished", "finished")
    EVENT_NUMBER_FIELD_NUMBER: _ClassVar[int]
    TIME_FIELD_NUMBER: _ClassVar[int]
    STAGE_STARTED_FIELD_NUMBER: _ClassVar[int]
    STAGE_PROGRESS_FIELD_NUMBER: _ClassVar[int]
    STAGE_FINISHED_FIELD_NUMBER: _ClassVar[int]
    FINISHED_FIELD_NUMBER: _ClassVar[int]
    event_number: int
    time: _timestamp_pb2.Timestamp
    stage_started: StageStarted
    stage_progress: StageProgress
    stage_finished: StageResult
    finished: Reconstruction
    def __init__(self, event_number: _Optional[int] = ..., time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., stage_started: _Optional[_Union[StageStarted, _Mapping]] = ..., stage_progress: _Optional[_Union[StageProgress, _Mapping]] = ..., stage_finished: _Optional[_Union[StageResult, _Mapping]] = ..., finished: _Optional[_Union[Reconstruction, _Mapping]] = ...) -> None: ...

class StageStarted(_message.Message):
    __slots__ = ("stage", "attempt")
    STAGE_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    stage: Stage
    attempt: int
    def __init__(self, stage: _Optional[_Union[Stage, str]] = ..., attempt: _Optional[int] = ...) -> None: ...

class StageProgress(_message.Message):
    __slots__ = ("stage", "fraction", "message")
    STAGE_FIELD_NUMBER: _ClassVar[int]
    FRACTION_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    stage: Stage
    fraction: float
    message: str
    def __init__(self, stage: _Optional[_Union[Stage, str]] = ..., fraction: _Optional[float] = ..., message: _Optional[str] = ...) -> None: ...

class DeleteReconstructionRequest(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class DownloadArtifactRequest(_message.Message):
    __slots__ = ("digest", "offset")
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    OFFSET_FIELD_NUMBER: _ClassVar[int]
    digest: str
    offset: int
    def __init__(self, digest: _Optional[str] = ..., offset: _Optional[int] = ...) -> None: ...

class DownloadArtifactResponse(_message.Message):
    __slots__ = ("data",)
    DATA_FIELD_NUMBER: _ClassVar[int]
    data: bytes
    def __init__(self, data: _Optional[bytes] = ...) -> None: ...
