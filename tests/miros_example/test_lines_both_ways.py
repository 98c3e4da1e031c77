"""The miros format, both ways, against programs in which there is nothing of farscope."""

from __future__ import annotations

from pathlib import Path

import pytest

from farscope import Event, Factory, Scope, broadcast
from farscope.errors import PublicKey, UsageError
from farscope.testing.waiting import eventually
from farscope.views.text import stats_line
from farscope.wire.keyring import Keyring
from support.program import Program

pytestmark = pytest.mark.broker
MIROS_KEY = "u3Uc-qAi9iiCv3fkBfRUAKrM1gH8w51-nVU8M8A73Jg="


def two_states(name: str) -> Factory:
    chart = Factory(name, threaded=False)
    outer = chart.create("outer").catch("INIT_SIGNAL", lambda c, _: c.trans(inner)).to_method()
    inner = chart.create("inner").catch("B", lambda c, _: c.trans(outer)).to_method()
    chart.nest(outer, parent=None).nest(inner, parent=outer)
    return chart


def spoken(producer: Program) -> tuple[list[str], list[str]]:
    """Return what a producer printed of its own spy and trace."""
    lines = [line for line in producer.out.partition("ready\n")[2].splitlines() if line]
    return [line for line in lines if "e->" not in line], [line for line in lines if "e->" in line]


def run(producer: Program) -> None:
    producer.wait_out("ready")
    producer.type_in("\nB\nH\nNOPE\n")
    producer.end_input()
    assert producer.wait() == 0, producer.err


def test_farscope_watch_shows_a_miros_producer(surroundings, program, amqp_url, tmp_path: Path):
    watch = ["-m", "farscope", "watch", amqp_url, "--wire", "lines", "--spy", "--key", str(tmp_path / "key")]
    with Program(*watch, env=surroundings) as watcher:
        watcher.wait_err("Ctrl-C ends")
        with Program(program("miros_producer"), "miros_1", env=surroundings) as producer:
            run(producer)
            spy, trace = spoken(producer)
        eventually(lambda: watcher.out.count("<- Queued") == 4)
        watcher.interrupt()
        assert watcher.wait() == 0
        shown = watcher.out.splitlines()
    assert [line for line in shown if "e->" in line] == trace
    assert [line.rpartition("] ")[2].strip() for line in shown if "e->" not in line] == spy


def test_a_scope_puts_the_steps_of_a_miros_producer_together_again(surroundings, program, amqp_url, key):
    with (
        Scope(amqp_url, key=key, wire="lines") as scope,
        Program(program("miros_producer"), "miros_2", env=surroundings) as producer,
    ):
        run(producer)
        assert scope.wait_for(lambda scope: scope.stats.received == 4, 10)
        assert [step.kind.name for step in scope.take(1)] == ["START", "TRANSITION", "HOOK", "IGNORED"]
        assert stats_line(scope.stats).startswith("seen 4 steps of 1 chart, lost and duplicated unknown")
        spy, trace = spoken(producer)
        assert scope["miros_2"].spy() == spy
        assert scope["miros_2"].trace() == "\n" + "\n".join(trace) + "\n"


def test_a_plain_consumer_shows_our_producer_as_the_seed_does(surroundings, program, amqp_url, key):
    chart = two_states("ours")
    with Program(program("plain_consumer"), env=surroundings) as consumer:
        consumer.wait_out("waiting")
        with broadcast(chart, url=amqp_url, key=key, wire="lines") as probe:
            chart.start_at("outer")
            chart.dispatch(Event("B"))
            assert probe.flush(10)
            assert (probe.stats.emitted, probe.stats.stored, probe.stats.pending) == (2, 2, 0)
        eventually(lambda: consumer.out.count("<- Queued") == 2)
        consumer.interrupt()
        consumer.wait()
        shown = consumer.out.splitlines()[1:]
    spy = [line.removeprefix(" [x] Spy: ") for line in shown if "Spy" in line]
    trace = [line.removeprefix(" [x] Trace: ") for line in shown if "Trace" in line]
    assert spy == chart.spy()
    assert "\n" + "\n".join(trace) + "\n" == chart.trace()


def test_lines_sealed_with_another_key_are_refused_counted_and_not_shown(amqp_url, key):
    chart = two_states("stranger")
    with Scope(amqp_url, key=key, wire="lines") as scope:
        with broadcast(chart, url=amqp_url, key="A" * 43 + "=", wire="lines") as probe:
            chart.start_at("outer")
            assert probe.flush(10)
        assert scope.wait_for(lambda scope: scope.stats.refused.get("wrong key") == 9, 10)
        assert scope.charts == []


def test_the_key_of_the_seed_document_is_refused_unless_it_is_taken_on_purpose(amqp_url):
    chart = two_states("tutorial")
    with pytest.raises(PublicKey):
        broadcast(chart, url=amqp_url, key=MIROS_KEY, wire="lines")
    with pytest.raises(PublicKey), Scope(amqp_url, key=MIROS_KEY, wire="lines"):
        pass
    known = Keyring.from_text(MIROS_KEY, allow_public=True)
    with Scope(amqp_url, key=known, wire="lines") as scope:
        with broadcast(chart, url=amqp_url, key=known, wire="lines"):
            chart.start_at("outer")
        assert scope.wait_for(lambda scope: "tutorial" in scope, 10)


def test_lines_have_no_past(amqp_url, key):
    with pytest.raises(UsageError, match="no past"), Scope(amqp_url, key=key, since="10m", wire="lines"):
        pass
