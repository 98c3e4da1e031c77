from __future__ import annotations

import click
import pytest

from farscope.cli.duration import DURATION


@pytest.mark.parametrize(
    ("text", "seconds"), [("30s", 30.0), ("500ms", 0.5), ("1h30m", 5400.0), ("1.5", 1.5), ("0", 0.0)]
)
def test_a_span_becomes_seconds(text, seconds):
    assert DURATION.convert(text, None, None) == seconds


@pytest.mark.parametrize("text", ["", "soon", "-3s", "3 parsecs", "9" * 100])
def test_anything_else_is_refused_with_an_example(text):
    with pytest.raises(click.BadParameter, match="write a span like 10m"):
        DURATION.convert(text, None, None)
