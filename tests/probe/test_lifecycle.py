from __future__ import annotations

import pytest

from farscope.probe import lifecycle as registry


class Hanging:
    def __init__(self, name: str, calls: list[tuple[str, str]]) -> None:
        self.name = name
        self.calls = calls

    def begin_closing(self, _timeout_s: float) -> None:
        self.calls.append(("begin", self.name))

    def ended(self, _timeout_s: float) -> bool:
        return self.name == "done"

    def interrupt(self) -> None:
        self.calls.append(("interrupt", self.name))

    def close(self, _timeout_s: float) -> None:
        self.calls.append(("close", self.name))
        registry.unregister(self)

    def pause_for_fork(self, timeout_s: float) -> bool:
        self.calls.append(("hold still" if timeout_s > 0 else "hold still at once", self.name))
        return self.name != "done"

    def resume_after_fork(self) -> None:
        self.calls.append(("go on", self.name))

    def restart_in_child(self, _since_ns: int) -> None:
        self.calls.append(("born again", self.name))


@pytest.fixture
def calls():
    return []


@pytest.fixture
def probes(calls):
    living = [Hanging(name, calls) for name in ("one", "done", "two")]
    for probe in living:
        registry.register(probe)
    yield living
    for probe in living:
        registry.unregister(probe)


def test_probes_begin_to_close_and_are_interrupted_side_by_side(probes, calls):
    registry.close_all(0.1)
    assert [call for call, _ in calls] == ["begin"] * 3 + ["interrupt"] * 2 + ["close"] * 3
    assert ("interrupt", "done") not in calls
    assert registry._open_probes == {}


def test_every_living_probe_is_born_again_in_a_forked_child(probes, calls):
    registry.unregister(probes[0])
    registry._after_fork_in_child()
    assert calls == [("born again", "done"), ("born again", "two")]


def test_before_a_fork_probes_hold_still_and_those_that_did_go_on_afterwards(probes, calls):
    registry._before_fork()
    registry._after_fork_in_parent()
    assert calls == [("hold still", probe.name) for probe in probes] + [("go on", "one"), ("go on", "two")]
