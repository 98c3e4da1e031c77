"""Finalizers, signals, forks, full queues, timers and stops all at once, and an account that is exact."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = Path(__file__).with_name("hostile_mix.py")
GRACE_S = 240.0


@pytest.mark.parametrize(
    "seconds",
    [
        pytest.param(15, marks=pytest.mark.timeout(15 + GRACE_S)),
        pytest.param(1_800, marks=[pytest.mark.soak, pytest.mark.timeout(0)]),
    ],
)
def test_nothing_hangs_and_every_post_step_and_cancelled_timer_is_accounted_for(tmp_path, seconds):
    done = subprocess.run(
        [sys.executable, "-W", "ignore", str(PROGRAM), str(seconds), str(tmp_path / "reports")],
        env=os.environ | {"FARSCOPE_URL": f"sqlite:{tmp_path}/log", "FARSCOPE_STRICT": "0"},
        capture_output=True,
        text=True,
        timeout=seconds + GRACE_S if seconds < GRACE_S else None,
        check=False,
    )
    told_wrong = [line for line in done.stderr.splitlines() if "dropped" not in line]
    assert (done.returncode, told_wrong) == (0, []), done.stderr[-5_000:]
    told = json.loads(done.stdout)
    print(told)
    assert told["children"] >= seconds / 10
    assert told["short lives"] >= seconds
    assert told["timeouts heard"]
    assert told["dropped"]
