"""Manifests for tests."""

from pathlib import Path

from checkpoints.manifest import MANIFEST, Manifest

PINNED = {
    "family": '"full"',
    "stage": '"shape"',
    "folder": '"full/model"',
    "repository": '"owner/model"',
    "licence": '"MIT"',
    "gpu_memory_gib": "2.5",
}


def write_manifest(root: Path, **values: str) -> Manifest:
    """A manifest of one model, `toy`, with these fields set, as TOML."""
    lines = [f"{key} = {value}" for key, value in {**PINNED, **values}.items()]
    root.mkdir(parents=True, exist_ok=True)
    text = "\n".join(["# all models", "", "[models.toy]", *lines, "", "# the last one", ""])
    (root / MANIFEST).write_text(text)
    return Manifest.read(root / MANIFEST)
