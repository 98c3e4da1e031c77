"""From chart to scope, in separate processes, while the broker between them is killed."""

from __future__ import annotations

import os
import random
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from statistics import median

import pytest

from farscope.testing.waiting import eventually
from farscope.wire.keys import new_key_file
from support.account_check import table
from support.broker import Broker
from support.crew import Producers, Watchers, made_by, verdict_of

pytestmark = [pytest.mark.broker, pytest.mark.timeout(300)]

NAMES = ("north", "south", "west")
SCOPES = 3
STEPS_A_SECOND = 1000
RECOVERY_S = 10.0
"""Most kills are recovered from so soon after the port answers; a machine that stalls may take longer."""

PATIENCE_S = 60.0
YOUNG_S = 3.0
"""RabbitMQ 3.10 does not find a stream again that it was told to make less than a second before a kill."""


@pytest.fixture
def key(tmp_path: Path) -> Path:
    new_key_file(tmp_path / "key")
    return tmp_path / "key"


@pytest.fixture
def restored(broker: Broker) -> Iterator[Broker]:
    """The private broker, which runs and accepts again afterwards, whatever the test did."""
    yield broker
    if not broker.answers():
        broker.kill()
        broker.start()


def fresh(broker: Broker, **settings: str | int) -> str:
    name = f"whole-way-{os.urandom(4).hex()}"
    return broker.url(exchange=name, stream=f"{name}.stream", **settings)


@pytest.mark.parametrize("kills", [5, pytest.param(20, marks=[pytest.mark.soak, pytest.mark.timeout(1800)])])
def test_killing_the_broker_costs_no_step_on_the_whole_way(
    restored: Broker, key: Path, tmp_path: Path, kills: int
):
    url = fresh(restored)
    with ExitStack() as stack:
        watchers = [stack.enter_context(Watchers(url, key)) for _ in range(SCOPES)]
        producers = [
            stack.enter_context(
                Producers(url, key, tmp_path / "spool", [name], steps_a_second=STEPS_A_SECOND)
            )
            for name in NAMES
        ]

        def everybody_saw_after(moment_ns: int) -> bool:
            return all(watcher.saw_after(moment_ns, NAMES) for watcher in watchers)

        eventually(lambda: everybody_saw_after(0), 60, what="every scope to see every chart")
        threading.Event().wait(YOUNG_S)
        recoveries_s = []
        for kill in range(kills):
            threading.Event().wait(random.uniform(0.0, 1.0))  # noqa: S311 - keeps no secret
            restored.kill()
            restored.start()
            back_ns = time.time_ns()
            eventually(
                lambda back_ns=back_ns: everybody_saw_after(back_ns),
                PATIENCE_S,
                what="every scope to see steps made after the port answered",
            )
            recoveries_s.append((time.time_ns() - back_ns) / 1e9)
            print(f"kill {kill + 1}: whole again {recoveries_s[-1]:.1f} s after the answer")
        done = {name: report for member in producers for name, report in member.stop().items()}
        scopes = [report for watcher in watchers for report in watcher.stop(made_by(done))]
    verdicts = {f"scope {n}": verdict_of(done, scope) for n, scope in enumerate(scopes, 1)}
    print(table(verdicts))
    assert median(recoveries_s) <= RECOVERY_S, recoveries_s
    assert all(report["dropped"] == report["pending"] == 0 for report in done.values()), done
    assert all(report["retries"] or report["last_error"] for report in done.values()), done
    for verdict, scope in zip(verdicts.values(), scopes, strict=True):
        assert (verdict.lost, verdict.unexpected, verdict.duplicated) == (0, 0, 0)
        assert verdict.ok == verdict.attempted == verdict.acknowledged
        assert (scope["missing"], scope["dropped"], scope["refused"], scope["cut"]) == (0, 0, 0, 0)
        assert all(len(runs) == 1 for runs in scope["runs"].values()), "each chart's steps in their order"
