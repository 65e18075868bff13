"""The pages that commands write: each command its own section, between two marks, so that the others' stay."""

from __future__ import annotations

from pathlib import Path


def write(page: Path, name: str, content: str) -> None:
    """Put a section between its two marks in a page.

    Raises:
        ValueError: if the page does not have them once each.
    """
    begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    text = page.read_text(encoding="utf-8")
    if text.count(begin) != 1 or text.count(end) != 1:
        raise ValueError(f"{page}: {begin} and {end} must each stand there once")
    before, rest = text.split(begin)
    page.write_text(f"{before}{begin}\n\n{content.strip()}\n\n{end}{rest.partition(end)[2]}", encoding="utf-8")
