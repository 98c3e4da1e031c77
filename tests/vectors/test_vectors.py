"""Every golden vector has its expected outcome, also by a reader made from docs/wire-format.md alone."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import runpy
import struct
import zlib
from itertools import accumulate
from pathlib import Path

import msgspec
import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from farscope.errors import Malformed, Tampered, UnsupportedSuite, UnsupportedVersion, WrongKey
from farscope.records.facts import FactKind
from farscope.records.shape import StepKind
from farscope.records.step import Step
from farscope.records.structure import ChartStatus, ReactionFlag, StateKind
from farscope.wire.codec import decode_body, encode_body
from farscope.wire.envelope import peek_header
from farscope.wire.keyring import Key, Keyring
from farscope.wire.seal import Opener

HERE = Path(__file__).parent
FILES = sorted(HERE.glob("v*/*.json"))
MAKER = runpy.run_path(str(HERE / "make_vectors.py"))
OUTCOMES = {
    "wrong key": WrongKey,
    "tampered": Tampered,
    "malformed": Malformed,
    "unsupported version": UnsupportedVersion,
    "unsupported suite": UnsupportedSuite,
}


def load(path: Path) -> tuple[Keyring, bytes, dict]:
    vector = json.loads(path.read_text())
    keyring = Keyring([Key(bytes.fromhex(vector["key"]))])
    return keyring, base64.b64decode(vector["sealed"]), vector


def read(keyring: Keyring, sealed: bytes):
    header, body = Opener(keyring).open(sealed)
    return decode_body(body, header.probe)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_vector_has_its_outcome(path):
    keyring, sealed, vector = load(path)
    if vector["outcome"] == "ok":
        assert MAKER["as_json"](read(keyring, sealed)) == vector["batch"]
    else:
        with pytest.raises(OUTCOMES[vector["outcome"]]):
            read(keyring, sealed)


GOOD = [path for path in FILES if load(path)[2]["outcome"] == "ok"]


@pytest.mark.parametrize("path", GOOD, ids=lambda path: path.stem)
def test_a_good_vector_is_read_the_same_after_another_key_was_put_on_top(path):
    keyring, sealed, vector = load(path)
    rotated = Keyring([Key(bytes(32)), *keyring.keys])
    assert MAKER["as_json"](read(rotated, sealed)) == vector["batch"]


@pytest.mark.parametrize("path", GOOD, ids=lambda path: path.stem)
def test_a_good_vector_survives_another_encoding(path):
    keyring, sealed, _ = load(path)
    batch = read(keyring, sealed)
    assert decode_body(encode_body(batch), peek_header(sealed).probe) == batch


def test_every_vector_the_maker_knows_is_there_and_no_other():
    known = {f"{vector.name}.json": vector.outcome for vector in MAKER["vectors"]()}
    assert known == {path.name: load(path)[2]["outcome"] for path in FILES if path.parent.name == "v2"}


def test_each_kind_of_this_version_is_in_a_vector():
    keyring, sealed, _ = load(HERE / "v2" / "every-kind.json")
    batch = read(keyring, sealed)
    steps = [Step._make(step) for step in batch.steps]
    structure = batch.charts[0].structure
    assert structure is not None
    assert {step.kind for step in steps} == set(StepKind)
    assert {fact.kind for step in steps for fact in step.facts} == set(FactKind)
    assert {state.kind for state in structure.states} == set(StateKind)
    assert {flag for reaction in structure.reactions for flag in reaction.flags} == set(ReactionFlag)
    assert {chart.status for chart in batch.charts} == set(ChartStatus)


@pytest.mark.parametrize("path", GOOD, ids=lambda path: path.stem)
def test_the_page_alone_is_enough_to_read_a_good_vector(path):
    _, sealed, vector = load(path)
    assert by_the_page(bytes.fromhex(vector["key"]), sealed) == vector["batch"]


def tokens_of(sections: list) -> dict:
    rows = [row for name, data in sections if name == "TOKENS" for row in msgspec.msgpack.decode(data)]
    return {"tokens": [[serial, number, span.hex()] for serial, number, span in rows]} if rows else {}


def by_the_page(key: bytes, sealed: bytes) -> dict:
    """Read a batch with none of farscope's code."""
    magic, version, suite, _, key_id, probe, number, nonce = struct.unpack(">4sHHH6x8s16sQ12s", sealed[:60])
    assert (magic, version, suite) == (b"FARS", 2, 1)
    assert key_id == hashlib.sha256(b"farscope key id\x00" + key).digest()[:8]
    pseudorandom = hmac.digest(probe, key, "sha256")
    info = b"farscope batch key, format 2" + struct.pack(">I", number >> 32)
    derived = hmac.digest(pseudorandom, info + b"\x01", "sha256")
    body = AESGCM(derived).decrypt(nonce, sealed[60:], sealed[:60])
    tree = msgspec.msgpack.decode(zlib.decompress(body[1:]) if body[0] == 1 else body[1:])
    host, pid, service, writer, heartbeat, started, sent, next_number, *rest = tree
    dictionary, charts, drops, columns, sections = rest
    return {
        "host": host,
        "pid": pid,
        "service": service,
        "writer": writer,
        "heartbeat_ns": heartbeat,
        "started_ns": started,
        "sent_ns": sent,
        "next_number": next_number,
        "skipped": [name for name, _ in sections if name != "TOKENS"],
        **tokens_of(sections),
        "charts": [chart_by_the_page(row) for row in charts],
        "drops": drops,
        "numbers": numbers_by_the_page(columns[0]),
        "steps": steps_by_the_page(
            columns, msgspec.msgpack.decode(dictionary or b"\x93\x90\x90\x90"), charts
        ),
    }


def chart_by_the_page(row: list) -> dict:
    serial, name, states, number, status, parent, values, structure = row
    return {
        "serial": serial,
        "name": name,
        "states": states,
        "number": number,
        "status": status,
        "parent": parent and [parent[1], parent[0].hex()],
        "values": values,
        "structure": structure_by_the_page(msgspec.msgpack.decode(structure)) if structure else None,
    }


def structure_by_the_page(structure: list) -> dict:
    strings, states, reactions, initial, library = structure
    return {
        "states": [[strings[name], strings[parent], kind] for name, parent, kind in states],
        "reactions": [
            {
                "state": strings[state],
                "signal": strings[signal],
                "target": strings[target],
                "guard": strings[guard],
                "flags": flags,
                "delay": strings[delay],
                "more_targets": [strings[i] for i in more],
            }
            for state, signal, target, guard, flags, delay, more in reactions
        ],
        "initial": strings[initial],
        "library": strings[library],
    }


def numbers_by_the_page(runs: list) -> list[int]:
    numbers, position = [], 0
    for skipped, count in runs:
        position += skipped
        numbers += range(position, position + count)
        position += count
    return numbers


def steps_by_the_page(columns: list, dictionary: list, charts: list) -> list[dict]:
    strings, facts, shapes = dictionary
    size = sum(count for _, count in columns[0])
    chart, number, shape, time, duration, queued, deferred, waited, serial = (
        column or [0] * size for column in columns[1:10]
    )
    times = list(accumulate(time))
    cause_numbers = iter(columns[10])
    elsewhere = {row[0]: row[1:] for row in columns[11]}
    texts, values = dict(columns[12]), dict(columns[13])
    last: dict[int, int] = {}
    last_cause: dict[int, int] = {}
    steps = []
    for i in range(size):
        last[chart[i]] = last.get(chart[i], 0) + number[i]
        cause = elsewhere.get(i)
        if serial[i]:
            last_cause[serial[i]] = last_cause.get(serial[i], 0) + next(cause_numbers)
            cause = [serial[i], last_cause[serial[i]], b"", b"", b"", False]
        kind, signal, start, end, fact_indices = shapes[shape[i]]
        steps.append(
            {
                "serial": charts[chart[i]][0],
                "number": last[chart[i]],
                "kind": kind,
                "signal": strings[signal],
                "start": [strings[j] for j in (start if isinstance(start, list) else [start])],
                "end": [strings[j] for j in (end if isinstance(end, list) else [end])],
                "facts": [[facts[j][0], strings[facts[j][1]], strings[facts[j][2]]] for j in fact_indices],
                "time_ns": times[i],
                "duration_ns": duration[i],
                "queued": queued[i],
                "deferred": deferred[i],
                "waited_ns": waited[i],
                "cause": cause and cause_by_the_page(cause),
                "texts": texts.get(i, []),
                "values": [[strings[name], value] for name, value in values.get(i, [])],
            }
        )
    return steps


def cause_by_the_page(row: list) -> dict:
    serial, number, probe, trace_id, span_id, claimed = row
    return {
        "serial": serial,
        "number": number,
        "probe": probe.hex(),
        "trace_id": trace_id.hex(),
        "span_id": span_id.hex(),
        "claimed": claimed,
    }
