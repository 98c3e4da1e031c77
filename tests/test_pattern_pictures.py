"""The pictures of the pattern pages are those that the program draws."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

DOCS = Path(__file__).parent.parent / "docs"
PAGES = sorted((DOCS / "patterns").glob("*.md"))
drawn = runpy.run_path(str(DOCS / "pattern_pictures.py"))["drawn"]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_each_picture_is_drawn_from_what_the_program_does(page):
    assert page.read_text() == drawn(page.read_text()), "run make pictures"


def test_a_page_without_a_program_or_mark_is_refused():
    with pytest.raises(ValueError, match="no program"):
        drawn("# Nothing")
