import random
from dataclasses import replace

from farscope.scope.gaps import Span
from farscope.scope.intake import MAX_PROBES, REPLAY_DISTANCE, Accepted, Intake, Refusal, Refused, Repeated
from farscope.wire.envelope import FORMAT_VERSION, Flags
from farscope.wire.keyring import Keyring, new_key_text
from farscope.wire.seal import Opener


def test_hands_on_the_steps_of_a_batch_seen_for_the_first_time(keyring, hand_probe):
    intake = Intake(Opener(keyring))
    outcome = intake.take(hand_probe().send(3), 0)
    assert isinstance(outcome, Accepted)
    assert [step[1] for step in outcome.posted.steps] == [1, 2, 3]
    assert outcome.posted.steps[0][0].name == "producer"
    assert (intake.accepted, intake.probes, intake.totals().received) == (1, 1, 3)


def test_a_batch_that_comes_again_is_counted_and_not_handed_on(keyring, hand_probe):
    intake = Intake(Opener(keyring))
    data = hand_probe().send(3)
    intake.take(data, 0)
    assert isinstance(intake.take(data, 0), Repeated)
    assert (intake.repeated, intake.totals().received, intake.totals().duplicated) == (1, 3, 3)


def test_a_batch_from_before_a_late_joiners_first_is_not_handed_on(keyring, hand_probe):
    probe = hand_probe()
    early, first = probe.send(3), probe.send(3)
    intake = Intake(Opener(keyring))
    intake.take(first, 0)
    assert isinstance(intake.take(early, 0), Repeated)
    assert (intake.totals().received, intake.totals().missing) == (3, 0)


def test_an_old_batch_played_again_is_refused_as_replayed(keyring, hand_probe):
    probe = hand_probe()
    intake = Intake(Opener(keyring))
    old = probe.send(1)
    intake.take(old, 0)
    for _ in range(REPLAY_DISTANCE + 1):
        intake.take(probe.send(), 0)
    outcome = intake.take(old, 0)
    assert isinstance(outcome, Refused)
    assert outcome.reason is Refusal.REPLAYED
    assert intake.totals().received == 1


def test_another_key_is_refused_with_its_fingerprint(keyring, hand_probe):
    other = Keyring.from_text(new_key_text())
    outcome = Intake(Opener(keyring)).take(hand_probe(key=other).send(2), 0)
    assert isinstance(outcome, Refused)
    assert outcome.reason is Refusal.WRONG_KEY
    assert outcome.fingerprint == other.keys[0].id.hex()
    assert outcome.fingerprint in outcome.detail


def test_every_single_flipped_bit_is_refused_and_counted(keyring, hand_probe):
    intake = Intake(Opener(keyring), since_ns=0)
    data = hand_probe().send(2)
    for position in range(len(data) * 8):
        flipped = bytearray(data)
        flipped[position // 8] ^= 1 << position % 8
        assert isinstance(intake.take(bytes(flipped), 0), Refused)
    assert sum(intake.refused.values()) == len(data) * 8
    assert set(intake.refused) == {
        Refusal.TAMPERED,
        Refusal.MALFORMED,
        Refusal.WRONG_KEY,
        Refusal.UNSUPPORTED_VERSION,
    }
    assert intake.probes == 0
    assert isinstance(intake.take(data, 0), Accepted)


def test_every_truncation_and_any_noise_is_refused(keyring, hand_probe):
    intake = Intake(Opener(keyring))
    data = hand_probe().send(2)
    for end in range(len(data)):
        assert isinstance(intake.take(data[:end], 0), Refused)
    noise = random.Random(1)  # noqa: S311 - the same noise in every run
    for size in range(0, 2000, 37):
        assert isinstance(intake.take(noise.randbytes(size), 0), Refused)


def test_a_batch_of_another_version_is_refused_by_that_name(keyring, hand_probe):
    data = bytearray(hand_probe().send(1))
    data[4:6] = (FORMAT_VERSION + 1).to_bytes(2, "big")
    outcome = Intake(Opener(keyring)).take(bytes(data), 0)
    assert isinstance(outcome, Refused)
    assert outcome.reason is Refusal.UNSUPPORTED_VERSION


def test_a_body_spliced_behind_another_probes_header_is_refused(keyring, hand_probe):
    one, two = hand_probe().send(1), hand_probe().send(1)
    outcome = Intake(Opener(keyring)).take(one[:48] + two[48:], 0)
    assert isinstance(outcome, Refused)
    assert outcome.reason is Refusal.TAMPERED


def test_reading_from_the_start_misses_what_a_lost_first_batch_held(keyring, hand_probe):
    probe = hand_probe()
    probe.send(5)
    outcome = Intake(Opener(keyring), since_ns=0).take(probe.send(5), 0)
    assert outcome.ledger.gaps() == [Span(0, 4)]


def test_a_probe_of_this_machine_that_began_later_is_known_from_its_first_number(keyring, hand_probe):
    probe = hand_probe(host="here")
    probe.send(5)
    second = probe.send(5)
    began_after = Intake(Opener(keyring), since_ns=probe.started_ns, host="here").take(second, 0)
    began_before = Intake(Opener(keyring), since_ns=probe.started_ns + 1, host="here").take(second, 0)
    elsewhere = Intake(Opener(keyring), since_ns=probe.started_ns, host="there").take(second, 0)
    assert [outcome.ledger.missing for outcome in (began_after, began_before, elsewhere)] == [5, 0, 0]


def test_the_goodbye_settles_what_was_announced(keyring, hand_probe):
    probe = hand_probe()
    intake = Intake(Opener(keyring))
    intake.take(probe.send(2), 0)
    probe.lose(3)
    intake.take(probe.goodbye(), 0)
    assert intake.totals().missing == 3


def test_a_lost_batch_shows_with_the_next_one(keyring, hand_probe):
    probe = hand_probe()
    intake = Intake(Opener(keyring))
    intake.take(probe.send(2, Flags.ANNOUNCE), 0)
    probe.send(4)
    assert intake.take(probe.send(2), 0).ledger.gaps() == [Span(2, 5)]


def test_endless_probes_do_not_fill_the_memory_and_stay_in_the_totals(keyring, hand_probe, monkeypatch):
    monkeypatch.setattr("farscope.scope.intake.MAX_PROBES", 8)
    assert MAX_PROBES > 8
    intake = Intake(Opener(keyring))
    for _ in range(20):
        intake.take(hand_probe().send(2), 0)
    assert len(intake._probes) == 8
    assert (intake.probes, intake.totals().received) == (20, 40)


def test_a_probe_that_only_said_goodbye_is_not_counted(keyring, hand_probe):
    intake = Intake(Opener(keyring))
    test_message = hand_probe()
    batch = replace(test_message.batch(), charts=())
    intake.take(test_message.seal(batch, Flags.GOODBYE), 0)
    assert (intake.accepted, intake.probes) == (1, 0)
    intake.take(hand_probe().goodbye(), 0)
    assert intake.probes == 1
