from buf.validate import validate_pb2 as _validate_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class JointType(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    JOINT_TYPE_UNSPECIFIED: _ClassVar[JointType]
    JOINT_TYPE_FIXED: _ClassVar[JointType]
    JOINT_TYPE_REVOLUTE: _ClassVar[JointType]
    JOINT_TYPE_CONTINUOUS: _ClassVar[JointType]
    JOINT_TYPE_PRISMATIC: _ClassVar[JointType]
JOINT_TYPE_UNSPECIFIED: JointType
JOINT_TYPE_FIXED: JointType
JOINT_TYPE_REVOLUTE: JointType
JOINT_TYPE_CONTINUOUS: JointType
JOINT_TYPE_PRISMATIC: JointType

class Vector3(_message.Message):
    __slots__ = ("x", "y", "z")
    X_FIELD_NUMBER: _ClassVar[int]
    Y_FIELD_NUMBER: _ClassVar[int]
    Z_FIELD_NUMBER: _ClassVar[int]
    x: float
    y: float
    z: float
    def __init__(self, x: _Optional[float] = ..., y: _Optional[float] = ..., z: _Optional[float] = ...) -> None: ...

class Box(_message.Message):
    __slots__ = ("center", "half_extent")
    CENTER_FIELD_NUMBER: _ClassVar[int]
    HALF_EXTENT_FIELD_NUMBER: _ClassVar[int]
    center: Vector3
    half_extent: Vector3
    def __init__(self, center: _Optional[_Union[Vector3, _Mapping]] = ..., half_extent: _Optional[_Union[Vector3, _Mapping]] = ...) -> None: ...

class Camera(_message.Message):
    __slots__ = ("azimuth", "elevation", "distance", "fov", "shift_u", "shift_v")
    AZIMUTH_FIELD_NUMBER: _ClassVar[int]
    ELEVATION_FIELD_NUMBER: _ClassVar[int]
    DISTANCE_FIELD_NUMBER: _ClassVar[int]
    FOV_FIELD_NUMBER: _ClassVar[int]
    SHIFT_U_FIELD_NUMBER: _ClassVar[int]
    SHIFT_V_FIELD_NUMBER: _ClassVar[int]
    azimuth: float
    elevation: float
    distance: float
    fov: float
    shift_u: float
    shift_v: float
    def __init__(self, azimuth: _Optional[float] = ..., elevation: _Optional[float] = ..., distance: _Optional[float] = ..., fov: _Optional[float] = ..., shift_u: _Optional[float] = ..., shift_v: _Optional[float] = ...) -> None: ...

class Mimic(_message.Message):
    __slots__ = ("leader", "multiplier", "offset")
    LEADER_FIELD_NUMBER: _ClassVar[int]
    MULTIPLIER_FIELD_NUMBER: _ClassVar[int]
    OFFSET_FIELD_NUMBER: _ClassVar[int]
    leader: str
    multiplier: float
    offset: float
    def __init__(self, leader: _Optional[str] = ..., multiplier: _Optional[float] = ..., offset: _Optional[float] = ...) -> None: ...

class Joint(_message.Message):
    __slots__ = ("type", "axis", "origin", "lower", "upper", "confidence", "mimic")
    TYPE_FIELD_NUMBER: _ClassVar[int]
    AXIS_FIELD_NUMBER: _ClassVar[int]
    ORIGIN_FIELD_NUMBER: _ClassVar[int]
    LOWER_FIELD_NUMBER: _ClassVar[int]
    UPPER_FIELD_NUMBER: _ClassVar[int]
    CONFIDENCE_FIELD_NUMBER: _ClassVar[int]
    MIMIC_FIELD_NUMBER: _ClassVar[int]
    type: JointType
    axis: Vector3
    origin: Vector3
    lower: float
    upper: float
    confidence: float
    mimic: Mimic
    def __init__(self, type: _Optional[_Union[JointType, str]] = ..., axis: _Optional[_Union[Vector3, _Mapping]] = ..., origin: _Optional[_Union[Vector3, _Mapping]] = ..., lower: _Optional[float] = ..., upper: _Optional[float] = ..., confidence: _Optional[float] = ..., mimic: _Optional[_Union[Mimic, _Mapping]] = ...) -> None: ...

class Part(_message.Message):
    __slots__ = ("name", "label", "parent_index", "box", "joint", "material", "caption", "confidence")
    NAME_FIELD_NUMBER: _ClassVar[int]
    LABEL_FIELD_NUMBER: _ClassVar[int]
    PARENT_INDEX_FIELD_NUMBER: _ClassVar[int]
    BOX_FIELD_NUMBER: _ClassVar[int]
    JOINT_FIELD_NUMBER: _ClassVar[int]
    MATERIAL_FIELD_NUMBER: _ClassVar[int]
    CAPTION_FIELD_NUMBER: _ClassVar[int]
    CONFIDENCE_FIELD_NUMBER: _ClassVar[int]
    name: str
    label: str
    parent_index: int
    box: Box
    joint: Joint
    material: str
    caption: str
    confidence: float
    def __init__(self, name: _Optional[str] = ..., label: _Optional[str] = ..., parent_index: _Optional[int] = ..., box: _Optional[_Union[Box, _Mapping]] = ..., joint: _Optional[_Union[Joint, _Mapping]] = ..., material: _Optional[str] = ..., caption: _Optional[str] = ..., confidence: _Optional[float] = ...) -> None: ...

class ArticulationPlan(_message.Message):
    __slots__ = ("category", "size", "parts", "camera", "confidence")
    CATEGORY_FIELD_NUMBER: _ClassVar[int]
    SIZE_FIELD_NUMBER: _ClassVar[int]
    PARTS_FIELD_NUMBER: _ClassVar[int]
    CAMERA_FIELD_NUMBER: _ClassVar[int]
    CONFIDENCE_FIELD_NUMBER: _ClassVar[int]
    category: str
    size: float
    parts: _containers.RepeatedCompositeFieldContainer[Part]
    camera: Camera
    confidence: float
    def __init__(self, category: _Optional[str] = ..., size: _Optional[float] = ..., parts: _Optional[_Iterable[_Union[Part, _Mapping]]] = ..., camera: _Optional[_Union[Camera, _Mapping]] = ..., confidence: _Optional[float] = ...) -> None: ...
