"""The MessagePack layout of a batch's body, and its limits.

Every limit is enforced twice: the encoder never produces a body that exceeds one, and the decoder refuses
such a body before allocating memory for its claimed content.
"""

from __future__ import annotations

from typing import Annotated, Final

from msgspec import Meta, Struct

from farscope.records import kinds
from farscope.records.facts import FactKind
from farscope.records.shape import StepKind
from farscope.records.step import MAX_VALUES
from farscope.records.structure import ChartStatus, ReactionFlag, StateKind
from farscope.records.trace_context import SPAN_ID_BYTES

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

MAX_LEAVES = 256
"""Maximum number of leaf states in a configuration; more raise ``BatchTooLarge``."""

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

MAX_VALUE = 256
"""Maximum length of a value's name, and of a text as a value; longer ones are cut and get ``CUT_MARK``."""

MAX_TARGETS = 256
"""Maximum number of further targets of a reaction; the rest are left out."""

MAX_FLAGS = 16
"""Maximum number of flags of a reaction; the rest are left out."""

MAX_SECTIONS = 64
"""Maximum number of sections of a batch."""

MAX_TOKENS = 4_096
"""Maximum number of tokens in a batch; further ones go into the next batch."""

MAX_KIND_NAME = 64
"""Maximum length of the name of a kind, or of a section."""

KIND_PATTERN: Final = r"\A[A-Z][A-Z0-9_]*\Z"
"""Names of kinds and sections."""

TOKENS: Final = "TOKENS"
"""Name of the section with the tokens that steps handed out."""

CUT_MARK = "…[cut]"

MAX_INTEGER = (1 << 63) - 1
"""Maximum of every number, the minimum being 0; the encoder clamps numbers to this range."""

PLAIN: Final = 0
ZLIB: Final = 1
"""First byte of a body: what follows is MessagePack, or MessagePack compressed by zlib."""

Index = Annotated[int, Meta(ge=0, le=MAX_STRINGS)]
Count = Annotated[int, Meta(ge=0, le=MAX_INTEGER)]
Serial = Annotated[int, Meta(ge=1, le=MAX_INTEGER)]
Delta = Annotated[int, Meta(ge=-MAX_INTEGER, le=MAX_INTEGER)]
Name = Annotated[str, Meta(max_length=MAX_NAME)]
Text = Annotated[str, Meta(max_length=MAX_TEXT)]
ValueName = Annotated[str, Meta(max_length=MAX_VALUE)]
ValueCell = bool | Delta | float | Annotated[str, Meta(max_length=MAX_VALUE)]
Blob = Annotated[bytes, Meta(max_length=MAX_BODY_BYTES)]

KindName = Annotated[str, Meta(max_length=MAX_KIND_NAME, pattern=KIND_PATTERN)]
NamedKind = tuple[Annotated[int, Meta(ge=0, le=kinds.MAX_KIND)], KindName]
"""A kind that is not in the format's table, with its name."""

IndexColumn = Annotated[list[Index], Meta(max_length=MAX_STEPS)]
CountColumn = Annotated[list[Count], Meta(max_length=MAX_STEPS)]
DeltaColumn = Annotated[list[Delta], Meta(max_length=MAX_STEPS)]

Leaves = Index | Annotated[tuple[Index, ...], Meta(max_length=MAX_LEAVES)]
"""A configuration: the index of its only leaf, or the indices of all."""
FactRow = tuple[FactKind | NamedKind, Index, Index]
ShapeRow = tuple[
    StepKind | NamedKind,
    Index,
    Leaves,
    Leaves,
    Annotated[tuple[Index, ...], Meta(max_length=MAX_FACTS_IN_SHAPE)],
]
TextRow = tuple[Index, Annotated[tuple[Text, ...], Meta(max_length=MAX_TEXTS)]]
ValueRow = tuple[Index, Annotated[tuple[tuple[Index, ValueCell], ...], Meta(max_length=MAX_VALUES)]]
ElsewhereRow = tuple[Index, Count, Count, Blob, Blob, Blob, bool]
"""(step, serial and number of the cause, its probe, trace id, span id, whether it is claimed)."""
SpanId = Annotated[bytes, Meta(min_length=SPAN_ID_BYTES, max_length=SPAN_ID_BYTES)]
TokenRow = tuple[Serial, Count, SpanId]
"""(serial and number of the step that handed out a token, the span id in it)."""
TokenRows = Annotated[list[TokenRow], Meta(max_length=MAX_TOKENS)]
StateRow = tuple[Index, Index, StateKind | NamedKind]
ReactionRow = tuple[
    Index,
    Index,
    Index,
    Index,
    Annotated[tuple[ReactionFlag | NamedKind, ...], Meta(max_length=MAX_FLAGS)],
    Index,
    Annotated[tuple[Index, ...], Meta(max_length=MAX_TARGETS)],
]


class Structure(Struct, array_like=True, forbid_unknown_fields=True, frozen=True, gc=False):
    """A chart's structure; names are indices into its own string table."""

    strings: Annotated[list[Name], Meta(max_length=MAX_STRINGS)]
    states: Annotated[list[StateRow], Meta(max_length=MAX_STATES)]
    reactions: Annotated[list[ReactionRow], Meta(max_length=MAX_STATES)]
    initial: Index
    library: Index


class Dictionary(Struct, array_like=True, forbid_unknown_fields=True, frozen=True, gc=False):
    """The shapes of a batch; names are indices into its string table, facts into its fact table."""

    strings: Annotated[list[Name], Meta(max_length=MAX_STRINGS)]
    facts: Annotated[list[FactRow], Meta(max_length=MAX_FACTS)]
    shapes: Annotated[list[ShapeRow], Meta(max_length=MAX_SHAPES)]


class ChartRow(Struct, array_like=True, forbid_unknown_fields=True, frozen=True, gc=False):
    """A chart entry."""

    serial: Serial
    name: Name
    states: Annotated[tuple[Name, ...], Meta(max_length=MAX_LEAVES)]
    number: Count
    status: ChartStatus | NamedKind
    parent: tuple[Blob, Serial] | None
    values: Annotated[tuple[tuple[ValueName, ValueCell], ...], Meta(max_length=MAX_VALUES)]
    structure: Blob
    """A ``Structure`` in MessagePack; empty if it is not announced."""


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
    """0 for a step without a cause in its own process."""
    cause_number: DeltaColumn
    """Only for steps with such a cause, each as the difference from the previous one with the same serial."""
    elsewhere: Annotated[list[ElsewhereRow], Meta(max_length=MAX_STEPS)]
    """The causes that those two columns cannot express, in ascending order of their steps."""
    texts: Annotated[list[TextRow], Meta(max_length=MAX_STEPS)]
    """(step, its free texts) for each step that has any, in ascending order."""
    values: Annotated[list[ValueRow], Meta(max_length=MAX_STEPS)]
    """(step, the values it changed) for each step that changed any, in ascending order."""


class Body(Struct, array_like=True, forbid_unknown_fields=True, frozen=True, gc=False):
    """A whole batch."""

    host: Name
    pid: Count
    service: Name
    writer: Name
    heartbeat_ns: Count
    started_ns: Count
    sent_ns: Count
    next_number: Count
    dictionary: Blob
    """A ``Dictionary`` in MessagePack; empty if there are no steps."""
    charts: Annotated[list[ChartRow], Meta(max_length=MAX_CHARTS)]
    drops: Annotated[list[DropRow], Meta(max_length=MAX_DROPS)]
    steps: Columns
    sections: Annotated[list[tuple[KindName, Blob]], Meta(max_length=MAX_SECTIONS)]
    """Parts that later releases add, by name."""
