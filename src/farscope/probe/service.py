"""The name under which a process is shown: its service."""

from __future__ import annotations

import os
import sys
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import PurePath
from typing import Final

from farscope.errors import UsageError

SERVICE_VARIABLE: Final = "FARSCOPE_SERVICE"

MAX_SERVICE: Final = 255
"""Maximum length of a service's name; a longer one is refused."""


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
            f"{where} is not a name for a service",
            f"give it 1 to {MAX_SERVICE} printable characters, such as charger-7",
        )
    return name
