"""Captions of arrows besides the signal: guards, delays and flags."""

from __future__ import annotations

from collections.abc import Iterable

from farscope.records.kinds import UnknownKind
from farscope.records.structure import AnyReactionFlag, AnyStateKind, Reaction, ReactionFlag, StateKind

HISTORIES = {StateKind.HISTORY: "H", StateKind.DEEP_HISTORY: "H*"}
"""Kinds of history states, and their signs in UML."""


REPEATED = "every."
"""Beginning of the signals of timeouts that repeat while their state is active."""


def caption(signal: str, reactions: Iterable[Reaction] = ()) -> str:
    """Return the text of an arrow or remark: ``GO [ready]``, ``after 200 ms``, ``RESET (internal)``.

    ``reactions`` are those announced for it; several share an arrow if only their guards differ.
    """
    known = tuple(reactions)
    guards = dict.fromkeys(reaction.guard for reaction in known if reaction.guard)
    flags = dict.fromkeys(flag for reaction in known for flag in reaction.flags)
    delay = next((reaction.delay for reaction in known if reaction.delay), "")
    timed = ReactionFlag.TIMED in flags and delay
    parts = [signal] if signal else []
    if timed:
        parts = [f"{'every' if signal.startswith(REPEATED) else 'after'} {delay}"]
    if guards:
        parts.append(f"[{' or '.join(guards)}]")
    parts += [f"({mark})" for mark in map(_mark, flags) if mark]
    return " ".join(parts) or "(eventless)"


def _mark(flag: AnyReactionFlag) -> str:
    return "" if flag is ReactionFlag.TIMED else flag.name.lower().replace("_", " ")


def stereotype(kind: AnyStateKind) -> str:
    """Return the name of a kind of state that a later release defined; empty for all others."""
    return kind.name.lower().replace("_", " ") if isinstance(kind, UnknownKind) else ""
