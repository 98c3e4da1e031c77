"""Names of states and signals as they are written in declarations."""

from __future__ import annotations

from farscope.engine.core.handlers import name_of
from farscope.engine.event import LAST_INNER_SIGNAL, Name, plain_name, signals
from farscope.errors import ChartBuildError


def checked_name(name: Name | None) -> str:
    """Return the name of a state as text, empty if there is none yet.

    Raises:
        ChartBuildError: it is neither a string nor a member of an enumeration.
    """
    text = plain_name(name)
    if text is None or isinstance(text, str):
        return text or ""
    raise ChartBuildError(
        f"{name!r} is not a name for a state", "name it by a string or a member of an enumeration"
    )


def signal_number(name: object, state: str) -> int:
    """Return the number of the signal to which ``state`` is to react.

    Raises:
        ChartBuildError: it is not a signal, or belongs to the engine.
    """
    name = plain_name(name)
    if not isinstance(name, int | str):
        raise ChartBuildError(
            f"{name_of(name)} is not a signal, but state {state} is to react to it",
            "write @state.on('SIGNAL')",
        )
    number = signals.append(name) if isinstance(name, str) else name
    if number <= LAST_INNER_SIGNAL:
        raise ChartBuildError(
            f"state {state} reacts to {signals.name_for_signal(number)}, which belongs to the engine",
            "decorate with entry, exit or initial instead of on",
            state=state,
        )
    return number
