"""An asset to files: `docs/asset.md` says what is in the folder."""

from __future__ import annotations

from pathlib import Path

from articulation.asset import Asset
from articulation.files import collision_files, visual_files
from articulation.glb import write_glb
from articulation.mjcf import write_mjcf
from articulation.urdf import asset_urdf, write_urdf
from articulation.usd import write_usd

URDF = "asset.urdf"
MJCF = "asset.xml"
USD = "asset.usdc"
GLB = "asset.glb"
PREVIEW = "preview.png"


def asset_files(asset: Asset) -> dict[str, bytes]:
    """Path inside the folder to content of every file but the preview and the report."""
    documents = {
        URDF: write_urdf(asset_urdf(asset)),
        MJCF: write_mjcf(asset),
        USD: write_usd(asset),
        GLB: write_glb(asset),
    }
    return documents | visual_files(asset) | collision_files(asset)


def write_asset(asset: Asset, folder: Path) -> list[Path]:
    """Write an asset into a folder, which is made if need be.

    Returns:
        The files written.

    Raises:
        OSError: the folder cannot be written.
    """
    files = []
    for path, content in asset_files(asset).items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
        files.append(target)
    return files
