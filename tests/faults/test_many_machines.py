"""One view over machines with networks and clocks of their own, through a broker that only they can reach."""

from __future__ import annotations

import json
import os
import re
import shutil
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import accumulate
from pathlib import Path
from typing import NamedTuple, Self

import pytest

from farscope import Scope, Step
from farscope.errors import FarscopeError
from farscope.scope.notice import NoticeKind
from farscope.wire.keys import new_key_file
from support import broker as broker_module
from support import broker_fixtures, lossy_link, namespaces
from support.broker import Broker
from support.lossy_link import LossyLink
from support.namespaces import Namespace
from support.program import Program

pytestmark = [pytest.mark.network, pytest.mark.timeout(300)]

AHEAD_S = 40
BROKER = "10.77.0.1"
LINKS = {"north": ("10.77.1.1", "10.77.1.2"), "south": ("10.77.2.1", "10.77.2.2")}
"""Addresses of each machine's link, at the broker's end and at its own; known in namespaces only."""

TURN_S = 0.1
"""The machines act in turn, so long after each other; all of one kernel, they share a monotonic clock."""

STALL_S = 5.0
"""No batch is longer on its way, however busy the machine is that the tests run on."""

PRODUCER = """
import select, sys, time
from pathlib import Path
from farscope import Event, Factory, broadcast
from support.namespaces import own_host_name

host, url, key, begin, turn, pause, count = sys.argv[1:]
own_host_name(host)
chart = Factory("worker", threaded=False)

def note(chart, _):
    chart.scribble(str(time.monotonic_ns()))
    return chart.trans("busy")

chart.create("busy").catch("WORK", note)
chart.nest("busy", parent=None)
with broadcast(chart, url=url, key=Path(key)) as probe:
    chart.start_at("busy")
    due = float(begin) + float(turn)
    for _ in range(int(count)):
        select.select([], [], [], max(0.0, due - time.monotonic()))  # libfaketime breaks time.sleep
        chart.dispatch(Event("WORK"))
        due += float(pause)
    sys.stdin.read()
    stored = probe.flush(60)
    print(stored, probe.stats.emitted, sum(probe.stats.dropped.values()), flush=True)
    probe.close(30)
"""


class Site(NamedTuple):
    """A broker and two machines, each in a network of its own."""

    broker: Broker
    model: Namespace
    machines: dict[str, Namespace]


@pytest.fixture(scope="module")
def networks() -> None:
    """Skip where there can be none."""
    if reason := namespaces.why_not():
        pytest.skip(f"no networks of our own: {reason}")
    if os.environ.get(broker_fixtures.EXISTING) or not broker_module.available():
        pytest.skip("needs a private RabbitMQ, which can be put into a network")


@pytest.fixture(scope="module")
def site(networks: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A broker in a network of its own, with nothing joined to it yet; the test lives there, too."""
    with ExitStack() as stack:
        model = stack.enter_context(Namespace())
        machines = {name: stack.enter_context(Namespace()) for name in LINKS}
        stack.enter_context(model.entered())
        namespaces.run("ip", "address", "add", BROKER, "dev", "lo")
        # A short path: Erlang's sockets have no room for a long one.
        folder = tmp_path_factory.mktemp("node")
        yield Site(stack.enter_context(Broker(folder, address=BROKER)), model, machines)


@pytest.fixture
def joined(site: Site) -> Iterator[Site]:
    """Both machines linked to the broker."""
    for name in LINKS:
        namespaces.link(site.model, name, site.machines[name], "uplink")
        addressed(site, name)
    yield site
    for name in LINKS:
        namespaces.run("ip", "link", "delete", name)


def addressed(site: Site, name: str) -> None:
    here, there = LINKS[name]
    namespaces.address(site.model, name, here, there)
    namespaces.address(site.machines[name], "uplink", there, here, BROKER)


@pytest.fixture
def faketime() -> str:
    """The library that gives a program a clock that is off."""
    for folder in (Path("/usr/lib"), *Path("/usr/lib").glob("*-linux-*")):
        if (library := folder / "faketime" / "libfaketime.so.1").exists():
            return str(library)
    pytest.skip("libfaketime is not installed")


@pytest.fixture
def slow_and_lossy(site: Site, request: pytest.FixtureRequest) -> Iterator[Site]:
    """Both machines behind links with a delay of 100 ms that lose 5 % of all packets, either way."""
    with ExitStack() as stack:
        for seed, name in enumerate(LINKS):
            machine = site.machines[name]
            if request.param == "netem":
                namespaces.link(site.model, name, machine, "uplink")
                stack.callback(namespaces.run, "ip", "link", "delete", name)
                for end, interface in ((site.model, name), (machine, "uplink")):
                    netem(end, interface)
            elif os.access(lossy_link.TUN, os.R_OK | os.W_OK):
                ends = (site.model, name, machine, "uplink")
                stack.enter_context(LossyLink(*ends, delay_s=0.1, loss=0.05, seed=seed))
            else:
                pytest.skip(f"{lossy_link.TUN} cannot be used here")
            addressed(site, name)
        yield site


def netem(end: Namespace, interface: str) -> None:
    with end.entered():
        if shutil.which("tc") is None:
            pytest.skip("tc is not installed")
        try:
            namespaces.run(
                *("tc", "qdisc", "add", "dev", interface, "root"), "netem", "delay", "100ms", "loss", "5%"
            )
        except FarscopeError as error:
            pytest.skip(f"this kernel has no netem: {error.message}")


class Run:
    """Two producers that act in turn, one on each machine."""

    def __init__(self, site: Site, url: str, key: Path, *, count: int, faketime: str = "") -> None:
        self.programs: dict[str, Program] = {}
        begin = time.monotonic() + 4.0
        for turn, (name, machine) in enumerate(site.machines.items()):
            env = dict(os.environ)
            if faketime and name == "south":
                env |= {
                    "LD_PRELOAD": faketime,
                    "FAKETIME": f"+{AHEAD_S}s",
                    "FAKETIME_DONT_FAKE_MONOTONIC": "1",
                }
            timing = (begin, turn * TURN_S, len(site.machines) * TURN_S, count)
            with machine.entered():
                self.programs[name] = Program("-c", PRODUCER, name, url, str(key), *map(str, timing), env=env)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for program in self.programs.values():
            program.__exit__(None, None, None)

    def finish(self) -> None:
        """Let both leave, and see that they stored everything."""
        for program in self.programs.values():
            program.end_input()
        for program in self.programs.values():
            assert program.wait(90) == 0, program.err
            stored, _, dropped = program.out.split()
            assert (stored, dropped) == ("True", "0"), program.err


def key_file(tmp_path: Path) -> Path:
    key = tmp_path / "key"
    new_key_file(key)
    return key


def take(scope: Scope, count: int, timeout_s: float = 90.0) -> list[Step]:
    steps: list[Step] = []
    deadline = time.monotonic() + timeout_s
    while len(steps) < count and time.monotonic() < deadline:
        steps += scope.take(1.0)
    return steps


def true_times(steps: list[Step]) -> list[int]:
    return [int(step.texts[0]) for step in steps if step.texts]


def behind(times: list[int]) -> list[bool]:
    """Tell of each time whether it is behind a later one."""
    return [time < latest for time, latest in zip(times, accumulate(times, max), strict=True)]


def test_the_merged_view_is_in_true_order_though_one_clock_is_off(
    joined: Site, faketime: str, tmp_path: Path
):
    count, key = 60, key_file(tmp_path)
    url = joined.broker.url()
    with Scope(url, key, window_s=1.0) as scope, Run(joined, url, key, count=count, faketime=faketime) as run:
        watch = Program("-m", "farscope", "watch", url, "--key", str(key), "--json", "--since", "start")
        with watch:
            steps = take(scope, 2 * count + 2)
            seen_ns, own_ns = time.time_ns(), time.time_ns() - time.monotonic_ns()
            corrected = [scope.corrected_ns(step) + step.duration_ns for step in steps]
            late = scope.stats.late
            offsets = {chart.host: chart.clock_offset_s for chart in scope.charts}
            labels = {chart.label for chart in scope.charts}
            watch.wait_out('"number": 61', 30)
            run.finish()
            watch.interrupt()
            assert watch.wait() == 0
            told, shown = watch.err, [json.loads(line) for line in watch.out.splitlines()]
        notices = [(n.subject, n.detail) for n in scope.notices() if n.kind is NoticeKind.CLOCK_OFF]

    assert len(true_times(steps)) == 2 * count
    # By corrected times everything is in order, except what is counted as late; and no step is shown as
    # before it happened, nor as after it was seen.
    assert sum(behind(corrected)) == late
    in_order = [
        (int(step.texts[0]) + own_ns, by_our_clock)
        for step, by_our_clock, is_late in zip(steps, corrected, behind(corrected), strict=True)
        if step.texts and not is_late
    ]
    assert in_order
    errors = [by_our_clock - true_ns for true_ns, by_our_clock in in_order]
    assert min(errors) >= -0.05e9
    assert all(by_our_clock <= seen_ns + 0.05e9 for _, by_our_clock in in_order)
    true = [true_ns for true_ns, _ in in_order]
    out_of_place = [latest - at for at, latest in zip(true, accumulate(true, max), strict=True)]
    assert max(out_of_place) <= max(errors) - min(errors)
    stamped = [step.time_ns for step in steps if step.texts]
    assert stamped != sorted(stamped)

    assert scope.stats.lost == 0
    assert offsets["south"] == pytest.approx(AHEAD_S, abs=0.5)
    assert offsets["north"] == pytest.approx(0, abs=0.5)
    assert [subject for subject, _ in notices] == ["south"]
    assert float(notices[0][1].split()[0]) == pytest.approx(AHEAD_S, abs=0.5)
    assert notices[0][1].endswith("ahead of this machine's")
    assert "south: its clock is " in told

    assert len(labels) == 2
    assert {label.partition(":")[0] for label in labels} == {"worker@north", "worker@south"}
    # The first batch tells how far a clock is off, less how long it took; the quickest one tells best.
    shown = [item for item in shown if "notice" not in item]
    for step in shown:
        corrected_s = (step["time_ns"] - step["corrected_ns"]) / 1e9
        assert corrected_s == pytest.approx(AHEAD_S if step["host"] == "south" else 0, abs=STALL_S)
    for step in {step["host"]: step for step in shown}.values():
        corrected_s = (step["time_ns"] - step["corrected_ns"]) / 1e9
        assert corrected_s == pytest.approx(AHEAD_S if step["host"] == "south" else 0, abs=0.5)


def test_the_past_of_the_machines_is_read_in_true_order(joined: Site, faketime: str, tmp_path: Path):
    count, key = 60, key_file(tmp_path)
    url = joined.broker.url(exchange="past", stream="past.stream")
    with Run(joined, url, key, count=count, faketime=faketime) as run:
        with Scope(url, key) as scope:
            take(scope, 2 * count + 2)
        run.finish()
    with Scope(url, key, since="start") as scope:
        steps = take(scope, 2 * count + 2)
        assert scope.stats.lost == 0
        notices = [n.detail for n in scope.notices() if n.kind is NoticeKind.CLOCK_OFF]
    assert len(true_times(steps)) == 2 * count
    late_ns = [
        before - after for before, after in zip(true_times(steps), true_times(steps)[1:], strict=False)
    ]
    # The order of the log is known as finely as there are batches in it, here two a turn.
    assert max(late_ns) <= 4 * TURN_S * 1e9
    options = ("--by", "chart", "--format", "mermaid", "--fold", "0", "--key", str(key))
    with Program("-m", "farscope", "sequence", url, *options) as drawing:
        assert drawing.wait(60) == 0, drawing.err
        drawn = drawing.out
    assert re.search(r"participant lane\d as .*north", drawn), drawn[:400]
    assert re.search(r"participant lane\d as .*south", drawn), drawn[:400]
    arrows = re.findall(r">> ?lane(\d):", drawn)
    assert len(arrows) == 2 * count + 2
    assert set(arrows[2:20]) == {"0", "1"}
    assert len(notices) == 1
    assert float(notices[0].split()[0]) == pytest.approx(AHEAD_S, abs=0.5)


@pytest.mark.parametrize("slow_and_lossy", ["netem", "our own link"], indirect=True)
def test_nothing_is_lost_where_packets_are(slow_and_lossy: Site, tmp_path: Path):
    count, key = 100, key_file(tmp_path)
    url = slow_and_lossy.broker.url(exchange="lossy", stream="lossy.stream")
    with Scope(url, key) as scope, Run(slow_and_lossy, url, key, count=count) as run:
        steps = take(scope, 2 * count + 2)
        run.finish()
        assert scope.stats.lost == 0
        assert scope.stats.received == 2 * count + 2
    seen = Counter((step.chart.host, step.number) for step in steps)
    assert seen == Counter((host, number) for host in LINKS for number in range(1, count + 2))
    for host in LINKS:
        numbers = [step.number for step in steps if step.chart.host == host]
        assert numbers == sorted(numbers)
