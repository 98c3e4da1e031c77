"""Configurations: the active leaf states of a chart, in document order; usually one."""

from __future__ import annotations

from typing import Final, TypeAlias

TOP: Final = "top"
"""Text of the empty configuration, before a chart's first step and after it has finished: no state is active,
only the outermost one, which contains all others."""

JOINT: Final = " | "
"""Separates the leaves in the text of a configuration."""

Configuration: TypeAlias = str | tuple[str, ...]
"""A configuration as an argument: the names of its leaves, or just the name of the only one."""


def leaves_of(configuration: Configuration) -> tuple[str, ...]:
    """Return the leaves of a configuration; the text ``top`` stands for none."""
    if isinstance(configuration, str):
        return () if configuration == TOP else (configuration,)
    return configuration


def text_of(leaves: tuple[str, ...]) -> str:
    """Return the text of a configuration, such as ``unpaid | boxed``."""
    if len(leaves) == 1:
        return leaves[0]
    return JOINT.join(leaves) if leaves else TOP


def leaves_in(text: str) -> tuple[str, ...]:
    """Return the leaves of a configuration of which only the text is known.

    The inverse of ``text_of``, except for names that contain `` | ``.
    """
    return () if text == TOP else tuple(text.split(JOINT))
