"""Commands that read to the end of a log in RabbitMQ get there, however slow the broker is."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from farscope import Event, Factory, Scope, broadcast
from farscope.logs.rabbitmq.settings import Settings
from farscope.testing.waiting import eventually
from farscope.wire.keys import new_key_file
from support.tcp_proxy import TcpProxy

pytestmark = [pytest.mark.broker, pytest.mark.timeout(300)]

PREFETCH = 8
BATCHES = 120
"""Many windows of the prefetch: a pause between any two of them could be taken for the end."""

STALLS = (9_000, 25_000)
"""Bytes that pass before the broker stalls, and then again: while the log is opened, and in its middle."""

STALL_S = 1.5
"""Longer than a reader waits for an answer, and shorter than it takes a silent connection for dead."""

VERBS = {
    "inspect": ["inspect", "{url}"],
    "record": ["record", "{folder}/run.farscope", "{url}", "--snapshot"],
    "export": ["export", "{url}", "--format", "csv", "--key", "{key}"],
    "sequence": ["sequence", "{url}", "--by", "chart", "--fold", "0", "--key", "{key}"],
    "watch": ["watch", "{url}", "--since", "start", "--for", "50ms", "--key", "{key}"],
    "top": ["top", "{url}", "--since", "start", "--for", "50ms", "--key", "{key}"],
}

SEALED = ("inspect", "record")
"""Verbs that count batches, because they open none."""

STEPS = BATCHES + 1
"""The lamp's start is one, too."""


@pytest.fixture
def stored(fresh_log_url: Callable[..., str], tmp_path: Path) -> str:
    """A log with a batch for each press of a lamp; its writer is gone."""
    new_key_file(tmp_path / "key")
    url = fresh_log_url(prefetch=PREFETCH)
    chart = Factory("lamp", threaded=False)
    off = chart.create("off").catch("PRESS", lambda chart, _: chart.trans("on")).to_method()
    on = chart.create("on").catch("PRESS", lambda chart, _: chart.trans("off")).to_method()
    chart.nest(off, parent=None).nest(on, parent=None)
    with broadcast(chart, url=url, key=tmp_path / "key") as probe:
        chart.start_at("off")
        assert probe.flush(30.0)
        for _ in range(BATCHES):
            chart.dispatch(Event("PRESS"))
            assert probe.flush(30.0)
    return url


@pytest.mark.parametrize("verb", VERBS)
def test_a_broker_that_stalls_on_the_way_costs_nothing(verb: str, stored: str, tmp_path: Path):
    settings = Settings.from_url(stored)
    with TcpProxy(settings.host, settings.port) as proxy:
        far = stored.replace(f":{settings.port}/", f":{proxy.port}/").replace(settings.host, "127.0.0.1")
        proxy.stall_after(STALLS[0])
        command = [part.format(url=far, key=tmp_path / "key", folder=tmp_path) for part in VERBS[verb]]
        process = subprocess.Popen(
            [sys.executable, "-m", "farscope", *command],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
        )
        try:
            for following in (*STALLS[1:], 10**9):
                eventually(lambda: proxy.stalled, 60.0)
                with pytest.raises(subprocess.TimeoutExpired):
                    process.wait(STALL_S)
                proxy.stall_after(following)
            output, told = process.communicate(timeout=120)
        finally:
            process.kill()
            process.communicate()
    assert process.returncode == 0, told
    assert given(verb, output, told) == (batches(stored, tmp_path) if verb in SEALED else STEPS), told


def batches(url: str, tmp_path: Path) -> int:
    """Return how many batches there are, by a scope that nothing stood in the way of."""
    with Scope(url, key=tmp_path / "key", since="start") as scope:
        assert scope.wait_for(lambda scope: scope.stats.received == STEPS, 60.0)
        assert scope.wait_for(lambda scope: scope.caught_up, 60.0)
    return scope.stats.batches


def given(verb: str, output: str, told: str) -> int:
    """Return how many batches or steps a verb gave; what it says of lost ones must be nothing."""
    if verb in SEALED:
        found = re.search(r"([\d,]+) batches of 1 probe", output + told)
        assert found, output + told
        return int(found[1].replace(",", ""))
    assert f"seen {STEPS:,} steps of 1 probe, lost 0, duplicated 0" in told, told
    return {
        "export": lambda: output.count("\n") - 1,
        "sequence": lambda: len(re.findall(r"^ +\(\d+\)", output, re.MULTILINE)),
        "watch": lambda: output.count("\n"),
        "top": lambda: STEPS,
    }[verb]()
