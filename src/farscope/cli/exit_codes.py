"""Maps every way a command can end to an exit code and, if needed, an error with a hint."""

from __future__ import annotations

import errno
import io
import os
import platform
import sys
import tempfile
import traceback
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import NoReturn

import click

from farscope.cli.style import painted, say
from farscope.errors import FarscopeError, Invariant, LogError
from farscope.views.text import escape

EXIT_INTERRUPTED = 130
"""The exit code that shells expect of a program ended by Ctrl-C."""
EXIT_USAGE = 2
EXIT_BUG = 70
"""``EX_SOFTWARE`` of sysexits: an internal error of the program."""

_CHECK_PATH = "check the path and its permissions"
_MAKE_ROOM = "make room, or write somewhere else"
_CLOSE_SOME = "end some programs, or raise the limit with ulimit -n"
_OF_THE_SYSTEM = {
    errno.ENOENT: "make the folder first, or give another path",
    errno.ENOSPC: _MAKE_ROOM,
    errno.EDQUOT: _MAKE_ROOM,
    errno.EFBIG: "raise the limit of file sizes with ulimit -f, or write somewhere else",
    errno.EIO: "the device or terminal is broken or gone; write somewhere else",
    errno.EACCES: _CHECK_PATH,
    errno.EPERM: _CHECK_PATH,
    errno.EROFS: "nothing can be written there; give another path",
    errno.EMFILE: _CLOSE_SOME,
    errno.ENFILE: _CLOSE_SOME,
}
"""Operating system errors that are not caused by the program, and their hints."""

DEBUG_VARIABLE = "FARSCOPE_DEBUG"
"""Set to 1, it shows tracebacks instead of hiding them."""


def exit_code_of(run: Callable[[], object]) -> int:
    """Run a command and return its exit code; errors are reported on stderr.

    A command may return its exit code; any return value that is not a number means success.
    """
    try:
        code = run()
        sys.stdout.flush()
    except BaseException as error:  # noqa: BLE001 - the last door: no traceback reaches a user
        return _code_for(error)
    return code if isinstance(code, int) else 0


def _code_for(error: BaseException) -> int:
    match error:
        case SystemExit():
            raise error
        case KeyboardInterrupt() | click.exceptions.Abort():
            code = EXIT_INTERRUPTED
        case BrokenPipeError():
            code = reader_gone()
        case click.ClickException():
            code = _report_usage(error)
        case OSError() if error.filename is not None or error.errno in _OF_THE_SYSTEM:
            code = _report_system(error)
        case FarscopeError() if not isinstance(error, Invariant):
            code = _report(error)
        case _:
            code = _report_bug(error)
    return code


def finish(run: Callable[[], object]) -> NoReturn:
    """Run a command and exit the program with its exit code.

    Closed standard streams are first opened on the null device. Characters that a stream cannot encode are
    written as escapes.
    """
    _open_closed_streams()
    escape_what_cannot_be_encoded()
    sys.exit(exit_code_of(run))


def report_error(message: str, hint: str = "") -> None:
    """Print an error and its hint on stderr, one line each; control characters are made visible."""
    say(painted("error: ", "red", bold=True, stream=sys.stderr) + _shown(message), stream=sys.stderr)
    if hint:
        say(painted("hint: ", "cyan", stream=sys.stderr) + _shown(hint), stream=sys.stderr)


def _shown(text: str) -> str:
    """Return a printable form of a text, without the passwords of addresses in it."""
    return escape(_redacted(text))


def _redacted(text: str) -> str:
    # Imported only here: logs are slow to load, and most commands end without an error.
    from farscope.logs.url import redacted_text  # noqa: PLC0415 - as said

    return redacted_text(text)


def _report(error: FarscopeError) -> int:
    if _debugging():
        _print_traceback(error)
    report_error(error.message, error.hint)
    return error.exit_code


def _print_traceback(error: BaseException) -> None:
    say("".join(map(_redacted, traceback.format_exception(error))), stream=sys.stderr)


def _report_system(error: OSError) -> int:
    if _debugging():
        _print_traceback(error)
    reason = error.strerror or str(error)
    reason = reason[:1].lower() + reason[1:]
    if error.filename is None:
        report_error(f"the system refuses: {reason}", _OF_THE_SYSTEM.get(error.errno or 0, _CHECK_PATH))
    else:
        path = os.fsdecode(error.filename) if isinstance(error.filename, str | bytes) else error.filename
        report_error(f"{path}: {reason}", _OF_THE_SYSTEM.get(error.errno or 0, _CHECK_PATH))
    _drop_what_cannot_be_written()
    return LogError.exit_code


def _drop_what_cannot_be_written() -> None:
    """Discard output that cannot be written: Python would retry at exit and print an error."""
    try:
        sys.stdout.flush()
    except OSError:
        _redirect_to_nowhere()


def _open_closed_streams() -> None:
    """Prevent other files from getting descriptor 0, 1 or 2, which printing or prompting would then use.

    Starting the program with ``>&-`` means that no output is wanted; this is not an error.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open(mode, encoding="utf-8"))  # noqa: SIM115 - open to the end


def escape_what_cannot_be_encoded() -> None:
    r"""Make standard output and error write escapes like ``\u2192`` for characters not in their encoding.

    Names come from other programs and machines; the local encoding must not make a command fail.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _report_usage(error: click.ClickException) -> int:
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        error.show()
        return EXIT_USAGE
    context = error.ctx if isinstance(error, click.UsageError) else None
    command = context.command_path if context else "farscope"
    # Click puts each choice on a separate line.
    message = error.format_message().replace("\n\t", " ").rstrip(".")
    report_error(message[:1].lower() + message[1:], f"see {command} --help")
    return EXIT_USAGE


def _report_bug(error: BaseException) -> int:
    if _debugging():
        _print_traceback(error)
        return EXIT_BUG
    with tempfile.NamedTemporaryFile(
        "w", prefix="farscope-bug-", suffix=".txt", delete=False, encoding="utf-8", errors="backslashreplace"
    ) as report:
        report.write(
            f"farscope {version('farscope')}, Python {platform.python_version()}, {platform.platform()}\n"
        )
        report.writelines(map(_redacted, traceback.format_exception(error)))
    report_error(
        f"this is a bug in farscope ({type(error).__name__})",
        f"please report it with {report.name}; {DEBUG_VARIABLE}=1 shows where it happened",
    )
    return EXIT_BUG


def reader_gone() -> int:
    """End quietly after the reader of the output has closed it, without an error from Python at exit."""
    _redirect_to_nowhere()
    return 0


def _redirect_to_nowhere() -> None:
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _debugging() -> bool:
    return os.environ.get(DEBUG_VARIABLE, "") not in ("", "0")
