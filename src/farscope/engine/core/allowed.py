"""Answers the question which signals could do something now, and why others could not."""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum, unique
from typing import Any, NamedTuple

from farscope.engine.core.states import BuiltState, StateNode, outward
from farscope.engine.event import LAST_INNER_SIGNAL, Event, Name, plain_name, signals


@unique
class Verdict(Enum):
    """Whether an event of a signal would do something."""

    YES = "yes"
    """A state reacts to it."""
    PERHAPS = "perhaps"
    """Only the handler itself decides: it is written as a function, or its guard raised."""
    NO = "no"
    """Every guard refuses it, or it belongs to states that are not active."""


_VERDICTS = {True: Verdict.YES, None: Verdict.PERHAPS, False: Verdict.NO}


class Allowance(NamedTuple):
    """Whether an event of one signal would do something now."""

    signal: str
    verdict: Verdict
    reason: str
    """A sentence: which state reacts and where that leads, which guard refuses, or which states react."""


class Allowed(tuple[Allowance, ...]):
    """One ``Allowance`` per signal to which any state of a chart reacts, in the order of the states.

    ``"GO" in chart.allowed()`` asks for one signal; ``str`` makes a list for the reader.
    """

    __slots__ = ()

    @property
    def now(self) -> tuple[str, ...]:
        """The signals whose verdict is ``YES``."""
        return tuple(allowance.signal for allowance in self if allowance.verdict is Verdict.YES)

    def about(self, signal: Name) -> Allowance:
        """Return the allowance of a signal; its verdict is ``NO`` if no reaction names it."""
        name = plain_name(signal)
        for allowance in self:
            if allowance.signal == name:
                return allowance
        return Allowance(str(name), Verdict.NO, "no reaction of the chart names it")

    def __contains__(self, item: object) -> bool:
        """Return whether the verdict about a signal is ``YES``, or whether an allowance is one of these."""
        if isinstance(item, Allowance):
            return super().__contains__(item)
        return plain_name(item) in self.now

    def __str__(self) -> str:
        width = max((len(allowance.signal) for allowance in self), default=0)
        return "\n".join(f"{name:{width}}  {verdict.value:7}  {reason}" for name, verdict, reason in self)


def allowed(chart: Any, payload: object) -> Allowed:
    """Return what each signal would do to a started chart, as an event with this payload."""
    core = chart._core  # noqa: SLF001 - a chart's own
    leaves: tuple[StateNode, ...] = core.algorithm.active()
    structure = core.algorithm.states.structure()
    reacting: dict[str, list[str]] = {}
    for reaction in structure.reactions:
        if reaction.signal and signals.append(reaction.signal) > LAST_INNER_SIGNAL:
            reacting.setdefault(reaction.signal, [])
            if reaction.state not in reacting[reaction.signal]:
                reacting[reaction.signal].append(reaction.state)
    return Allowed(_about(chart, leaves, Event(name, payload), states) for name, states in reacting.items())


def _about(chart: Any, leaves: tuple[StateNode, ...], e: Event, states: list[str]) -> Allowance:
    """Return the verdict about ``e``; ``states`` are those that react to its signal."""
    refusals: list[str] = []
    perhaps = ""
    seen: set[StateNode] = set()
    for leaf in leaves:
        for verdict, reason in _answers(chart, leaf, e, seen):
            if verdict is Verdict.YES:
                return Allowance(e.signal_name, verdict, reason)
            if verdict is Verdict.PERHAPS:
                perhaps = perhaps or reason
                break
            refusals.append(reason)
    if perhaps:
        return Allowance(e.signal_name, Verdict.PERHAPS, perhaps)
    return Allowance(e.signal_name, Verdict.NO, "; ".join(refusals) or _elsewhere(states))


def _answers(chart: Any, leaf: StateNode, e: Event, seen: set[StateNode]) -> Iterator[tuple[Verdict, str]]:
    """Yield the answers of a leaf and the states around it, innermost first, as far as they have one."""
    for node in outward(leaf):
        if node in seen:
            continue
        seen.add(node)
        if node.handlers is None:
            yield Verdict.PERHAPS, f"state {node.name} is a function, and only calling it shows what it does"
        elif node.call_for(e.signal) is not None and isinstance(node.fn, BuiltState):
            answer, reason = node.fn.answer(chart, e)
            yield _VERDICTS[answer], reason


def _elsewhere(states: list[str]) -> str:
    if len(states) == 1:
        return f"only state {states[0]} reacts to it, and is not active"
    return f"only states {', '.join(states[:-1])} and {states[-1]} react to it, and are not active"
