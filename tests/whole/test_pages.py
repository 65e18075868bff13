"""The sections of pages that commands write."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.pages import write


@pytest.mark.parametrize("marks", ["", "<!-- s: begin -->", "<!-- s: begin --><!-- s: end -->" * 2])
def test_a_page_without_the_marks_is_refused(marks: str, tmp_path: Path) -> None:
    """A page that has not each mark once stays as it is."""
    page = tmp_path / "page.md"
    page.write_text(marks)
    with pytest.raises(ValueError, match="must each stand there once"):
        write(page, "s", "new")
    assert page.read_text() == marks


def test_a_section_stands_between_what_others_wrote(tmp_path: Path) -> None:
    """The one that is there is replaced, once, and the rest of the page stays as it was."""
    page = tmp_path / "page.md"
    page.write_text("# Page\n\n<!-- a: begin --><!-- a: end -->\n\n<!-- b: begin -->\n\nothers\n\n<!-- b: end -->\n")
    for content in ("FIRST\n", "SECOND\n"):
        write(page, "a", content)
    assert page.read_text() == (
        "# Page\n\n<!-- a: begin -->\n\nSECOND\n\n<!-- a: end -->\n\n<!-- b: begin -->\n\nothers\n\n<!-- b: end -->\n"
    )
