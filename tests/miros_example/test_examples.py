"""The miros example's two programs on top of farscope print what the miros example shows."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from support.program import Program

pytestmark = pytest.mark.broker

EXAMPLES = Path(__file__).parents[2] / "examples"
CONSUMER = """
import sys
from miros_local_consumer import LocalConsumer
user, password, host, port, times = sys.argv[1:]
consumer = LocalConsumer(user, password, ip=host, port=int(port), first_s=4, every_s=0.2, times=int(times))
print("ip", consumer.get_ip(), flush=True)
enter = consumer.scope.__enter__
def entered():
    scope = enter()
    print("waiting", flush=True)
    return scope
type(consumer.scope).__enter__ = lambda self: entered()
consumer.start()
print("traces left:", consumer.foreign_hsm.trace().count("e->"))
"""


@pytest.fixture
def access(surroundings: dict[str, str], tmp_path: Path) -> list[str]:
    surroundings |= {"FARSCOPE_KEY_FILE": str(tmp_path / "key"), "PYTHONPATH": str(EXAMPLES)}
    return [surroundings[f"RABBIT_{name}"] for name in ("USER", "PASSWORD", "HOST", "PORT")]


def test_the_consumer_prints_the_producers_spy_and_trace_and_ends_by_itself(surroundings, access):
    with Program("-c", CONSUMER, *access, "2", env=surroundings) as consumer:
        consumer.wait_out("waiting")
        with Program(str(EXAMPLES / "miros_rabbit_producer.py"), *access, env=surroundings) as producer:
            assert producer.wait() == 0, producer.err
            own = producer.out.split("\n\n")
        assert consumer.wait() == 0, consumer.err
        assert re.match(r"ip \d+\.\d+\.\d+\.\d+\n", consumer.out)
        live, _, rest = consumer.out.partition("waiting\n")[2].partition("['START'")
    shown = live.splitlines()
    assert shown[0].startswith(" [x] Trace: [")
    assert shown[0].endswith(f"[producer_{access[2]}] e->start_at() top->c1")
    assert shown[1:3] == [" [x] Spy: START", " [x] Spy: SEARCH_FOR_SUPER_SIGNAL:producer_outer"]
    assert [line.partition(": ")[2] for line in shown if "Trace" in line] == own[1].splitlines()
    assert ("['START'" + rest).split("\n\n")[0] == own[0]
    assert "traces left: 0" in rest


def test_ctrl_c_ends_the_consumer_in_order(surroundings, access):
    with Program("-c", CONSUMER, *access, "30", env=surroundings) as consumer:
        consumer.wait_out("waiting")
        consumer.interrupt()
        assert consumer.wait() == 0
        assert "ended" in consumer.out
        assert consumer.err == ""


def test_a_producer_whose_broker_is_away_ends_in_order_and_says_what_waits(surroundings, access):
    gone = [*access[:3], "1"]
    with Program(str(EXAMPLES / "miros_rabbit_producer.py"), *gone, env=surroundings) as producer:
        assert producer.wait() == 0
        assert "2 steps wait in the spool" in producer.err
