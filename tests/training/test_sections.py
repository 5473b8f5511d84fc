"""Generated sections of documentation pages."""

from pathlib import Path

import pytest

from training.sections import write_section


def test_a_section_is_replaced_and_the_rest_stays(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# Page\n<!-- a -->\nold\n<!-- end of a -->\nmiddle\n<!-- b -->\n<!-- end of b -->\nend\n")
    write_section(page, "b", "second\n")
    write_section(page, "a", "first\n")
    write_section(page, "a", "first\n")
    assert page.read_text() == (
        "# Page\n<!-- a -->\n\nfirst\n\n<!-- end of a -->\nmiddle\n<!-- b -->\n\nsecond\n\n<!-- end of b -->\nend\n"
    )


@pytest.mark.parametrize("text", ["", "<!-- a -->", "<!-- end of a -->\n<!-- a -->"])
def test_a_page_without_both_marks_is_left_alone(tmp_path: Path, text: str) -> None:
    page = tmp_path / "page.md"
    page.write_text(text)
    with pytest.raises(ValueError, match="end of a"):
        write_section(page, "a", "first")
    assert page.read_text() == text


def test_the_limits_page_has_the_marks_that_programs_fill() -> None:
    text = (Path(__file__).parents[2] / "docs/limits.md").read_text()
    for name in ("bad-input", "calibration"):
        assert text.index(f"<!-- {name} -->") < text.index(f"<!-- end of {name} -->")
