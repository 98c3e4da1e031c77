"""Write the golden vectors that are missing.

A vector that is there is never written again: it says what its format version means for ever. A new
version gets vectors of its own beside the old ones. Run it from the repository's root.
"""

from __future__ import annotations

import base64
import json
import struct
import zlib
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from farscope.records.facts import Fact, FactKind
from farscope.records.kinds import UnknownKind
from farscope.records.shape import Shape, StepKind
from farscope.records.step import Cause, ChartId, ChartRef
from farscope.records.structure import (
    ChartStatus,
    ChartStructure,
    Reaction,
    ReactionFlag,
    StateInfo,
    StateKind,
)
from farscope.wire.batch import Batch, ChartEntry, Drop, TokenEntry
from farscope.wire.body_schema import MAX_BODY_BYTES, MAX_INTEGER, MAX_STEPS, PLAIN, ZLIB
from farscope.wire.codec import decode_body, encode_body
from farscope.wire.envelope import HEADER_BYTES, Flags
from farscope.wire.keyring import Key, Keyring
from farscope.wire.seal import Opener, Sealer

FOLDER = Path(__file__).parent / "v2"
KEY = bytes(range(32))
OTHER_KEY = bytes(range(32, 64))
PROBE = bytes(range(100, 116))
OTHER_PROBE = bytes(range(200, 216))

TRACE = bytes(range(16, 32)).hex()
SPAN = bytes(range(8, 16)).hex()
CHART = ChartId("producer", "alpha", 4711, 1, PROBE.hex())
OTHER_CHART = ChartId("größer <b>✓</b>\x1b[31m", "alpha", 4711, 7, PROBE.hex())
STARTED_NS = 1_515_590_066_000_000_000
START = Shape(
    StepKind.START,
    "start_at",
    "top",
    "c1",
    (
        Fact(FactKind.START),
        Fact(FactKind.SEARCH, "c1"),
        Fact(FactKind.ENTRY, "c1"),
        Fact(FactKind.INIT, "c1"),
    ),
)
MOVE = Shape(
    StepKind.TRANSITION,
    "B",
    "c1",
    "c2",
    (
        Fact(FactKind.OFFER, "c1"),
        Fact(FactKind.EXIT, "c1"),
        Fact(FactKind.ENTRY, "c2"),
        Fact(FactKind.PUBLISH, "D", "1000"),
    ),
)
FAILED = Shape(StepKind.FAILED, "D", "c2", "c2", (Fact(FactKind.SCRIBBLE), Fact(FactKind.FAILED, "c2")))
REGIONS = Shape(
    StepKind.TRANSITION,
    "OFF",
    ("c2", "fan on"),
    (),
    (
        Fact(FactKind.OFFER, "c2"),
        Fact(FactKind.TRAN, "c2", "off"),
        Fact(FactKind.TRAN, "fan on", "off"),
        Fact(FactKind.LOG, "oven.fan", "WARNING"),
        Fact(FactKind.DONE, "top"),
        Fact(FactKind.TRANSMIT, "ALARM", "kitchen.stove"),
    ),
)
LATER = Shape(
    UnknownKind(40, "RESTORED"),
    "E",
    "c1",
    "c2",
    (
        Fact(UnknownKind(99, "SILENT_ONE"), "c1", "because"),
        Fact(UnknownKind(200, "TALKING_ONE"), "c2"),
        Fact(FactKind.SCRIBBLE),
    ),
)
IGNORED = Shape(StepKind.IGNORED, "E", "c2", "c2", (Fact(FactKind.OFFER, "c2"),))


class Vector(NamedTuple):
    name: str
    outcome: str
    about: str
    sealed: bytes
    batch: Batch | None = None


def a_batch(**fields: Any) -> Batch:
    given = {
        "host": "alpha",
        "pid": 4711,
        "started_ns": STARTED_NS,
        "sent_ns": STARTED_NS + 5_000_000_000,
        "next_number": 0,
        "charts": (),
        "numbers": [],
        "steps": [],
    }
    return Batch(**{**given, **fields})


RICH = a_batch(
    next_number=1_000,
    charts=(
        ChartEntry(
            1,
            CHART.name,
            ("c2",),
            4,
            structure=ChartStructure(
                (
                    StateInfo("c1"),
                    StateInfo("c2", "c1", StateKind.PARALLEL),
                    StateInfo("c3", "c2", StateKind.DEEP_HISTORY),
                    StateInfo("c4", "c2", UnknownKind(30, "CHOICE")),
                ),
                (
                    Reaction("c1", "B", "c2"),
                    Reaction("c2", "D", "", "n > 3", (ReactionFlag.INTERNAL, ReactionFlag.EVENTLESS)),
                    Reaction(
                        "c2", "", "c3", "", (ReactionFlag.TIMED, UnknownKind(9, "FORCED")), "200 ms", ("c4",)
                    ),
                ),
                "c1",
                "transitions 0.9.3",
            ),
            parent=ChartRef(7),
            values=(("amps", 3.5), ("count", -4), ("door", "open ✓"), ("on", True)),
        ),
        ChartEntry(7, OTHER_CHART.name, (), 900, ChartStatus.FINISHED, parent=ChartRef(2, OTHER_PROBE.hex())),
    ),
    numbers=[3, 4, 5, 900, 901],
    steps=[
        (CHART, 1, START, STARTED_NS + 10, 5_000, 0, 0, 0, None, (), (("amps", 3.5), ("on", False))),
        (OTHER_CHART, 900, IGNORED, STARTED_NS + 5, 300, 2, 1, 77, Cause(3, 12), (), ()),
        (
            CHART,
            2,
            MOVE,
            STARTED_NS + 900,
            800,
            1,
            0,
            40,
            Cause(7, 900),
            (),
            (("amps", 2**53), ("door", "open ✓")),
        ),
        (
            CHART,
            3,
            FAILED,
            STARTED_NS + 950,
            0,
            0,
            0,
            0,
            Cause(3, 10),
            ("line 1\nline 2 ✓", "ValueError: no"),
            (),
        ),
        (CHART, 4, MOVE, STARTED_NS + 990, 0, 0, 0, 0, None, (), ()),
    ],
    drops=(Drop(6, 894, "outbox full"), Drop(999, 1, "too large")),
)
ONE_CHART = a_batch(
    next_number=3,
    charts=(ChartEntry(1, CHART.name, ("c2",), 3),),
    numbers=[0, 1, 2],
    steps=[(CHART, i + 1, MOVE, STARTED_NS + 1_000 * i, 400, 0, 0, 0, None, (), ()) for i in range(3)],
)
ELSEWHERE = a_batch(
    next_number=6,
    service="charger-7",
    writer="farscope 0.1.0",
    heartbeat_ns=20_000_000_000,
    charts=(ChartEntry(1, CHART.name, (), 6, UnknownKind(200, "PAUSED")),),
    numbers=[0, 1, 2, 3, 4, 5],
    steps=[
        (
            CHART,
            1,
            REGIONS,
            STARTED_NS,
            0,
            0,
            0,
            0,
            Cause(5, 6, OTHER_PROBE.hex(), claimed=True),
            ("hot",),
            (),
        ),
        (CHART, 2, LATER, STARTED_NS, 0, 0, 0, 0, Cause(0, 0, "", TRACE, SPAN, True), ("one", "two"), ()),
        (CHART, 3, IGNORED, STARTED_NS, 0, 0, 0, 0, Cause(1, 2), (), ()),
        (CHART, 4, IGNORED, STARTED_NS, 0, 0, 0, 0, Cause(1, 3, "", TRACE), (), ()),
        (CHART, 5, IGNORED, STARTED_NS, 0, 0, 0, 0, Cause(5, 7, OTHER_PROBE.hex(), TRACE), (), ()),
        (CHART, 6, IGNORED, STARTED_NS, 0, 0, 0, 0, None, (), ()),
    ],
)
EXTREME = a_batch(
    next_number=MAX_INTEGER,
    started_ns=0,
    sent_ns=MAX_INTEGER,
    charts=(ChartEntry(MAX_INTEGER, CHART.name, (), MAX_INTEGER),),
    numbers=[MAX_INTEGER - 1],
    steps=[
        (
            CHART._replace(serial=MAX_INTEGER),
            MAX_INTEGER,
            IGNORED,
            *[MAX_INTEGER] * 5,
            Cause(MAX_INTEGER, MAX_INTEGER),
            (),
            (("most", MAX_INTEGER), ("least", -MAX_INTEGER)),
        )
    ],
)


TOKENS = a_batch(
    next_number=3,
    charts=ONE_CHART.charts,
    numbers=ONE_CHART.numbers,
    steps=ONE_CHART.steps,
    tokens=(TokenEntry(1, 3, SPAN), TokenEntry(7, 2**40, TRACE[:16])),
)
EVERY_STATUS = [status for status in ChartStatus if status is not ChartStatus.RUNNING]
EVERY_KIND = a_batch(
    next_number=len(StepKind),
    charts=(
        ChartEntry(
            1,
            CHART.name,
            ("c2",),
            len(StepKind),
            structure=ChartStructure(
                tuple(StateInfo(kind.name.lower(), "", kind) for kind in StateKind),
                (Reaction("plain", "B", flags=tuple(ReactionFlag)),),
            ),
        ),
        *(ChartEntry(10 + status, status.name.lower(), (), 0, status) for status in EVERY_STATUS),
    ),
    numbers=list(range(len(StepKind))),
    steps=[
        (
            CHART,
            number,
            Shape(kind, "B", "c1", "c2", tuple(Fact(each, each.name.lower(), "detail") for each in FactKind)),
            STARTED_NS,
            *[0] * 4,
            None,
            ("a scribble", "an error", "a record"),
            (),
        )
        for number, kind in enumerate(StepKind, 1)
    ],
)
PLAIN_BODY = encode_body(ONE_CHART).removeprefix(bytes([PLAIN]))
DICTIONARY, CHARTS, STEPS, SECTIONS = 8, 9, 11, 12
"""Places of entries in a body."""


def dictionary(
    strings: tuple[str, ...] = ("B", "c1"), facts: Any = (), shapes: Any = ((3, 0, 1, 1, ()),)
) -> bytes:
    return msgspec.msgpack.encode([strings, facts, shapes])


def packed(plain: bytes) -> bytes:
    return bytes([ZLIB]) + zlib.compress(plain, 9)


def sealed(body: bytes, *, number: int = 0, flags: int = 0, key: bytes = KEY, probe: bytes = PROBE) -> bytes:
    return Sealer(Keyring([Key(key)]), probe).seal(number, Flags(flags), body)


def good(name: str, about: str, batch: Batch, number: int = 0, flags: int = 0) -> Vector:
    return Vector(name, "ok", about, sealed(encode_body(batch), number=number, flags=flags), batch)


def changed(name: str, outcome: str, about: str, position: int, bit: int = 0) -> Vector:
    data = bytearray(sealed(encode_body(ONE_CHART)))
    data[position] ^= 1 << bit
    return Vector(name, outcome, about, bytes(data))


def malformed(name: str, about: str, body: bytes) -> Vector:
    """A body that breaks a rule under a seal that holds."""
    return Vector(name, "malformed", about, sealed(body))


def bent(name: str, about: str, path: tuple[int, ...], value: object) -> Vector:
    """The body of ``ONE_CHART`` with another value at a place of its tree."""
    tree = msgspec.msgpack.decode(PLAIN_BODY)
    node = tree
    for position in path[:-1]:
        node = node[position]
    node[path[-1]] = value
    return malformed(name, about, bytes([ZLIB]) + zlib.compress(msgspec.msgpack.encode(tree)))


def suite_changed() -> bytes:
    data = bytearray(sealed(encode_body(ONE_CHART)))
    struct.pack_into(">H", data, 6, 2)
    return bytes(data)


def with_sections() -> bytes:
    tree = msgspec.msgpack.decode(PLAIN_BODY)
    tree[SECTIONS] = [["WEATHER", b"sunny"], ["TIDE", b""]]
    return bytes([PLAIN]) + msgspec.msgpack.encode(tree)


def vectors() -> list[Vector]:
    body = encode_body(ONE_CHART)
    whole = sealed(body)
    other = sealed(body, number=1)
    foreign = sealed(body, probe=OTHER_PROBE)
    return [
        good("heartbeat", "no chart, no step", a_batch(heartbeat_ns=1_000_000_000), flags=2),
        good("one-chart", "not compressed, columns of zeros left out, one run of numbers", ONE_CHART),
        good("rich", "structures, gaps, losses, causes, texts, values, names of all kinds", RICH, flags=1),
        good("elsewhere", "regions, causes in other processes, kinds of a later release", ELSEWHERE),
        good("tokens", "span ids under which steps were named, also of a step not in the batch", TOKENS),
        good("every-kind", "each kind of step, fact and state, each flag and status", EVERY_KIND),
        good("goodbye", "the last batch of a probe", a_batch(next_number=3), number=9, flags=4),
        good("extreme", "the largest numbers there are", EXTREME, number=2**64 - 1),
        good("second-epoch", "from batch number 2**32 on another key is derived", ONE_CHART, number=2**32),
        good("later-flag", "a flag that a later release may define", ONE_CHART, flags=0x8000),
        Vector("compressed", "ok", "compressed although it is small", sealed(packed(PLAIN_BODY)), ONE_CHART),
        Vector("later-sections", "ok", "two sections of later releases", sealed(with_sections()), ONE_CHART),
        Vector("wrong-key", "wrong key", "sealed with another key", sealed(body, key=OTHER_KEY)),
        Vector("other-suite", "unsupported suite", "sealing suite 2", suite_changed()),
        changed("far-suite", "unsupported suite", "sealing suite 32769", 6, 7),
        changed("key-id-changed", "wrong key", "a bit of the key id flipped", 16),
        changed("flags-changed", "tampered", "the goodbye flag set", 9, 2),
        changed("spare-changed", "tampered", "a bit of the spare bytes set", 15),
        changed("probe-changed", "tampered", "a bit of the probe id flipped", 24),
        changed("number-changed", "tampered", "a bit of the batch number flipped", 47),
        changed("nonce-changed", "tampered", "a bit of the nonce flipped", 59, 7),
        changed("body-changed", "tampered", "a bit of the sealed body flipped", 60),
        changed("tag-changed", "tampered", "a bit of the tag flipped", -1),
        Vector("truncated", "tampered", "the last byte is missing", whole[:-1]),
        Vector("extended", "tampered", "a byte too many", whole + b"\0"),
        Vector(
            "spliced-number",
            "tampered",
            "under another batch's header",
            other[:HEADER_BYTES] + whole[HEADER_BYTES:],
        ),
        Vector(
            "spliced-probe",
            "tampered",
            "under another probe's header",
            foreign[:HEADER_BYTES] + whole[HEADER_BYTES:],
        ),
        changed("next-version", "unsupported version", "format version 3", 5),
        changed("far-version", "unsupported version", "format version 32770", 4, 7),
        changed("other-magic", "malformed", "begins otherwise", 0),
        Vector("empty", "malformed", "no byte at all", b""),
        Vector("header-only", "malformed", "no room for a seal", whole[: HEADER_BYTES + 15]),
        bent("tokens-twice", "two sections of tokens", (SECTIONS,), [["TOKENS", b"\x90"]] * 2),
        bent("broken-tokens", "tokens that are no MessagePack", (SECTIONS,), [["TOKENS", b"\xc1"]]),
        bent(
            "short-token",
            "a token with a span id of 7 bytes",
            (SECTIONS,),
            [["TOKENS", msgspec.msgpack.encode([[1, 1, bytes(7)]])]],
        ),
        bent(
            "token-of-no-chart",
            "a token of serial 0",
            (SECTIONS,),
            [["TOKENS", msgspec.msgpack.encode([[0, 1, bytes(range(8))]])]],
        ),
        malformed("no-body", "a body without a byte", b""),
        malformed("unknown-packing", "a body that begins with 2", b"\2" + PLAIN_BODY),
        malformed("not-compressed", "a body that should be a zlib stream, but is none", b"\1no zlib stream"),
        malformed("cut-stream", "a zlib stream cut off", packed(PLAIN_BODY)[:-1]),
        malformed("behind-the-stream", "a byte after the zlib stream", packed(PLAIN_BODY) + b"\0"),
        malformed("bomb", "a byte over the size a body may have", packed(bytes(MAX_BODY_BYTES + 1))),
        malformed("second-value", "a value after the first", body + b"\xc0"),
        malformed("no-array", "a map", b"\0\x80"),
        malformed("lying-length", "an array that claims 2**32 - 1 entries", b"\0\xdd\xff\xff\xff\xff"),
        bent(
            "unnamed-fact",
            "a later kind of fact without its name",
            (DICTIONARY,),
            dictionary(facts=[[99, 0, 0]]),
        ),
        bent(
            "renamed-fact",
            "a known kind of fact under another name",
            (DICTIONARY,),
            dictionary(facts=[[[3, "ARRIVAL"], 0, 0]]),
        ),
        bent(
            "lower-case-kind",
            "a kind whose name is not in capitals",
            (DICTIONARY,),
            dictionary(facts=[[[99, "later"], 0, 0]]),
        ),
        bent(
            "unnamed-step",
            "a later kind of step without its name",
            (DICTIONARY,),
            dictionary(shapes=[[99, 0, 1, 1, []]]),
        ),
        bent("unnamed-status", "a later status without its name", (CHARTS, 0, 4), 99),
        bent(
            "string-not-there",
            "an index beyond the strings",
            (DICTIONARY,),
            dictionary(shapes=[[3, 9, 1, 1, []]]),
        ),
        bent(
            "leaf-not-there",
            "a configuration whose second leaf is not there",
            (DICTIONARY,),
            dictionary(shapes=[[3, 0, [1, 9], 1, []]]),
        ),
        bent(
            "fact-not-there",
            "an index beyond the facts",
            (DICTIONARY,),
            dictionary(shapes=[[3, 0, 1, 1, [0]]]),
        ),
        bent("no-dictionary", "steps without a dictionary", (DICTIONARY,), b""),
        bent("shape-not-there", "an index beyond the shapes", (STEPS, 3), [0, 0, 9]),
        bent("chart-not-there", "an index beyond the charts", (STEPS, 1), [0, 0, 9]),
        bent(
            "chart-twice", "two entries of one serial", (CHARTS,), [[1, "a", ["c2"], 0, 0, None, [], b""]] * 2
        ),
        bent("short-parent", "a parent chart with a probe of 15 bytes", (CHARTS, 0, 5), [bytes(15), 1]),
        bent("broken-structure", "a structure that is no MessagePack", (CHARTS, 0, 7), b"\xc1"),
        bent(
            "state-not-there",
            "a structure whose state has no name",
            (CHARTS, 0, 7),
            msgspec.msgpack.encode([["a"], [[1, 0, 0]], [], 0, 0]),
        ),
        bent("too-many-values", "17 values of a chart", (CHARTS, 0, 6), [[f"v{i}", i] for i in range(17)]),
        bent("too-many-step-values", "17 values of a step", (STEPS, 13), [[0, [[0, i] for i in range(17)]]]),
        bent("value-too-long", "a value of 257 characters", (CHARTS, 0, 6), [["v", "x" * 257]]),
        bent("value-of-nothing", "a value that is nil", (STEPS, 13), [[0, [[0, None]]]]),
        bent("value-not-there", "the value of a step that is not there", (STEPS, 13), [[3, [[0, 1]]]]),
        bent("uneven-columns", "two durations for three steps", (STEPS, 5), [1, 2]),
        bent(
            "too-many-steps",
            "runs that claim more steps than a batch holds",
            (STEPS, 0),
            [[0, MAX_STEPS]] * 2,
        ),
        bent("beyond-next", "a step number the probe has not reached", (7,), 2),
        bent("negative", "a negative duration", (STEPS, 5), [1, -1, 1]),
        bent("sum-out-of-range", "times whose sum leaves 63 bits", (STEPS, 4), [MAX_INTEGER, 1, 1]),
        bent("cause-missing", "a cause without its number", (STEPS, 9), [0, 0, 1]),
        bent(
            "short-trace", "a trace id of 15 bytes", (STEPS, 11), [[0, 0, 0, b"", bytes(15), bytes(8), True]]
        ),
        bent("span-without-trace", "a span id alone", (STEPS, 11), [[0, 0, 0, b"", b"", bytes(8), True]]),
        bent(
            "step-and-span",
            "a cause that is a step and a span",
            (STEPS, 11),
            [[0, 1, 1, b"", bytes(16), bytes(8), True]],
        ),
        bent("text-not-there", "a text of a step that is not there", (STEPS, 12), [[3, ["text"]]]),
        bent("lower-case-section", "a section whose name is not in capitals", (SECTIONS,), [["later", b""]]),
    ]


def kind_as_json(kind: Any) -> int | list[Any]:
    return [int(kind), kind.name] if isinstance(kind, UnknownKind) else int(kind)


def cause_as_json(cause: Cause) -> dict[str, Any]:
    fields = cause._asdict()
    del fields["root"]
    return fields


def as_json(batch: Batch) -> dict[str, Any]:
    """What a vector expects of a batch, in types JSON knows; any reader can compare with it."""
    return {
        "host": batch.host,
        "pid": batch.pid,
        "started_ns": batch.started_ns,
        "sent_ns": batch.sent_ns,
        "next_number": batch.next_number,
        "service": batch.service,
        "writer": batch.writer,
        "heartbeat_ns": batch.heartbeat_ns,
        "skipped": list(batch.skipped),
        # Earlier vectors do not mention tokens.
        **({"tokens": list(map(list, batch.tokens))} if batch.tokens else {}),
        "charts": [chart_as_json(chart) for chart in batch.charts],
        "drops": [list(drop) for drop in batch.drops],
        "numbers": batch.numbers,
        "steps": [
            {
                "serial": chart.serial,
                "number": number,
                "kind": kind_as_json(shape.kind),
                "signal": shape.signal,
                "start": list(shape.start_states),
                "end": list(shape.end_states),
                "facts": [[kind_as_json(fact.kind), fact.name, fact.detail] for fact in shape.facts],
                "time_ns": time_ns,
                "duration_ns": duration_ns,
                "queued": queued,
                "deferred": deferred,
                "waited_ns": waited_ns,
                "cause": cause and cause_as_json(cause),
                "texts": list(texts),
                "values": [list(value) for value in values],
            }
            for (
                chart,
                number,
                shape,
                time_ns,
                duration_ns,
                queued,
                deferred,
                waited_ns,
                cause,
                texts,
                values,
            ) in batch.steps
        ],
    }


def chart_as_json(chart: ChartEntry) -> dict[str, Any]:
    structure = chart.structure
    return {
        "serial": chart.serial,
        "name": chart.name,
        "states": list(chart.states),
        "number": chart.number,
        "status": kind_as_json(chart.status),
        "parent": chart.parent and list(chart.parent),
        "values": [list(value) for value in chart.values],
        "structure": structure
        and {
            "states": [[state.name, state.parent, kind_as_json(state.kind)] for state in structure.states],
            "reactions": [
                {
                    **reaction._asdict(),
                    "flags": [kind_as_json(flag) for flag in reaction.flags],
                    "more_targets": list(reaction.more_targets),
                }
                for reaction in structure.reactions
            ],
            "initial": structure.initial,
            "library": structure.library,
        },
    }


def write_missing() -> None:
    FOLDER.mkdir(exist_ok=True)
    for vector in vectors():
        path = FOLDER / f"{vector.name}.json"
        if path.exists():
            continue
        content = {
            "about": vector.about,
            "key": KEY.hex(),
            "sealed": base64.b64encode(vector.sealed).decode(),
            "outcome": vector.outcome,
        }
        if vector.batch is not None:
            content["batch"] = as_json(decode_body(Opener(Keyring([Key(KEY)])).open(vector.sealed)[1], PROBE))
        path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n")
        print(path.name)


if __name__ == "__main__":
    write_missing()
