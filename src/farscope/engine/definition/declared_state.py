"""The declarations of a state: its reactions, and the timeouts, task and charts of each stay."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Self, TypeVar, overload

from farscope.engine.core.handlers import Alternative, name_of
from farscope.engine.core.states import (
    AFTER_PREFIX,
    COMPLETION_PREFIX,
    ERROR_PREFIX,
    EVERY_PREFIX,
    OTHERWISE,
    RESULT_PREFIX,
    BuiltState,
    own_signal,
)
from farscope.engine.core.stays import checked_timeout
from farscope.engine.definition.guards import checked_function, checked_guard, guard_text
from farscope.engine.definition.names import checked_name, signal_number
from farscope.engine.definition.reactions import (
    Clause,
    alternatives_of,
    checked_maker,
    checked_task,
    handler_of,
)
from farscope.engine.definition.signatures import Acting, Choosing, Guard, Making, Reacting, Working
from farscope.engine.event import (
    ENTRY_SIGNAL,
    EXIT_SIGNAL,
    INIT_SIGNAL,
    Event,
    Name,
    Signal,
    plain_name,
    signals,
)
from farscope.errors import ChartBuildError
from farscope.records.structure import StateKind

_Reacting = TypeVar("_Reacting", bound=Reacting)
_Acting = TypeVar("_Acting", bound=Acting)
_Choosing = TypeVar("_Choosing", bound=Choosing)
_Working = TypeVar("_Working", bound=Working)
_Making = TypeVar("_Making", bound=Making)
_Any = TypeVar("_Any", bound=Callable[..., Any])


class DeclaredState(BuiltState):
    """A state whose reactions, timeouts, task and charts are declared; see ``State``."""

    shared = True

    __slots__ = ("clauses", "definition", "extends", "inherited", "initials", "nameless", "unfinished")

    def __init__(self, name: Name | None, kind: StateKind) -> None:
        super().__init__(checked_name(name), kind)
        self.clauses: dict[int, list[Clause]] = {}
        """The declared clauses by signal, from which ``handlers`` is built."""
        self.initials: list[Any] = []
        """Initial states and initial functions declared in it; more than one is an error."""
        self.unfinished = 0
        """Number of calls of ``on`` without a target that have not decorated a function."""
        self.nameless: dict[int, tuple[str, str]] = {}
        """Stands for signals named after the state, as long as it has no name: what precedes and follows it
        there, by keys that are not numbers of signals."""
        self.definition = ""
        """Name of the finished class it belongs to; nothing can be added to the state after that."""
        self.extends: Self | None = None
        """The state that this one continues in a subclass."""
        self.inherited: set[int] = set()
        """The signals whose clauses are still those of the extended state."""

    def __set_name__(self, owner: type, name: str) -> None:
        if not self.__name__:
            self.__name__ = name
            self._name_signals()

    @overload
    def on(
        self, *names: Signal, to: BuiltState | Name, guard: Guard | None = None
    ) -> Callable[[_Acting], _Acting]: ...

    @overload
    def on(self, *names: Signal, guard: Guard | None = None) -> Callable[[_Reacting], _Reacting]: ...

    def on(
        self, *names: Signal, to: BuiltState | Name | None = None, guard: Guard | None = None
    ) -> Callable[[Any], Any]:
        """React to signals, given as ``signals.NAME`` or by name.

        It decorates the reaction: a function of the chart and the event, or of the chart alone, that returns
        the target state, or None to stay. With ``to`` the target is fixed and drawn in diagrams; the function
        only acts and returns nothing, and may be omitted: ``a.on("GO", to=b)``.

        With ``guard`` the reaction handles the event only if that function, of the chart or of the chart and
        the event, returns true. Several guarded reactions to one signal are tried in the order in which they
        are written; if all refuse, the event goes to the parent state.

        Raises:
            ChartBuildError: the signal is one of the engine's own, the function cannot be called with these
                arguments, it can never be reached because one before it has no guard, or the guard must be
                awaited.
        """
        numbers = tuple(signal_number(name, self._called) for name in names)
        if not numbers:
            raise ChartBuildError(
                f"a reaction of state {self._called} names no signal",
                "write state.on('GO')",
                state=self.__name__,
            )
        return self._reacts(numbers, to, guard)

    def _reacts(self, numbers: tuple[int, ...], to: Any, guard: Guard | None) -> Callable[[Any], Any]:
        arrow = Clause(None, plain_name(to), None if guard is None else checked_guard(guard, self._called))
        if to is not None:
            self._add(numbers, arrow)
        else:
            self.unfinished += 1

        def react(function: Any) -> Any:
            clause = arrow._replace(function=checked_function(function, self._called))
            if to is None:
                self.unfinished -= 1
                self._add(numbers, clause)
            else:
                for number in numbers:
                    clauses = self.clauses[number]
                    clauses[clauses.index(arrow)] = clause
                    self.handlers[number] = handler_of(clauses, self.__name__)
            return function

        return react

    @overload
    def on_done(self, function: _Reacting, /) -> _Reacting: ...

    @overload
    def on_done(
        self, /, *, to: BuiltState | Name, guard: Guard | None = None
    ) -> Callable[[_Acting], _Acting]: ...

    @overload
    def on_done(self, /, *, guard: Guard) -> Callable[[_Reacting], _Reacting]: ...

    def on_done(
        self,
        function: Any = None,
        /,
        *,
        to: BuiltState | Name | None = None,
        guard: Guard | None = None,
    ) -> Any:
        """React to the completion of the state.

        A state is complete when a final state inside it has been entered; a parallel state, when all its
        regions are complete. Used like ``on``, without signals: ``@a.on_done``, ``@a.on_done(to=b)``,
        ``a.on_done(to=b)``. The reaction precedes all events in the queue. Its signal is ``done.state.NAME``.

        Raises:
            ChartBuildError: as ``on``.
        """
        return self._reacts_to_own(COMPLETION_PREFIX, function, to, guard)

    @overload
    def after(
        self, seconds: float, *, to: BuiltState | Name, guard: Guard | None = None
    ) -> Callable[[_Acting], _Acting]: ...

    @overload
    def after(self, seconds: float, *, guard: Guard | None = None) -> Callable[[_Reacting], _Reacting]: ...

    def after(
        self, seconds: float, *, to: BuiltState | Name | None = None, guard: Guard | None = None
    ) -> Callable[[Any], Any]:
        """React when the state has been active for ``seconds``; used like ``on``.

        The time counts from the end of the state's entry action. Once the state is left, the timeout is void,
        even if its event waits in the queue; the step that leaves the state then shows ``VOIDED``. The event
        finds room in a full queue. Its signal is ``after.NAME.DELAY``, for example ``after.waiting.200ms``.

        Raises:
            ChartBuildError: as ``on``, or the state cannot wait that long.
        """
        return self._reacts((self._timeout(seconds, repeats=False),), to, guard)

    @overload
    def every(
        self, seconds: float, *, to: BuiltState | Name, guard: Guard | None = None
    ) -> Callable[[_Acting], _Acting]: ...

    @overload
    def every(self, seconds: float, *, guard: Guard | None = None) -> Callable[[_Reacting], _Reacting]: ...

    def every(
        self, seconds: float, *, to: BuiltState | Name | None = None, guard: Guard | None = None
    ) -> Callable[[Any], Any]:
        """React every ``seconds`` while the state is active; otherwise the same as ``after``.

        Lateness does not accumulate, and nothing is skipped. An event that finds no room in the queue is
        treated as any other post. The signal is ``every.NAME.DELAY``.

        Raises:
            ChartBuildError: as ``after``.
        """
        return self._reacts((self._timeout(seconds, repeats=True),), to, guard)

    def child(self, function: _Making) -> _Making:
        """Run another chart while the state is active; a decorator, or called with a class of charts.

        The function, of the chart alone, returns a new chart at each entry. It becomes a child of this one,
        and starts after the state's entry action where its class says, unless the function has started it. A
        class is called with ``parent=`` alone. When the state is left, the child is stopped, before the
        state's exit action, and without waiting for its running step. If it ends before that, the chart
        receives ``CHILD_FINISHED``, ``CHILD_FAILED`` or ``CHILD_STOPPED``. A state may have several. ::

            charging.child(Meter)

            @charging.child
            def watchdog(self) -> Chart:
                return Watchdog(f"watchdog of {self.name}")

        Raises:
            ChartBuildError: the function cannot be called with the chart alone, or the state is neither plain
                nor parallel.
        """
        self._refuse_if_finished()
        self._refuse_if_pseudo("a chart")
        self.charts += (checked_maker(function, self._called),)
        return function

    def task(self, function: _Working) -> _Working:
        """Run a function while the state is active; a decorator.

        It starts after the state's entry action. A coroutine function of the chart runs on the event loop of
        an ``AsyncChart`` and is cancelled when the state is left. Any other function runs on a thread. It
        takes the chart, or the chart and a ``Cancellation``, which is set when the state is left.

        The result arrives as an event, see ``on_result``; an error, see ``on_error``. Whatever comes after
        the state was left is discarded, and counted in ``chart.voided``.

        Raises:
            ChartBuildError: the state has a task, cannot have one, or the function cannot be called that way.
        """
        self._refuse_if_finished()
        inherited = None if self.extends is None else self.extends.task_function
        if self.task_function is not inherited:
            raise ChartBuildError(
                f"state {self._called} has two tasks",
                "let one function do both, or make two regions with a task each",
                state=self.__name__,
            )
        self._refuse_if_pseudo("a task")
        self.task_function = checked_task(function, self._called)
        return function

    @overload
    def on_result(self, function: _Reacting, /) -> _Reacting: ...

    @overload
    def on_result(
        self, /, *, to: BuiltState | Name, guard: Guard | None = None
    ) -> Callable[[_Acting], _Acting]: ...

    @overload
    def on_result(self, /, *, guard: Guard) -> Callable[[_Reacting], _Reacting]: ...

    def on_result(
        self,
        function: Any = None,
        /,
        *,
        to: BuiltState | Name | None = None,
        guard: Guard | None = None,
    ) -> Any:
        """React to the result of the state's task, which is the event's payload; used like ``on_done``.

        The event finds room in a full queue. Its signal is ``done.task.NAME``.

        Raises:
            ChartBuildError: as ``on``.
        """
        return self._reacts_to_own(RESULT_PREFIX, function, to, guard)

    @overload
    def on_error(self, function: _Reacting, /) -> _Reacting: ...

    @overload
    def on_error(
        self, /, *, to: BuiltState | Name, guard: Guard | None = None
    ) -> Callable[[_Acting], _Acting]: ...

    @overload
    def on_error(self, /, *, guard: Guard) -> Callable[[_Reacting], _Reacting]: ...

    def on_error(
        self,
        function: Any = None,
        /,
        *,
        to: BuiltState | Name | None = None,
        guard: Guard | None = None,
    ) -> Any:
        """React to an error of the state's task, which is the event's payload; used like ``on_done``.

        An error to which the state does not react is logged, and its traceback becomes a text of the step.
        The event finds room in a full queue. Its signal is ``error.task.NAME``.

        Raises:
            ChartBuildError: as ``on``.
        """
        return self._reacts_to_own(ERROR_PREFIX, function, to, guard)

    def otherwise(self, function: _Reacting) -> _Reacting:
        """React to all signals not handled by this state or one inside it; a decorator like ``on``."""
        return self._declare(OTHERWISE, function)

    def entry(self, function: _Acting) -> _Acting:
        """Act when the state is entered; decorates a function of the chart, or of the chart and the event."""
        return self._declare(ENTRY_SIGNAL, function)

    def exit(self, function: _Acting) -> _Acting:
        """Act when the state is exited; decorates a function of the chart, or of the chart and the event."""
        return self._declare(EXIT_SIGNAL, function)

    def initial(self, function: _Choosing) -> _Choosing:
        """Choose the initial state at each entry; decorates a function that returns a state inside this one.

        If it is always the same state, declare that one with ``State(initial=True)``.
        """
        self._add_initial(function, Clause(checked_function(function, self._called)))
        return function

    def handlers_for(self, chart: Any) -> dict[int, Callable[..., Any]]:
        """Return the handlers by signal, including the reactions that the class of ``chart`` overrides."""
        kind = chart if isinstance(chart, type) else type(chart)
        name = self.__name__
        return {
            signal: handler_of([clause.for_chart(kind) for clause in clauses], name)
            for signal, clauses in self.clauses.items()
        }

    def answer(self, chart: Any, e: Event) -> tuple[bool | None, str]:
        """Return whether the state would react to ``e``, as ``BuiltState.answer`` does."""
        refusals: list[str] = []
        for declared in self.clauses.get(e.signal) or self.clauses.get(OTHERWISE, []):
            clause = declared.for_chart(type(chart))
            where = "reacts" if clause.to is None else f"leads to {_name(clause.to)}"
            if clause.guard is None:
                return True, f"state {self.__name__} {where}"
            text = guard_text(clause.guard)
            try:
                answer = clause.guard(chart, e)
            except Exception as error:  # noqa: BLE001 - a guard may need another payload
                return None, f"the guard {text} of state {self.__name__} raised {error!r}"
            if answer:
                return True, f"state {self.__name__} {where}, because {text}"
            refusals.append(text)
        return False, f"state {self.__name__} refuses it: not {', not '.join(refusals)}"

    def alternatives_for(self, chart: Any) -> dict[int, tuple[Alternative, ...]]:
        """Return the parts of the reactions, including those that the class of ``chart`` overrides."""
        kind = chart if isinstance(chart, type) else type(chart)
        return {
            signal: alternatives_of([clause.for_chart(kind) for clause in clauses], self.__name__)
            for signal, clauses in self.clauses.items()
        }

    def targets_of(self, signal: int) -> tuple[str, ...]:
        """Return the names of the states that ``signal`` leads to, as far as ``to`` or ``initial`` say."""
        return tuple(_name(clause.to) for clause in self.clauses[signal] if clause.to is not None)

    def arrows_of(self, signal: int) -> tuple[tuple[str, str], ...]:
        """Return target and guard text of the reactions to ``signal``: of all arrows, else of the first."""
        clauses = self.clauses[signal]
        arrows = [clause for clause in clauses if clause.to is not None] or clauses[:1]
        return tuple(
            ("" if clause.to is None else _name(clause.to), guard_text(clause.guard) if clause.guard else "")
            for clause in arrows
        )

    def charts_for(self, chart: Any) -> tuple[Callable[..., Any], ...]:
        """Return what makes the charts of the state, which the class of ``chart`` may override."""
        kind = chart if isinstance(chart, type) else type(chart)
        clauses = (Clause(function).for_chart(kind) for function in self.charts)
        return tuple(clause.function for clause in clauses if clause.function is not None)

    def task_for(self, chart: Any) -> Callable[..., Any] | None:
        """Return the function of the task, which the class of ``chart`` may override."""
        kind = chart if isinstance(chart, type) else type(chart)
        return Clause(self.task_function).for_chart(kind).function

    def _reacts_to_own(self, prefix: str, function: Any, to: Any, guard: Guard | None) -> Any:
        number = self._own(prefix, "")
        return self._reacts((number,), to, guard) if function is None else self._declare(number, function)

    def _timeout(self, seconds: float, *, repeats: bool) -> int:
        timeout = checked_timeout(seconds, self._called, repeats=repeats)
        number = self._own(EVERY_PREFIX if repeats else AFTER_PREFIX, "." + timeout.delay.replace(" ", ""))
        self.timeouts[number] = timeout._replace(signal=number)
        return number

    def _own(self, prefix: str, suffix: str) -> int:
        """Return the signal named after the state, or a key that stands for it as long as it has no name."""
        if self.__name__:
            return own_signal(prefix + self.__name__ + suffix)
        parts = prefix, suffix
        for key, others in self.nameless.items():
            if others == parts:
                return key
        key = -1 - len(self.nameless)
        self.nameless[key] = parts
        return key

    def _name_signals(self) -> None:
        """Give reactions and timeouts the signals named after the state, which has a name now."""
        for key, (prefix, suffix) in self.nameless.items():
            number = own_signal(prefix + self.__name__ + suffix)
            if key in self.clauses:
                self.clauses[number] = self.clauses.pop(key)
                del self.handlers[key]
                self.handlers[number] = handler_of(self.clauses[number], self.__name__)
            if key in self.timeouts:
                self.timeouts[number] = self.timeouts.pop(key)._replace(signal=number)
        self.nameless.clear()

    @property
    def _called(self) -> str:
        # In a class body the attribute, and so the name, is assigned after all reactions.
        return self.__name__ or "without a name so far"

    def _declare(self, number: int, function: _Any) -> _Any:
        self._add((number,), Clause(checked_function(function, self._called)))
        return function

    def _add_initial(self, initial: Any, clause: Clause) -> None:
        """Add an initial transition; a second one is rejected with the whole class, once all have names."""
        if INIT_SIGNAL in self.inherited:
            self.initials.clear()
        if not self.initials or self.definition:
            self._add((INIT_SIGNAL,), clause)
        self.initials.append(initial)

    def _what(self, number: int) -> str:
        if number in self.nameless:
            return "".join(self.nameless[number])
        return signals.name_for_signal(number) if number != OTHERWISE else "all other signals"

    def _refuse_if_pseudo(self, what: str) -> None:
        if self.kind not in (StateKind.PLAIN, StateKind.PARALLEL):
            raise ChartBuildError(
                f"{self.kind.name.lower().replace('_', ' ')} state {self._called} cannot have {what}",
                f"give {what} to a plain state",
                state=self.__name__,
            )

    def _refuse_if_finished(self) -> None:
        if self.definition:
            raise self._is_finished("it can react to nothing more")

    def _add(self, numbers: tuple[int, ...], clause: Clause) -> None:
        self._refuse_if_finished()
        for number in numbers:
            if number in self.inherited:
                self.inherited.remove(number)
                self.clauses[number] = []
            clauses = self.clauses.setdefault(number, [])
            if clauses and clauses[-1].guard is None:
                what = self._what(number)
                raise ChartBuildError(
                    f"state {self._called} reacts to {what} twice, and the first reaction has no guard",
                    "guard the first one, or let one reaction do both",
                    state=self.__name__,
                )
            clauses.append(clause)
            self.handlers[number] = handler_of(clauses, self.__name__)

    def _is_finished(self, consequence: str) -> ChartBuildError:
        name, kind = self.__name__, self.definition
        return ChartBuildError(
            f"state {name} belongs to chart class {kind}, which is finished: {consequence}",
            f"declare everything in the body of that class; a subclass extends the state: "
            f"{name} = {kind}.{name}.extended()",
            state=name,
        )


def _name(target: Any) -> str:
    return target if isinstance(target, str) else name_of(target)
