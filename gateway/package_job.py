"""What the packaging process does: a plan and part meshes in, the files of the asset folder out."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from articulation.asset import TexturedMesh
from articulation.errors import InvalidMesh
from articulation.files import png
from gateway.images import read_rgb
from gateway.meshes import read_textured_glb
from gateway.package.build import build_asset
from gateway.package.convex import MAX_PIECES
from gateway.package.errors import AssetRejected, UnusableMesh
from gateway.package.neighbours import check_pairs
from gateway.package.preview import render_preview
from gateway.package.validate import validate
from gateway.package.write import PREVIEW, URDF, write_asset
from gateway.plans import plan_from_json


def package(
    plan: bytes, meshes: Sequence[bytes], image: bytes, name: str, most_pieces: int = MAX_PIECES
) -> tuple[dict[str, bytes], dict[str, Any]]:
    """Build an asset and check it.

    Returns:
        Path inside the asset folder to bytes of every file but the report, and what the simulators found.

    Args:
        plan: the refined `plan.json`.
        meshes: one textured GLB a part, in the plan's order, model space.
        image: the input PNG, for the preview.
        name: of the asset.
        most_pieces: collision pieces of one link, about.

    Raises:
        gateway.package.errors.PackageError: no asset passes its checks.
    """
    planned = plan_from_json(plan)
    surfaces = [_read(part.name, data) for part, data in zip(planned.parts, meshes, strict=True)]
    asset = build_asset(planned, surfaces, name, most_pieces)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        files = {path.relative_to(folder).as_posix(): path.read_bytes() for path in write_asset(asset, folder)}
        found = validate(folder)
        if not found.ok:
            raise AssetRejected(found.problems)
        files[PREVIEW] = png(render_preview(folder / URDF, read_rgb(image)))
    pairs = check_pairs(asset)
    notes = [*asset.notes, *(str(pair) for pair in pairs if pair.meets)]
    return files, found.to_json() | {"pairs": [asdict(pair) for pair in pairs], "notes": notes}


def _read(part: str, data: bytes) -> TexturedMesh:
    try:
        return read_textured_glb(data)
    except InvalidMesh as error:
        raise UnusableMesh(part, f"its mesh {error}") from error
