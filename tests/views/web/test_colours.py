"""The page's colours, as its style sheet has them."""

from __future__ import annotations

import re

import pytest

from farscope.views.svg_text import STYLE
from farscope.views.web.assets import STATIC


def page_colours(scheme: int) -> dict[str, str]:
    found = re.findall(
        r"--([\w-]+): light-dark\((#\w{6}), (#\w{6})\)", (STATIC / "base.css").read_text(encoding="utf-8")
    )
    return {name: both[scheme] for name, *both in found}


def diagram_colours(scheme: int) -> dict[str, str]:
    return dict(re.findall(r"--(\w+):(#\w{6})", STYLE.split("@media")[scheme]))


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize("ground", ["paper", "panel", "hover", "accent-soft"])
@pytest.mark.parametrize("text", ["ink", "soft", "accent", "bad", "warn", "good"])
def test_text_can_be_read_on_every_ground_of_the_page(text, ground, scheme, readable):
    colours = page_colours(scheme)
    assert readable(colours[text], colours[ground])


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize("text", ["ink", "soft"])
def test_text_can_be_read_in_diagrams(text, scheme, readable):
    colours = diagram_colours(scheme)
    assert readable(colours[text], colours["paper"])
    assert readable(colours[text], colours["fill"])
