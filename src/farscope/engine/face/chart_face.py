"""A chart as the functions see it that become its methods."""

from __future__ import annotations

from typing import Protocol

from farscope.engine.core.core import Core
from farscope.engine.ports import ChartPort


class ChartFace(ChartPort, Protocol):
    """The chart that a public method is called on: the type of ``self``.

    The modules of this package define public methods by subject, as functions, and ``Hsm`` makes them its
    own by assigning them in its body. A base class for each subject would lengthen the ancestry of every
    class of charts.
    """

    @property
    def _core(self) -> Core:
        """Its parts."""
