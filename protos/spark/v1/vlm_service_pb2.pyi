from buf.validate import validate_pb2 as _validate_pb2
from spark.v1 import articulation_pb2 as _articulation_pb2
from spark.v1 import model_pb2 as _model_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class PlanArticulationRequest(_message.Message):
    __slots__ = ("image", "part_hints", "seed")
    IMAGE_FIELD_NUMBER: _ClassVar[int]
    PART_HINTS_FIELD_NUMBER: _ClassVar[int]
    SEED_FIELD_NUMBER: _ClassVar[int]
    image: bytes
    part_hints: _containers.RepeatedScalarFieldContainer[str]
    seed: int
    def __init__(self, image: _Optional[bytes] = ..., part_hints: _Optional[_Iterable[str]] = ..., seed: _Optional[int] = ...) -> None: ...

class PlanArticulationResponse(_message.Message):
    __slots__ = ("plan", "model")
    PLAN_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    plan: _articulation_pb2.ArticulationPlan
    model: _model_pb2.ModelVersion
    def __init__(self, plan: _Optional[_Union[_articulation_pb2.ArticulationPlan, _Mapping]] = ..., model: _Optional[_Union[_model_pb2.ModelVersion, _Mapping]] = ...) -> None: ...

class GeneratePartReferencesRequest(_message.Message):
    __slots__ = ("image", "plan", "seed")
    IMAGE_FIELD_NUMBER: _ClassVar[int]
    PLAN_FIELD_NUMBER: _ClassVar[int]
    SEED_FIELD_NUMBER: _ClassVar[int]
    image: bytes
    plan: _articulation_pb2.ArticulationPlan
    seed: int
    def __init__(self, image: _Optional[bytes] = ..., plan: _Optional[_Union[_articulation_pb2.ArticulationPlan, _Mapping]] = ..., seed: _Optional[int] = ...) -> None: ...

class GeneratePartReferencesResponse(_message.Message):
    __slots__ = ("object_image", "part_images", "model")
    OBJECT_IMAGE_FIELD_NUMBER: _ClassVar[int]
    PART_IMAGES_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    object_image: bytes
    part_images: _containers.RepeatedScalarFieldContainer[bytes]
    model: _model_pb2.ModelVersion
    def __init__(self, object_image: _Optional[bytes] = ..., part_images: _Optional[_Iterable[bytes]] = ..., model: _Optional[_Union[_model_pb2.ModelVersion, _Mapping]] = ...) -> None: ...

class PredictOpenStateRequest(_message.Message):
    __slots__ = ("image", "plan", "opening", "seed")
    IMAGE_FIELD_NUMBER: _ClassVar[int]
    PLAN_FIELD_NUMBER: _ClassVar[int]
    OPENING_FIELD_NUMBER: _ClassVar[int]
    SEED_FIELD_NUMBER: _ClassVar[int]
    image: bytes
    plan: _articulation_pb2.ArticulationPlan
    opening: _containers.RepeatedScalarFieldContainer[float]
    seed: int
    def __init__(self, image: _Optional[bytes] = ..., plan: _Optional[_Union[_articulation_pb2.ArticulationPlan, _Mapping]] = ..., opening: _Optional[_Iterable[float]] = ..., seed: _Optional[int] = ...) -> None: ...

class PredictOpenStateResponse(_message.Message):
    __slots__ = ("image", "model")
    IMAGE_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    image: bytes
    model: _model_pb2.ModelVersion
    def __init__(self, image: _Optional[bytes] = ..., model: _Optional[_Union[_model_pb2.ModelVersion, _Mapping]] = ...) -> None: ...
