"""Sections of a documentation page that a program writes again: each stands between two marks with its name."""

from __future__ import annotations

from pathlib import Path


def write_section(page: Path, name: str, body: str) -> None:
    """Put `body` between `<!-- name -->` and `<!-- end of name -->`.

    Raises:
        ValueError: the page lacks a mark.
    """
    begin, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
    text = page.read_text()
    if begin not in text or end not in text.partition(begin)[2]:
        raise ValueError(f"{page} has no lines {begin} and {end}")
    before, _, rest = text.partition(begin)
    page.write_text(f"{before}{begin}\n\n{body.strip()}\n\n{end}{rest.partition(end)[2]}")
