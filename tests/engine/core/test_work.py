"""The task of a state starts on its entry, is cancelled on its exit, and its outcome arrives as an event."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from farscope.engine import AsyncChart, Chart, Event, Factory, Hsm, State
from farscope.engine.core.work import MAX_LATE_THREADS, Cancellation
from farscope.errors import ChartBuildError, ChartError
from farscope.testing.waiting import eventually


class Reader(Chart):
    """Reads on a thread; what happens there is up to the test."""

    idle = State(initial=True)
    reading = State()
    shown = State()

    idle.on("READ", to=reading)
    reading.on("CANCEL", to=idle)

    def __init__(self, read: Any, **options: Any) -> None:
        super().__init__("reader", **options)
        self.read_with = read
        self.results: list[Any] = []

    @reading.task
    def read(self, cancelled: Cancellation) -> Any:
        return self.read_with(cancelled)

    @reading.on_result(to=shown)
    def show(self, e: Event) -> None:
        self.results.append(e.payload)


def started(reader: Hsm) -> Hsm:
    reader.start_at(Reader.idle)
    reader.post_fifo(Event("READ"))
    return reader


def test_the_result_of_a_thread_arrives_as_an_event_caused_by_the_step_that_entered_the_state():
    with started(Reader(lambda _cancelled: 42)) as reader:
        eventually(lambda: reader.current_state() == "shown")
        assert reader.results == [42]
        entry, result = reader.steps()[-2:]
        assert (entry.signal, result.signal) == ("READ", "done.task.reading")
        assert result.cause.number == entry.number


def test_leaving_the_state_cancels_the_thread_and_its_result_is_void():
    seen = threading.Event()

    def read(cancelled: Cancellation) -> str:
        seen.set()
        assert cancelled.wait(10)
        return "too late"

    with started(Reader(read)) as reader:
        assert seen.wait(10)
        reader.post_fifo(Event("CANCEL"))
        eventually(lambda: reader.voided == 1)
        assert reader.current_state() == "idle"
        assert reader.results == []
        assert [step.signal for step in reader.steps()] == ["start_at", "READ", "CANCEL"]


def test_a_result_that_waits_in_the_queue_when_its_state_is_left_is_void_and_the_step_shows_it():
    reader = Reader(lambda _cancelled: 42, threaded=False)
    reader.start_at()
    reader.dispatch(Event("READ"))
    eventually(lambda: not reader.at_rest)
    reader.dispatch(Event("CANCEL"))
    assert "VOIDED:done.task.reading" in reader.spy_rtc()
    assert not reader.complete_circuit()
    assert reader.voided == 1


def test_an_error_to_which_nothing_reacts_is_recorded_with_its_traceback_and_logged(caplog):
    def read(_cancelled: Cancellation) -> None:
        raise ValueError("no disk")

    with started(Reader(read)) as reader:
        eventually(lambda: reader.steps()[-1].signal == "error.task.reading")
        assert "ValueError: no disk" in reader.steps()[-1].texts[0]
        assert reader.steps()[-1].kind.name == "IGNORED"
        assert reader.current_state() == "reading"
    assert "the task of state reading of chart reader raised" in caplog.text
    assert "ValueError: no disk" in caplog.text


def test_a_reaction_to_the_error_receives_it():
    class Safe(Chart):
        busy = State(initial=True)
        failed = State()

        @busy.task
        def work(self) -> None:
            raise ValueError("no disk")

        @busy.on_error(to=failed, guard=lambda _chart, e: isinstance(e.payload, ValueError))
        def note(self, e: Event) -> None:
            self.scribble(f"failed: {e.payload}")

    with Safe("safe") as chart:
        chart.start_at()
        eventually(lambda: chart.current_state() == "failed")
        assert chart.steps()[-1].texts == ("failed: no disk",)


def test_stopping_the_chart_cancels_its_task():
    ended = threading.Event()

    def read(cancelled: Cancellation) -> None:
        if cancelled.wait(10):
            ended.set()

    reader = started(Reader(read))
    eventually(lambda: reader.current_state() == "reading")
    reader.stop()
    assert ended.wait(10)


def test_threads_that_do_not_end_when_they_are_cancelled_are_limited():
    release = threading.Event()
    reader = Reader(lambda _cancelled: release.wait(10), threaded=False)
    reader.start_at()
    try:
        for _ in range(MAX_LATE_THREADS):
            reader.dispatch(Event("READ"))
            reader.dispatch(Event("CANCEL"))
        assert task_threads() == MAX_LATE_THREADS
        reader.dispatch(Event("READ"))
        assert reader.complete_circuit()
        assert reader.steps()[-1].signal == "error.task.reading"
        assert f"{MAX_LATE_THREADS} cancelled tasks of chart reader still run" in reader.steps()[-1].texts[0]
        assert task_threads() == MAX_LATE_THREADS
    finally:
        release.set()
        reader.stop()
    eventually(lambda: task_threads() == 0)


def task_threads() -> int:
    return sum("task of reading" in thread.name for thread in threading.enumerate())


def test_a_step_that_fails_after_it_left_the_state_makes_the_cancelled_task_an_error():
    class Bad(Chart):
        busy = State(initial=True)
        broken = State()
        failed = State()
        busy.on("BREAK", to=broken)
        busy.on_error(to=failed)

        @busy.task
        def work(self, cancelled: Cancellation) -> None:
            cancelled.wait(10)

        @broken.entry
        def fail(self) -> None:
            raise RuntimeError("broken")

    chart = Bad("bad", threaded=False)
    chart.start_at()
    with pytest.raises(RuntimeError, match="broken"):
        chart.dispatch(Event("BREAK"))
    assert chart.current_state() == "busy"
    assert chart.complete_circuit()
    assert chart.current_state() == "failed"
    assert chart.steps()[-1].signal == "error.task.busy"
    chart.stop()


class Fetcher(AsyncChart):
    """Fetches on the event loop."""

    idle = State(initial=True)
    loading = State()
    shown = State()

    idle.on("GET", to=loading)
    loading.on("CANCEL", to=idle)
    loading.on_result(to=shown)

    def __init__(self) -> None:
        super().__init__("fetcher")
        self.answer: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.cancelled = 0

    @loading.task
    async def fetch(self) -> str:
        try:
            return await self.answer
        except asyncio.CancelledError:
            self.cancelled += 1
            raise


async def until(condition: Any) -> None:
    await asyncio.to_thread(eventually, condition)


def test_a_coroutine_runs_beside_the_chart_and_its_result_arrives_as_an_event():
    async def run() -> None:
        async with Fetcher() as fetcher:
            await fetcher.post(Event("GET"))
            await fetcher.settled()
            assert fetcher.current_state() == "loading"
            fetcher.answer.set_result("page")
            await until(lambda: fetcher.current_state() == "shown")
            assert fetcher.steps()[-1].signal == "done.task.loading"

    asyncio.run(run())


def test_leaving_the_state_cancels_the_coroutine():
    async def run() -> None:
        async with Fetcher() as fetcher:
            await fetcher.post(Event("GET"))
            await fetcher.post(Event("CANCEL"))
            await until(lambda: fetcher.cancelled or fetcher.current_state() == "idle")
            await asyncio.sleep(0)
            assert fetcher.current_state() == "idle"
            assert [step.signal for step in fetcher.steps()] == ["start_at", "GET", "CANCEL"]

    asyncio.run(run())


def test_closing_the_chart_cancels_the_coroutine_and_waits_for_its_end():
    async def run() -> None:
        async with Fetcher() as fetcher:
            await fetcher.post(Event("GET"))
            await fetcher.settled()
            await asyncio.sleep(0)
        assert fetcher.cancelled == 1
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(run())


def test_a_coroutine_that_something_else_cancels_is_an_error():
    async def run() -> None:
        async with Fetcher() as fetcher:
            await fetcher.post(Event("GET"))
            await fetcher.settled()
            fetcher.answer.cancel()
            await until(lambda: fetcher.steps()[-1].signal == "error.task.loading")

    asyncio.run(run())


def test_a_plain_function_runs_on_a_thread_beside_a_chart_on_an_event_loop():
    async def run() -> None:
        class Mixed(AsyncChart):
            busy = State(initial=True)
            done = State()
            busy.on_result(to=done)

            @busy.task
            def work(self) -> str:
                return threading.current_thread().name

        async with Mixed("mixed") as chart:
            await until(lambda: chart.current_state() == "done")

    asyncio.run(run())


def test_a_subclass_may_override_the_task_like_a_reaction():
    class Other(Reader):
        def read(self, _cancelled: Cancellation) -> str:
            return "other"

    with started(Other(lambda _cancelled: "not called")) as reader:
        eventually(lambda: reader.current_state() == "shown")
        assert reader.results == ["other"]


def test_a_chart_built_by_parts_has_tasks_too():
    chart = Factory("built", threaded=False)
    results: list[Any] = []

    def show(chart: Factory, e: Event) -> int:
        results.append(e.payload)
        return chart.trans("b")

    chart.create("a").task(lambda _chart, cancelled: cancelled.is_set(), result=show, error=show)
    chart.create("b")
    chart.nest("a", parent=None).nest("b", parent=None)
    chart.start_at("a")
    eventually(lambda: not chart.at_rest)
    chart.complete_circuit()
    assert chart.current_state() == "b"
    assert results == [False]


async def fetch(_chart: object) -> None:
    """Do nothing."""


@pytest.mark.parametrize(
    ("declare", "message"),
    [
        (lambda state: (state.task(fetch), state.task(fetch)), "state a has two tasks"),
        (lambda state: state.task(lambda: None), "cannot be the task of state a"),
        (lambda state: state.task(None), "cannot be the task of state a"),
    ],
)
def test_a_task_that_cannot_work_is_refused_where_it_is_declared(declare, message):
    with pytest.raises(ChartBuildError, match=message):
        declare(State("a"))


def test_a_coroutine_needs_an_event_loop():
    with pytest.raises(ChartBuildError, match="the task of state busy, is a coroutine function"):
        type("Plain", (Chart,), {"busy": (busy := State()), "work": busy.task(fetch)})
    with pytest.raises(ChartBuildError, match="the task of state a, is a coroutine function"):
        Factory("built").create("a").task(fetch)


def test_a_cancellation_is_set_once_and_for_all():
    cancellation = Cancellation()
    assert not cancellation.is_set()
    assert not cancellation.wait(0)
    cancellation.set()
    cancellation.set()
    assert cancellation.is_set()
    assert cancellation.wait()


def test_an_unhandled_error_reaches_states_around_the_one_with_the_task():
    class Outer(Chart):
        with State(initial=True) as outer:
            inner = State(initial=True)
        failed = State()
        outer.on("error.task.inner", to=failed)

        @inner.task
        def work(self) -> None:
            raise ChartError("bad", "none")

    with Outer("outer") as chart:
        chart.start_at()
        eventually(lambda: chart.current_state() == "failed")


def test_a_subclass_may_give_an_inherited_state_another_task_and_bases_may_not_disagree():
    class One(Reader):
        reading = Reader.reading.extended()

        @reading.task
        def read_one(self) -> int:
            return 1

    class Two(Reader):
        reading = Reader.reading.extended()

        @reading.task
        def read_two(self) -> int:
            return 2

    for kind, result in ((One, 1), (Two, 2)):
        with kind(None) as reader:
            reader.start_at()
            reader.post_fifo(Event("READ"))
            eventually(lambda: reader.current_state() == "shown")
            assert reader.results == [result]
    with pytest.raises(ChartBuildError, match="change the task of state reading"):
        type("Both", (One, Two), {"reading": Reader.reading.extended()})


def test_a_thread_whose_function_returns_something_to_await_is_an_error():
    def answer(_cancelled: Cancellation) -> Any:
        return fetch(None)

    with started(Reader(answer)) as reader:
        eventually(lambda: reader.steps()[-1].signal == "error.task.reading")
        assert "has to be awaited" in reader.steps()[-1].texts[0]
