"""Causes that contexts carry: through blocks that name one, and to the tasks of a handler.

The step context of a thread says which step runs there. Where none does, or where a block inside a handler
names another cause, the cause of a post is the one that the context variable here holds. Contexts are copied
into tasks, and so the cause follows the code that it caused.
"""

from __future__ import annotations

from contextvars import Context, ContextVar, Token, copy_context
from threading import get_ident
from typing import Final, NamedTuple

from farscope.records.current_step import StepContext, current_step
from farscope.records.step import Cause


class CarriedCause(NamedTuple):
    """The cause of posts made in a context."""

    cause: Cause
    inside: StepContext | None
    """The context whose step ran when this was set; steps that began later are causes themselves."""
    thread: int = 0
    """Identifier of the only thread where this applies; 0 for all of them."""


_carried: ContextVar[CarriedCause | None] = ContextVar("farscope_cause", default=None)

carried_causes: Final[list[Cause]] = []
"""The first cause that was carried in this process, if any was: until then, posts need not look for one."""


def carry(carried: CarriedCause) -> Token[CarriedCause | None]:
    """Set the cause of posts made in this context; return what ``carry_no_longer`` needs."""
    if not carried_causes:
        carried_causes.append(carried.cause)
    return _carried.set(carried)


def carry_no_longer(token: Token[CarriedCause | None]) -> None:
    """Undo ``carry``."""
    try:
        _carried.reset(token)
    except ValueError:
        # An unfinished coroutine or generator is closed in another context, which never carried the cause.
        return


def carrier(step: StepContext | None) -> CarriedCause | None:
    """Return what this context carries if it, rather than ``step``, is the cause of a post.

    Args:
        step: the context of the step that the calling thread runs.
    """
    found = _carried.get()
    if found is None or (step is not None and step is not found.inside):
        return None
    return found if found.thread in (0, get_ident()) else None


def cause_of_post(step: StepContext | None) -> Cause | None:
    """Return the cause of a post by a thread that runs ``step``, if any; None if none is known."""
    found = carrier(step)
    if found is not None:
        return found.cause
    return None if step is None else step.cause()


def current_cause() -> Cause | None:
    """Return the cause of a post that the caller would make; None if none is known."""
    step = current_step()
    if carried_causes:
        return cause_of_post(step)
    return None if step is None else step.cause()


def context_for_task() -> Context:
    """Return a copy of the current context for a task that the running step starts."""
    context = copy_context()
    cause = current_cause()
    if cause is not None:
        context.run(carry, CarriedCause(cause, current_step(), get_ident()))
    return context


def context_without_cause() -> Context:
    """Return a copy of the current context that carries no cause, for what outlives the current step."""
    context = copy_context()
    context.run(_carried.set, None)
    return context
