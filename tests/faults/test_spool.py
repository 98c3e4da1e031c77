"""A real broker that is away, hangs, is frozen, blocks or is killed: nothing is lost, nobody waits long."""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from farscope import Event, Factory, Scope, broadcast
from farscope.testing.waiting import eventually
from farscope.wire.keyring import new_key_text
from support.broker import Broker
from support.program import Program
from support.tcp_proxy import TcpProxy

pytestmark = pytest.mark.broker

LEAVING_S = 2.5
A_SHORT_WHILE_S = 0.2
YOUNG_S = 3.0
PROGRAM = """
import atexit, sys, threading, time
began_s, held_up_s = None, 0.0

@atexit.register  # before any other, so called behind all others
def tell():
    if began_s is not None:
        took_s = time.monotonic() - began_s
        time.sleep(0.1)  # who measures has its turn, also where all of us have just been held up
        print("\\nleft", took_s, held_up_s, flush=True)

def measure():
    # What the machine, or another thread, makes a thread of ours wait is not the time leaving takes.
    global held_up_s
    while True:
        now_s = time.monotonic()
        time.sleep(0.01)
        held_up_s += time.monotonic() - now_s - 0.01 if began_s is not None else 0.0

from farscope import Event, Factory, broadcast
url, steps, then = sys.argv[1], int(sys.argv[2]), sys.argv[3]
chart = Factory("leaver", threaded=False)
chart.create("a").catch("A", lambda chart, _: chart.trans("b"))
chart.create("b").catch("A", lambda chart, _: chart.trans("a"))
chart.nest("a", parent=None).nest("b", parent=None)
probe = broadcast(chart, url=url)
chart.start_at("a")
for _ in range(steps - 1):
    chart.dispatch(Event("A"))
if then == "wait":
    while probe.stats.spooled < steps:
        time.sleep(0.01)
    print("spooled", flush=True)
    sys.stdin.read()
threading.Thread(target=measure, daemon=True).start()
print("leaving", flush=True)
began_s = time.monotonic()
if then == "close":
    probe.close()
    print("stats", probe.stats.emitted, probe.stats.stored, sum(probe.stats.dropped.values()),
          probe.stats.pending, probe.stats.spooled, flush=True)
"""


@pytest.fixture(scope="module")
def own_broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """A broker that tests may freeze, block and kill without any other noticing; each makes good for it."""
    with Broker(tmp_path_factory.mktemp("node")) as broker:
        yield broker


@pytest.fixture
def own_url(own_broker: Broker) -> str:
    """A log of its own there."""
    name = f"own-{os.urandom(4).hex()}"
    return own_broker.url(exchange=name, stream=name)


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    (tmp_path / "key").write_text(new_key_text() + "\n")
    (tmp_path / "key").chmod(0o600)
    return os.environ | {
        "FARSCOPE_KEY_FILE": str(tmp_path / "key"),
        "XDG_STATE_HOME": str(tmp_path / "state"),
    }


def via(url: str, port: int) -> str:
    return re.sub(r"@127\.0\.0\.1:\d+", f"@127.0.0.1:{port}", url)


def leave(url: str, env: dict[str, str], then: str = "exit") -> float:
    """Run the program to its end, and see that leaving was short and everything waits in the spool.

    Returns:
        For how many seconds the machine held it up while it left.
    """
    with Program("-c", PROGRAM, url, "1000", then, env=env) as program:
        program.wait_out("leaving", 60)
        assert program.wait() == 0, program.err
        took_s, held_up_s = map(float, program.out.split("left ")[1].split())
        assert took_s - held_up_s <= LEAVING_S
        if then == "close":
            emitted, stored, dropped, pending, spooled = map(int, program.out.split("stats ")[1].split()[:5])
            assert emitted == 1000 == stored + dropped + pending
            assert (pending, spooled) == (1000, 1000)
        assert "1000 steps wait in the spool" in program.err, program.err
        return held_up_s


def proxy_at(broker: Broker, make_bad: Callable[[TcpProxy], None]) -> TcpProxy:
    proxy = TcpProxy("127.0.0.1", broker.port)
    make_bad(proxy)
    return proxy


DEAD = {"refuses": TcpProxy.refuse, "hangs": TcpProxy.hang}


@pytest.mark.parametrize("then", ["exit", "close"])
@pytest.mark.parametrize("bad", DEAD.values(), ids=DEAD)
def test_leaving_with_a_dead_broker_is_short_and_the_next_program_sends_all(broker, env, tmp_path, bad, then):
    name = f"away-{os.urandom(4).hex()}"
    with proxy_at(broker, bad) as proxy:
        url = via(broker.url(exchange=name, stream=name), proxy.port)
        held_up_s = leave(url, env, then)
        proxy.pass_on()
        # Leaving is bounded: a program that was held up meanwhile may be cut off before it has said goodbye.
        ends = {"closed"} if held_up_s < A_SHORT_WHILE_S else {"closed", "silent"}
        with Scope(url, key=tmp_path / "key", since="start") as scope:
            with broadcast(Factory("next", threaded=False), url=url, key=tmp_path / "key", spool=spool(env)):
                assert scope.wait_for(lambda scope: scope.stats.received == 1000, 60)
                eventually(lambda: not list(spool(env).glob("*/*.fslog")))
            assert scope.wait_for(lambda scope: scope.charts[0].status in ends, 20)
            assert (scope.charts[0].name, scope.charts[0].lost, scope.stats.lost) == ("leaver", 0, 0)


def spool(env: dict[str, str]) -> Path:
    return Path(env["XDG_STATE_HOME"]) / "farscope" / "spool"


def test_leaving_with_a_frozen_broker_is_short_and_loses_nothing(own_broker, own_url, env, tmp_path):
    url = own_url
    with Scope(url, key=tmp_path / "key"):
        pass
    own_broker.freeze()
    try:
        leave(url, env, "close")
    finally:
        own_broker.thaw()
    with Scope(url, key=tmp_path / "key", since="start") as scope:
        with broadcast(Factory("next", threaded=False), url=url, key=tmp_path / "key", spool=spool(env)):
            assert scope.wait_for(lambda scope: scope.stats.received == 1000, 60)
        assert scope.stats.lost == 0


def test_a_program_that_logs_in_or_tunes_in_another_way_sends_what_another_left(broker, env, tmp_path):
    name = f"changed-{os.urandom(4).hex()}"
    with proxy_at(broker, TcpProxy.refuse) as proxy:
        url = via(broker.url(exchange=name, stream=name), proxy.port)
        leave(url.replace(f"{broker.user}:", "somebody:"), env)
        proxy.pass_on()
        (tmp_path / "password").write_text(broker.password)
        (tmp_path / "password").chmod(0o600)
        url = url.replace(f":{broker.password}@", "@") + f"&heartbeat=7&password_file={tmp_path / 'password'}"
        with Scope(url, key=tmp_path / "key", since="start") as scope:
            with broadcast(Factory("next", threaded=False), url=url, key=tmp_path / "key", spool=spool(env)):
                assert scope.wait_for(lambda scope: scope.stats.received == 1000, 60)
            assert scope.stats.lost == 0


def test_what_a_killed_program_left_in_the_spool_is_sent_by_the_next(broker, env, tmp_path):
    name = f"killed-{os.urandom(4).hex()}"
    with proxy_at(broker, TcpProxy.refuse) as proxy:
        url = via(broker.url(exchange=name, stream=name), proxy.port)
        with Program("-c", PROGRAM, url, "1000", "wait", env=env) as program:
            program.wait_out("spooled")
            program.kill()
        proxy.pass_on()
        with Scope(url, key=tmp_path / "key", since="start") as scope:
            with broadcast(Factory("next", threaded=False), url=url, key=tmp_path / "key", spool=spool(env)):
                assert scope.wait_for(lambda scope: scope.stats.received == 1000, 60)
            assert scope.stats.lost == 0


def make_chart() -> Factory:
    chart = Factory("worker", threaded=False)
    chart.create("a").catch("A", lambda chart, _: chart.trans("b"))
    chart.create("b").catch("A", lambda chart, _: chart.trans("a"))
    chart.nest("a", parent=None).nest("b", parent=None)
    return chart


def work(chart: Factory, steps: int) -> None:
    for _ in range(steps):
        chart.dispatch(Event("A"))


def test_a_broker_that_blocks_publishers_is_bridged_by_the_spool(own_broker, own_url, tmp_path):
    key, chart, url = new_key_text(), make_chart(), own_url
    with (
        Scope(url, key=key) as scope,
        broadcast(chart, url=url, key=key, spool=tmp_path / "spool") as probe,
    ):
        chart.start_at("a")
        assert probe.flush(60)
        own_broker.memory_alarm(on=True)
        try:
            work(chart, 1000)
            eventually(lambda: probe.stats.spooled == 1000)
        finally:
            own_broker.memory_alarm(on=False)
        assert probe.flush(60)
        assert scope.wait_for(lambda scope: scope.stats.received == 1001, 60)
        assert scope.stats.lost == 0
        assert probe.stats.stored == 1001


def test_a_broker_killed_and_started_again_costs_nothing(own_broker, own_url, tmp_path):
    key, chart, url = new_key_text(), make_chart(), own_url
    with (
        Scope(url, key=key) as scope,
        broadcast(chart, url=url, key=key, spool=tmp_path / "spool") as probe,
    ):
        chart.start_at("a")
        assert probe.flush(60), probe.stats
        # A broker killed right after a stream was declared may not find it again.
        threading.Event().wait(YOUNG_S)
        for _ in range(2):
            work(chart, 500)
            own_broker.kill()
            work(chart, 500)
            eventually(lambda: probe.stats.spooled >= 500)
            own_broker.start()
            assert probe.flush(60), probe.stats
        assert scope.wait_for(lambda scope: scope.stats.received == 2001, 60)
        assert (scope.stats.lost, probe.stats.stored) == (0, 2001)
        taken: list[int] = []
        eventually(lambda: taken.extend(step.number for step in scope.take(1)) or len(taken) >= 2001)
        assert taken == list(range(1, 2002))
