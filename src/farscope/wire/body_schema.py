"""The MessagePack layout of a batch's body, and its limits.

Every limit is enforced twice: the encoder never produces a body that exceeds one, and the decoder refuses
such a body before allocating memory for its claimed content.
"""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from farscope.records.facts import FactKind
from farscope.records.shape import StepKind

MAX_BODY_BYTES = 2 << 20
"""Maximum size of an uncompressed body; above, encoding raises ``BatchTooLarge``, decompression stops."""

MAX_STEPS = 65_536
"""Maximum number of steps in a batch; more raise ``BatchTooLarge``: send two batches."""

MAX_CHARTS = 4_096
"""Maximum number of charts in a batch; more raise ``BatchTooLarge``."""

MAX_STRINGS = 65_536
"""Maximum number of distinct names in a batch; more raise ``BatchTooLarge``."""

MAX_FACTS = 65_536
"""Maximum number of distinct facts in a batch; more raise ``BatchTooLarge``."""

MAX_SHAPES = 16_384
"""Maximum number of distinct shapes in a batch; more raise ``BatchTooLarge``."""

MAX_FACTS_IN_SHAPE = 4_096
"""Maximum number of facts in a shape; more raise ``BatchTooLarge``."""

MAX_STATES = 16_384
"""Maximum number of states, and of reactions, in a chart's structure; the rest are not announced."""

MAX_DROPS = 4_096
"""Maximum number of declared losses in a batch; more raise ``BatchTooLarge``."""

MAX_NAME = 1_024
"""Maximum length of names (chart, state, signal, host, detail); longer ones are cut and get ``CUT_MARK``."""

MAX_TEXT = 32_768
"""Maximum total characters of a step's free texts; the excess is cut off, ending in ``CUT_MARK``."""

MAX_TEXTS = 4_096
"""Maximum number of free texts in a step; the rest are left out."""

CUT_MARK = "…[cut]"

MAX_INTEGER = (1 << 63) - 1
"""Maximum of every number, the minimum being 0; the encoder clamps numbers to this range."""

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
    """The steps, as one list per field. A column of zeros is left empty."""

    runs: Annotated[list[tuple[Count, Annotated[int, Meta(ge=1, le=MAX_STEPS)]]], Meta(max_length=MAX_STEPS)]
    """Runs of probe numbers: (numbers skipped since the previous run, numbers in the run)."""
    chart: IndexColumn
    number: DeltaColumn
    """Chart step numbers, each as the difference from the same chart's previous one."""
    shape: IndexColumn
    time: DeltaColumn
    """Each as the difference from the previous one."""
    duration: CountColumn
    queued: CountColumn
    deferred: CountColumn
    waited: CountColumn
    cause_serial: CountColumn
    """0 for a step without a cause."""
    cause_number: DeltaColumn
    """Only for steps with a cause, each as the difference from the previous one with the same serial."""
    texts: Annotated[list[TextRow], Meta(max_length=MAX_STEPS)]
    """(step, its free texts) for each step that has any, in ascending order."""


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
