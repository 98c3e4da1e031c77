"""Conformance checks of the log contract, which you can run against your own log.

::

    from farscope.testing.log_conformance import CHECKS, LogUnderTest, check_log

    check_log(make_log)                                    # all of them, or
    @pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
    def test_conformance(check):
        check(LogUnderTest(make_log))

``make_log()`` returns a log at an unused address. A failing check raises ``PromiseBroken``, which states
the violated rule of the contract in ``farscope.logs.base``. No test framework is needed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from farscope.logs.base import Log
from farscope.testing import log_checks_reading as reading
from farscope.testing import log_checks_storing as storing
from farscope.testing.log_under_test import LogUnderTest, PromiseBroken

__all__ = ["CHECKS", "Check", "LogUnderTest", "PromiseBroken", "check_log"]

Check = Callable[[LogUnderTest], None]

CHECKS: Final[tuple[Check, ...]] = (
    storing.making_things_touches_nothing,
    storing.a_log_exists_once_something_was_stored,
    storing.stored_batches_are_read_in_order,
    storing.every_reader_gets_everything,
    reading.a_reader_from_now_on_skips_what_was_stored,
    reading.a_reader_from_the_start_gets_all,
    reading.a_reader_since_a_time_gets_what_was_stored_from_then_on,
    reading.a_reader_since_a_time_to_come_waits_for_it,
    storing.times_of_storing_are_the_clocks,
    reading.a_position_leads_another_reader_on,
    reading.a_position_taken_before_reading_is_the_starting_point,
    reading.a_reader_may_come_before_any_writer,
    reading.an_empty_read_ends_with_its_timeout,
    reading.the_end_is_not_reached_before_all_that_was_there,
    reading.a_read_returns_as_soon_as_something_is_stored,
    reading.a_read_keeps_its_limit,
    reading.an_interrupt_ends_a_waiting_read,
    storing.bytes_come_back_as_they_were,
    storing.an_append_of_nothing_stores_nothing,
    storing.many_writers_at_once_lose_nothing,
    storing.a_reader_behind_disturbs_nobody,
    storing.closing_twice_changes_nothing,
    storing.what_is_stored_outlives_its_writer,
)
"""Every check, each independent of the others."""


def check_log(make_log: Callable[[], Log], *, grain_ns: int = 1_000_000, patience_s: float = 20.0) -> None:
    """Run every check; the first failure raises ``PromiseBroken``, which names the check."""
    subject = LogUnderTest(make_log, grain_ns=grain_ns, patience_s=patience_s)
    for check in CHECKS:
        try:
            check(subject)
        except PromiseBroken as broken:
            raise PromiseBroken(f"{check.__name__}: {broken}") from broken
