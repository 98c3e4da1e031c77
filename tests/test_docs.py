"""Every snippet and command in README and docs is run, and every link leads somewhere.

A page's fences run in order, in a folder of the page's own:

* ```` ```python NAME.py ```` is saved under that name, for a command to run; without a name it is run as it
  stands;
* ```` ```console ```` runs each line behind ``$ `` with bash; the lines below it must appear in its
  output, in this order, where ``...`` stands for anything;
* ``<!-- not run: REASON -->`` right above a fence leaves it out; those are counted;
* fences of other kinds are pictures of something and are not run.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from farscope.cli.main import VERBS

ROOT = Path(__file__).parent.parent
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    *sorted(path for path in (ROOT / "docs").rglob("*.md") if "decisions" not in path.parts),
]
NOT_RUN = 1
"""How many fences are left out, each with its reason; a new one is a decision, not an accident."""

COMMAND_S = 30
_FENCE = re.compile(
    r"(?:<!-- not run: (?P<reason>[^\n]+) -->\n+)?^```(?P<kind>\w+)(?: (?P<name>\S+))?\n(?P<body>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
_LINK = re.compile(r"\]\((?!https?:|#)([^)#\s]+)")


class Fence(NamedTuple):
    kind: str
    name: str
    body: str
    reason: str


def fences_of(page: Path) -> list[Fence]:
    return [
        Fence(found["kind"], found["name"] or "", found["body"], found["reason"] or "")
        for found in _FENCE.finditer(page.read_text())
        if found["kind"] in ("python", "console")
    ]


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.mark.parametrize("page", [page for page in PAGES if fences_of(page)], ids=name_of)
def test_snippets_and_commands_do_what_the_page_says(page: Path, tmp_path: Path):
    folder = tmp_path / "page"
    folder.mkdir()
    for fence in fences_of(page):
        if fence.reason:
            continue
        if fence.kind == "console":
            run_console(fence.body, folder)
        elif fence.name:
            (folder / fence.name).write_text(fence.body)
        else:
            run([sys.executable, "-c", fence.body], folder)


def test_fences_left_out_are_few_and_say_why():
    left_out = [(name_of(page), fence.reason) for page in PAGES for fence in fences_of(page) if fence.reason]
    assert len(left_out) == NOT_RUN, left_out


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_lead_to_files_that_exist(page: Path):
    missing = [link for link in _LINK.findall(page.read_text()) if not (page.parent / link).exists()]
    assert not missing


def test_every_page_is_reached_from_the_index():
    index = ROOT / "docs" / "README.md"
    linked = {(index.parent / link).resolve() for link in _LINK.findall(index.read_text())}
    pages = {path for path in (ROOT / "docs").rglob("*.md") if "decisions" not in path.parts}
    assert not {name_of(page) for page in pages - {index} if page.resolve() not in linked}


def test_every_verb_is_shown_in_the_docs():
    text = "\n".join(page.read_text() for page in PAGES)
    assert not [verb for verb in VERBS if f"farscope {verb}" not in text]


def run_console(body: str, folder: Path) -> None:
    commands: list[tuple[str, list[str]]] = []
    for line in body.splitlines():
        if line.startswith("$ "):
            commands.append((line.removeprefix("$ "), []))
        else:
            commands[-1][1].append(line)
    for command, expected in commands:
        output = run(["bash", "-c", command], folder)
        assert_shows(output, expected, command)


def run(command: list[str], folder: Path) -> str:
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    done = subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, "PATH": path},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=COMMAND_S,
        check=False,
    )
    assert "Traceback" not in done.stdout, done.stdout
    return done.stdout


def assert_shows(output: str, expected: list[str], command: str) -> None:
    remaining = iter(output.splitlines())
    for line in expected:
        pattern = re.compile(".*".join(re.escape(part) for part in line.strip().split("...")))
        if pattern.pattern and not any(pattern.fullmatch(shown.strip()) for shown in remaining):
            pytest.fail(f"`{command}` does not show {line!r}; it shows:\n{output}", pytrace=False)
