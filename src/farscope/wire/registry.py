"""The wire names accepted by ``broadcast`` and ``Scope``, and the packages that implement them.

Sealed batches are implemented in ``farscope.probe`` and ``farscope.scope``. Any other wire is a package above
both, imported by name on first use so that neither depends on it. It has two modules:

* ``transport`` with ``route(url, keyring)``, which returns a ``farscope.probe.route.Route``;
* ``feed`` with ``open_feed(url, key, start_ns)``, which returns a ``farscope.scope.feed.Feed``.
"""

from __future__ import annotations

import importlib
from typing import Any, Final, Literal, TypeAlias, get_args

Wire: TypeAlias = Literal["batches", "lines"]
"""How steps travel: sealed batches, or the miros Fernet lines."""

WIRES: Final[tuple[Wire, ...]] = get_args(Wire)
"""All wire names."""

BATCHES: Final = "batches"

_PACKAGES: Final[dict[str, str]] = {"lines": "farscope.miros_lines"}


def load(wire: str, module: Literal["transport", "feed"]) -> Any:
    """Return a module of the package that implements ``wire``, any of ``WIRES`` except ``BATCHES``."""
    return importlib.import_module(f"{_PACKAGES[wire]}.{module}")
