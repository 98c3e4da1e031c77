from __future__ import annotations

import errno
import subprocess
import sys
from pathlib import Path

import click
import pytest

from farscope.cli.exit_codes import EXIT_BUG, EXIT_INTERRUPTED, exit_code_of
from farscope.errors import BadKey, BadUrl, FarscopeError, Invariant, UsageError


def raising(error: BaseException):
    def run():
        raise error

    return run


@pytest.mark.parametrize(
    ("error", "code"),
    [(FarscopeError("no"), 1), (UsageError("no"), 2), (BadKey("no"), 3), (BadUrl("no"), 4)],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else str(value),
)
def test_an_error_of_ours_ends_with_its_own_exit_code(error, code):
    assert exit_code_of(raising(error)) == code


def test_an_error_is_one_line_and_its_hint_another(capsys):
    exit_code_of(raising(BadUrl("no log at mars:", "write sqlite:FOLDER")))
    assert capsys.readouterr() == ("", "error: no log at mars:\nhint: write sqlite:FOLDER\n")


def test_an_error_without_a_hint_has_no_hint_line(capsys):
    exit_code_of(raising(FarscopeError("enough")))
    assert capsys.readouterr().err == "error: enough\n"


def test_control_characters_in_an_error_are_shown_not_sent(capsys):
    exit_code_of(raising(FarscopeError("chart \x1b]0;owned\x07\r\n", "\x9b2J")))
    told = capsys.readouterr().err
    assert told.count("\n") == 2
    assert not set(told) & {"\x1b", "\x07", "\r", "\x9b"}


def test_wrong_usage_names_the_command_whose_help_helps(capsys):
    @click.command()
    def launch() -> None:
        pass

    code = exit_code_of(lambda: launch.main(["--fast"], prog_name="rocket", standalone_mode=False))
    error, hint = capsys.readouterr().err.splitlines()
    assert code == 2
    assert error.startswith("error: no such option")
    assert hint == "hint: see rocket --help"


def test_an_interrupted_command_ends_as_a_shell_expects():
    assert exit_code_of(raising(KeyboardInterrupt())) == EXIT_INTERRUPTED


def test_a_command_may_return_its_exit_code_and_anything_else_is_success():
    assert [exit_code_of(lambda value=value: value) for value in (3, None, "done")] == [3, 0, 0]


@pytest.mark.parametrize("error", [ZeroDivisionError("division by zero"), Invariant("two heads")])
def test_a_bug_is_told_in_a_line_and_its_traceback_kept_in_a_file(error, capsys, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert exit_code_of(raising(error)) == EXIT_BUG
    told = capsys.readouterr().err
    (report,) = tmp_path.glob("farscope-bug-*.txt")
    assert f"this is a bug in farscope ({type(error).__name__})" in told
    assert str(report) in told
    assert "Traceback" not in told
    assert "Traceback" in report.read_text()
    assert report.stat().st_mode & 0o077 == 0


def test_debugging_shows_the_traceback(capsys, monkeypatch):
    monkeypatch.setenv("FARSCOPE_DEBUG", "1")
    exit_code_of(raising(ZeroDivisionError()))
    assert "Traceback" in capsys.readouterr().err


def test_a_reader_that_goes_away_ends_the_command_quietly(tmp_path: Path):
    program = (
        "from farscope.cli.exit_codes import finish\n"
        "def run():\n"
        "    while True: print('line', flush=True)\n"
        "finish(run)\n"
    )
    command = f'set -o pipefail; "{sys.executable}" -c "$0" | head -n 1'
    done = subprocess.run(["bash", "-c", command, program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "line\n", "")


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (FileNotFoundError(errno.ENOENT, "No such file or directory", "none/run"), "none/run: no such file"),
        (PermissionError(errno.EACCES, "Permission denied", b"run"), "run: permission denied"),
        (OSError(errno.ENOSPC, "No space left on device"), "the system refuses: no space left on device"),
        (OSError(errno.EFBIG, "File too large"), "the system refuses: file too large"),
        (IsADirectoryError(errno.EISDIR, "Is a directory", "run"), "run: is a directory"),
    ],
)
def test_what_the_system_refuses_is_an_error_with_a_hint_and_no_bug(error, says, capsys):
    assert exit_code_of(raising(error)) == 4
    told, hint = capsys.readouterr().err.splitlines()
    assert told.startswith(f"error: {says}")
    assert hint.startswith("hint: ")


def test_an_error_of_the_system_that_only_the_program_can_cause_is_a_bug(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert exit_code_of(raising(OSError(errno.EBADF, "Bad file descriptor"))) == EXIT_BUG


def test_output_for_which_there_is_no_room_is_one_error(tmp_path):
    program = (
        "import resource\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))\n"
        "from farscope.cli.exit_codes import finish\n"
        "finish(lambda: print('x' * 1000))\n"
    )
    with (tmp_path / "full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-c", program], stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert done.returncode == 4
    assert [line.partition(":")[0] for line in done.stderr.splitlines()] == ["error", "hint"]


@pytest.mark.parametrize("closed", ["<&-", ">&-", "<&- >&-"])
def test_a_command_started_with_closed_streams_runs_and_ends_quietly(closed):
    command = f'"{sys.executable}" -m farscope --help {closed}'
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
