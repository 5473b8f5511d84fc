"""The contracts: linted, formatted, compatible with main, and the generated code fresh."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PROTO = "protos/spark/v1/reconstruction_service.proto"


def buf(*arguments: str, folder: Path = ROOT) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    return subprocess.run(
        ["buf", *arguments], cwd=folder, env=environment, capture_output=True, text=True, timeout=120, check=False
    )


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The contracts alone, where a test may spoil them."""
    folder = tmp_path / "copy"
    for name in ("protos", "third_party"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("*.py", "*.pyi", "__pycache__"))
    shutil.copy(ROOT / "buf.yaml", folder)
    return folder


def test_lint_is_clean() -> None:
    result = buf("lint")
    assert result.returncode == 0, result.stdout + result.stderr


def test_lint_would_notice(copy: Path) -> None:
    proto = copy / PROTO
    proto.write_text(proto.read_text() + "\nmessage bad_name { int32 BadField = 1; }\n")
    assert "bad_name" in buf("lint", folder=copy).stdout


def test_format_is_clean() -> None:
    result = buf("format", "--diff", "--exit-code", "protos")
    assert result.returncode == 0, result.stdout + result.stderr


def test_generated_code_is_fresh(tmp_path: Path) -> None:
    result = buf("generate", "--output", str(tmp_path))
    assert result.returncode == 0, result.stdout + result.stderr
    generated = {path.relative_to(tmp_path) for path in tmp_path.rglob("*.py*")}
    committed = {path.relative_to(ROOT) for path in (ROOT / "protos").rglob("*_pb2*.py*") if path.suffix != ".pyc"}
    assert generated == committed
    stale = [str(path) for path in generated if (tmp_path / path).read_text() != (ROOT / path).read_text()]
    assert not stale, "run `make protos`"


def test_nothing_breaks_what_main_promised() -> None:
    refs = [ref for ref in ("refs/heads/main", "refs/remotes/origin/main") if _git_has(ref)]
    for ref in refs:
        result = buf("breaking", "--against", f".git#ref={ref}")
        assert result.returncode == 0, result.stdout + result.stderr


def test_breaking_would_notice(copy: Path) -> None:
    proto = copy / PROTO
    proto.write_text(proto.read_text().replace("int64 seed = 1 [", "string seed = 1 ["))
    result = buf("breaking", "--against", str(ROOT), folder=copy)
    assert result.returncode != 0
    assert '"seed"' in result.stdout


def _git_has(ref: str) -> bool:
    command = ["git", "rev-parse", "--verify", "--quiet", f"{ref}:buf.yaml"]
    return subprocess.run(command, cwd=ROOT, capture_output=True, check=False).returncode == 0
