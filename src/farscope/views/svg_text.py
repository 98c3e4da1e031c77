"""SVG generation: elements with escaped text, and the colours of the light and dark themes."""

from __future__ import annotations

import re
from xml.sax.saxutils import escape as xml_escape
from xml.sax.saxutils import quoteattr

from farscope.views.labels import visible
from farscope.views.terminal_width import width

CELL = 8
"""Pixels a character of the monospaced font takes, rounded up, so that nothing is measured too narrow."""

_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

STYLE = """
.farscope{--paper:#ffffff;--ink:#1c2430;--soft:#626c7a;--line:#c3cad4;--accent:#0b62c4;--fill:#f3f5f8;
font:13px ui-monospace,"DejaVu Sans Mono",Menlo,Consolas,monospace}
@media (prefers-color-scheme:dark){.farscope{--paper:#12161c;--ink:#e4e8ee;--soft:#8a94a3;--line:#3b4450;
--accent:#6cb0ff;--fill:#1b212a}}
.farscope .paper{fill:var(--paper)}
.farscope text{fill:var(--ink);white-space:pre}
.farscope .soft{fill:var(--soft)}
.farscope .life{stroke:var(--line);stroke-dasharray:3 4}
.farscope .arrow{stroke:var(--accent);fill:none;stroke-width:1.4}
.farscope .claimed{stroke-dasharray:5 4}
.farscope .head{fill:var(--accent)}
.farscope .box{fill:var(--fill);stroke:var(--line)}
.farscope .frame{fill:none;stroke:var(--soft);stroke-dasharray:6 3}
"""


def wide(text: str) -> int:
    """Return the pixels that ``text``, already visible, takes at most."""
    return width(text) * CELL


def xml_text(text: str) -> str:
    """Return ``text`` as XML character data that shows it as it is, control characters visible."""
    return xml_escape(_NOT_XML.sub("\ufffd", visible(text)))


def label(x: int, y: int, text: str, *, anchor: str = "middle", kind: str = "") -> str:
    """Return a text element; ``y`` is its base line."""
    kinds = f' class="{kind}"' if kind else ""
    return f'<text x="{x}" y="{y}" text-anchor="{anchor}"{kinds}>{xml_text(text)}</text>'


def document(size: tuple[int, int], title: str, parts: list[str]) -> str:
    """Return a whole SVG file: no script, nothing from elsewhere, light or dark as the reader's system is."""
    across, down = size
    name = quoteattr(xml_text(title))
    frame = f'width="{across}" height="{down}" viewBox="0 0 {across} {down}"'
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" class="farscope" {frame} role="img" aria-label={name}>',
            f"<style>{STYLE}</style>",
            f'<rect class="paper" width="{across}" height="{down}"/>',
            *parts,
            "</svg>\n",
        ]
    )
