"""mypy, at its strictest, reports about users' programs exactly what their comments say."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from mypy import api

FOLDER = Path(__file__).parent
PROGRAMS = sorted(path for path in FOLDER.glob("*.py") if not path.name.startswith("test_"))


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda path: path.stem)
def test_mypy_finds_the_mistakes_that_are_there_and_no_others(program, tmp_path):
    expected = {}
    for number, line in enumerate(program.read_text().splitlines(), 1):
        codes = re.search(r"# E: ([\w, -]+?)(  # noqa.*)?$", line)
        if codes:
            expected[number] = sorted(codes[1].split(", "))
    out, err, _ = api.run(
        [
            "--strict",
            "--enable-error-code=unused-coroutine",
            f"--cache-dir={tmp_path}",
            "--no-error-summary",
            str(program),
        ]
    )
    assert not err
    found: dict[int, list[str]] = {}
    for number, code in re.findall(r":(\d+): error: .*\[([\w-]+)\]$", out, re.MULTILINE):
        found.setdefault(int(number), []).append(code)
    assert {number: sorted(codes) for number, codes in found.items()} == expected, out
