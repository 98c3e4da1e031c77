"""Output of a command: standard output, a file that appears once it is complete, or a pipe or device."""

from __future__ import annotations

import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import click

from farscope.cli.options import STANDARD_OUTPUT


@contextmanager
def open_output(out: str) -> Iterator[IO[str]]:
    """Open the file named by ``--out`` for writing text in UTF-8; ``-`` is standard output.

    A regular file, or a new one, is put in place when everything is written, and left unchanged after an
    error. Anything else, such as a pipe or a device, is written to directly, so that no file replaces it.

    Raises:
        OSError: it cannot be opened or written; the error names ``out`` if opening failed.
    """
    if out != STANDARD_OUTPUT and _holds_a_file(out):
        with _put_in_place(out) as file:
            yield file
    else:
        with click.open_file(out, "w", encoding="utf-8", errors="backslashreplace") as file:
            yield file


def _holds_a_file(out: str) -> bool:
    path = Path(out)
    return path.is_file() or not path.exists()


@contextmanager
def _put_in_place(out: str) -> Iterator[IO[str]]:
    # A symbolic link is kept.
    target = Path(out).resolve()
    draft = target.with_name(f".{target.name}.{secrets.token_hex(8)}")
    try:
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
    except OSError as error:
        # The draft's name means nothing to users.
        raise OSError(error.errno, error.strerror, out) from None
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", errors="backslashreplace") as file:
            if target.exists():
                draft.chmod(stat.S_IMODE(target.stat().st_mode))
            yield file
        draft.replace(target)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
