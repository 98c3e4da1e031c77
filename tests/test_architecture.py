"""The files that the page on architecture and the contributor's guide name exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "src" / "farscope"
ARCHITECTURE = ROOT / "docs" / "architecture.md"
PAGES = (ARCHITECTURE, ROOT / "CONTRIBUTING.md")
CODE = re.compile(r"`([^`\n]+)`")
PATH = re.compile(r"[\w.]+(/[\w.*]+)*/?")
SUFFIXES = (".py", ".md", ".js", ".toml")
PLACEHOLDER = "NAME"


def paths_in(text: str) -> list[str]:
    """Return what a page writes as code and means as a path, without those that a reader is to invent."""
    found = [each for each in CODE.findall(text) if PATH.fullmatch(each) and PLACEHOLDER not in each]
    return [each for each in found if "/" in each or each.endswith(SUFFIXES)]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_path_that_a_page_for_contributors_names_exists(page):
    paths = paths_in(page.read_text())
    assert paths
    missing = [path for path in paths if not any((base / path).exists() for base in (ROOT, PACKAGE))]
    assert not missing


def test_the_place_of_a_new_file_exists():
    places = re.findall(rf"`([\w/]+)/{PLACEHOLDER}\.py`", ARCHITECTURE.read_text())
    assert places
    assert all((ROOT / place).is_dir() for place in places)


def test_every_layer_is_explained():
    table = ARCHITECTURE.read_text().partition("## Layers")[2].partition("## ")[0]
    explained = set(re.findall(r"^\| \d \| `([\w.]+)` \|", table, re.MULTILINE))
    folders = {path.parent.name for path in PACKAGE.glob("[a-z]*/__init__.py")}
    assert explained == folders | {"errors.py"}
