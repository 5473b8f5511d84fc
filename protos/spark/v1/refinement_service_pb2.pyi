import datetime

from buf.validate import validate_pb2 as _validate_pb2
from google.protobuf import duration_pb2 as _duration_pb2
from spark.v1 import articulation_pb2 as _articulation_pb2
from spark.v1 import model_pb2 as _model_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class RefinementWarningReason(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    REFINEMENT_WARNING_REASON_UNSPECIFIED: _ClassVar[RefinementWarningReason]
    REFINEMENT_WARNING_REASON_STOPPED_EARLY: _ClassVar[RefinementWarningReason]
    REFINEMENT_WARNING_REASON_SAME_IMAGES: _ClassVar[RefinementWarningReason]
    REFINEMENT_WARNING_REASON_IMAGES_UNEXPLAINED: _ClassVar[RefinementWarningReason]
    REFINEMENT_WARNING_REASON_PARTS_MISPLACED: _ClassVar[RefinementWarningReason]
REFINEMENT_WARNING_REASON_UNSPECIFIED: RefinementWarningReason
REFINEMENT_WARNING_REASON_STOPPED_EARLY: RefinementWarningReason
REFINEMENT_WARNING_REASON_SAME_IMAGES: RefinementWarningReason
REFINEMENT_WARNING_REASON_IMAGES_UNEXPLAINED: RefinementWarningReason
REFINEMENT_WARNING_REASON_PARTS_MISPLACED: RefinementWarningReason

class RefineArticulationRequest(_message.Message):
    __slots__ = ("plan", "part_meshes", "closed_image", "open_image", "opening", "seed", "effort", "time_budget", "part_masks", "depth_order", "further_open_states")
    PLAN_FIELD_NUMBER: _ClassVar[int]
    PART_MESHES_FIELD_NUMBER: _ClassVar[int]
    CLOSED_IMAGE_FIELD_NUMBER: _ClassVar[int]
    OPEN_IMAGE_FIELD_NUMBER: _ClassVar[int]
    OPENING_FIELD_NUMBER: _ClassVar[int]
    SEED_FIELD_NUMBER: _ClassVar[int]
    EFFORT_FIELD_NUMBER: _ClassVar[int]
    TIME_BUDGET_FIELD_NUMBER: _ClassVar[int]
    PART_MASKS_FIELD_NUMBER: _ClassVar[int]
    DEPTH_ORDER_FIELD_NUMBER: _ClassVar[int]
    FURTHER_OPEN_STATES_FIELD_NUMBER: _ClassVar[int]
    plan: _articulation_pb2.ArticulationPlan
    part_meshes: _containers.RepeatedScalarFieldContainer[bytes]
    closed_image: bytes
    open_image: bytes
    opening: _containers.RepeatedScalarFieldContainer[float]
    seed: int
    effort: float
    time_budget: _duration_pb2.Duration
    part_masks: _containers.RepeatedScalarFieldContainer[bytes]
    depth_order: _containers.RepeatedCompositeFieldContainer[DepthOrder]
    further_open_states: _containers.RepeatedCompositeFieldContainer[OpenState]
    def __init__(self, plan: _Optional[_Union[_articulation_pb2.ArticulationPlan, _Mapping]] = ..., part_meshes: _Optional[_Iterable[bytes]] = ..., closed_image: _Optional[bytes] = ..., open_image: _Optional[bytes] = ..., opening: _Optional[_Iterable[float]] = ..., seed: _Optional[int] = ..., effort: _Optional[float] = ..., time_budget: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., part_masks: _Optional[_Iterable[bytes]] = ..., depth_order: _Optional[_Iterable[_Union[DepthOrder, _Mapping]]] = ..., further_open_states: _Optional[_Iterable[_Union[OpenState, _Mapping]]] = ...) -> None: ...

class OpenState(_message.Message):
    __slots__ = ("image", "opening", "part_masks", "depth_order")
    IMAGE_FIELD_NUMBER: _ClassVar[int]
    OPENING_FIELD_NUMBER: _ClassVar[int]
    PART_MASKS_FIELD_NUMBER: _ClassVar[int]
    DEPTH_ORDER_FIELD_NUMBER: _ClassVar[int]
    image: bytes
    opening: _containers.RepeatedScalarFieldContainer[float]
    part_masks: _containers.RepeatedScalarFieldContainer[bytes]
    depth_order: _containers.RepeatedCompositeFieldContainer[DepthOrder]
    def __init__(self, image: _Optional[bytes] = ..., opening: _Optional[_Iterable[float]] = ..., part_masks: _Optional[_Iterable[bytes]] = ..., depth_order: _Optional[_Iterable[_Union[DepthOrder, _Mapping]]] = ...) -> None: ...

class DepthOrder(_message.Message):
    __slots__ = ("nearer_part", "farther_part")
    NEARER_PART_FIELD_NUMBER: _ClassVar[int]
    FARTHER_PART_FIELD_NUMBER: _ClassVar[int]
    nearer_part: int
    farther_part: int
    def __init__(self, nearer_part: _Optional[int] = ..., farther_part: _Optional[int] = ...) -> None: ...

class RefineArticulationResponse(_message.Message):
    __slots__ = ("progress", "result")
    PROGRESS_FIELD_NUMBER: _ClassVar[int]
    RESULT_FIELD_NUMBER: _ClassVar[int]
    progress: RefinementProgress
    result: RefinementResult
    def __init__(self, progress: _Optional[_Union[RefinementProgress, _Mapping]] = ..., result: _Optional[_Union[RefinementResult, _Mapping]] = ...) -> None: ...

class RefinementProgress(_message.Message):
    __slots__ = ("step", "total_steps", "loss")
    STEP_FIELD_NUMBER: _ClassVar[int]
    TOTAL_STEPS_FIELD_NUMBER: _ClassVar[int]
    LOSS_FIELD_NUMBER: _ClassVar[int]
    step: int
    total_steps: int
    loss: float
    def __init__(self, step: _Optional[int] = ..., total_steps: _Optional[int] = ..., loss: _Optional[float] = ...) -> None: ...

class RefinementResult(_message.Message):
    __slots__ = ("plan", "initial_loss", "final_loss", "coordinates", "model", "warnings", "further_coordinates")
    PLAN_FIELD_NUMBER: _ClassVar[int]
    INITIAL_LOSS_FIELD_NUMBER: _ClassVar[int]
    FINAL_LOSS_FIELD_NUMBER: _ClassVar[int]
    COORDINATES_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    WARNINGS_FIELD_NUMBER: _ClassVar[int]
    FURTHER_COORDINATES_FIELD_NUMBER: _ClassVar[int]
    plan: _articulation_pb2.ArticulationPlan
    initial_loss: float
    final_loss: float
    coordinates: _containers.RepeatedScalarFieldContainer[float]
    model: _model_pb2.ModelVersion
    warnings: _containers.RepeatedCompositeFieldContainer[RefinementWarning]
    further_coordinates: _containers.RepeatedCompositeFieldContainer[JointCoordinates]
    def __init__(self, plan: _Optional[_Union[_articulation_pb2.ArticulationPlan, _Mapping]] = ..., initial_loss: _Optional[float] = ..., final_loss: _Optional[float] = ..., coordinates: _Optional[_Iterable[float]] = ..., model: _Optional[_Union[_model_pb2.ModelVersion, _Mapping]] = ..., warnings: _Optional[_Iterable[_Union[RefinementWarning, _Mapping]]] = ..., further_coordinates: _Optional[_Iterable[_Union[JointCoordinates, _Mapping]]] = ...) -> None: ...

class JointCoordinates(_message.Message):
    __slots__ = ("values",)
    VALUES_FIELD_NUMBER: _ClassVar[int]
    values: _containers.RepeatedScalarFieldContainer[float]
    def __init__(self, values: _Optional[_Iterable[float]] = ...) -> None: ...

class RefinementWarning(_message.Message):
    __slots__ = ("reason", "message", "parts")
    REASON_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    PARTS_FIELD_NUMBER: _ClassVar[int]
    reason: RefinementWarningReason
    message: str
    parts: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, reason: _Optional[_Union[RefinementWarningReason, str]] = ..., message: _Optional[str] = ..., parts: _Optional[_Iterable[str]] = ...) -> None: ...
