"""The API reference is made from the code as it is, and leaves out nothing that is public."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import farscope
import farscope.engine

GENERATOR = Path(__file__).parent.parent / "docs" / "reference.py"


def test_the_page_is_what_the_code_says_and_has_every_public_name():
    spec = importlib.util.spec_from_file_location("reference", GENERATOR)
    assert spec is not None
    assert spec.loader is not None
    generator = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(generator)
    page = generator.reference()
    assert generator.PAGE.read_text() == page, "run: make reference"
    for name in {*farscope.__all__, *farscope.engine.__all__}:
        assert f"### {name}\n" in page
