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
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import click
import pytest

from farscope import errors as farscope_errors
from farscope.cli.exit_codes import EXIT_BUG, EXIT_INTERRUPTED
from farscope.cli.main import COMMANDS, farscope
from farscope.scope.gaps import NumberRange
from farscope.scope.notice import Notice, NoticeKind
from farscope.views.text import notice_line

ROOT = Path(__file__).parent.parent
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    *sorted(path for path in (ROOT / "docs").rglob("*.md") if "decisions" not in path.parts),
]
NOT_RUN = 1
"""How many fences are left out, each with its reason; a new one is a decision, not an accident."""

ALL_TEXT = "\n".join(page.read_text() for page in PAGES)
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


def test_what_the_readme_asks_a_scope_shows_the_newest_of_several_runs(tmp_path: Path):
    fences = [fence for fence in fences_of(ROOT / "README.md") if fence.kind == "python"]
    (program,) = [fence.body for fence in fences if fence.name == "lamp.py"]
    (look,) = [fence.body for fence in fences if 'scope["lamp"]' in fence.body]
    (tmp_path / "lamp.py").write_text(program)
    run_console("$ echo | python lamp.py\n$ python lamp.py < /dev/null\n", tmp_path)
    shown = run([sys.executable, "-c", look], tmp_path)
    assert "start_at()" in shown
    assert "PRESS()" not in shown


BUSY = """
from farscope import Event, Factory, broadcast

busy = Factory("busy", threaded=False)
here = busy.create("here").catch("AGAIN", lambda chart, event: chart.trans("here")).to_method()
busy.nest(here, parent=None)
with broadcast(busy):
    busy.start_at(here)
    for _ in range(5_000):
        busy.dispatch(Event("AGAIN"))
"""


@pytest.mark.parametrize(
    ("page", "programs", "look", "shows"),
    [
        ("README.md", ("lamp.py",), 'scope["lamp"]', "[lamp] e->PRESS() off->on"),
        ("docs/tutorial.md", ("door.py", "visible.py"), 'scope["door"]', "ignored: ['KNOCK']"),
    ],
)
def test_what_a_page_asks_a_scope_is_found_behind_the_steps_of_a_busy_chart(
    page: str, programs: tuple[str, ...], look: str, shows: str, tmp_path: Path
):
    fences = [fence for fence in fences_of(ROOT / page) if fence.kind == "python"]
    for fence in fences:
        if fence.name in programs:
            (tmp_path / fence.name).write_text(fence.body)
    (asking,) = [fence.body for fence in fences if look in fence.body]
    run([sys.executable, "-c", BUSY], tmp_path)
    run_console(f"$ echo | python {programs[-1]}\n", tmp_path)
    assert shows in run([sys.executable, "-c", asking], tmp_path)


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


def test_every_command_and_option_is_shown_in_the_docs():
    missing = []
    for name in COMMANDS:
        for path, command in commands_of(name, farscope.get_command(None, name)):
            options = [
                option for parameter in command.params for option in parameter.opts if option[0] == "-"
            ]
            missing += [word for word in (f"farscope {path}", *options) if word not in ALL_TEXT]
    assert not missing


def test_every_environment_variable_is_told_in_the_docs():
    source = "\n".join(path.read_text() for path in (ROOT / "src").rglob("*.py"))
    assert not {name for name in re.findall(r"\bFARSCOPE_[A-Z_]+[A-Z]\b", source) if name not in ALL_TEXT}


def test_nothing_is_said_to_come_from_a_package_index_that_does_not_have_it():
    told = ALL_TEXT + "\n".join(path.read_text() for path in (ROOT / "src").rglob("*.py"))
    assert not re.findall(r"pip install [^\n]*(?<!/)\bfarscope(?:\[|\b(?!-))", told)


def test_every_exit_code_is_told_in_the_docs():
    told = set(re.findall(r"^\| (\d+) \|", (ROOT / "docs/howto/errors.md").read_text(), re.MULTILINE))
    errors = [value for value in vars(farscope_errors).values() if isinstance(value, type)]
    codes = {error.exit_code for error in errors if issubclass(error, farscope_errors.FarscopeError)}
    assert told == {str(code) for code in (0, EXIT_INTERRUPTED, EXIT_BUG, *codes)}


@pytest.mark.parametrize("kind", NoticeKind)
def test_every_notice_is_explained_in_its_own_words(kind: NoticeKind):
    of_a_process = kind in (NoticeKind.MISSING, NoticeKind.FOUND, NoticeKind.DROPPED)
    of_the_log = kind is NoticeKind.REFUSED or kind.startswith("log")
    subject = "" if of_the_log else "hall" if of_a_process else "door"
    gives_a_reason = of_a_process or (of_the_log and kind is not NoticeKind.LOG_AVAILABLE)
    clocks = {NoticeKind.CLOCK_OFF: "40.0 s ahead of this machine's", NoticeKind.OLD: "93,600.0 s"}
    detail = clocks.get(kind, "")
    notice = Notice(
        kind=kind,
        subject=subject,
        detail="why" if gives_a_reason else detail,
        count=3,
        span=NumberRange(4, 6),
    )
    assert f"| `{notice_line(notice)}` |" in (ROOT / "docs/howto/watch.md").read_text()


def commands_of(path: str, command: click.Command) -> Iterator[tuple[str, click.Command]]:
    if isinstance(command, click.Group):
        for name, below in command.commands.items():
            yield from commands_of(f"{path} {name}", below)
    else:
        yield path, command


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


def test_every_decision_has_a_number_of_its_own_and_names_it_in_its_title():
    pages = sorted((ROOT / "docs" / "decisions").glob("*.md"))
    numbers = [page.name.partition("-")[0] for page in pages]
    assert len(set(numbers)) == len(numbers)
    assert all(
        page.read_text().startswith(f"# {number}: ") for page, number in zip(pages, numbers, strict=True)
    )
