"""Cause tokens: how a step in one process becomes the cause of a step in another.

A token is a W3C ``traceparent``. Its span id is that of a step, which scopes look up, and its trace id is
that of the causal chain to which the step belongs. The two processes share nothing else.
"""

from __future__ import annotations

import logging
import os
from typing import Any, Final, Self

from farscope.records.carried_cause import CarriedCause, carrier, carry, carry_no_longer
from farscope.records.current_step import current_step
from farscope.records.fork_hooks import at_fork
from farscope.records.step import Cause
from farscope.records.trace_context import TraceParent, parse_traceparent, span_id, trace_id

_log = logging.getLogger("farscope")

SHOWN_CHARACTERS: Final = 80
"""Characters of an invalid token that the log message shows; the rest is left out."""


class InvalidTokens:
    """Counts the tokens of this process that ``caused_by`` could not read, and reports the first."""

    def __init__(self) -> None:
        self.count = 0

    def add(self, token: object) -> None:
        """Count a token, which may have come from anyone."""
        self.count += 1
        if self.count == 1:
            _log.warning(
                "an invalid cause token is ignored, and so are later ones, which are only counted: %.*r",
                *(SHOWN_CHARACTERS, token),
            )


invalid_tokens: Final = InvalidTokens()


def cause() -> str | None:
    """Return a token that names the running step as the cause of what happens elsewhere because of it.

    ::

        client.publish("orders", payload, headers={"traceparent": farscope.cause()})

    The token is a valid W3C ``traceparent`` of 55 ASCII characters, for a header, a property or a table
    column. The receiver passes it to ``caused_by``. It names the cause that a post made here would have: in a
    handler, including entry and exit actions, coroutines and the tasks they start, the running step; inside a
    ``caused_by`` block, the cause that the block names.

    Scopes find the step if its chart is broadcast. The token of any other chart is just as valid, but the
    cause is then shown as unknown.

    Returns:
        The token; None outside any handler and block, and in a handler of a chart that records no steps.
    """
    step = current_step()
    found = carrier(step)
    if found is not None:
        named, step = found.cause, found.inside
    elif step is not None:
        named = step.cause()
    else:
        return None
    if named.span_id:
        return str(TraceParent(named.trace_id, named.span_id))
    return _token_of(named, {} if step is None else step.sinks)


def _token_of(named: Cause, sinks: Any) -> str:
    issuers = [sink for sink in list(sinks.values()) if hasattr(sink, "note_token")]
    # If several probes broadcast the chart, each makes the token known to its scopes.
    probe = issuers[0].probe_id if issuers else _unseen.probe
    span = span_id(probe, named.serial, named.number)
    for issuer in issuers:
        issuer.note_token(named.serial, named.number, span)
    root = named.root or named
    trace = named.trace_id or trace_id(probe, root.serial, root.number)
    return str(TraceParent(trace, span))


class caused_by:  # noqa: N801 - reads like a keyword of the ``with`` statement
    """A block whose posts are caused by the step, or the span, that a token names.

    ::

        with farscope.caused_by(message.headers.get("traceparent")):
            chart.post_fifo(Event("ORDER", payload=message.body))

    It applies to posts, publications, timed posts and starts made inside the block, on the calling thread and
    in tasks and threads to which the context is copied. Steps of charts that run inside the block are the
    causes of what they post themselves. Blocks may be nested: the inner one applies.

    Any ``traceparent`` will do, also that of a web framework or of OpenTelemetry. Because anyone can make one
    up, the cause is shown as claimed. A token of None or an empty text changes nothing, and neither does an
    invalid one, which is counted in ``Probe.stats`` and logged once per process; nothing is ever raised.

    Args:
        token: the text that ``cause`` returned in another process, or another ``traceparent``.
    """

    __slots__ = ("_named", "_resets")

    def __init__(self, token: str | None) -> None:
        self._named = _named_by(token)
        self._resets: list[Any] = []

    def __enter__(self) -> Self:
        if self._named is not None:
            self._resets.append(carry(CarriedCause(self._named, current_step())))
        return self

    def __exit__(self, *_: object) -> None:
        if self._resets:
            carry_no_longer(self._resets.pop())


def _named_by(token: object) -> Cause | None:
    if token is None or token == "":
        return None
    parent = parse_traceparent(token) if isinstance(token, str) else None
    if parent is None:
        invalid_tokens.add(token)
        return None
    return Cause(trace_id=parent.trace_id, span_id=parent.span_id, claimed=True)


class _Unseen:
    """Stands for a probe in the tokens of charts that no probe broadcasts."""

    def __init__(self) -> None:
        self.renew()

    def renew(self) -> None:
        """Take another id, in a forked child."""
        self.probe = os.urandom(16).hex()


_unseen: Final = _Unseen()


def _begin_child() -> None:
    _unseen.renew()
    invalid_tokens.count = 0


at_fork(in_child=_begin_child)
