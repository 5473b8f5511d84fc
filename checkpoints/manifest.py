"""The manifest of all models: `manifest.toml` in the models folder says where each comes from and what it must be.

    [models.NAME]
    family = "full"                    # or "compact"
    stage = "shape"                    # the stage that it serves
    folder = "full/part_dit"           # below the models folder
    repository = "owner/name"          # on the hub; absent where the weights are part of this repository
    revision = "40 hexadecimal digits" # of the hub's commit; empty until the model is pinned
    digest = "64 hexadecimal digits"   # of the folder, `checkpoints.digest`; empty until the model is pinned
    files = ["unet/*"]                 # patterns of the repository's files that are wanted; absent where all are
    licence = "MIT"
    licence_note = "..."               # what else binds a user; may be absent
    gpu_memory_gib = 10.7              # that serving it takes

A model that is listed is served only if its folder has the digest that the manifest names. Folders that are not listed,
such as a new version under test, are served as they are, and so are those of this repository while they have no digest.
A model that is made of several, from several repositories, is a folder that holds theirs: each must have its digest.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import MISSING, dataclass, fields
from pathlib import Path, PurePosixPath
from typing import Any

from checkpoints.digest import folder_digest
from checkpoints.errors import CheckpointMissing, DigestMismatch, ManifestInvalid

MANIFEST = "manifest.toml"
FAMILIES = ("compact", "full")
STAGES = ("plan", "guide", "shape", "texture")
REPOSITORY = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
HEXADECIMAL = {"revision": 40, "digest": 64}
KINDS: dict[str, tuple[type, ...]] = {"gpu_memory_gib": (int, float), "files": (list,)}
"""Of the fields that are no strings."""


@dataclass(frozen=True)
class ModelEntry:
    """One model; the fields are those of the file, `name` is its table's."""

    name: str
    family: str
    stage: str
    folder: str
    licence: str
    gpu_memory_gib: float
    digest: str = ""
    repository: str = ""
    revision: str = ""
    licence_note: str = ""
    files: tuple[str, ...] = ()

    @property
    def pinned(self) -> bool:
        """Whether the manifest says which bytes the model is."""
        return bool(self.digest)


@dataclass(frozen=True)
class Manifest:
    """All models of one models folder, in the file's order."""

    path: Path
    entries: tuple[ModelEntry, ...]

    @classmethod
    def read(cls, path: Path) -> Manifest:
        """Read and check a manifest.

        Raises:
            ManifestInvalid: naming the model and the field.
        """
        try:
            tables = tomllib.loads(path.read_text())["models"]
            entries = tuple(_entry(name, table) for name, table in tables.items())
        except FileNotFoundError as error:
            raise ManifestInvalid(f"{path} does not exist") from error
        except (tomllib.TOMLDecodeError, KeyError, AttributeError) as error:
            raise ManifestInvalid(f"{path.name} is no manifest: {error}") from error
        folders = [entry.folder for entry in entries]
        twice = {folder for folder in folders if folders.count(folder) > 1}
        if twice:
            raise ManifestInvalid(f"{path.name} lists the folder {min(twice)} twice")
        return cls(path, entries)

    def __getitem__(self, name: str) -> ModelEntry:
        """The model of that name.

        Raises:
            ManifestInvalid: there is none; says which there are.
        """
        for entry in self.entries:
            if entry.name == name:
                return entry
        known = ", ".join(entry.name for entry in self.entries)
        raise ManifestInvalid(f"{self.path.name} lists no model {name}; it lists {known}")

    def folder(self, entry: ModelEntry) -> Path:
        return self.path.parent / entry.folder

    def verify(self, entry: ModelEntry) -> str:
        """Digest of a model's folder, which is the one that the manifest names.

        Raises:
            CheckpointMissing: there is no such folder, or it is empty.
            DigestMismatch: it is another, or the manifest names none.
        """
        try:
            digest = folder_digest(self.folder(entry))
        except FileNotFoundError as error:
            raise CheckpointMissing(f"{entry.name} is not there: train or pull the model first") from error
        advice = f"if it is right, run `spark models pin {entry.name}`"
        if not entry.pinned:
            raise DigestMismatch(f"{self.path.name} names no digest for {entry.name}, which has {digest}; {advice}")
        if digest != entry.digest:
            raise DigestMismatch(
                f"{entry.name} is not the model that {self.path.name} names: digest {digest} instead of "
                f"{entry.digest}; {advice}"
            )
        return digest

    def pin(self, entry: ModelEntry, digest: str, revision: str = "") -> None:
        """Write which bytes a model is into the file, whose other lines stay as they are."""
        text = self.path.read_text()
        head, table, rest = _split(text, entry.name)
        for key, value in (("digest", digest), ("revision", revision)):
            if value:
                line = f'{key} = "{value}"'
                table, found = re.subn(rf"(?m)^{key} *=.*$", line, table)
                if not found:  # after the last field: what follows it may be a comment on the next table
                    fields_end = max(match.end() for match in re.finditer(r"(?m)^\w.*$", table))
                    table = f"{table[:fields_end]}\n{line}{table[fields_end:]}"
        fresh = self.path.with_suffix(".new")
        fresh.write_text(head + table + rest)
        fresh.replace(self.path)


def checked_digest(folder: Path) -> str:
    """Digest of a folder that is about to be served; the nearest manifest above must not name another.

    Raises:
        CheckpointMissing: the folder does not exist or holds no file.
        CheckpointError: the manifest cannot be read, or names another digest, or none for a model from a hub.
    """
    folder = folder.absolute()
    for parent in folder.parents:
        if (parent / MANIFEST).is_file():
            manifest = Manifest.read(parent / MANIFEST)
            bound = [entry for entry in manifest.entries if entry.pinned or entry.repository]
            for entry in bound:
                if folder in manifest.folder(entry).parents:
                    manifest.verify(entry)
                elif folder == manifest.folder(entry):
                    return manifest.verify(entry)
            break
    try:
        return folder_digest(folder)
    except FileNotFoundError as error:
        raise CheckpointMissing(f"{folder.name} does not exist or is empty: train or pull the model first") from error


def _entry(name: str, table: dict[str, Any]) -> ModelEntry:
    known = {field.name: field for field in fields(ModelEntry) if field.name != "name"}
    strange = table.keys() - known.keys()
    if strange:
        raise ManifestInvalid(f"{name}: {min(strange)} is no field")
    for key, field in known.items():
        kinds = KINDS.get(key, (str,))
        if key not in table:
            if field.default is MISSING:
                raise ManifestInvalid(f"{name}: {key} is missing")
        elif not isinstance(table[key], kinds):
            raise ManifestInvalid(f"{name}: {key} has the wrong type")
    entry = ModelEntry(name, **{**table, "files": tuple(table.get("files", ()))})
    place = PurePosixPath(entry.folder)
    rules = {
        "family": entry.family in FAMILIES,
        "stage": entry.stage in STAGES,
        "folder": bool(place.parts) and not place.is_absolute() and ".." not in place.parts,
        "licence": bool(entry.licence),
        "gpu_memory_gib": entry.gpu_memory_gib >= 0,
        "repository": not entry.repository or bool(REPOSITORY.fullmatch(entry.repository)),
        "revision": not (entry.revision and not entry.repository) and _is_hexadecimal("revision", entry.revision),
        "digest": _is_hexadecimal("digest", entry.digest),
        "files": all(isinstance(pattern, str) and pattern for pattern in entry.files),
    }
    for key, good in rules.items():
        if not good:
            raise ManifestInvalid(f"{name}: {key} cannot be {getattr(entry, key)!r}")
    return entry


def _is_hexadecimal(key: str, value: str) -> bool:
    return not value or bool(re.fullmatch(rf"[0-9a-f]{{{HEXADECIMAL[key]}}}", value))


def _split(text: str, name: str) -> tuple[str, str, str]:
    """The text before a model's table, the table, and what follows."""
    start = re.search(rf'(?m)^\[models\."?{re.escape(name)}"?\][^\n]*\n', text)
    assert start is not None, "the manifest was read from this text"
    following = re.compile(r"(?m)^\[").search(text, start.end())
    end = following.start() if following else len(text)
    return text[: start.end()], text[start.end() : end], text[end:]
