"""Write the golden vectors that are missing.

A vector that is there is never written again: it says what its format version means for ever. A new
version gets vectors of its own beside the old ones. Run it from the repository's root.
"""

from __future__ import annotations

import base64
import json
import zlib
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from farscope.records.facts import Fact, FactKind
from farscope.records.shape import Shape, StepKind
from farscope.records.step import Cause, ChartId
from farscope.records.structure import ChartStructure, Reaction, StateInfo
from farscope.wire.batch import Batch, ChartEntry, Drop
from farscope.wire.body_schema import MAX_BODY_BYTES, MAX_INTEGER, MAX_STEPS
from farscope.wire.codec import encode_body
from farscope.wire.envelope import HEADER_BYTES, Flags
from farscope.wire.keyring import Key, Keyring
from farscope.wire.seal import Sealer

FOLDER = Path(__file__).parent / "v1"
KEY = bytes(range(32))
OTHER_KEY = bytes(range(32, 64))
PROBE = bytes(range(100, 116))
OTHER_PROBE = bytes(range(200, 216))

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
            "c2",
            4,
            structure=ChartStructure(
                (StateInfo("c1"), StateInfo("c2", "c1")),
                (Reaction("c1", "B", "c2"), Reaction("c2", "D")),
            ),
        ),
        ChartEntry(7, OTHER_CHART.name, "", 900, stopped=True),
    ),
    numbers=[3, 4, 5, 900, 901],
    steps=[
        (CHART, 1, START, STARTED_NS + 10, 5_000, 0, 0, 0, None, ()),
        (OTHER_CHART, 900, IGNORED, STARTED_NS + 5, 300, 2, 1, 77, Cause(3, 12), ()),
        (CHART, 2, MOVE, STARTED_NS + 900, 800, 1, 0, 40, Cause(7, 900), ()),
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
        ),
        (CHART, 4, MOVE, STARTED_NS + 990, 0, 0, 0, 0, None, ()),
    ],
    drops=(Drop(6, 894, "outbox full"), Drop(999, 1, "too large")),
)
ONE_CHART = a_batch(
    next_number=3,
    charts=(ChartEntry(1, CHART.name, "c2", 3),),
    numbers=[0, 1, 2],
    steps=[(CHART, i + 1, MOVE, STARTED_NS + 1_000 * i, 400, 0, 0, 0, None, ()) for i in range(3)],
)
EXTREME = a_batch(
    next_number=MAX_INTEGER,
    started_ns=0,
    sent_ns=MAX_INTEGER,
    charts=(ChartEntry(MAX_INTEGER, CHART.name, "", MAX_INTEGER),),
    numbers=[MAX_INTEGER - 1],
    steps=[
        (
            CHART._replace(serial=MAX_INTEGER),
            MAX_INTEGER,
            IGNORED,
            *[MAX_INTEGER] * 5,
            Cause(MAX_INTEGER, MAX_INTEGER),
            (),
        )
    ],
)


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
    tree = msgspec.msgpack.decode(zlib.decompress(encode_body(ONE_CHART)))
    node = tree
    for position in path[:-1]:
        node = node[position]
    node[path[-1]] = value
    return malformed(name, about, zlib.compress(msgspec.msgpack.encode(tree)))


def vectors() -> list[Vector]:
    body = encode_body(ONE_CHART)
    whole = sealed(body)
    other = sealed(body, number=1)
    foreign = sealed(body, probe=OTHER_PROBE)
    return [
        good("heartbeat", "no chart, no step", a_batch(), flags=2),
        good("one-chart", "columns of zeros left out, one run of numbers", ONE_CHART),
        good("rich", "structures, gaps, losses, causes, texts, names of all kinds", RICH, flags=1),
        good("goodbye", "the last batch of a probe", a_batch(next_number=3), number=9, flags=4),
        good("extreme", "the largest numbers there are", EXTREME, number=2**64 - 1),
        good("second-epoch", "from batch number 2**32 on another key is derived", ONE_CHART, number=2**32),
        Vector("wrong-key", "wrong key", "sealed with another key", sealed(body, key=OTHER_KEY)),
        changed("key-id-changed", "wrong key", "a bit of the key id flipped", 8),
        changed("flags-changed", "tampered", "the goodbye flag set", 7, 2),
        changed("probe-changed", "tampered", "a bit of the probe id flipped", 16),
        changed("number-changed", "tampered", "a bit of the batch number flipped", 39),
        changed("nonce-changed", "tampered", "a bit of the nonce flipped", 51, 7),
        changed("body-changed", "tampered", "a bit of the sealed body flipped", 52),
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
        changed("other-version", "unsupported version", "format version 0", 5),
        changed("far-version", "unsupported version", "format version 32769", 4, 7),
        changed("other-magic", "malformed", "begins otherwise", 0),
        changed("unknown-flag", "malformed", "a flag version 1 does not define", 7, 3),
        Vector("empty", "malformed", "no byte at all", b""),
        Vector("header-only", "malformed", "no room for a seal", whole[: HEADER_BYTES + 15]),
        malformed("not-compressed", "a body that is no zlib stream", b"no zlib stream"),
        malformed("cut-stream", "a zlib stream cut off", body[:-1]),
        malformed("behind-the-stream", "a byte behind the zlib stream", body + b"\0"),
        malformed(
            "bomb", "a byte over the size a body may have", zlib.compress(bytes(MAX_BODY_BYTES + 1), 9)
        ),
        malformed("second-value", "a value behind the first", zlib.compress(zlib.decompress(body) + b"\xc0")),
        malformed("no-array", "a map", zlib.compress(b"\x80")),
        malformed(
            "lying-length", "an array that claims 2**32 - 1 entries", zlib.compress(b"\xdd\xff\xff\xff\xff")
        ),
        bent("unknown-fact", "a kind of fact version 1 does not define", (6, 0, 0), 99),
        bent("unknown-step", "a kind of step version 1 does not define", (7, 0, 0), 99),
        bent("string-not-there", "an index behind the string table", (7, 0, 1), 999),
        bent("shape-not-there", "an index behind the shape table", (10, 3), [0, 0, 9]),
        bent("chart-not-there", "an index behind the chart table", (10, 1), [0, 0, 9]),
        bent("chart-twice", "two entries of one serial", (8,), [[1, 0, 0, 0, False, None]] * 2),
        bent("uneven-columns", "two durations for three steps", (10, 5), [1, 2]),
        bent(
            "too-many-steps", "runs that claim more steps than a batch holds", (10, 0), [[0, MAX_STEPS]] * 2
        ),
        bent("beyond-next", "a step number the probe has not reached", (4,), 2),
        bent("negative", "a negative duration", (10, 5), [1, -1, 1]),
        bent("sum-out-of-range", "times whose sum leaves 63 bits", (10, 4), [MAX_INTEGER, 1, 1]),
        bent("cause-missing", "a cause without its number", (10, 9), [0, 0, 1]),
        bent("text-not-there", "a text of a step that is not there", (10, 11), [[3, ["text"]]]),
    ]


def as_json(batch: Batch) -> dict[str, Any]:
    """What a vector expects of a batch, in types JSON knows; any reader can compare with it."""
    return {
        "host": batch.host,
        "pid": batch.pid,
        "started_ns": batch.started_ns,
        "sent_ns": batch.sent_ns,
        "next_number": batch.next_number,
        "charts": [
            {
                **chart._asdict(),
                "structure": chart.structure
                and {
                    "states": [list(state) for state in chart.structure.states],
                    "reactions": [list(reaction) for reaction in chart.structure.reactions],
                },
            }
            for chart in batch.charts
        ],
        "drops": [list(drop) for drop in batch.drops],
        "numbers": batch.numbers,
        "steps": [
            {
                "serial": chart.serial,
                "number": number,
                "kind": int(shape.kind),
                "signal": shape.signal,
                "start": shape.start,
                "end": shape.end,
                "facts": [[int(fact.kind), fact.name, fact.detail] for fact in shape.facts],
                "time_ns": time_ns,
                "duration_ns": duration_ns,
                "queued": queued,
                "deferred": deferred,
                "waited_ns": waited_ns,
                "cause": cause and list(cause),
                "texts": list(texts),
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
            ) in batch.steps
        ],
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
            content["batch"] = as_json(vector.batch)
        path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n")
        print(path.name)


if __name__ == "__main__":
    write_missing()
