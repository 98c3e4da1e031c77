import random
from dataclasses import replace

from farscope.scope.gaps import NumberRange
from farscope.scope.intake import (
    MAX_FINGERPRINTS,
    MAX_PROBES,
    REPLAY_DISTANCE,
    Accepted,
    Intake,
    Refusal,
    Refused,
    RejectionReporter,
    Repeated,
)
from farscope.wire.envelope import FORMAT_VERSION, Flags
from farscope.wire.keyring import Keyring, new_key_text
from farscope.wire.seal import Opener


def test_hands_on_the_steps_of_a_batch_seen_for_the_first_time(keyring, hand_probe):
    intake = Intake(Opener(keyring))
    outcome = intake.receive(hand_probe().send(3), 0)
    assert isinstance(outcome, Accepted)
    assert [step[1] for step in outcome.posted.steps] == [1, 2, 3]
    assert outcome.posted.steps[0][0].name == "producer"
    assert (intake.accepted, intake.probes, intake.totals().received) == (1, 1, 3)


def test_a_batch_that_comes_again_is_counted_and_not_handed_on(keyring, hand_probe):
    intake = Intake(Opener(keyring))
    data = hand_probe().send(3)
    intake.receive(data, 0)
    assert isinstance(intake.receive(data, 0), Repeated)
    assert (intake.repeated, intake.totals().received, intake.totals().duplicated) == (1, 3, 3)


def test_a_batch_from_before_a_late_joiners_first_is_not_handed_on(keyring, hand_probe):
    probe = hand_probe()
    early, first = probe.send(3), probe.send(3)
    intake = Intake(Opener(keyring))
    intake.receive(first, 0)
    assert isinstance(intake.receive(early, 0), Repeated)
    assert (intake.totals().received, intake.totals().missing) == (3, 0)


def test_an_old_batch_played_again_is_refused_as_replayed(keyring, hand_probe):
    probe = hand_probe()
    intake = Intake(Opener(keyring))
    old = probe.send(1)
    intake.receive(old, 0)
    for _ in range(REPLAY_DISTANCE + 1):
        intake.receive(probe.send(), 0)
    outcome = intake.receive(old, 0)
    assert isinstance(outcome, Refused)
    assert outcome.reason is Refusal.REPLAYED
    assert intake.totals().received == 1


def test_another_key_is_refused_with_its_fingerprint(keyring, hand_probe):
    other = Keyring.from_text(new_key_text())
    outcome = Intake(Opener(keyring)).receive(hand_probe(key=other).send(2), 0)
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
        assert isinstance(intake.receive(bytes(flipped), 0), Refused)
    assert sum(intake.refused.values()) == len(data) * 8
    assert set(intake.refused) == {
        Refusal.TAMPERED,
        Refusal.MALFORMED,
        Refusal.WRONG_KEY,
        Refusal.UNSUPPORTED_VERSION,
        Refusal.UNSUPPORTED_SUITE,
    }
    assert intake.probes == 0
    assert isinstance(intake.receive(data, 0), Accepted)


def test_every_truncation_and_any_noise_is_refused(keyring, hand_probe):
    intake = Intake(Opener(keyring))
    data = hand_probe().send(2)
    for end in range(len(data)):
        assert isinstance(intake.receive(data[:end], 0), Refused)
    noise = random.Random(1)  # noqa: S311 - the same noise in every run
    for size in range(0, 2000, 37):
        assert isinstance(intake.receive(noise.randbytes(size), 0), Refused)


def test_a_batch_of_another_version_is_refused_by_that_name(keyring, hand_probe):
    data = bytearray(hand_probe().send(1))
    data[4:6] = (FORMAT_VERSION + 1).to_bytes(2, "big")
    outcome = Intake(Opener(keyring)).receive(bytes(data), 0)
    assert isinstance(outcome, Refused)
    assert outcome.reason is Refusal.UNSUPPORTED_VERSION


def test_a_body_spliced_behind_another_probes_header_is_refused(keyring, hand_probe):
    one, two = hand_probe().send(1), hand_probe().send(1)
    outcome = Intake(Opener(keyring)).receive(one[:48] + two[48:], 0)
    assert isinstance(outcome, Refused)
    assert outcome.reason is Refusal.TAMPERED


def test_reading_from_the_start_misses_what_a_lost_first_batch_held(keyring, hand_probe):
    probe = hand_probe()
    probe.send(5)
    outcome = Intake(Opener(keyring), since_ns=0).receive(probe.send(5), 0)
    assert outcome.account.gaps() == [NumberRange(0, 4)]


def test_a_probe_of_this_machine_that_began_later_is_known_from_its_first_number(keyring, hand_probe):
    probe = hand_probe(host="here")
    probe.send(5)
    second = probe.send(5)
    began_after = Intake(Opener(keyring), since_ns=probe.started_ns, host="here").receive(second, 0)
    began_before = Intake(Opener(keyring), since_ns=probe.started_ns + 1, host="here").receive(second, 0)
    elsewhere = Intake(Opener(keyring), since_ns=probe.started_ns, host="there").receive(second, 0)
    assert [outcome.account.missing for outcome in (began_after, began_before, elsewhere)] == [5, 0, 0]


def test_the_goodbye_settles_what_was_announced(keyring, hand_probe):
    probe = hand_probe()
    intake = Intake(Opener(keyring))
    intake.receive(probe.send(2), 0)
    probe.lose(3)
    intake.receive(probe.goodbye(), 0)
    assert intake.totals().missing == 3


def test_a_lost_batch_shows_with_the_next_one(keyring, hand_probe):
    probe = hand_probe()
    intake = Intake(Opener(keyring))
    intake.receive(probe.send(2, Flags.ANNOUNCE), 0)
    probe.send(4)
    assert intake.receive(probe.send(2), 0).account.gaps() == [NumberRange(2, 5)]


def test_endless_probes_do_not_fill_the_memory_and_stay_in_the_totals(keyring, hand_probe, monkeypatch):
    monkeypatch.setattr("farscope.scope.intake.MAX_PROBES", 8)
    assert MAX_PROBES > 8
    intake = Intake(Opener(keyring))
    for _ in range(20):
        intake.receive(hand_probe().send(2), 0)
    assert len(intake._probes) == 8
    assert (intake.probes, intake.totals().received) == (20, 40)


def test_a_probe_that_only_said_goodbye_is_not_counted(keyring, hand_probe):
    intake = Intake(Opener(keyring))
    test_message = hand_probe()
    batch = replace(test_message.batch(), charts=())
    intake.receive(test_message.seal(batch, Flags.GOODBYE), 0)
    assert (intake.accepted, intake.probes) == (1, 0)
    intake.receive(hand_probe().goodbye(), 0)
    assert intake.probes == 1


def reported(refusals, refused, counts):
    return [notice.count for count in counts for notice in refusals.report(refused, count)]


def test_a_reason_is_reported_the_first_tenth_and_hundredth_time():
    refused = Refused(Refusal.MALFORMED, "cut off")
    assert reported(RejectionReporter(), refused, range(1, 2_000)) == [1, 10, 100, 1_000]


def test_each_foreign_key_is_reported_once():
    refusals = RejectionReporter()
    keys = [Refused(Refusal.WRONG_KEY, f"sealed with {name}", fingerprint=name) for name in "ba"]
    assert [reported(refusals, key, range(1, 200)) for key in keys] == [[1], [1]]
    assert refusals.fingerprints == ["a", "b"]


def test_of_very_many_foreign_keys_the_rest_is_only_counted():
    refusals = RejectionReporter()
    for number in range(2 * MAX_FINGERPRINTS):
        refusals.report(Refused(Refusal.WRONG_KEY, "sealed", fingerprint=str(number)), number + 1)
    assert len(refusals.fingerprints) == MAX_FINGERPRINTS
