from __future__ import annotations

import pytest

from support.processes import lives
from support.program import Program

TALKS = (
    "import sys; print('ready', flush=True); print(sys.stdin.read() or 'done'); print('no', file=sys.stderr)"
)
WAITS = "import sys; print('ready', flush=True); sys.stdin.read()"


def test_its_outputs_can_be_looked_at_while_it_runs_and_after_its_end():
    with Program("-c", TALKS) as program:
        program.wait_out("ready")
        program.end_input()
        assert program.wait() == 0
        assert (program.out, program.err) == ("ready\ndone\n", "no\n")


def test_what_does_not_come_fails_with_all_that_came():
    with Program("-c", WAITS) as program:
        program.wait_out("ready")
        with pytest.raises(AssertionError, match=r"'steady' did not come .* output 'ready\\n'"):
            program.wait_out("steady", 0)


def test_an_interrupt_reaches_it_alone():
    with Program("-c", WAITS) as program:
        program.wait_out("ready")
        program.interrupt()
        assert program.wait() == 130 or program.wait() < 0
        assert "KeyboardInterrupt" in program.err


def test_leaving_the_block_ends_it():
    with Program("-c", WAITS) as program:
        program.wait_out("ready")
        assert lives(program.pid)
    assert not lives(program.pid)


def test_it_runs_where_and_with_what_it_is_given(tmp_path):
    with Program(
        "-c", "import os; print(os.getcwd(), os.environ['A'])", env={"A": "b"}, folder=tmp_path
    ) as program:
        assert program.wait() == 0, program.err
        assert program.out == f"{tmp_path} b\n"
