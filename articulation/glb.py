"""GLB (glTF 2.0 binary) of an asset: one node a link, textures inside, and an animation that opens and closes it.

Axes as in model space, y up and the front on +z, as glTF demands; lengths in metres.
"""

from __future__ import annotations

import json
import struct
from typing import Any

import numpy as np
from scipy.spatial.transform import Rotation

from articulation.asset import Asset, link_origins
from articulation.files import png
from articulation.frames import MODEL_TO_URDF
from articulation.joint import Joint, JointType
from articulation.kinematics import coupled
from articulation.typing import AnyArray, Array

KEYFRAMES = 33
"""Odd, so that one keyframe is the open state; neighbours in a full turn stay well under half a turn apart."""
SECONDS = 4.0
"""Of the whole animation: open, then closed again."""

_FLOAT, _UINT32 = 5126, 5125
_ARRAY_BUFFER, _ELEMENT_BUFFER = 34962, 34963


class _Buffer:
    """The binary chunk with its views and accessors."""

    def __init__(self) -> None:
        self.data = bytearray()
        self.views: list[dict[str, int]] = []
        self.accessors: list[dict[str, Any]] = []

    def view(self, content: bytes, target: int | None = None) -> int:
        """Append bytes; the index of their buffer view."""
        view = {"buffer": 0, "byteOffset": len(self.data), "byteLength": len(content)}
        if target is not None:
            view["target"] = target
        self.views.append(view)
        self.data += content + bytes(-len(content) % 4)
        return len(self.views) - 1

    def array(self, values: AnyArray, kind: str, target: int | None = None) -> int:
        """Append an array (N,) or (N, C) as float32 or uint32; the index of its accessor."""
        component = _FLOAT if np.issubdtype(values.dtype, np.floating) else _UINT32
        stored = np.ascontiguousarray(values, dtype="<f4" if component == _FLOAT else "<u4")
        accessor: dict[str, Any] = {
            "bufferView": self.view(stored.tobytes(), target),
            "componentType": component,
            "count": len(stored),
            "type": kind,
        }
        if component == _FLOAT:
            rows = stored.reshape(len(stored), -1)
            accessor |= {"min": rows.min(0).tolist(), "max": rows.max(0).tolist()}
        self.accessors.append(accessor)
        return len(self.accessors) - 1


def write_glb(asset: Asset) -> bytes:
    """The asset as a GLB file. Node 0 turns the URDF frame into glTF's; node i + 1 is link i."""
    buffer = _Buffer()
    origins = link_origins(asset.articulation)
    nodes: list[dict[str, Any]] = [
        {
            "name": asset.name,
            "rotation": Rotation.from_matrix(MODEL_TO_URDF.T).as_quat().tolist(),
            "children": [asset.articulation.root + 1],
        }
    ]
    for index, link in enumerate(asset.articulation):
        offset = origins[index] - (origins[link.parent] if link.parent >= 0 else 0.0)
        node = {"name": link.name, "mesh": index, "translation": offset.tolist()}
        children = [child + 1 for child in asset.articulation.children(index)]
        nodes.append(node | ({"children": children} if children else {}))
    meshes = [_mesh(buffer, asset, index, origins[index]) for index in range(len(asset.articulation))]
    images = [
        {"name": link.name, "mimeType": "image/png", "bufferView": buffer.view(png(body.visual.texture))}
        for link, body in zip(asset.articulation, asset.bodies, strict=True)
    ]
    document: dict[str, Any] = {
        "asset": {"version": "2.0", "generator": "spark"},
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": nodes,
        "meshes": meshes,
        "images": images,
        "samplers": [{}],
        "textures": [{"sampler": 0, "source": index} for index in range(len(images))],
        "materials": [
            {
                "name": link.name,
                "pbrMetallicRoughness": {
                    "baseColorTexture": {"index": index},
                    "metallicFactor": 0.0,
                    "roughnessFactor": 0.8,
                },
                "doubleSided": True,
            }
            for index, link in enumerate(asset.articulation)
        ],
    }
    if asset.articulation.moving:
        document["animations"] = [_animation(buffer, asset, nodes)]
    document |= {"accessors": buffer.accessors, "bufferViews": buffer.views}
    document["buffers"] = [{"byteLength": len(buffer.data)}]
    return _container(document, bytes(buffer.data))


def _mesh(buffer: _Buffer, asset: Asset, index: int, origin: Array) -> dict[str, Any]:
    visual = asset.bodies[index].visual
    primitive = {
        "attributes": {
            "POSITION": buffer.array(visual.vertices - origin, "VEC3", _ARRAY_BUFFER),
            "TEXCOORD_0": buffer.array(visual.uvs * (1.0, -1.0) + (0.0, 1.0), "VEC2", _ARRAY_BUFFER),
        },
        "indices": buffer.array(visual.faces.reshape(-1), "SCALAR", _ELEMENT_BUFFER),
        "material": index,
    }
    return {"name": asset.articulation.links[index].name, "primitives": [primitive]}


def _animation(buffer: _Buffer, asset: Asset, nodes: list[dict[str, Any]]) -> dict[str, Any]:
    """Every joint that moves by itself from closed to its upper limit and back, and what follows it."""
    opening = (1 - np.cos(np.linspace(0, 2 * np.pi, KEYFRAMES))) / 2
    joints = [link.joint for link in asset.articulation]
    upper = [2 * np.pi if joint.type is JointType.CONTINUOUS else joint.upper for joint in joints]
    coordinates = coupled(asset.articulation, opening[:, None] * upper)
    times = buffer.array(np.linspace(0, SECONDS, KEYFRAMES), "SCALAR")
    samplers: list[dict[str, Any]] = []
    channels: list[dict[str, Any]] = []
    for index in asset.articulation.moving:
        joint = asset.articulation.links[index].joint
        values, path = _track(joint, coordinates[:, index], np.array(nodes[index + 1]["translation"]))
        output = buffer.array(values, "VEC4" if path == "rotation" else "VEC3")
        channels.append({"sampler": len(samplers), "target": {"node": index + 1, "path": path}})
        samplers.append({"input": times, "output": output, "interpolation": "LINEAR"})
    return {"name": "open", "samplers": samplers, "channels": channels}


def _track(joint: Joint, coordinates: Array, rest: Array) -> tuple[Array, str]:
    """Keyframe values of one joint from its coordinate at each keyframe, and the node property that they drive."""
    if joint.type is JointType.PRISMATIC:
        return rest + coordinates[:, None] * joint.axis, "translation"
    half = coordinates[:, None] / 2
    return np.concatenate([np.sin(half) * joint.axis, np.cos(half)], 1), "rotation"


def _container(document: dict[str, Any], binary: bytes) -> bytes:
    """The GLB header, the JSON chunk and the binary chunk."""
    text = json.dumps(document, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 4)
    chunks = struct.pack("<I4s", len(text), b"JSON") + text + struct.pack("<I4s", len(binary), b"BIN\0") + binary
    return struct.pack("<4sII", b"glTF", 2, 12 + len(chunks)) + chunks
