"""The documents name only what exists: files, headings, paths, settings and their defaults."""

import re
from pathlib import Path

import pytest
from pydantic_settings import BaseSettings

from gateway.settings import Settings
from services.refinement.settings import RefinementSettings
from services.vlm.settings import VlmSettings

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([*ROOT.glob("docs/**/*.md"), ROOT / "examples/README.md", ROOT / "README.md"])
TOUR = sorted(ROOT.glob("docs/architecture/*.md"))
OPERATIONS = ROOT / "docs/operations.md"
SETTINGS: tuple[type[BaseSettings], ...] = (Settings, VlmSettings, RefinementSettings)

LINK = re.compile(r"\]\((?!https?://)([^)\s]+)\)")
PATH = re.compile(r"`([a-z0-9_.-]+(?:/[a-zA-Z0-9_.-]+)*/?)`")
PLACEHOLDER = re.compile(r"(?<![A-Z])(?!README)[A-Z]{2,}")
"""NAME in `docs/NAME.md`."""
WHERE = "Where to look\n"
FILE = re.compile(r"\.(py|md|proto|pbtxt|json|toml)$")
VARIABLE = re.compile(r"SPARK_[A-Z0-9_]*[A-Z0-9]\b")
CODE = ("articulation", "client", "gateway", "models", "protos", "services", "serving", "training")
FOLDERS = {*CODE, "docs", "examples", "tests"}


def relative(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def anchors(page: Path) -> set[str]:
    """The anchors that a Markdown viewer makes of a page's headings."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^a-z0-9_ -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def named_paths(text: str) -> list[str]:
    """Paths that a text names, from the root; a bare file name lies in the folder of the file named before it."""
    found: list[str] = []
    folder = ""
    for name in PATH.findall(text):
        if PLACEHOLDER.search(name):
            continue
        if name.split("/")[0] in FOLDERS and "/" in name:
            folder = name.rpartition("/")[0]
            found.append(name)
        elif folder and FILE.search(name) and "/" not in name:
            found.append(f"{folder}/{name}")
    return found


def last_section(page: Path) -> str:
    return page.read_text().rpartition("\n## ")[2]


@pytest.mark.parametrize("page", PAGES, ids=relative)
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    for target in LINK.findall(page.read_text()):
        path, _, anchor = target.partition("#")
        there = (page.parent / path).resolve() if path else page
        assert there.exists(), target
        assert not anchor or anchor in anchors(there), target


@pytest.mark.parametrize("page", PAGES, ids=relative)
def test_every_path_from_the_root_exists(page: Path) -> None:
    rooted = [name for name in PATH.findall(page.read_text()) if "/" in name and name.split("/")[0] in FOLDERS]
    assert [name for name in rooted if not PLACEHOLDER.search(name) and not (ROOT / name).exists()] == []


@pytest.mark.parametrize("page", [page for page in PAGES if last_section(page).startswith(WHERE)], ids=relative)
def test_every_path_under_where_to_look_exists(page: Path) -> None:
    paths = named_paths(last_section(page))
    assert paths
    assert [name for name in paths if not (ROOT / name).exists()] == []


@pytest.mark.parametrize("page", TOUR, ids=relative)
def test_every_page_of_the_tour_ends_with_where_to_look(page: Path) -> None:
    assert last_section(page).startswith(WHERE)


def test_every_page_of_the_tour_is_listed_in_the_overview() -> None:
    overview, *others = TOUR
    assert {page.name for page in others} <= set(LINK.findall(overview.read_text()))


def settings_variables() -> dict[str, object]:
    """Each variable that a service reads, and its default."""
    return {
        f"{cls.model_config['env_prefix']}{name}".upper(): field.default
        for cls in SETTINGS
        for name, field in cls.model_fields.items()
    }


def sources() -> dict[str, str]:
    """The Python files of the repository, tests aside."""
    return {relative(path): path.read_text() for folder in CODE for path in (ROOT / folder).rglob("*.py")}


def command_variables() -> set[str]:
    """The variables that stand behind options of the commands."""
    return {name for text in sources().values() for name in re.findall(r'envvar="(SPARK_\w+)"', text)}


def test_operations_lists_exactly_the_variables_that_are_read() -> None:
    page = set(VARIABLE.findall(OPERATIONS.read_text()))
    assert page == settings_variables().keys() | command_variables()


def test_every_variable_named_in_code_or_documents_is_read() -> None:
    texts = sources() | {relative(page): page.read_text() for page in PAGES}
    known = settings_variables().keys() | command_variables()
    assert {name: wrong for name, text in texts.items() if (wrong := set(VARIABLE.findall(text)) - known)} == {}


def written(default: object) -> str:
    """A default as the page writes it."""
    if default is None or str(default) == "":
        return "none" if default is None else "empty"
    return str(default).lower() if isinstance(default, bool) else str(default)


def test_operations_gives_the_defaults_of_the_services() -> None:
    rows = dict(re.findall(r"^\| `(SPARK_\w+)` \| `?([^|`]+)`? \|", OPERATIONS.read_text(), re.MULTILINE))
    expected = {name: written(default) for name, default in settings_variables().items()}
    assert {name: rows.get(name, "").strip() for name in expected} == expected
