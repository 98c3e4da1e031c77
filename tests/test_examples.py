"""Each example runs and prints what its docstring says."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

NEED_BROKER = {"miros_rabbit_producer", "miros_local_consumer"}
"""tests/miros_example runs these."""
EXAMPLES = sorted(
    path for path in (Path(__file__).parent.parent / "examples").glob("*.py") if path.stem not in NEED_BROKER
)
_STAMP = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{6}")


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_prints_what_its_docstring_says(example: Path, tmp_path: Path):
    done = subprocess.run(
        [sys.executable, str(example)],
        cwd=tmp_path,
        input="\n\n",
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert without_times(done.stdout) == without_times(promised_output(example))


def promised_output(example: Path) -> str:
    """Return the indented block that ends the docstring."""
    docstring = ast.get_docstring(ast.parse(example.read_text())) or ""
    return textwrap.dedent(docstring.partition("::\n")[2])


def without_times(text: str) -> list[str]:
    return [line for line in _STAMP.sub("TIME", text).splitlines() if line]
