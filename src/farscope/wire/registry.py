"""The wire names that ``broadcast`` and ``Scope`` take, and the packages that know each wire.

Sealed batches are at home in ``farscope.probe`` and ``farscope.scope``. Every other wire is a package above
both, which is imported by name when it is first used, so that neither of them imports it. It has two modules:

* ``transport`` with ``route(url, keyring)``, which returns a ``farscope.probe.route.Route``;
* ``feed`` with ``open_feed(url, key, start_ns)``, which returns a ``farscope.scope.feed.Feed``.
"""

from __future__ import annotations

import importlib
from typing import Any, Final, Literal, TypeAlias, get_args

Wire: TypeAlias = Literal["batches", "lines"]
"""How steps travel: sealed batches, or the miros Fernet lines."""

WIRES: Final[tuple[Wire, ...]] = get_args(Wire)
"""Every name of a wire."""

BATCHES: Final = "batches"

_PACKAGES: Final[dict[str, str]] = {"lines": "farscope.miros_lines"}


def load(wire: str, module: Literal["transport", "feed"]) -> Any:
    """Return a module of the package that knows ``wire``, any of ``WIRES`` but ``BATCHES``."""
    return importlib.import_module(f"{_PACKAGES[wire]}.{module}")
