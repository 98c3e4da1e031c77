"""A chart with regions, history and final states to draw, by hand and at random."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import strategies as st

from farscope.records.facts import Fact, FactKind
from farscope.records.kinds import UnknownKind
from farscope.records.shape import Shape, StepKind
from farscope.records.step import ChartId, Step
from farscope.records.structure import ChartStructure, Reaction, ReactionFlag, StateInfo, StateKind

CHART = ChartId("machine", "h", 1, 1)

MACHINE = ChartStructure(
    (
        StateInfo("machine"),
        StateInfo("work", "machine", StateKind.PARALLEL),
        StateInfo("motor", "work"),
        StateInfo("off", "motor"),
        StateInfo("on", "motor"),
        StateInfo("broken", "motor", StateKind.FINAL),
        StateInfo("again", "motor", StateKind.HISTORY),
        StateInfo("lamp", "work"),
        StateInfo("dark", "lamp"),
        StateInfo("lit", "lamp"),
        StateInfo("out", "lamp", StateKind.FINAL),
        StateInfo("paused", "machine"),
        StateInfo("resume", "machine", StateKind.DEEP_HISTORY),
        StateInfo("fork", "machine", UnknownKind(9, "CHOICE")),
        StateInfo("over", "", StateKind.FINAL),
    ),
    (
        Reaction("machine", "INIT_SIGNAL", "work"),
        Reaction("motor", "INIT_SIGNAL", "off"),
        Reaction("lamp", "INIT_SIGNAL", "dark"),
        Reaction("off", "GO", "on", guard="amps > 3"),
        Reaction("on", "TICK", "off", flags=(ReactionFlag.TIMED,), delay="200 ms"),
        Reaction("dark", "GO", "lit"),
        Reaction("motor", "FAIL", "broken"),
        Reaction("work", "PAUSE", "paused"),
        Reaction("paused", "GO", "resume"),
        Reaction("lamp", "DIM", "lamp", flags=(ReactionFlag.INTERNAL,)),
        Reaction("paused", "", "fork", flags=(ReactionFlag.EVENTLESS,)),
        Reaction("work", "done.state.work", "over"),
        Reaction("lit", "BEEP", guard="loud"),
    ),
    initial="machine",
    library="farscope",
)


def facts(*items: str) -> tuple[Fact, ...]:
    """Return facts from text: ``OFFER off``, ``TRAN off on``."""
    return tuple(Fact(FactKind[kind], *names) for kind, *names in (item.split(" ") for item in items))


STARTED = Shape(
    StepKind.START,
    "start_at",
    (),
    ("off", "dark"),
    facts(
        "START",
        *("ENTRY machine", "INIT machine", "ENTRY work", "ENTRY motor", "INIT motor", "ENTRY off"),
        *("INIT off", "ENTRY lamp", "INIT lamp", "ENTRY dark", "INIT dark"),
    ),
)
BOTH = Shape(
    StepKind.TRANSITION,
    "GO",
    ("off", "dark"),
    ("on", "lit"),
    facts(
        *("OFFER off", "OFFER dark", "TRAN off on", "TRAN dark lit", "EXIT dark", "EXIT off"),
        *("ENTRY on", "INIT on", "ENTRY lit", "INIT lit"),
    ),
)
BROKE = Shape(
    StepKind.TRANSITION,
    "FAIL",
    ("on", "lit"),
    ("broken", "lit"),
    facts(
        "OFFER on", "OFFER motor", "OFFER lit", "OFFER lamp", "TRAN motor broken", "EXIT on", "ENTRY broken"
    ),
)
ENDED = Shape(
    StepKind.TRANSITION,
    "done.state.work",
    ("broken", "out"),
    (),
    facts("OFFER work", "TRAN work over", "ENTRY over", "DONE top"),
)


def steps_of(*shapes: Shape) -> list[Step]:
    """Return consecutive steps of the chart."""
    return [Step(CHART, number, shape, number * 1_000, 5, 0, 0) for number, shape in enumerate(shapes, 1)]


KINDS = (*StateKind, *[StateKind.PLAIN] * 4, StateKind.PARALLEL, UnknownKind(200, "JUNCTION"))
FLAGS = (*ReactionFlag, UnknownKind(77, "URGENT"))


@st.composite
def structures(draw: st.DrawFn, names: st.SearchStrategy[str]) -> ChartStructure:
    """Draw an announced structure of any kinds, which may make no sense."""
    states = draw(st.lists(names.filter(bool), min_size=1, max_size=8, unique=True))
    one = st.sampled_from(states)
    inner = st.sampled_from([*states, ""])
    # Mostly a tree in which parents come first, and sometimes nonsense.
    is_tree = draw(st.integers(0, 3)) > 0
    parents = [
        draw(st.sampled_from(["", *states[:place]]) if is_tree else inner) for place in range(len(states))
    ]
    reactions = st.builds(
        Reaction,
        one,
        st.sampled_from(["GO", "INIT_SIGNAL", ""]) | names,
        inner,
        st.just("") | names,
        st.lists(st.sampled_from(FLAGS), max_size=2, unique=True).map(tuple),
        st.sampled_from(["", "200 ms"]),
        st.lists(one, max_size=1).map(tuple),
    )
    return ChartStructure(
        tuple(
            StateInfo(state, parent, draw(st.sampled_from(KINDS)))
            for state, parent in zip(states, parents, strict=True)
        ),
        tuple(draw(st.lists(reactions, max_size=5))),
        draw(inner),
        "farscope",
    )


@st.composite
def step_lists(draw: st.DrawFn, states: Sequence[str]) -> list[Step]:
    """Draw consecutive steps between configurations of these states."""
    one = st.sampled_from(list(states))
    leaves = st.lists(one, max_size=3, unique=True).map(tuple)
    found = st.builds(Fact, st.sampled_from(list(FactKind)), one, one)
    shapes: list[Shape] = []
    at: tuple[str, ...] = ()
    for _ in range(draw(st.integers(0, 6))):
        end = draw(leaves)
        kind = draw(st.sampled_from(list(StepKind)))
        shapes.append(
            Shape(kind, draw(st.sampled_from(["GO", ""])), at, end, tuple(draw(st.lists(found, max_size=6))))
        )
        at = end
    return steps_of(*shapes)


@st.composite
def runs(
    draw: st.DrawFn, names: st.SearchStrategy[str]
) -> tuple[list[Step], dict[ChartId, ChartStructure | None]]:
    """Draw a structure and steps in it."""
    structure = draw(structures(names))
    return draw(step_lists([state.name for state in structure.states])), {CHART: structure}
