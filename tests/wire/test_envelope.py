"""The header in clear can be read without a key, and nothing that is no header passes for one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farscope.errors import Malformed, UnsupportedSuite, UnsupportedVersion, WireError
from farscope.wire.envelope import (
    FORMAT_VERSION,
    HEADER_BYTES,
    MAGIC,
    MAX_BATCH_BYTES,
    OVERHEAD_BYTES,
    TAG_BYTES,
    Flags,
    Header,
    check_suite,
    peek_header,
)

headers = st.builds(
    Header,
    st.just(FORMAT_VERSION),
    st.sampled_from([Flags(bits) for bits in range(8)]),
    st.binary(min_size=8, max_size=8),
    st.binary(min_size=16, max_size=16),
    st.integers(0, 2**64 - 1),
    st.binary(min_size=12, max_size=12),
    st.integers(0, 2**16 - 1),
)


@given(headers, st.binary(max_size=20))
def test_a_header_is_read_as_it_was_written(header, body):
    packed = header.pack()
    assert len(packed) == HEADER_BYTES
    assert peek_header(packed + bytes(TAG_BYTES) + body) == header


@given(headers, st.integers(0, OVERHEAD_BYTES - 1))
def test_a_header_cut_short_is_malformed(header, keep):
    with pytest.raises(Malformed):
        peek_header((header.pack() + bytes(TAG_BYTES))[:keep])


@given(st.binary(max_size=200))
def test_random_bytes_raise_wire_errors_only(data):
    for attempt in (data, MAGIC + data, MAGIC + FORMAT_VERSION.to_bytes(2, "big") + data):
        try:
            assert peek_header(attempt).version == FORMAT_VERSION
        except WireError:
            continue


@given(headers, st.integers(0, 2**16 - 1).filter(lambda version: version != FORMAT_VERSION))
def test_another_version_is_named_whatever_follows(header, version):
    with pytest.raises(UnsupportedVersion) as caught:
        peek_header(header._replace(version=version).pack() + bytes(TAG_BYTES))
    assert caught.value.version == version


@pytest.mark.parametrize("bit", range(3, 16))
def test_a_flag_of_a_later_release_is_read_and_means_nothing(bit):
    header = Header(FORMAT_VERSION, Flags.GOODBYE, bytes(8), bytes(16), 0)
    read = peek_header(header._replace(flags=Flags.GOODBYE | 1 << bit).pack() + bytes(TAG_BYTES))
    assert Flags.GOODBYE in read.flags
    assert Flags.HEARTBEAT not in read.flags


def test_the_header_of_an_unknown_suite_is_read_but_not_opened():
    header = peek_header(
        Header(FORMAT_VERSION, Flags.NONE, bytes(8), bytes(16), 3, suite=9).pack() + bytes(TAG_BYTES)
    )
    assert (header.suite, header.number) == (9, 3)
    with pytest.raises(UnsupportedSuite, match="suite 9") as caught:
        check_suite(header)
    assert caught.value.suite == 9


def test_a_newer_version_says_that_this_end_needs_an_upgrade():
    header = Header(FORMAT_VERSION + 1, Flags.NONE, bytes(8), bytes(16), 0)
    with pytest.raises(UnsupportedVersion, match=r"written by a newer farscope .*: upgrade"):
        peek_header(header.pack() + bytes(TAG_BYTES))


def test_a_batch_over_the_limit_is_malformed():
    header = Header(FORMAT_VERSION, Flags.NONE, bytes(8), bytes(16), 0).pack()
    peek_header(header + bytes(MAX_BATCH_BYTES - HEADER_BYTES))
    with pytest.raises(Malformed, match=str(MAX_BATCH_BYTES)):
        peek_header(header + bytes(MAX_BATCH_BYTES - HEADER_BYTES + 1))
