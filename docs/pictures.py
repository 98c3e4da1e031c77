"""Draw the pictures in ``docs/img`` from the actual output of the program: ``make pictures``.

Run it after a change to what ``farscope watch`` shows. The pictures use the reader's own monospace
font and load nothing.
"""

from __future__ import annotations

import io
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.text import Text

WIDTH = 100
IMAGES = Path(__file__).parent / "img"

FORMAT = """\
<svg viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg" role="img">
<style>
.{unique_id}-matrix {{ font: {char_height}px ui-monospace, Menlo, Consolas, "DejaVu Sans Mono", monospace;
  line-height: {line_height}px; }}
.{unique_id}-title {{ font: bold 16px sans-serif; }}
{styles}
</style>
<defs><clipPath id="{unique_id}-clip-terminal">
<rect x="0" y="0" width="{terminal_width}" height="{terminal_height}" /></clipPath>
{lines}
</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">
{matrix}
</g></g></svg>
"""


def main() -> None:
    """Run two producers, watch them, and draw what was printed."""
    with tempfile.TemporaryDirectory() as folder:
        surroundings = {**os.environ, "HOME": folder, "XDG_STATE_HOME": folder, "XDG_CONFIG_HOME": folder}
        surroundings["FORCE_COLOR"] = "1"
        produce = (
            "import sys, threading; from farscope import Event, broadcast\n"
            "from farscope.cli.demo.producer import build\n"
            "done = threading.Event(); chart, outer = build(sys.argv[1], done)\n"
            "with broadcast(chart):\n"
            "    chart.start_at(outer)\n"
            "    for name in 'AAB': chart.post_fifo(Event(signal=name))\n"
            "    done.wait(); chart.stop()\n"
        )
        for name in ("pump station", "valve 7"):
            subprocess.run([sys.executable, "-c", produce, name], env=surroundings, check=True)
        command = [sys.executable, "-m", "farscope", "watch", "--since", "start", "--for", "1s"]
        draw("watch", "farscope watch --since start", run(command, surroundings).replace(folder, "~"))


def run(command: list[str], surroundings: dict[str, str]) -> str:
    """Return what a command prints on both its outputs."""
    done = subprocess.run(
        command, env=surroundings, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=True
    )
    return done.stdout


def draw(name: str, command: str, output: str) -> None:
    """Write a terminal that shows the command and its output."""
    console = Console(
        record=True, width=WIDTH, file=io.StringIO(), force_terminal=True, color_system="truecolor"
    )
    console.print(Text(f"$ {command}", style="bold"))
    console.print(Text.from_ansi(output), end="")
    IMAGES.mkdir(exist_ok=True)
    console.save_svg(str(IMAGES / f"{name}.svg"), title="farscope", code_format=FORMAT, unique_id="t")


if __name__ == "__main__":
    main()
