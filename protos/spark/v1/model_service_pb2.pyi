import datetime

from buf.validate import validate_pb2 as _validate_pb2
from google.api import field_behavior_pb2 as _field_behavior_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.rpc import status_pb2 as _status_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ReleaseMode(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    RELEASE_MODE_UNSPECIFIED: _ClassVar[ReleaseMode]
    RELEASE_MODE_CANARY: _ClassVar[ReleaseMode]
    RELEASE_MODE_MIRROR: _ClassVar[ReleaseMode]

class ReleasePhase(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    RELEASE_PHASE_UNSPECIFIED: _ClassVar[ReleasePhase]
    RELEASE_PHASE_LOADING: _ClassVar[ReleasePhase]
    RELEASE_PHASE_SERVING: _ClassVar[ReleasePhase]
    RELEASE_PHASE_PROMOTED: _ClassVar[ReleasePhase]
    RELEASE_PHASE_ROLLED_BACK: _ClassVar[ReleasePhase]
    RELEASE_PHASE_FAILED: _ClassVar[ReleasePhase]

class ReleaseVerdict(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    RELEASE_VERDICT_UNSPECIFIED: _ClassVar[ReleaseVerdict]
    RELEASE_VERDICT_HOLD: _ClassVar[ReleaseVerdict]
    RELEASE_VERDICT_READY: _ClassVar[ReleaseVerdict]
    RELEASE_VERDICT_WORSE: _ClassVar[ReleaseVerdict]
RELEASE_MODE_UNSPECIFIED: ReleaseMode
RELEASE_MODE_CANARY: ReleaseMode
RELEASE_MODE_MIRROR: ReleaseMode
RELEASE_PHASE_UNSPECIFIED: ReleasePhase
RELEASE_PHASE_LOADING: ReleasePhase
RELEASE_PHASE_SERVING: ReleasePhase
RELEASE_PHASE_PROMOTED: ReleasePhase
RELEASE_PHASE_ROLLED_BACK: ReleasePhase
RELEASE_PHASE_FAILED: ReleasePhase
RELEASE_VERDICT_UNSPECIFIED: ReleaseVerdict
RELEASE_VERDICT_HOLD: ReleaseVerdict
RELEASE_VERDICT_READY: ReleaseVerdict
RELEASE_VERDICT_WORSE: ReleaseVerdict

class Model(_message.Message):
    __slots__ = ("name", "stable_version", "previous_version", "release", "records", "replicas", "replicas_error")
    NAME_FIELD_NUMBER: _ClassVar[int]
    STABLE_VERSION_FIELD_NUMBER: _ClassVar[int]
    PREVIOUS_VERSION_FIELD_NUMBER: _ClassVar[int]
    RELEASE_FIELD_NUMBER: _ClassVar[int]
    RECORDS_FIELD_NUMBER: _ClassVar[int]
    REPLICAS_FIELD_NUMBER: _ClassVar[int]
    REPLICAS_ERROR_FIELD_NUMBER: _ClassVar[int]
    name: str
    stable_version: str
    previous_version: str
    release: Release
    records: _containers.RepeatedCompositeFieldContainer[VersionRecord]
    replicas: _containers.RepeatedCompositeFieldContainer[ModelReplica]
    replicas_error: _status_pb2.Status
    def __init__(self, name: _Optional[str] = ..., stable_version: _Optional[str] = ..., previous_version: _Optional[str] = ..., release: _Optional[_Union[Release, _Mapping]] = ..., records: _Optional[_Iterable[_Union[VersionRecord, _Mapping]]] = ..., replicas: _Optional[_Iterable[_Union[ModelReplica, _Mapping]]] = ..., replicas_error: _Optional[_Union[_status_pb2.Status, _Mapping]] = ...) -> None: ...

class Release(_message.Message):
    __slots__ = ("version", "mode", "phase", "weight", "start_time", "verdict", "reason")
    VERSION_FIELD_NUMBER: _ClassVar[int]
    MODE_FIELD_NUMBER: _ClassVar[int]
    PHASE_FIELD_NUMBER: _ClassVar[int]
    WEIGHT_FIELD_NUMBER: _ClassVar[int]
    START_TIME_FIELD_NUMBER: _ClassVar[int]
    VERDICT_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    version: str
    mode: ReleaseMode
    phase: ReleasePhase
    weight: float
    start_time: _timestamp_pb2.Timestamp
    verdict: ReleaseVerdict
    reason: str
    def __init__(self, version: _Optional[str] = ..., mode: _Optional[_Union[ReleaseMode, str]] = ..., phase: _Optional[_Union[ReleasePhase, str]] = ..., weight: _Optional[float] = ..., start_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., verdict: _Optional[_Union[ReleaseVerdict, str]] = ..., reason: _Optional[str] = ...) -> None: ...

class VersionRecord(_message.Message):
    __slots__ = ("version", "jobs", "failed", "refused", "joint_confidence", "median_seconds", "p95_seconds")
    VERSION_FIELD_NUMBER: _ClassVar[int]
    JOBS_FIELD_NUMBER: _ClassVar[int]
    FAILED_FIELD_NUMBER: _ClassVar[int]
    REFUSED_FIELD_NUMBER: _ClassVar[int]
    JOINT_CONFIDENCE_FIELD_NUMBER: _ClassVar[int]
    MEDIAN_SECONDS_FIELD_NUMBER: _ClassVar[int]
    P95_SECONDS_FIELD_NUMBER: _ClassVar[int]
    version: str
    jobs: int
    failed: int
    refused: int
    joint_confidence: float
    median_seconds: float
    p95_seconds: float
    def __init__(self, version: _Optional[str] = ..., jobs: _Optional[int] = ..., failed: _Optional[int] = ..., refused: _Optional[int] = ..., joint_confidence: _Optional[float] = ..., median_seconds: _Optional[float] = ..., p95_seconds: _Optional[float] = ...) -> None: ...

class ModelReplica(_message.Message):
    __slots__ = ("address", "reachable", "versions")
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    REACHABLE_FIELD_NUMBER: _ClassVar[int]
    VERSIONS_FIELD_NUMBER: _ClassVar[int]
    address: str
    reachable: bool
    versions: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, address: _Optional[str] = ..., reachable: _Optional[bool] = ..., versions: _Optional[_Iterable[str]] = ...) -> None: ...

class GetModelRequest(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class ListModelsRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListModelsResponse(_message.Message):
    __slots__ = ("models",)
    MODELS_FIELD_NUMBER: _ClassVar[int]
    models: _containers.RepeatedCompositeFieldContainer[Model]
    def __init__(self, models: _Optional[_Iterable[_Union[Model, _Mapping]]] = ...) -> None: ...

class DeployModelRequest(_message.Message):
    __slots__ = ("name", "version", "mode", "weight", "addresses")
    NAME_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    MODE_FIELD_NUMBER: _ClassVar[int]
    WEIGHT_FIELD_NUMBER: _ClassVar[int]
    ADDRESSES_FIELD_NUMBER: _ClassVar[int]
    name: str
    version: str
    mode: ReleaseMode
    weight: float
    addresses: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, name: _Optional[str] = ..., version: _Optional[str] = ..., mode: _Optional[_Union[ReleaseMode, str]] = ..., weight: _Optional[float] = ..., addresses: _Optional[_Iterable[str]] = ...) -> None: ...

class PromoteModelRequest(_message.Message):
    __slots__ = ("name", "weight", "force")
    NAME_FIELD_NUMBER: _ClassVar[int]
    WEIGHT_FIELD_NUMBER: _ClassVar[int]
    FORCE_FIELD_NUMBER: _ClassVar[int]
    name: str
    weight: float
    force: bool
    def __init__(self, name: _Optional[str] = ..., weight: _Optional[float] = ..., force: _Optional[bool] = ...) -> None: ...

class RollBackModelRequest(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...
