"""Names with letters that the output cannot encode end no command, in any encoding."""

from __future__ import annotations

import ast
import os
import pty
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import click
import pytest

import farscope.cli
from farscope import Event, Factory, broadcast
from farscope.cli.exit_codes import escape_what_cannot_be_encoded, exit_code_of
from farscope.cli.main import COMMANDS
from farscope.cli.main import farscope as command
from farscope.cli.progress import Progress
from farscope.logs.recording.writer import RecordingWriter
from farscope.logs.url import open_log

ENCODINGS = ("ascii", "latin-1", "cp1252")
STATE = "geöffnet → ok"
ESCAPED = {
    "ascii": r"ge\xf6ffnet \u2192 ok",
    "latin-1": r"geöffnet \u2192 ok",
    "cp1252": r"geöffnet \u2192 ok",
}


def _breaks(_chart: Factory, _event: Event):
    raise OSError("→ stuck")


@pytest.fixture
def valve(log_url: str, tmp_path: Path) -> Path:
    """A recording of a valve whose names hold letters that few encodings have."""
    chart = Factory("Ventil ✓", threaded=False)
    chart.create(STATE).catch("prüfen →", lambda chart, _event: chart.trans(STATE)).catch("BREAK", _breaks)
    chart.nest(STATE, parent=None)
    with broadcast(chart, url=log_url):
        chart.start_at(STATE)
        chart.dispatch(Event("prüfen →"))
        with pytest.raises(OSError, match="stuck"):
            chart.dispatch(Event("BREAK"))
    path = tmp_path / "Ventil →.farscope"
    reader = open_log(log_url).reader(0)
    with RecordingWriter(path) as writer:
        writer.append(reader.read(1.0))
    reader.close()
    return path


class Done(NamedTuple):
    code: int
    out: str
    err: str


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Done]:
    """Run our command with standard streams of an encoding that takes nothing else."""

    def run_in(encoding: str, *arguments: object) -> Done:
        paths = [tmp_path / name for name in ("stdout", "stderr")]
        with monkeypatch.context() as patch:
            streams = [path.open("w", encoding=encoding, errors="strict") for path in paths]
            patch.setattr(sys, "stdout", streams[0])
            patch.setattr(sys, "stderr", streams[1])
            escape_what_cannot_be_encoded()
            code = exit_code_of(lambda: command.main([*map(str, arguments)], standalone_mode=False))
            for stream in streams:
                stream.close()
        return Done(code, *(path.read_bytes().decode(encoding) for path in paths))

    return run_in


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize(
    "verb",
    [
        ("watch",),
        ("watch", "--spy"),
        ("top",),
        ("replay", "--speed", "max"),
        ("sequence",),
        ("sequence", "--by", "chart"),
    ],
    ids=" ".join,
)
def test_every_verb_for_people_escapes_what_cannot_be_encoded(verb, encoding, valve, run):
    name, *options = verb
    done = run(encoding, name, valve, *options)
    assert done.code == 0, done.err
    assert ESCAPED[encoding] in done.out
    assert r"\u2713" in done.out


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_verbs_that_name_files_and_those_that_fail_do_as_well(encoding, valve, run, tmp_path):
    assert run(encoding, "inspect", valve).code == 0
    assert r"\u2192.farscope" in run(encoding, "record", tmp_path / "again →.farscope", valve).err
    assert r"no chart matched '\u2192'" in run(encoding, "watch", valve, "--chart", "→").err
    failed = run(encoding, "watch", tmp_path / "missing →" / "x.farscope")
    assert (failed.code > 0, failed.code == 70) == (True, False)
    assert r"\u2192" in failed.err
    wrong = run(encoding, "watch", "--→")
    assert (wrong.code, r"\u2192" in wrong.err) == (2, True)


@pytest.mark.parametrize("form", ["jsonl", "csv", "perfetto", "otlp", "mermaid", "plantuml"])
def test_what_programs_read_is_the_same_in_a_file_and_in_a_pipe_of_any_encoding(form, valve, run, tmp_path):
    target = tmp_path / "out"
    assert run("ascii", "export", valve, "--format", form, "--out", target).code == 0
    piped = subprocess.run(
        [sys.executable, "-m", "farscope", "export", str(valve), "--format", form],
        capture_output=True,
        check=True,
        env={**os.environ, "PYTHONIOENCODING": "ascii:strict"},
    )
    assert piped.stdout == target.read_bytes()
    assert target.read_text(encoding="utf-8")


def test_a_picture_in_letters_keeps_its_columns_where_names_are_escaped(valve, run):
    lines = run("ascii", "sequence", valve).out.splitlines()
    places = {line.index("|") for line in lines if "|" in line}
    assert lines
    assert len(places) <= 2


def test_the_last_door_of_the_program_arranges_it(valve):
    done = subprocess.run(
        [sys.executable, "-m", "farscope", "watch", str(valve)],
        capture_output=True,
        check=False,
        env={**os.environ, "PYTHONIOENCODING": "ascii:strict"},
    )
    assert done.returncode == 0
    assert ESCAPED["ascii"] in done.stdout.decode("ascii")
    assert r"OSError: \u2192 stuck" in done.stderr.decode("ascii")


def test_a_terminal_of_another_encoding_gets_a_live_table(valve):
    ours, its = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "farscope", "top", str(valve), "--for", "300ms"],
        stdin=its,
        stdout=its,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "TERM": "xterm-256color", "PYTHONIOENCODING": "ascii:strict", "COLUMNS": "150"},
    )
    os.close(its)
    shown = b""
    try:
        while chunk := os.read(ours, 65536):
            shown += chunk
    except OSError:  # Linux tells the end of a terminal this way
        pass
    os.close(ours)
    assert process.wait() == 0
    assert ESCAPED["ascii"] in shown.decode("ascii")


def test_progress_fits_its_line_where_letters_are_escaped(monkeypatch, tmp_path):
    path = tmp_path / "stderr"
    with path.open("w", encoding="ascii", errors="backslashreplace") as stream:
        monkeypatch.setattr(sys, "stderr", stream)
        monkeypatch.setattr(stream, "isatty", lambda: True, raising=False)
        monkeypatch.setenv("COLUMNS", "20")
        monkeypatch.setenv("NO_COLOR", "1")
        with Progress() as progress:
            progress.update(lambda: "→" * 30)
    assert path.read_bytes().split(b"\x1b[K")[1] == b"".join([rb"\u2192" * 4])[:19] + b"\r"


def test_what_the_command_line_says_of_itself_is_ascii():
    context = click.Context(command, info_name="farscope")
    texts = [context.get_help()]
    for name in COMMANDS:
        verb = command.get_command(context, name)
        assert verb is not None
        texts.append(verb.get_help(click.Context(verb, info_name=name)))
    assert all(text.isascii() for text in texts)


def test_nothing_prints_by_a_way_that_knows_better_than_the_stream():
    package = Path(next(iter(farscope.cli.__path__)))
    calls = {
        (path.name, node.func.attr)
        for path in package.glob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in {"echo", "secho"}
    }
    assert calls == {("style.py", "echo")}
