"""The body of a batch as it is laid out in MessagePack, and the limits it must keep.

Every limit holds twice: the encoder never makes a body that breaks one, the decoder refuses a body
that does, before it allocates what the body claims to hold.
"""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from farscope.records.facts import FactKind
from farscope.records.shape import StepKind

MAX_BODY_BYTES = 2 << 20
"""Size of a body before compression: over it encoding raises ``BatchTooLarge``, decompressing stops."""

MAX_STEPS = 65_536
"""Steps in a batch; more are ``BatchTooLarge``: send two batches."""

MAX_CHARTS = 4_096
"""Charts in a batch; more are ``BatchTooLarge``."""

MAX_STRINGS = 65_536
"""Different names in a batch; more are ``BatchTooLarge``."""

MAX_FACTS = 65_536
"""Different facts in a batch; more are ``BatchTooLarge``."""

MAX_SHAPES = 16_384
"""Different shapes in a batch; more are ``BatchTooLarge``."""

MAX_FACTS_IN_SHAPE = 4_096
"""Facts in one shape; a shape with more is ``BatchTooLarge``."""

MAX_STATES = 16_384
"""States, and reactions, in a chart's structure; what is over it is left out of the announcement."""

MAX_DROPS = 4_096
"""Declared losses in a batch; more are ``BatchTooLarge``."""

MAX_NAME = 1_024
"""Characters in a name (chart, state, signal, host, detail); a longer one is cut and ends in ``CUT_MARK``."""

MAX_TEXT = 32_768
"""Characters in the free texts of one step together; what is over it is cut and ends in ``CUT_MARK``."""

MAX_TEXTS = 4_096
"""Free texts in one step; those over it are left out."""

CUT_MARK = "…[cut]"

MAX_INTEGER = (1 << 63) - 1
"""Every number lies between 0 and this; the encoder moves one outside to the nearer end."""

Index = Annotated[int, Meta(ge=0, le=MAX_STRINGS)]
Count = Annotated[int, Meta(ge=0, le=MAX_INTEGER)]
Delta = Annotated[int, Meta(ge=-MAX_INTEGER, le=MAX_INTEGER)]
Name = Annotated[str, Meta(max_length=MAX_NAME)]
Text = Annotated[str, Meta(max_length=MAX_TEXT)]

IndexColumn = Annotated[list[Index], Meta(max_length=MAX_STEPS)]
CountColumn = Annotated[list[Count], Meta(max_length=MAX_STEPS)]
DeltaColumn = Annotated[list[Delta], Meta(max_length=MAX_STEPS)]

FactRow = tuple[FactKind, Index, Index]
ShapeRow = tuple[
    StepKind, Index, Index, Index, Annotated[tuple[Index, ...], Meta(max_length=MAX_FACTS_IN_SHAPE)]
]
TextRow = tuple[Index, Annotated[tuple[Text, ...], Meta(max_length=MAX_TEXTS)]]
StructureRow = tuple[
    Annotated[list[tuple[Index, Index]], Meta(max_length=MAX_STATES)],
    Annotated[list[tuple[Index, Index, Index]], Meta(max_length=MAX_STATES)],
]


class ChartRow(Struct, array_like=True, forbid_unknown_fields=True, frozen=True, gc=False):
    """A chart entry; names are indices into the string table."""

    serial: Annotated[int, Meta(ge=1, le=MAX_INTEGER)]
    name: Index
    state: Index
    number: Count
    stopped: bool
    structure: StructureRow | None


class DropRow(Struct, array_like=True, forbid_unknown_fields=True, frozen=True, gc=False):
    """A declared loss."""

    first: Count
    count: Annotated[int, Meta(ge=1, le=MAX_INTEGER)]
    reason: Name


class Columns(Struct, array_like=True, forbid_unknown_fields=True, frozen=True, gc=False):
    """The steps, one list a field. A column of zeros only is left empty."""

    runs: Annotated[list[tuple[Count, Annotated[int, Meta(ge=1, le=MAX_STEPS)]]], Meta(max_length=MAX_STEPS)]
    """Probe numbers: (numbers left out since the run before, numbers in the run)."""
    chart: IndexColumn
    number: DeltaColumn
    """Chart step numbers, each less the one before of the same chart."""
    shape: IndexColumn
    time: DeltaColumn
    """Each less the one before."""
    duration: CountColumn
    queued: CountColumn
    deferred: CountColumn
    waited: CountColumn
    cause_serial: CountColumn
    """0 for a step without a cause."""
    cause_number: DeltaColumn
    """Of the steps with a cause only, each less the one before of the same serial."""
    texts: Annotated[list[TextRow], Meta(max_length=MAX_STEPS)]
    """(step, its free texts), of the steps that have any, rising."""


class Body(Struct, array_like=True, forbid_unknown_fields=True, frozen=True, gc=False):
    """A whole batch."""

    host: Name
    pid: Count
    started_ns: Count
    sent_ns: Count
    next_number: Count
    strings: Annotated[list[Name], Meta(max_length=MAX_STRINGS)]
    facts: Annotated[list[FactRow], Meta(max_length=MAX_FACTS)]
    shapes: Annotated[list[ShapeRow], Meta(max_length=MAX_SHAPES)]
    charts: Annotated[list[ChartRow], Meta(max_length=MAX_CHARTS)]
    drops: Annotated[list[DropRow], Meta(max_length=MAX_DROPS)]
    steps: Columns
