"""The process whose charts are broadcast, and the name under which it is shown: its service."""

from __future__ import annotations

import os
import sys
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import PurePath
from typing import Final, NamedTuple

from farscope.errors import UsageError

SERVICE_VARIABLE: Final = "FARSCOPE_SERVICE"

MAX_SERVICE: Final = 255
"""Maximum length of a service's name; a longer one is refused."""


MAX_PID: Final = (1 << 63) - 1
"""Greatest process number accepted; those of operating systems are far smaller."""


class OriginProcess(NamedTuple):
    """The process in which charts run, if that is not the one that broadcasts them, as with a bridge.

    Watchers then show the charts as if that process had broadcast them. Steps bring the times of their
    source, but batches are stamped by the clock of the broadcasting process, unless it gives ``clock``.
    """

    host: str
    """The host's name: 1 to 255 printable characters."""
    pid: int
    """The number of the process, 0 or more; 0 if there is none."""
    service: str = ""
    """The name under which the process is shown; empty if unknown."""

    def checked(self) -> OriginProcess:
        """Return it, or raise ``UsageError`` if a part of it is invalid."""
        _checked(self.host, "the host of an origin")
        if self.service:
            _checked(self.service, "the service of an origin")
        pid: object = self.pid
        if not isinstance(pid, int) or not 0 <= pid <= MAX_PID:
            raise UsageError(f"{pid!r} is not the number of a process", "give 0 if the charts run in none")
        return self


def service_name(given: str | None) -> str:
    """Return the name of this process: ``given``, else ``FARSCOPE_SERVICE``, else the program's name.

    The program's name is that of its script without ``.py``, or of its module where Python was started with
    ``-m``; it is empty where there is neither, as in an interactive session.

    Raises:
        UsageError: the name that was chosen is empty, too long, or not printable.
    """
    if given is not None:
        return _checked(given, "service")
    set_outside = os.environ.get(SERVICE_VARIABLE)
    if set_outside:
        return _checked(set_outside, SERVICE_VARIABLE)
    name = program_name()
    return name[:MAX_SERVICE] if name.isprintable() else ""


def program_name() -> str:
    """Return the name of the running program."""
    spec = getattr(sys.modules.get("__main__"), "__spec__", None)
    if spec is not None and spec.name:
        # Started with -m: a package is named by itself, not by its __main__ module.
        return str(spec.name).removesuffix(".__main__")
    name = PurePath(sys.argv[0]).name if sys.argv else ""
    return "" if name in ("-", "-c") else name.removesuffix(".py")


@cache
def writer_name() -> str:
    """Return this library with its version, as batches name it."""
    try:
        return f"farscope {version('farscope')}"
    except PackageNotFoundError:
        return "farscope"


def _checked(name: str, where: str) -> str:
    if not name.strip() or len(name) > MAX_SERVICE or not name.isprintable():
        raise UsageError(
            f"{where} is not a name",
            f"give it 1 to {MAX_SERVICE} printable characters, such as charger-7",
        )
    return name
