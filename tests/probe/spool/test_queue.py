"""The spool keeps order and bounds, and reports the fate of every batch once."""

from __future__ import annotations

import os
import resource
import shutil
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from farscope.errors import LogError, LogUnavailable
from farscope.probe.spool.directory import (
    MAX_LEFT_BYTES,
    SpoolFolder,
    default_spool_root,
    destination_of,
)
from farscope.probe.spool.file import SpoolFile
from farscope.probe.spool.queue import (
    MAX_BATCHES,
    MAX_BYTES,
    SPOOL_FULL,
    SPOOL_SPOILT,
    Bounds,
    Spool,
)

PAGE = Path(__file__).parents[3] / "docs" / "howto" / "spool.md"

URL = "amqp://me@there:5672/"


@pytest.fixture
def folder(tmp_path: Path) -> SpoolFolder:
    return SpoolFolder(tmp_path / "spool", URL)


def waiting(spool: Spool) -> list[bytes]:
    return [batch.data for batch in spool.head(10_000, 1 << 40)]


def test_nothing_is_made_before_something_waits_and_nothing_is_left_after_it_was_sent(folder):
    spool = Spool(folder, "one")
    assert spool.head(10, 10) == []
    assert not folder.path.exists()
    first = spool.store([b"a", b"b"])
    spool.sent([first, first + 1])
    assert spool.remove_if_empty()
    assert list(folder.path.iterdir()) == []
    assert spool.delivery_report().stored == (first, first + 1)
    assert spool.delivery_report().stored == ()
    spool.leave()


@pytest.mark.parametrize("bounds", [Bounds(max_batches=20), Bounds(max_bytes=2_000)])
def test_over_its_bound_it_drops_the_oldest_and_makes_some_room(folder, bounds):
    spool = Spool(folder, "one", bounds)
    keys = [spool.store([b"%0100d" % number]) for number in range(21)]
    left = waiting(spool)
    assert len(left) == 18
    assert left == [b"%0100d" % number for number in range(3, 21)]
    assert spool.delivery_report().lost == tuple((key, SPOOL_FULL) for key in keys[:3])
    spool.leave()


def test_what_is_being_sent_is_not_dropped(folder):
    spool = Spool(folder, "one", Bounds(max_batches=20))
    keys = [spool.store([b"x"]) for _ in range(20)]
    assert [batch.key for batch in spool.head(5, 100)] == keys[:5]
    spool.store([b"y"])
    assert spool.delivery_report().lost == tuple((key, SPOOL_FULL) for key in keys[5:8])
    spool.sent(keys[:5])
    assert spool.delivery_report().stored == tuple(keys[:5])
    spool.leave()


def test_a_spoilt_file_gives_what_it_can_and_new_batches_go_behind_it_into_another(folder):
    spool = Spool(folder, "one")
    for number in range(100):
        spool.store([number.to_bytes(4, "big") * 2_000])
    (path,) = folder.path.glob("*.fslog")
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(0)
        file.write(os.urandom(size))
    later: list[bytes] = []
    for number in range(5):
        later.append(b"later %d" % number)
        spool.store([later[-1]])
    had: list[bytes] = []
    while found := spool.head(10, 1 << 20):
        had += [batch.data for batch in found]
        spool.sent(batch.key for batch in found)
    news = spool.delivery_report()
    assert had[-5:] == later
    assert {reason for _, reason in news.lost} <= {SPOOL_SPOILT}
    assert len(news.stored) + len(news.lost) == 105
    spool.leave()


def test_batches_whose_file_somebody_removed_are_sent_all_the_same(folder):
    spool = Spool(folder, "one")
    spool.store([b"a"])
    shutil.rmtree(folder.path)
    spool.store([b"b"])
    assert [spool.head(1, 1)[0].data] == [b"a"]
    spool.sent([1])
    assert waiting(spool) == [b"b"]
    spool.leave()
    assert len(folder.left_behind()) == 1


def test_a_disk_that_takes_nothing_is_an_error_of_the_log_and_stores_nothing(tmp_path):
    (tmp_path / "file").write_text("in the way")
    spool = Spool(SpoolFolder(tmp_path / "file", URL), "one")
    with pytest.raises(LogError):
        spool.store([b"a"])
    assert len(spool) == 0
    spool.leave()


@pytest.fixture
def full_disk():
    """Lend a switch that lets no file grow, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)

    def switch(*, on: bool) -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (0 if on else soft, hard))

    yield switch
    switch(on=False)


def test_what_was_sent_while_the_disk_was_full_is_stored_once_and_waits_no_more(folder, full_disk):
    spool = Spool(folder, "one")
    first = spool.store([b"a", b"b", b"c"])
    full_disk(on=True)
    with pytest.raises(LogUnavailable):
        spool.store([b"d"])
    spool.sent([first, first + 1])
    assert spool.delivery_report().stored == (first, first + 1)
    assert waiting(spool) == [b"c"]
    full_disk(on=False)
    spool.sent([first + 2])
    assert spool.delivery_report().stored == (first + 2,)
    assert spool.remove_if_empty()
    assert not list(folder.path.glob("*"))


def test_what_was_sent_is_deleted_from_the_disk_once_that_takes_it(folder, full_disk):
    spool = Spool(folder, "one")
    first = spool.store([b"a", b"b", b"c"])
    full_disk(on=True)
    spool.sent([first])
    full_disk(on=False)
    spool.sent([first + 1])
    spool.leave()
    [path] = folder.left_behind()
    heir = SpoolFile.take_over(path)
    assert [found.data for found in heir.head(10, 1000)[0]] == [b"c"]
    heir.destroy()


def test_a_spool_that_was_left_takes_no_more_and_its_content_waits_for_the_next(folder):
    spool = Spool(folder, "one")
    spool.store([b"a"])
    assert folder.left_behind() == []
    spool.leave()
    with pytest.raises(LogUnavailable):
        spool.store([b"b"])
    assert len(folder.left_behind()) == 1


def test_programs_that_are_gone_leave_no_more_than_the_bound_of_a_folder(folder):
    for number in range(5):
        spool = Spool(folder, f"w{number}")
        spool.store([os.urandom(100_000)])
        spool.leave()
    oldest_first = folder.left_behind()
    folder.keep_within(300_000)
    assert folder.left_behind() == oldest_first[-2:]


def test_each_address_has_a_folder_of_its_own_without_anything_unprintable_in_its_name(tmp_path):
    urls = [URL, "amqp://me@there:5672/other", "amqps://me@there:5671/", "amqp://ü:%2F@[::1]:1/\x1b[31m" * 20]
    names = [SpoolFolder(tmp_path, url).path.name for url in urls]
    assert all(name.isascii() and name.isprintable() for name in names)
    assert len(set(names)) == 4
    assert all(
        name.isascii() and name.isprintable() and "/" not in name and len(name) < 100 for name in names
    )


@given(st.text(max_size=40))
def test_a_folders_name_tells_its_destination_unless_that_is_long(text):
    folder = SpoolFolder(Path("/"), text).path
    assert destination_of(folder) in (text, None)
    if len(quote(text, safe="@")) <= 80:
        assert destination_of(folder) == text


@pytest.mark.parametrize("name", ["", "x", "amqp_me@there_5672_2F-0123456789ab", "\udcff-0123456789ab"])
def test_a_folder_of_another_name_tells_no_destination(name):
    assert destination_of(Path(name)) is None


def test_the_users_spools_lie_beside_the_users_log(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert default_spool_root() == tmp_path / "farscope" / "spool"


class SpoolModel(RuleBasedStateMachine):
    """Whatever is done: every key comes in the news once, or waits; what waits is in order."""

    folders: list[Path]

    def __init__(self) -> None:
        super().__init__()
        self.root = Path(os.environ["SPOOL_MODEL_FOLDER"]) / os.urandom(8).hex()
        self.spool = Spool(SpoolFolder(self.root, URL), "model", Bounds(max_bytes=3_000, max_batches=20))
        self.stored: dict[int, bytes] = {}
        self.told: list[int] = []
        self.taken: list[int] = []

    @rule(sizes=st.lists(st.integers(0, 800), min_size=1, max_size=8))
    def store(self, sizes):
        batches = [os.urandom(size) for size in sizes]
        first = self.spool.store(batches)
        self.stored.update(enumerate(batches, first))

    @rule(limit=st.integers(1, 5))
    def take(self, limit):
        found = self.spool.head(limit, 1 << 30)
        assert [self.stored[batch.key] for batch in found] == [batch.data for batch in found]
        self.taken = [batch.key for batch in found]

    @rule()
    def send(self):
        self.spool.sent(self.taken)
        self.taken = []

    @rule()
    def give_back(self):
        assert self.spool.remove_if_empty() == (len(self.spool) == 0)

    @invariant()
    def every_key_is_accounted_for_once(self):
        news = self.spool.delivery_report()
        self.told += [*news.stored, *(key for key, _ in news.lost)]
        assert len(self.told) == len(set(self.told))
        assert len(self.told) + len(self.spool) == len(self.stored)

    def teardown(self):
        self.spool.leave()


def test_the_spool_against_a_model(tmp_path, monkeypatch):
    from hypothesis.stateful import run_state_machine_as_test

    monkeypatch.setenv("SPOOL_MODEL_FOLDER", str(tmp_path))
    run_state_machine_as_test(
        SpoolModel, settings=settings(max_examples=30, stateful_step_count=30, deadline=None)
    )


def test_the_page_names_the_bounds():
    page = PAGE.read_text()
    assert f"| {MAX_BYTES // 1024**2} MiB or {MAX_BATCHES:,} batches per probe |" in page
    assert f"| {MAX_LEFT_BYTES // 1024**3} GiB left by programs that have ended" in page
    assert page.count(f"{MAX_BYTES // 1024**2} MiB") == 1
