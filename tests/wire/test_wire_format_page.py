"""docs/wire-format.md agrees with the code, number for number."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from farscope.records.facts import FactKind
from farscope.records.kinds import FIRST_STILL_RUNNING, FIRST_WITH_TEXT, MAX_KIND
from farscope.records.shape import StepKind
from farscope.records.structure import ChartStatus, ReactionFlag, StateKind
from farscope.records.trace_context import SPAN_DOMAIN, TRACE_DOMAIN
from farscope.wire import body_schema as layout
from farscope.wire import codec, envelope, keyfile, keyring, seal
from farscope.wire.envelope import Flags

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "wire-format.md").read_text()
LIMITS = {
    name: value
    for module in (envelope, layout)
    for name, value in vars(module).items()
    if name.startswith("MAX_") and name != "MAX_BATCH_NUMBER"
}


def section(title: str) -> str:
    return re.split(r"^#+ ", PAGE.partition(f" {title}\n")[2], maxsplit=1, flags=re.MULTILINE)[0]


def rows(text: str) -> list[list[str]]:
    lines = [line for line in text.splitlines() if line.startswith("|") and not line.startswith("|--")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def number(cell: str) -> int:
    return int(cell.replace(",", ""))


def test_the_limits_are_those_of_the_code():
    written = {row[0].strip("`"): number(row[1]) for row in rows(section("Limits")) if row[0].startswith("`")}
    assert written == LIMITS


@pytest.mark.parametrize(
    ("title", "kinds"),
    [
        ("Kinds of step", StepKind),
        ("Kinds of fact", FactKind),
        ("Kinds of state", StateKind),
        ("Flags of reactions", ReactionFlag),
        ("Statuses of charts", ChartStatus),
    ],
)
def test_the_kinds_are_those_of_the_records(title, kinds):
    written = {row[1].strip("`"): number(row[0]) for row in rows(section(title)) if row[0].isdigit()}
    assert written == {kind.name: kind.value for kind in kinds}, (
        "what is not in the tables is written with its name"
    )


def test_the_flags_are_those_of_the_code():
    written = {row[0].strip("`"): number(row[1]) for row in rows(section("Header")) if row[1].isdigit()}
    assert {name: value for name, value in written.items() if name.isupper()} == {
        flag.name: flag.value for flag in Flags
    }


def test_the_header_is_that_of_the_code():
    fields = [row for row in rows(section("Header")) if len(row) == 4 and row[0].isdigit()]
    end = 0
    for offset, size, *_ in fields:
        assert int(offset) == end
        end += int(size)
    assert end == envelope.HEADER_BYTES
    assert [int(row[1]) for row in fields] == [
        len(envelope.MAGIC),
        2,
        2,
        2,
        envelope.SPARE_BYTES,
        envelope.KEY_ID_BYTES,
        envelope.PROBE_BYTES,
        8,
        envelope.NONCE_BYTES,
    ]


def test_the_columns_and_entries_are_those_of_the_code():
    for title, head, struct in (
        ("Body", "entry", layout.Body),
        ("Dictionary", "table", layout.Dictionary),
        ("Chart entries", "entry", layout.ChartRow),
        ("Chart entries", "part", layout.Structure),
        ("Steps", "column", layout.Columns),
    ):
        tables = [[row[0].replace(" ", "_") for row in rows(part)] for part in section(title).split("\n\n")]
        (written,) = (table[1:] for table in tables if table[:1] == [head])
        assert written == [name.removesuffix("_ns") for name in struct.__struct_fields__]


@pytest.mark.parametrize(
    "words",
    [
        f"{codec.COMPRESSED_FROM_BYTES} bytes or more",
        SPAN_DOMAIN.rstrip(bytes(1)).decode(),
        TRACE_DOMAIN.rstrip(bytes(1)).decode(),
        f"0 to {MAX_KIND}",
        f"number is {FIRST_WITH_TEXT} or more",
        f"number is below {FIRST_STILL_RUNNING}",
        f"version {envelope.FORMAT_VERSION}",
        f"`{envelope.MAGIC.decode()}`",
        f"`{keyring.KEY_ID_DOMAIN.rstrip(bytes(1)).decode()}`",
        f'"{seal.KEY_DOMAIN.decode()}"',
        f"header, {envelope.HEADER_BYTES} bytes",
        f"tag, {envelope.TAG_BYTES} bytes",
        f"shorter than {envelope.OVERHEAD_BYTES} bytes",
        f"`{layout.CUT_MARK}`",
        f"{keyring.KEY_BYTES} bytes in URL-safe base64",
        f"At most {keyring.MAX_KEYS} keys and {keyfile.MAX_KEY_FILE_BYTES:,} bytes",
    ],
)
def test_the_page_names_the_constant(words):
    assert words in PAGE


def test_the_threat_model_names_the_bounds_of_hostile_input():
    text = (DOCS / "threat-model.md").read_text()
    assert f"at most {layout.MAX_BODY_BYTES >> 20} MiB" in text
    assert f"only {envelope.HEADER_BYTES} bytes are examined" in text
    assert codec.MAX_COMPRESSED_BYTES == envelope.MAX_BATCH_BYTES - envelope.OVERHEAD_BYTES
