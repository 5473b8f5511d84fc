"""The manifest of all models, and digests at the moment of loading."""

from pathlib import Path

import pytest
from manifests import write_manifest

from checkpoints.digest import folder_digest
from checkpoints.errors import CheckpointMissing, DigestMismatch, ManifestInvalid
from checkpoints.manifest import FAMILIES, MANIFEST, STAGES, Manifest, checked_digest

SHIPPED = Path(__file__).parents[2] / "models" / MANIFEST


def model(root: Path) -> Path:
    """A folder where the manifest of `write_manifest` has its model."""
    folder = root / "full/model"
    folder.mkdir(parents=True)
    (folder / "model.safetensors").write_bytes(b"weights")
    return folder


def test_the_shipped_manifest_names_a_model_of_each_stage_in_both_families() -> None:
    manifest = Manifest.read(SHIPPED)
    for family in FAMILIES:
        assert {entry.stage for entry in manifest.entries if entry.family == family} == set(STAGES)


def test_a_model_is_found_by_name(tmp_path: Path) -> None:
    entry = write_manifest(tmp_path)["toy"]
    assert (entry.repository, entry.licence, entry.gpu_memory_gib, entry.pinned) == ("owner/model", "MIT", 2.5, False)


def test_an_unknown_model_is_an_error_that_names_the_known(tmp_path: Path) -> None:
    with pytest.raises(ManifestInvalid, match="no model other; it lists toy"):
        write_manifest(tmp_path)["other"]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("family", '"medium"'),
        ("stage", '"refine"'),
        ("folder", '"../elsewhere"'),
        ("folder", '"/etc"'),
        ("repository", '"only-a-name"'),
        ("revision", '"main"'),
        ("digest", '"abc"'),
        ("licence", '""'),
        ("licence", "3"),
        ("gpu_memory_gib", '"much"'),
        ("gpu_memory_gib", "-1"),
        ("files", '"*"'),
        ("files", "[3]"),
        ("remote_code", "true"),
    ],
)
def test_a_field_that_breaks_a_rule_is_named(tmp_path: Path, field: str, value: str) -> None:
    with pytest.raises(ManifestInvalid, match=f"toy: {field}"):
        write_manifest(tmp_path, **{field: value})


@pytest.mark.parametrize("text", ["", "models = 3", "[models.toy", "[models.toy]\nfamily = 'full'\n"])
def test_what_is_no_manifest_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / MANIFEST).write_text(text)
    with pytest.raises(ManifestInvalid):
        Manifest.read(tmp_path / MANIFEST)


def test_two_models_cannot_share_a_folder(tmp_path: Path) -> None:
    text = write_manifest(tmp_path).path.read_text()
    (tmp_path / MANIFEST).write_text(text + text.replace("models.toy", "models.second"))
    with pytest.raises(ManifestInvalid, match="full/model twice"):
        Manifest.read(tmp_path / MANIFEST)


def test_pinning_changes_one_table_s_two_fields_only(tmp_path: Path) -> None:
    manifest = write_manifest(tmp_path, digest='""')
    before = manifest.path.read_text()
    manifest.pin(manifest["toy"], 64 * "a", 40 * "b")
    entry = Manifest.read(manifest.path)["toy"]
    assert (entry.digest, entry.revision) == (64 * "a", 40 * "b")
    after = manifest.path.read_text().splitlines()
    changed = [line for line in after if line not in before.splitlines()]
    assert [line.split(" = ")[0] for line in changed] == ["digest", "revision"]
    assert "# the last one" in after


def test_a_new_field_stands_before_a_comment_on_the_next_table(tmp_path: Path) -> None:
    path = tmp_path / MANIFEST
    first, second = (
        f'[models.{name}]\nfamily = "full"\nstage = "shape"\nfolder = "{name}"\nlicence = "MIT"\n' for name in "ab"
    )
    path.write_text(f"{first}gpu_memory_gib = 1.0\n\n# on b\n{second}gpu_memory_gib = 2.0\n")
    manifest = Manifest.read(path)
    manifest.pin(manifest["a"], 64 * "a")
    assert f'gpu_memory_gib = 1.0\ndigest = "{64 * "a"}"\n\n# on b\n[models.b]' in path.read_text()


def test_a_folder_with_the_manifest_s_digest_may_be_served(tmp_path: Path) -> None:
    folder = model(tmp_path)
    write_manifest(tmp_path, digest=f'"{folder_digest(folder)}"')
    assert checked_digest(folder) == folder_digest(folder)


def test_a_folder_with_another_digest_is_refused(tmp_path: Path) -> None:
    folder = model(tmp_path)
    write_manifest(tmp_path, digest=f'"{folder_digest(folder)}"')
    (folder / "model.safetensors").write_bytes(b"weightz")
    with pytest.raises(DigestMismatch, match=r"toy is not the model .*spark models pin toy"):
        checked_digest(folder)


def test_a_folder_of_this_repository_may_be_served_without_a_digest(tmp_path: Path) -> None:
    folder = model(tmp_path)
    write_manifest(tmp_path, repository='""')
    assert checked_digest(folder) == folder_digest(folder)


def test_a_missing_folder_is_typed(tmp_path: Path) -> None:
    with pytest.raises(CheckpointMissing, match="train or pull"):
        checked_digest(tmp_path / "nothing")


def test_the_shipped_weights_are_those_that_the_manifest_names() -> None:
    manifest = Manifest.read(SHIPPED)
    shipped = [entry for entry in manifest.entries if entry.pinned and not entry.repository]
    assert {entry.name: manifest.verify(entry) for entry in shipped} == {e.name: e.digest for e in shipped}


def test_a_listed_folder_from_a_hub_without_a_digest_is_refused(tmp_path: Path) -> None:
    folder = model(tmp_path)
    write_manifest(tmp_path)
    with pytest.raises(DigestMismatch, match="names no digest for toy"):
        checked_digest(folder)


def test_a_folder_that_is_not_listed_may_be_served(tmp_path: Path) -> None:
    write_manifest(tmp_path)
    other = tmp_path / "full/other"
    other.mkdir(parents=True)
    (other / "model.safetensors").write_bytes(b"new")
    assert checked_digest(other) == folder_digest(other)


def test_a_folder_of_several_models_needs_the_digest_of_each(tmp_path: Path) -> None:
    folder = model(tmp_path)
    write_manifest(tmp_path, digest=f'"{folder_digest(folder)}"')
    assert checked_digest(folder.parent) == folder_digest(folder.parent)
    (folder / "model.safetensors").write_bytes(b"weightz")
    with pytest.raises(DigestMismatch, match="toy is not the model"):
        checked_digest(folder.parent)


def test_an_absent_model_cannot_be_verified(tmp_path: Path) -> None:
    manifest = write_manifest(tmp_path, digest=f'"{64 * "a"}"')
    with pytest.raises(CheckpointMissing, match="toy is not there"):
        manifest.verify(manifest["toy"])
