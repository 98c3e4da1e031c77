"""The page's colours, as its style sheet has them."""

from __future__ import annotations

import re

import pytest

from farscope.views.svg_text import STYLE
from farscope.views.web.assets import STATIC

ENOUGH = 4.5
"""The least contrast of text to its ground that the Web Content Accessibility Guidelines (AA) ask for."""


def luminance(colour: str) -> float:
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def contrast(one: str, other: str) -> float:
    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def page_colours(scheme: int) -> dict[str, str]:
    found = re.findall(
        r"--([\w-]+): light-dark\((#\w{6}), (#\w{6})\)", (STATIC / "base.css").read_text(encoding="utf-8")
    )
    return {name: both[scheme] for name, *both in found}


def diagram_colours(scheme: int) -> dict[str, str]:
    return dict(re.findall(r"--(\w+):(#\w{6})", STYLE.split("@media")[scheme]))


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize("ground", ["paper", "panel", "hover", "accent-soft"])
@pytest.mark.parametrize("text", ["ink", "soft", "accent", "bad", "good"])
def test_text_can_be_read_on_every_ground_of_the_page(text, ground, scheme):
    colours = page_colours(scheme)
    assert contrast(colours[text], colours[ground]) >= ENOUGH


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize("text", ["ink", "soft"])
def test_text_can_be_read_in_diagrams(text, scheme):
    colours = diagram_colours(scheme)
    assert contrast(colours[text], colours["paper"]) >= ENOUGH
    assert contrast(colours[text], colours["fill"]) >= ENOUGH
