"""In random causal graphs over several probes every known cause is found, and no other."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from farscope.records.shape import Shape, StepKind
from farscope.records.step import Cause, ChartId, Step
from farscope.records.trace_context import span_id
from farscope.scope.intake import Accepted, Intake
from farscope.scope.ordering.claimed_causes import after_their_causes
from farscope.scope.tokens import Tokens
from farscope.wire.batch import Batch, ChartEntry, TokenEntry
from farscope.wire.codec import encode_body
from farscope.wire.envelope import Flags
from farscope.wire.keyring import Keyring, new_key_text
from farscope.wire.seal import Opener, Sealer

KEYRING = Keyring.from_text(new_key_text())
PROBES = [bytes([number]) * 16 for number in (1, 2, 3)]
SHAPE = Shape(StepKind.HOOK, "S", "a", "a", ())
TRACE = "01" * 16
MADE_UP = "ff" * 8


def step_key(step):
    return step[0].probe, step[0].serial, step[1]


@st.composite
def histories(draw):
    """Return steps in order of time, and what caused each: nothing, an earlier step, or a made-up one."""
    charts = [ChartId("c", "h", 1, serial, probe.hex()) for probe in PROBES for serial in (1, 2)]
    numbers = dict.fromkeys(charts, 0)
    steps, causes = [], {}
    for time_ns in range(1, draw(st.integers(1, 20)) + 1):
        chart = draw(st.sampled_from(charts))
        numbers[chart] += 1
        step = Step(chart, numbers[chart], SHAPE, time_ns, 0, 0, 0, 0)
        by = draw(st.none() | st.just(MADE_UP) | (st.sampled_from(steps) if steps else st.none()))
        if by is not None:
            known = by != MADE_UP
            span = span_id(*step_key(by)) if known else MADE_UP
            step = step._replace(cause=Cause(trace_id=TRACE, span_id=span, claimed=True))
            causes[step_key(step)] = step_key(by) if known else None
        steps.append(step)
    return steps, causes


def batches(steps, causes, draw):
    """Return sealed batches of a step each; a token is in the batch of its step, or in any later one."""
    tokens = {probe.hex(): [] for probe in PROBES}
    sealers = {probe.hex(): Sealer(KEYRING, probe) for probe in PROBES}
    numbers = dict.fromkeys(tokens, 0)
    asked = set(filter(None, causes.values()))
    sealed = []
    for place, step in enumerate(steps):
        probe = step.chart.probe
        if step_key(step) in asked:
            tokens[probe].append(TokenEntry(step.chart.serial, step.number, span_id(*step_key(step))))
        later = any(other.chart.probe == probe for other in steps[place + 1 :])
        sent = () if later and draw(st.booleans()) else tuple(tokens[probe])
        if sent:
            tokens[probe].clear()
        body = encode_body(
            Batch(
                host="h",
                pid=1,
                started_ns=0,
                sent_ns=step.time_ns,
                next_number=numbers[probe] + 1,
                charts=(ChartEntry(step.chart.serial, "c", ("a",), step.number),),
                numbers=[numbers[probe]],
                steps=[tuple(step)],
                tokens=sent,
            )
        )
        sealed.append(sealers[probe].seal(numbers[probe], Flags.NONE, body))
        numbers[probe] += 1
    return sealed


@given(histories(), st.data())
def test_every_known_cause_is_found_whatever_arrives_first_and_made_up_ones_are_not(history, data):
    steps, causes = history
    intake, tokens = Intake(Opener(KEYRING), since_ns=0), Tokens()
    received = []
    for sealed in data.draw(st.permutations(batches(steps, causes, data.draw))):
        outcome = intake.receive(sealed, 0)
        assert isinstance(outcome, Accepted)
        tokens.claims = tokens.claims or outcome.batch.claims
        tokens.add(outcome.header.probe.hex(), outcome.batch.tokens)
        received += outcome.batch.steps
    resolved = list(tokens.resolved_all(received))
    assert len(resolved) == len(steps)
    for step in resolved:
        cause, expected = step[8], causes.get(step_key(step))
        assert (cause is not None) == (step_key(step) in causes)
        if cause is not None:
            assert cause.claimed
            assert (cause.probe, cause.serial, cause.number) == (expected or ("", 0, 0))
            assert cause.span_id == ("" if expected else MADE_UP)
    in_charts = sorted(resolved, key=lambda step: step[1])
    places = {step_key(step): place for place, step in enumerate(after_their_causes(in_charts))}
    assert all(places[by] < places[key] for key, by in causes.items() if by is not None)


def test_beyond_the_limit_the_oldest_token_is_unknown_again():
    tokens = Tokens(limit=2)
    tokens.add("aa", [TokenEntry(1, number, f"{number:016x}") for number in (1, 2, 3)])
    tokens.claims = True
    assert len(tokens) == 2
    found = [tokens.step_of(Cause(span_id=f"{number:016x}", claimed=True)) for number in (1, 2, 3)]
    assert [step and step.number for step in found] == [None, 2, 3]


def test_a_token_that_a_second_probe_announces_stays_with_the_first():
    tokens = Tokens()
    tokens.add("aa", [TokenEntry(1, 1, "01" * 8)])
    tokens.add("bb", [TokenEntry(1, 1, "01" * 8)])
    assert tokens.step_of(Cause(span_id="01" * 8)).probe == "aa"
