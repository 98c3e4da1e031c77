from farscope.scope.reading import Phase, Reading

SETTLE_NS = 1_000


def test_reading_is_live_from_the_end_of_the_log_until_a_pause():
    reading = Reading()
    assert (reading.live, reading.live_since_ns) == (False, None)
    reading.go_live(5)
    assert (reading.live, reading.live_since_ns) == (True, 5)
    reading.fall_back()
    assert (reading.live, reading.live_since_ns) == (False, None)


def test_a_lost_log_is_found_once_and_what_it_holds_is_the_past():
    reading = Reading()
    reading.go_live(5)
    reading.end_read(at_end=True)
    reading.lose()
    reading.lose()
    assert (reading.phase, reading.failures, reading.caught_up) == (Phase.LOST, 2, False)
    assert reading.find()
    assert (reading.phase, reading.failures) == (Phase.PAST, 0)
    assert not reading.find()
    assert reading.reached_end


def test_only_after_an_outage_do_probes_need_time_to_be_heard():
    reading = Reading()
    assert not reading.is_settled(0, SETTLE_NS)
    reading.go_live(5)
    assert reading.is_settled(5, SETTLE_NS)
    reading.lose()
    reading.find()
    assert not reading.is_settled(5 + SETTLE_NS, SETTLE_NS)
    reading.go_live(5)
    assert not reading.is_settled(4 + SETTLE_NS, SETTLE_NS)
    assert reading.is_settled(5 + SETTLE_NS, SETTLE_NS)


def test_a_log_that_ends_is_finished_at_its_end_and_final_unless_it_is_a_part():
    whole, part, growing = Reading(until_ns=9), Reading(until_ns=9, goes_on=True), Reading()
    for reading in (whole, part, growing):
        assert not reading.finished
        reading.end_read(at_end=True)
    assert [reading.finished for reading in (whole, part, growing)] == [True, True, False]
    assert [reading.for_good for reading in (whole, part, growing)] == [True, False, False]
